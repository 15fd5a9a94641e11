//! One client's connection and, once there is one, the server's.
//!
//! ```text
//!                  ┌──── a connect failed: another server ────┐
//!                  ▼                                          │
//!   accepted ─▶ (assign) ─▶ Connecting ─────────────────────▶─┤
//!                │  ▲            │                            │ all were tried
//!        no room │  │ served     │ connected                  ▼
//!                ▼  │            ▼                         Pausing ─▶ (assign)
//!              Waiting       Relaying ─▶ gone
//! ```

use std::io::{self, Read, Write};
use std::net::{IpAddr, Shutdown, SocketAddr};
use std::sync::Arc;
use std::time::Instant;

use mio::net::TcpStream;

use super::gate::LineGate;
use crate::dataplane::admission::Admission;
use crate::dataplane::backend::{Backend, Lease};
use crate::dataplane::client_limits::ClientLease;
use crate::dataplane::frontend::Frontend;
use crate::dataplane::lines::Lines;
use crate::dataplane::relay::{End, OpenGate, Relay, Step};
use crate::haproxy_api::server::SessionFigures;
use crate::platform::receive_queue;

/// A session.
#[derive(Debug)]
pub(super) struct Session {
    /// Its place in its worker.
    pub(super) index: u32,
    /// Its number in its worker.
    pub(super) serial: u64,
    pub(super) admission: Admission,
    pub(super) backend: Arc<Backend>,
    pub(super) from: SocketAddr,
    pub(super) client: TcpStream,
    pub(super) client_lease: ClientLease,
    pub(super) phase: Phase,
    pub(super) relay: Relay,
    pub(super) lines: Lines,
    /// When it was accepted.
    pub(super) began: u64,
    /// The time of the last byte in either direction.
    pub(super) last_active: u64,
    /// Bytes already added to the counters, up and down.
    pub(super) counted: (u64, u64),
    /// Servers whose connection attempts have failed.
    pub(super) tried: Vec<u32>,
    /// Connection attempts so far.
    pub(super) attempts: u8,
    /// The last bytes came from the client: an answer may be under way.
    pub(super) awaits_answer: bool,
    /// Whether it is in the list of sessions with more to do.
    pub(super) is_runnable: bool,
    /// Steps that are done only once.
    pub(super) done: Done,
}

/// Steps that are done only once, when needed.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Done {
    /// Events of the client include writability.
    pub(super) client_writability: bool,
    /// Events of the server include writability.
    pub(super) server_writability: bool,
    /// Nagle's delay is off towards the server.
    pub(super) nodelay: bool,
}

/// The phase of a session.
#[derive(Debug)]
pub(super) enum Phase {
    /// It has neither a server nor a place in a queue: a short intermediate state.
    New,
    /// It waits for a server below its maxconn.
    Waiting,
    /// It waits for a server's answer.
    Connecting {
        server: TcpStream,
        lease: Lease,
        since: u64,
    },
    /// It waits before it tries failed servers again.
    Pausing,
    /// Bytes move in both directions.
    Relaying { server: TcpStream, lease: Lease },
}

/// The reason of a session's end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum EndReason {
    /// Both sides have sent their end.
    Finished,
    /// The client broke the connection.
    Client,
    /// The server broke the connection.
    Server,
    /// No server was available.
    NoServer,
    /// No byte moved for too long, or the wait in the queue was too long.
    TooLong,
    /// A command ended it.
    Ordered,
}

impl Phase {
    fn lease(&self) -> Option<&Lease> {
        match self {
            Phase::Connecting { lease, .. } | Phase::Relaying { lease, .. } => Some(lease),
            Phase::New | Phase::Waiting | Phase::Pausing => None,
        }
    }

    pub(super) fn server(&self) -> Option<&TcpStream> {
        match self {
            Phase::Connecting { server, .. } | Phase::Relaying { server, .. } => Some(server),
            Phase::New | Phase::Waiting | Phase::Pausing => None,
        }
    }

    pub(super) fn server_mut(&mut self) -> Option<&mut TcpStream> {
        match self {
            Phase::Connecting { server, .. } | Phase::Relaying { server, .. } => Some(server),
            Phase::New | Phase::Waiting | Phase::Pausing => None,
        }
    }
}

impl Session {
    /// The client's address, without port.
    pub(super) fn client_ip(&self) -> IpAddr {
        self.from.ip().to_canonical()
    }

    /// Passes bytes on through `buffer`. Also returns when to continue if messages are held back.
    pub(super) fn transfer(&mut self, buffer: &mut [u8], now: Instant) -> (Step, Option<Instant>) {
        let Session {
            client,
            relay,
            phase,
            client_lease,
            lines,
            ..
        } = self;
        let (mut client, mut server) = (Socket(Some(client)), Socket(phase.server()));
        if client_lease.counts_messages() {
            let mut gate = LineGate::new(client_lease, lines, now);
            let step = relay.transfer(&mut client, &mut server, buffer, &mut gate);
            (step, gate.again_at())
        } else {
            (
                relay.transfer(&mut client, &mut server, buffer, &mut OpenGate),
                None,
            )
        }
    }

    /// The frontend that accepted it.
    pub(super) fn frontend(&self) -> &Frontend {
        self.admission.frontend()
    }

    /// Its server, connected or being connected.
    pub(super) fn lease(&self) -> Option<&Lease> {
        self.phase.lease()
    }

    /// The session's number, unique among all workers.
    pub(super) fn id(&self, worker: u16) -> u64 {
        (u64::from(worker) << 48) | self.serial
    }

    /// The figures for the runtime API.
    pub(super) fn figures(&self, worker: u16, now: u64) -> SessionFigures {
        let since = |at: u64| std::time::Duration::from_millis(now.saturating_sub(at));
        SessionFigures {
            id: self.id(worker),
            client: self.from,
            frontend: self.frontend().name.clone(),
            backend: Some(self.backend.name.clone()),
            server: self.lease().map(|lease| lease.server().name.clone()),
            source: match &self.phase {
                Phase::Relaying { server, .. } => server.local_addr().ok(),
                _ => None,
            },
            age: since(self.began),
            idle: since(self.last_active),
            bytes_in: self.relay.bytes_up(),
            bytes_out: self.relay.bytes_down(),
            http: None,
        }
    }
}

/// A socket as an end of a relay. `None` (not connected yet) has no bytes to read.
pub(super) struct Socket<'a>(pub(super) Option<&'a TcpStream>);

impl End for Socket<'_> {
    fn receive(&mut self, room: &mut [u8]) -> io::Result<usize> {
        self.stream()?.read(room)
    }

    fn peek(&mut self, room: &mut [u8]) -> io::Result<usize> {
        self.stream()?.peek(room)
    }

    fn discard(&mut self, bytes: &mut [u8]) -> io::Result<()> {
        receive_queue::discard(self.stream()?, bytes)
    }

    fn send(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.stream()?.write(bytes)
    }

    fn finish(&mut self) -> io::Result<()> {
        self.stream()?.shutdown(Shutdown::Write)
    }
}

impl<'a> Socket<'a> {
    fn stream(&self) -> io::Result<&'a TcpStream> {
        self.0.ok_or_else(|| io::ErrorKind::WouldBlock.into())
    }
}
