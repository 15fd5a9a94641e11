//! Clients whose connections are kept alive.

use std::io::{self, ErrorKind};
use std::net::Ipv4Addr;

use mio::{Events, Interest, Poll, Token};

use super::{AsyncClient, Client, Received, Service, Sources, TIMEOUT};

/// Clients by token, each of which has one exchange at a time.
pub(crate) struct Clients<'a> {
    /// Their events.
    pub(crate) poll: Poll,
    service: Service<'a>,
    sources: &'a mut Sources,
    connected: Vec<AsyncClient>,
}

impl<'a> Clients<'a> {
    /// Connects `count` of them.
    pub(crate) fn connect(
        count: usize,
        service: Service<'a>,
        sources: &'a mut Sources,
    ) -> io::Result<Clients<'a>> {
        let mut clients = Clients {
            poll: Poll::new()?,
            service,
            sources,
            connected: Vec::new(),
        };
        for token in 0..count {
            let client = clients.connection(token)?;
            clients.connected.push(client);
        }
        Ok(clients)
    }

    /// Waits for events.
    ///
    /// # Errors
    /// When none come.
    pub(crate) fn wait(&mut self, events: &mut Events) -> io::Result<()> {
        self.poll.poll(events, Some(TIMEOUT))?;
        if events.is_empty() {
            return Err(ErrorKind::TimedOut.into());
        }
        Ok(())
    }

    /// Sends a client's request.
    pub(crate) fn send(&mut self, token: usize) -> io::Result<()> {
        self.connected[token].send()
    }

    /// Reads; returns whether the answer is complete. A client whose server closes is connected
    /// again.
    pub(crate) fn receive(&mut self, token: usize) -> io::Result<bool> {
        let received = self.connected[token].receive()?;
        if received == Received::LastAnswer {
            self.connected[token] = self.connection(token)?;
        }
        Ok(received != Received::Nothing)
    }

    // Private

    fn connection(&mut self, token: usize) -> io::Result<AsyncClient> {
        let source = self.sources.next().unwrap_or(Ipv4Addr::LOCALHOST);
        let Service { protocol, address } = self.service;
        let mut client = Client::connect(protocol, source, address)?.into_async()?;
        self.poll
            .registry()
            .register(&mut client.stream, Token(token), Interest::READABLE)?;
        Ok(client)
    }
}
