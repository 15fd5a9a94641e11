//! Reads and writes the sockets, and handles what was received.

use std::io::{self, Read, Write};
use std::ops::ControlFlow;

use mio::event::Event;
use mio::net::TcpStream;
use mio::{Interest, Registry};

use super::client::{Connection, Phase, SideRequest, Tracking};
use super::token::EventSource;
use super::{LoadError, Received, Worker};
use crate::load_test::names::NodeId;
use crate::platform;

impl Worker {
    /// Handles an event of a client's connection.
    pub(super) fn handle_client_event(&mut self, index: u32, event: &Event) {
        // Taken out of `self`, because handling it needs all of `self`.
        let mut received = std::mem::take(&mut self.received);
        let result = match self.clients[index as usize].phase.connection_mut() {
            Some(connection) => connection.process(event, &mut self.buffer, &mut received),
            // An event of a connection that was closed in the meantime.
            None => Ok(()),
        };
        for what in received.drain(..) {
            match what {
                Received::Welcome { node } => self.welcome(index, &node),
                Received::ServedBy { node } => self.served_by(index, &node),
                Received::Answer { refused, .. } => self.answered(index, refused),
            }
        }
        self.received = received;
        match result {
            Ok(()) => self.write_unsent(index),
            Err(failure) => self.connection_lost(index, &failure),
        }
    }

    /// Handles an event of a side request's connection.
    pub(super) fn handle_side_request_event(&mut self, index: u32, event: &Event) {
        let Some(connection) = self.clients[index as usize].phase.connection_mut() else {
            return;
        };
        let Some(mut side_request) = connection.side_request.take() else {
            return;
        };
        match side_request.process(event, connection, &mut self.buffer) {
            Ok(ControlFlow::Continue(())) => connection.side_request = Some(side_request),
            Ok(ControlFlow::Break(())) => self.write_unsent(index),
            Err(failure) => self.connection_lost(index, &failure),
        }
    }

    /// Writes a client's unsent bytes.
    pub(super) fn write_unsent(&mut self, index: u32) {
        let (target, source) = (self.common.target, self.address(index));
        let Some(connection) = self.clients[index as usize].phase.connection_mut() else {
            return;
        };
        let written = connection.flush().and_then(|all| {
            if all {
                Ok(())
            } else {
                connection.watch_writability(index, self.poll.registry())
            }
        });
        let sent_out = written.and_then(|()| {
            if connection.side_request.is_none()
                && let Some(text) = connection.conversation.side_request()
            {
                // Not eager: it is written once connected, and the target must not wait for that.
                let stream = platform::connect::begin(target, source, false)?;
                connection.side_request =
                    Some(SideRequest::begun(stream, text, index, self.poll.registry())?);
            }
            Ok(())
        });
        if let Err(error) = sent_out {
            self.connection_lost(index, &error.into());
        }
    }

    /// The number of clients that the node serves.
    pub(super) fn connections_to(&mut self, node: NodeId) -> &mut u32 {
        let node = usize::from(node);
        if self.held.len() <= node {
            self.held.resize(node + 1, 0);
        }
        &mut self.held[node]
    }

    // Private

    /// The client in `index` is served by `node`.
    fn welcome(&mut self, index: u32, node: &str) {
        let node = self.common.names.id(node);
        let address = self.address(index);
        let client = &mut self.clients[index as usize];
        let (connection, since) = match std::mem::replace(&mut client.phase, Phase::Waiting) {
            Phase::Opening { connection, since } => (connection, since),
            other => {
                client.phase = other;
                return;
            }
        };
        // From now on messages are short and must not wait for more data.
        let _fails_on_dead_ones = connection.stream.set_nodelay(true);
        client.phase = Phase::Held {
            connection,
            pending: None,
        };
        client.node = node;
        let (is_first, tracking) = (
            client.turn.is_none(),
            std::mem::replace(&mut client.tracking, Tracking::Normal),
        );
        self.timers.disarm(index);
        self.opening -= 1;
        self.served += 1;
        *self.connections_to(node) += 1;
        if is_first {
            self.tally.handshake.add(self.now.saturating_sub(since));
            self.tally.last_first_welcome = self.now;
            self.clients[index as usize].turn = Some(self.schedule.next_turn(index, self.now));
        }
        match tracking {
            Tracking::Normal | Tracking::Moved => {}
            Tracking::Failing { .. } => {
                self.clients[index as usize].tracking = Tracking::Moved;
                self.homeless -= 1;
                self.cut -= 1;
                self.tally.failover.rehomed.push((self.now, node));
            }
            Tracking::Returning(was) => {
                self.sampling -= 1;
                self.tally.sampled.returned(address, was, Some(node));
            }
        }
        self.send_overdue(index);
    }
}

impl Worker {
    /// The client in `index` has an answer from `node` over the connection that it holds. Without
    /// sessions that need not be the node of its former answers.
    fn served_by(&mut self, index: u32, node: &str) {
        let node = self.common.names.id(node);
        let client = &mut self.clients[index as usize];
        let was = client.node;
        if was != node && matches!(client.phase, Phase::Held { .. }) {
            client.node = node;
            *self.connections_to(was) -= 1;
            *self.connections_to(node) += 1;
        }
    }
}

impl Connection {
    /// Writes and reads as much as possible.
    fn process(
        &mut self,
        event: &Event,
        buffer: &mut [u8],
        received: &mut Vec<Received>,
    ) -> Result<(), LoadError> {
        if event.is_error()
            && let Some(error) = self.stream.take_error()?
        {
            return Err(error.into());
        }
        if event.is_writable() {
            self.flush()?;
        }
        if event.is_readable() || event.is_read_closed() {
            let ended = read(&mut self.stream, event.is_read_closed(), buffer, |bytes| {
                self.conversation.receive(bytes, received).map(|()| true)
            })?;
            if ended {
                return Err(self.conversation.ended());
            }
        }
        Ok(())
    }

    /// Asks the poller to report when the connection is writable.
    fn watch_writability(&mut self, index: u32, registry: &Registry) -> io::Result<()> {
        if self.watches_writability {
            return Ok(());
        }
        self.watches_writability = true;
        let both = Interest::READABLE | Interest::WRITABLE;
        registry.reregister(&mut self.stream, EventSource::Connection(index).into(), both)
    }
}

impl SideRequest {
    fn begun(
        stream: std::net::TcpStream,
        text: Box<[u8]>,
        index: u32,
        registry: &Registry,
    ) -> io::Result<Box<SideRequest>> {
        let mut stream = TcpStream::from_std(stream);
        let both = Interest::READABLE | Interest::WRITABLE;
        registry.register(&mut stream, EventSource::SideRequest(index).into(), both)?;
        Ok(Box::new(SideRequest {
            stream,
            text,
            sent: 0,
        }))
    }

    /// Writes and reads as much as possible; breaks when the answer is complete.
    fn process(
        &mut self,
        event: &Event,
        connection: &mut Connection,
        buffer: &mut [u8],
    ) -> Result<ControlFlow<()>, LoadError> {
        if event.is_error()
            && let Some(error) = self.stream.take_error()?
        {
            return Err(error.into());
        }
        while let Some(rest) = self.text.get(self.sent..).filter(|rest| !rest.is_empty()) {
            match self.stream.write(rest) {
                Ok(sent) => self.sent += sent,
                Err(error) if waits(&error) => break,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error.into()),
            }
        }
        if !event.is_readable() && !event.is_read_closed() {
            return Ok(ControlFlow::Continue(()));
        }
        let mut done = false;
        let ended = read(&mut self.stream, event.is_read_closed(), buffer, |bytes| {
            done = connection.conversation.receive_side_request(bytes)?;
            Ok(!done)
        })?;
        match (done, ended) {
            (true, _) => Ok(ControlFlow::Break(())),
            (false, true) => connection
                .conversation
                .side_request_ended()
                .map(ControlFlow::Break),
            (false, false) => Ok(ControlFlow::Continue(())),
        }
    }
}

// Private

/// Reads everything available, to the end if the connection is `closed`, while `receive` wants
/// more. Returns whether the end was reached.
fn read(
    stream: &mut TcpStream,
    closed: bool,
    buffer: &mut [u8],
    mut receive: impl FnMut(&[u8]) -> Result<bool, LoadError>,
) -> Result<bool, LoadError> {
    loop {
        match stream.read(buffer) {
            Ok(0) => return Ok(true),
            Ok(read) => {
                let more = receive(&buffer[..read])?;
                // Less than the buffer holds: there is no more now, except the end.
                if !more || (read < buffer.len() && !closed) {
                    return Ok(false);
                }
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
            Err(error) => return Err(error.into()),
        }
    }
}

/// Whether a write only has to wait, for buffer space or for the connection.
fn waits(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::WouldBlock | io::ErrorKind::NotConnected
    )
}
