//! Gives a request a connection to its server: an idle one, or a new one.

use std::io;
use std::sync::Arc;

use mio::net::TcpStream;

use super::client::{Client, Phase, Stage};
use super::{Next, ServerConnection};
use crate::dataplane::backend::Lease;
use crate::dataplane::counters::count;
use crate::dataplane::relay::{InputState, Readiness};
use crate::dataplane::server::Server;
use crate::dataplane::worker::connecting::VERIFY_MS;
use crate::dataplane::worker::session::EndReason;
use crate::dataplane::worker::{EventSource, READABLE, READABLE_OR_WRITABLE, Worker};
use crate::platform;

/// How long after an answer its connection is used again without a look whether the server has closed
/// it, in ms.
const UNCHECKED_MS: u64 = 2;

impl Worker {
    /// Gives the request of `client` a connection to the server of `lease`.
    pub(super) fn connect_server(&mut self, client: &mut Client, lease: Lease) -> Next {
        let Phase::Exchanging(active) = &mut client.phase else {
            return Next::Wait;
        };
        lease.server().http.request(self.number, self.now);
        if !active.needs_new_connection
            && let Some(mut connection) = self.idle_connection(lease.server())
        {
            connection.client = Some(client.index);
            if let Some(record) = &mut client.record {
                record.assigned(lease.server(), true, self.now);
            }
            let server = connection.index;
            active.backend.http.reused(self.number);
            lease.server().http.reused(self.number);
            active.stage = Stage::Connected { server, lease };
            active.connected = self.now;
            client.since = self.now;
            return self.send_request(client, connection);
        }
        active.attempts += 1;
        if let Some(record) = &mut client.record {
            record.assigned(lease.server(), false, self.now);
        }
        active.backend.http.connecting(self.number);
        lease.server().http.connecting(self.number);
        let (failures, serial) = (usize::from(active.attempts - 1), active.serial);
        let eager = !lease.server().is_suspect(self.now);
        match self.open(client.index, lease.server(), serial, failures, eager) {
            Ok(connection) => {
                let server = connection.index;
                active.stage = Stage::Connecting { server, lease };
                client.since = self.now;
                if eager {
                    return self.send_request(client, connection);
                }
                self.rest_server(connection);
                Next::Wait
            }
            Err(error) if platform::connect::is_ours(&error) => {
                self.warn_throttled("cannot connect to a server", &error);
                // Another source address may work. If not, the cause may be this server only.
                if failures > 0 {
                    active.tried.push(lease.server().id);
                }
                lease.server().http.finished(self.number);
                drop(lease);
                self.try_again(client)
            }
            Err(error) => {
                active.tried.push(lease.server().id);
                count(&lease.server().counters.connect_errors);
                count(&active.backend.counters.connect_errors);
                if lease.server().failed(active.backend.pool().config.eject_after) {
                    self.shared.eject(&active.backend, lease.server(), &error);
                }
                lease.server().http.finished(self.number);
                drop(lease);
                self.try_again(client)
            }
        }
    }

    /// Handles an event of a connection that was not accepted yet.
    pub(super) fn check_connection(&mut self, client: &mut Client, index: u32) -> Next {
        let Some(connection) = self.http.servers.take(index) else {
            return Next::Wait;
        };
        let readiness = connection.readiness;
        let error = match connection.stream.take_error() {
            _ if readiness.input == InputState::Open && !readiness.writable => None,
            Ok(error) => error,
            Err(error) => Some(error),
        };
        let is_suspect = connection.server.is_suspect(self.now);
        if let Some(error) = error {
            self.rest_server(connection);
            return self.reassign_server(client, &error);
        }
        if is_suspect && readiness.input != InputState::Open {
            self.rest_server(connection);
            return self.reassign_server(client, &io::ErrorKind::ConnectionReset.into());
        }
        // A server that may be dying gets no bytes before it has stayed connected for a moment, so
        // that another one can take the request otherwise.
        let verified = !is_suspect || connection.since + VERIFY_MS <= self.now;
        if !readiness.writable || !verified {
            self.rest_server(connection);
            return Next::Wait;
        }
        self.send_request(client, connection)
    }

    /// Sends what is there of the request. The connection may not be accepted yet: a server on this
    /// host has accepted by now.
    pub(super) fn send_request(
        &mut self,
        client: &mut Client,
        mut connection: Box<ServerConnection>,
    ) -> Next {
        let Phase::Exchanging(active) = &mut client.phase else {
            return Next::Wait;
        };
        let sent = active
            .request
            .flush(&connection.stream, &mut connection.readiness);
        let was_reused = connection.uses > 0;
        self.rest_server(connection);
        match sent {
            // The node has not got a single byte of the request: another connection may have it. That an
            // idle one was closed says nothing against the node.
            Err(_) if was_reused && !active.request.has_sent() => self.connect_again(client),
            Err(error) if !active.request.has_sent() => self.reassign_server(client, &error),
            Err(_) => {
                active.node_refuses = true;
                self.server_accepted(client);
                Next::Again
            }
            Ok(()) if active.request.has_sent() => {
                self.server_accepted(client);
                Next::Again
            }
            Ok(()) => Next::Wait,
        }
    }

    /// Sends the request of `client` again, on a new connection to the same server: the one that it had
    /// was idle before, and is closed.
    pub(super) fn connect_again(&mut self, client: &mut Client) -> Next {
        let Phase::Exchanging(active) = &mut client.phase else {
            return Next::Wait;
        };
        let Stage::Connected { server, lease } = std::mem::replace(&mut active.stage, Stage::New) else {
            return Next::End(EndReason::Server);
        };
        active.request.rewind();
        active.needs_new_connection = true;
        active.node_refuses = false;
        count(&lease.server().counters.retries);
        count(&active.backend.counters.retries);
        lease.server().http.finished(self.number);
        self.close_server(server);
        self.connect_server(client, lease)
    }

    /// Puts a connection to a server back until something happens.
    pub(super) fn rest_server(&mut self, mut connection: Box<ServerConnection>) {
        if !connection.readiness.writable && !connection.watches_writability {
            connection.watches_writability = true;
            let source = EventSource::Server(connection.index);
            let registry = self.poll.registry();
            if let Err(error) =
                registry.reregister(&mut connection.stream, source.into(), READABLE_OR_WRITABLE)
            {
                self.warn_throttled("cannot watch a connection", &error);
            }
        }
        self.http.servers.put(connection.index, connection);
    }

    /// Closes a connection to a server.
    pub(super) fn close_server(&mut self, index: u32) {
        if self.http.servers.take(index).is_some() {
            self.http.servers.vacate(index);
        }
    }

    /// Closes idle connections to servers while the descriptor table is full: there is a descriptor
    /// for one connection of each client, and idle ones use what is left.
    pub(super) fn free_descriptors(&mut self) {
        while 2 * self.places.count() + self.http.clients.count() + self.http.servers.count() >= 2 * self.room
            && let Some(index) = self.http.pool.pop_any()
        {
            self.close_server(index);
        }
    }

    // Private

    /// Records that the server has taken bytes of the request.
    fn server_accepted(&mut self, client: &mut Client) {
        let Phase::Exchanging(active) = &mut client.phase else {
            return;
        };
        active.stage = match std::mem::replace(&mut active.stage, Stage::New) {
            Stage::Connecting { server, lease } => {
                lease.server().connected();
                let took = self.now.saturating_sub(client.since);
                lease.server().counters.connect_time.add(took);
                active.backend.counters.connect_time.add(took);
                active.connected = self.now;
                client.since = self.now;
                if let Some(record) = &mut client.record {
                    record.connected(self.now);
                }
                Stage::Connected { server, lease }
            }
            other => other,
        };
    }

    /// An idle connection that the server has not closed.
    fn idle_connection(&mut self, server: &Arc<Server>) -> Option<Box<ServerConnection>> {
        while let Some(index) = self.http.pool.pop(server) {
            let Some(connection) = self.http.servers.take(index) else {
                continue;
            };
            // Its last answer was read just now up to its last byte, and its end would have been reported
            // with it.
            let is_read = !connection.readiness.readable;
            let is_kept = is_read && connection.uses > 1 && connection.since + UNCHECKED_MS > self.now;
            if connection.may_be_idle(self.now) && (is_kept || is_silent(&connection.stream)) {
                return Some(connection);
            }
            self.http.servers.vacate(index);
        }
        None
    }

    /// Begins a connection attempt.
    fn open(
        &mut self,
        client: u32,
        server: &Arc<Server>,
        serial: u64,
        failures: usize,
        eager: bool,
    ) -> io::Result<Box<ServerConnection>> {
        self.free_descriptors();
        let target = server.address();
        let source = self.topology.source(self.number, serial, failures, target.ip());
        let mut stream = TcpStream::from_std(platform::connect::begin(target, source, eager)?);
        let index = self.http.servers.vacant();
        let interest = if eager { READABLE } else { READABLE_OR_WRITABLE };
        let registry = self.poll.registry();
        if let Err(error) = registry.register(&mut stream, EventSource::Server(index).into(), interest) {
            self.http.servers.vacate(index);
            return Err(error);
        }
        Ok(Box::new(ServerConnection {
            index,
            server: Arc::clone(server),
            address: target,
            stream,
            readiness: Readiness {
                readable: false,
                writable: eager,
                input: InputState::Open,
            },
            watches_writability: !eager,
            has_nodelay: !eager,
            client: Some(client),
            uses: 0,
            since: self.now,
            idle_limit: self.topology.times.node_keep_alive,
            is_clean: true,
            input: Vec::new(),
        }))
    }
}

// Private

/// Whether a connection is open and nothing has come from the other side.
fn is_silent(stream: &TcpStream) -> bool {
    let nothing = stream.peek(&mut [0]);
    nothing.is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock)
}
