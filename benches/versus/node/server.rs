//! The thread of the nodes.

use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, AsRawFd};
use std::sync::mpsc::Receiver;
use std::time::Instant;

use mio::net::TcpListener;
use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token, Waker};

use super::events::{self, Pace};
use super::{NODES, Order, Serve};

/// The size of a read.
const BUFFER: usize = 256 * 1024;
/// Tokens behind those of the listeners.
const WAKE: usize = NODES;
const TIMER: usize = NODES + 1;
const CONNECTIONS: usize = NODES + 2;

/// Nodes, and all their connections.
pub(super) struct Server<S> {
    poll: Poll,
    listeners: Vec<TcpListener>,
    /// Connections by token, less `CONNECTIONS`.
    connections: Vec<Option<S>>,
    free: Vec<usize>,
    buffer: Vec<u8>,
    clock: Instant,
    orders: Receiver<Order>,
    pace: Pace,
}

impl<S: Serve> Server<S> {
    /// Without listeners yet.
    pub(super) fn new(clock: Instant, orders: Receiver<Order>) -> io::Result<Server<S>> {
        let poll = Poll::new()?;
        let pace = Pace::new()?;
        poll.registry().register(
            &mut SourceFd(&pace.timer.as_fd().as_raw_fd()),
            Token(TIMER),
            Interest::READABLE,
        )?;
        Ok(Server {
            poll,
            listeners: Vec::new(),
            connections: Vec::new(),
            free: Vec::new(),
            buffer: vec![0; BUFFER],
            clock,
            orders,
            pace,
        })
    }

    /// What wakes it for orders.
    pub(super) fn waker(&self) -> io::Result<Waker> {
        Waker::new(self.poll.registry(), Token(WAKE))
    }

    /// Listens; returns the addresses.
    pub(super) fn bind(&mut self) -> io::Result<Vec<SocketAddr>> {
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        for token in 0..NODES {
            let mut listener = TcpListener::bind(any)?;
            self.poll
                .registry()
                .register(&mut listener, Token(token), Interest::READABLE)?;
            self.listeners.push(listener);
        }
        self.listeners.iter().map(TcpListener::local_addr).collect()
    }

    /// Serves until it fails.
    pub(super) fn serve(&mut self) -> io::Result<()> {
        let mut events = Events::with_capacity(1024);
        loop {
            match self.poll.poll(&mut events, None) {
                // The end of a child process, which starting a balancer may wait for.
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                polled => polled?,
            }
            for event in &events {
                match event.token() {
                    Token(WAKE) => self.obey()?,
                    Token(TIMER) => self.send_due(),
                    Token(token) if token < NODES => self.accept(token)?,
                    Token(token) => self.go_on(token - CONNECTIONS, event.is_read_closed()),
                }
            }
        }
    }

    // Private

    fn accept(&mut self, listener: usize) -> io::Result<()> {
        while let Ok((mut stream, _)) = self.listeners[listener].accept() {
            let index = self.free.pop().unwrap_or(self.connections.len());
            let both = Interest::READABLE | Interest::WRITABLE;
            self.poll
                .registry()
                .register(&mut stream, Token(CONNECTIONS + index), both)?;
            stream.set_nodelay(true)?;
            if index == self.connections.len() {
                self.connections.push(None);
            }
            self.connections[index] = Some(S::new(stream));
        }
        Ok(())
    }

    fn go_on(&mut self, index: usize, ended: bool) {
        let Some(connection) = &mut self.connections[index] else {
            return;
        };
        // The client may be gone.
        if !connection.go_on(&mut self.buffer, ended).unwrap_or(false) {
            self.connections[index] = None;
            self.free.push(index);
        }
    }

    fn obey(&mut self) -> io::Result<()> {
        while let Ok(order) = self.orders.try_recv() {
            let all = self.connections.iter().enumerate();
            let streams = all.filter(|(_, it)| it.as_ref().is_some_and(S::is_stream));
            let streams = streams.map(|(index, _)| index).collect();
            match order {
                Order::ToEach => self.send(streams),
                Order::InTurn(count, interval) => self.pace.begin(streams, count, interval)?,
            }
        }
        Ok(())
    }

    fn send_due(&mut self) {
        let streams = self.pace.due();
        self.send(streams);
    }

    fn send(&mut self, streams: Vec<usize>) {
        for index in streams {
            if let Some(stream) = &mut self.connections[index] {
                // The client may be gone; its end is an event of its own.
                let _sent = stream.send(&events::event(self.clock));
            }
        }
    }
}
