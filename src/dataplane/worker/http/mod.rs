//! HTTP: clients' connections, connections to servers, and the requests between them.
//!
//! A client's connection has one request at a time, and a server only while it has one. What a
//! message is and how it passes is decided in `dataplane::http`, without sockets; this module reads,
//! writes, waits, and chooses servers.

mod answering;
mod assigning;
mod bulk;
mod client;
mod compressing;
mod connecting;
mod counting;
mod ending;
mod exchanging;
mod logging;
mod orders;
mod outbox;
mod own_answers;
mod pool;
mod request_id;
mod requesting;
mod server_connection;
mod timeouts;
mod tunneling;

use std::io::{self, Read};
use std::net::SocketAddr;

use mio::event::Event;
use mio::net::TcpStream;

use super::session::EndReason;
use super::slab::Slab;
use super::{EventSource, READABLE, READABLE_OR_WRITABLE, Worker};
use crate::dataplane::admission::Admission;
use crate::dataplane::client_limits::ClientLease;
use crate::dataplane::http::{Gzip, HeadScan};
use crate::dataplane::relay::{InputState, Readiness};
use crate::workers::Wheel;

pub(super) use client::Client;
use client::Phase;
use logging::Pending;
use outbox::Outbox;
use pool::Pool;
use request_id::RequestIds;
pub(super) use server_connection::ServerConnection;

/// The most bytes of one read, which are kept if the other side does not take them.
const READ: usize = 16 * 1024;
/// Steps of one client before others get their turn.
const ROUNDS: usize = 4;

/// A worker's connections of HTTP.
#[derive(Debug)]
pub(super) struct Http {
    pub(super) clients: Slab<Client>,
    servers: Slab<ServerConnection>,
    pool: Pool,
    pub(super) timers: Wheel,
    /// Clients that have more to do and let others run first.
    pub(super) runnable: Vec<u32>,
    /// When to look for idle connections to close.
    pub(super) sweep_at: Option<u64>,
    request_ids: RequestIds,
    /// Bytes of answers that are held to be compressed, or are compressed and not sent yet.
    compressing: usize,
    /// Made when it is needed first.
    gzip: Option<Box<Gzip>>,
    /// What goes out next.
    out: Vec<u8>,
    /// Lines of the access log.
    pending: Pending,
}

/// What follows a step of a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    /// Another step, at once.
    Again,
    /// Another step, after others had their turn.
    Later,
    /// An event or a timer.
    Wait,
    /// Nothing.
    End(EndReason),
}

impl Http {
    pub(super) fn new(worker: u16, now: u64) -> Http {
        Http {
            clients: Slab::default(),
            servers: Slab::default(),
            pool: Pool::new(worker),
            timers: Wheel::new(now),
            runnable: Vec::new(),
            sweep_at: None,
            request_ids: RequestIds::new(),
            compressing: 0,
            gzip: None,
            out: Vec::new(),
            pending: Pending::default(),
        }
    }

    /// When something has to be done that no event reports.
    pub(super) fn next(&self) -> Option<u64> {
        [self.timers.next(), self.sweep_at].into_iter().flatten().min()
    }

    /// Notes an event of an idle connection to a server before the events of clients are handled: if
    /// its server has closed it, or has sent what nothing asked for, no request may use it.
    pub(super) fn note_idle(&mut self, index: u32, event: &Event) {
        if let Some(server) = self
            .servers
            .get_mut(index)
            .filter(|server| server.client.is_none())
        {
            note(&mut server.readiness, event);
        }
    }

    /// Records that all collected events have been handled.
    pub(super) fn all_read(&mut self) {
        self.clients.all_read();
        self.servers.all_read();
    }
}

impl Worker {
    /// Handles an accepted client of an HTTP frontend.
    pub(super) fn start_client(
        &mut self,
        admission: Admission,
        limits: ClientLease,
        stream: TcpStream,
        from: SocketAddr,
    ) {
        self.free_descriptors();
        self.serial += 1;
        let mut client = Box::new(Client {
            index: self.http.clients.vacant(),
            serial: self.serial,
            admission,
            limits,
            from,
            stream,
            readiness: Readiness {
                readable: true,
                writable: true,
                input: InputState::Open,
            },
            watches_writability: false,
            sent_end: false,
            is_runnable: false,
            is_counted: false,
            compressing: 0,
            requests: 0,
            status: None,
            record: None,
            input: Vec::new(),
            output: Outbox::default(),
            began: self.now,
            since: self.now,
            last_active: self.now,
            phase: Phase::Requesting(HeadScan::default()),
        });
        let source = EventSource::Client(client.index);
        let registry = self.poll.registry();
        if let Err(error) = registry.register(&mut client.stream, source.into(), READABLE) {
            self.warn_throttled("cannot watch a client", &error);
            return self.end_client(client, EndReason::NoServer);
        }
        self.drive(client);
    }

    /// Handles an event of a client's connection.
    pub(super) fn client_event(&mut self, index: u32, event: &Event) {
        if let Some(mut client) = self.http.clients.take(index) {
            note(&mut client.readiness, event);
            self.drive(client);
        }
    }

    /// Handles an event of a connection to a server.
    pub(super) fn server_event(&mut self, index: u32, event: &Event) {
        let Some(mut server) = self.http.servers.take(index) else {
            return;
        };
        note(&mut server.readiness, event);
        match server.client {
            Some(client) => {
                self.http.servers.put(index, server);
                if let Some(client) = self.http.clients.take(client) {
                    self.drive(client);
                }
            }
            // The server has closed it, or sends what nothing asked for.
            None if server.readiness.readable => {
                self.http.pool.remove(&server.server, index);
                self.http.servers.vacate(index);
            }
            None => self.http.servers.put(index, server),
        }
    }

    /// Continues a client that let others run first.
    pub(super) fn continue_client(&mut self, index: u32) {
        if let Some(mut client) = self.http.clients.take(index) {
            client.is_runnable = false;
            self.drive(client);
        }
    }

    // Private

    /// Does what follows a step.
    fn follow(&mut self, client: Box<Client>, next: Next) {
        match next {
            Next::Again => self.drive(client),
            Next::Later => self.continue_later(client),
            Next::Wait => self.rest(client),
            Next::End(why) => self.end_client(client, why),
        }
    }

    /// Continues a client until it has to wait.
    fn drive(&mut self, mut client: Box<Client>) {
        for _ in 0..ROUNDS {
            let next = match client.phase {
                Phase::Requesting(_) => self.read_request(&mut client),
                Phase::Exchanging(_) => self.continue_exchange(&mut client),
                Phase::Tunnel(_) => self.pass_tunnel(&mut client),
                Phase::Lingering => self.linger(&mut client),
            };
            if next != Next::Again {
                return self.follow(client, next);
            }
        }
        self.continue_later(client);
    }

    fn continue_later(&mut self, mut client: Box<Client>) {
        if !client.is_runnable {
            client.is_runnable = true;
            self.http.runnable.push(client.index);
        }
        self.rest(client);
    }

    /// Puts a client back until something happens.
    fn rest(&mut self, mut client: Box<Client>) {
        if !client.readiness.writable && !client.watches_writability {
            client.watches_writability = true;
            let source = EventSource::Client(client.index);
            let registry = self.poll.registry();
            if let Err(error) = registry.reregister(&mut client.stream, source.into(), READABLE_OR_WRITABLE) {
                self.warn_throttled("cannot watch a connection", &error);
            }
        }
        client.output.shrink();
        self.release_compression(&mut client);
        self.arm(&client);
        self.http.clients.put(client.index, client);
    }
}

// Private

/// Records what an event reports.
fn note(readiness: &mut Readiness, event: &Event) {
    readiness.readable |= event.is_readable() || event.is_read_closed() || event.is_error();
    readiness.writable |= event.is_writable();
    let input = if event.is_error() {
        InputState::Failed
    } else if event.is_read_closed() {
        InputState::Ending
    } else {
        InputState::Open
    };
    readiness.input = readiness.input.max(input);
}

/// Sends what the client has not taken yet. Returns what follows while the client does not take all of
/// it.
fn flush_output(client: &mut Client) -> Option<Next> {
    if client.output.is_empty() {
        return None;
    }
    let flushed = client.output.flush(&client.stream, &mut client.readiness);
    match flushed {
        Err(_) => Some(Next::End(EndReason::Client)),
        Ok(()) if client.output.is_empty() => None,
        Ok(()) => Some(Next::Wait),
    }
}

/// Reads what is there; `None` if nothing is.
fn read(mut stream: &TcpStream, readiness: &mut Readiness, buffer: &mut [u8]) -> io::Result<Option<usize>> {
    loop {
        match stream.read(buffer) {
            Ok(read) => {
                // A read that did not fill the buffer has emptied the socket: later bytes trigger a
                // new edge.
                readiness.readable = read == buffer.len() || readiness.input != InputState::Open;
                return Ok(Some(read));
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                readiness.readable = false;
                return Ok(None);
            }
            Err(error) => return Err(error),
        }
    }
}
