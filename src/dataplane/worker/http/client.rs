//! A client's connection to an HTTP frontend.
//!
//! ```text
//!                                    ┌──────── the answer has ended, the client stays ───────┐
//!                                    ▼                                                       │
//!   accepted ──────────────────▶ Requesting ── head ──▶ Exchanging ──────────────────────────┤
//!                                    │                      │  │                             │
//!            not a valid request     │      101 of the node │  │ no server, or it failed     │
//!            or too slow             │                      ▼  │                             │
//!                                    │                 Tunnel  │                             ▼
//!                                    ▼                      │  ▼   the client does not stay
//!                                Lingering ◀────────────────┼── own answer, or the end of an answer
//!                                    │                      │
//!                                    └───────▶ gone ◀───────┘
//! ```

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use mio::net::TcpStream;

use super::compressing::HeldAnswer;
use super::logging::Record;
use super::outbox::Outbox;
use crate::dataplane::admission::Admission;
use crate::dataplane::backend::{Backend, Lease};
use crate::dataplane::balance::ClientKey;
use crate::dataplane::client_limits::ClientLease;
use crate::dataplane::frontend::Frontend;
use crate::dataplane::http::{Exchange, HeadScan};
use crate::dataplane::relay::{Readiness, Relay};

/// A client.
#[derive(Debug)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "independent facts of one connection"
)]
pub(in crate::dataplane::worker) struct Client {
    /// Its place in its worker.
    pub(super) index: u32,
    /// Its number in its worker.
    pub(super) serial: u64,
    pub(super) admission: Admission,
    pub(super) limits: ClientLease,
    pub(super) from: SocketAddr,
    pub(super) stream: TcpStream,
    pub(super) readiness: Readiness,
    /// Events include writability.
    pub(super) watches_writability: bool,
    /// The end of the stream was sent.
    pub(super) sent_end: bool,
    /// It is in the list of connections with more to do.
    pub(super) is_runnable: bool,
    /// A request is counted whose end is not.
    pub(super) is_counted: bool,
    /// Requests so far.
    pub(super) requests: u32,
    /// The status of the last answer.
    pub(super) status: Option<u16>,
    /// Bytes of the worker's budget for compressed answers that it has.
    pub(super) compressing: u32,
    /// What is logged of the request in progress; `None` where requests are not logged.
    pub(super) record: Option<Box<Record>>,
    /// Bytes that were read and are not used yet.
    pub(super) input: Vec<u8>,
    /// Bytes that the client has not taken yet.
    pub(super) output: Outbox,
    /// When it was accepted.
    pub(super) began: u64,
    /// When its phase began.
    pub(super) since: u64,
    /// The time of the last byte in either direction.
    pub(super) last_active: u64,
    pub(super) phase: Phase,
}

/// The phase of a client.
#[derive(Debug)]
pub(super) enum Phase {
    /// It has not sent the whole head of a request.
    Requesting(HeadScan),
    /// It has a request in progress.
    Exchanging(Box<Active>),
    /// Bytes pass in both directions.
    Tunnel(Box<Tunnel>),
    /// The last answer was sent; what it still sends is dropped.
    Lingering,
}

/// A request in progress.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "independent facts of one request")]
pub(super) struct Active {
    /// Its number in its worker.
    pub(super) serial: u64,
    pub(super) exchange: Exchange,
    pub(super) backend: Arc<Backend>,
    /// What its server depends on.
    pub(super) key: ClientKey,
    /// The id of the server that its session or its cookie names.
    pub(super) preferred: Option<u32>,
    /// The id of the server that its cookie names.
    pub(super) cookie: Option<u32>,
    /// Ids of sessions pass as they are.
    pub(super) has_no_session: bool,
    /// The client accepts a compressed answer.
    pub(super) accepts_gzip: bool,
    /// The answer is held until it is complete, to be compressed.
    pub(super) held: Option<Box<HeldAnswer>>,
    /// It may be sent again when its node does not answer: its method allows that, and `request` has
    /// it from its first byte on.
    pub(super) is_repeatable: bool,
    /// Idle connections are not used any more.
    pub(super) needs_new_connection: bool,
    /// The node takes no more of the request; it may still answer.
    pub(super) node_refuses: bool,
    /// The held bytes of the request are not enough: the rest of its trailers is missing.
    pub(super) needs_more: bool,
    /// The client has got bytes of the final answer.
    pub(super) has_sent_answer: bool,
    /// Bytes of an answer have come.
    pub(super) has_answer_bytes: bool,
    /// Its answer is a stream, whatever its head says.
    pub(super) is_stream: bool,
    /// Servers whose connections have failed.
    pub(super) tried: Vec<u32>,
    /// Connection attempts so far.
    pub(super) attempts: u8,
    pub(super) stage: Stage,
    /// Bytes that the server has not taken yet, and bytes that it may have to get again.
    pub(super) request: Outbox,
    /// When the request began.
    pub(super) began: u64,
    /// When the server had accepted.
    pub(super) connected: u64,
    /// Bytes that passed, up and down.
    pub(super) bytes: (u64, u64),
    /// Those that are counted already.
    pub(super) counted: (u64, u64),
}

/// Where a request is.
#[derive(Debug)]
pub(super) enum Stage {
    /// It has neither a server nor a place in a queue: a short intermediate state.
    New,
    /// It waits for a server below its maxconn.
    Waiting,
    /// It waits before it tries failed servers again.
    Pausing,
    /// It waits for the server at this place to accept.
    Connecting { server: u32, lease: Lease },
    /// Bytes pass to and from the server at this place.
    Connected { server: u32, lease: Lease },
}

/// A connection whose protocol was switched.
#[derive(Debug)]
pub(super) struct Tunnel {
    pub(super) relay: Relay,
    /// Bytes that the client sent before the switch.
    pub(super) request: Outbox,
    pub(super) server: u32,
    pub(super) lease: Lease,
    pub(super) backend: Arc<Backend>,
    /// The client has ended it; what the server still sends is dropped.
    pub(super) client_has_ended: bool,
    /// When the request began.
    pub(super) began: u64,
    /// Bytes already added to the counters, up and down.
    pub(super) counted: (u64, u64),
}

impl Client {
    /// The client's address, without port.
    pub(super) fn ip(&self) -> IpAddr {
        self.from.ip().to_canonical()
    }

    /// Its number, unique among all workers.
    pub(super) fn id(&self, worker: u16) -> u64 {
        (u64::from(worker) << 48) | self.serial
    }

    /// The frontend that accepted it.
    pub(super) fn frontend(&self) -> &Frontend {
        self.admission.frontend()
    }

    /// The place of its server, connected or being connected.
    pub(super) fn server(&self) -> Option<u32> {
        match &self.phase {
            Phase::Exchanging(active) => active.stage.server(),
            Phase::Tunnel(tunnel) => Some(tunnel.server),
            Phase::Requesting(_) | Phase::Lingering => None,
        }
    }

    /// Its place at a server.
    pub(super) fn lease(&self) -> Option<&Lease> {
        match &self.phase {
            Phase::Exchanging(active) => active.stage.lease(),
            Phase::Tunnel(tunnel) => Some(&tunnel.lease),
            Phase::Requesting(_) | Phase::Lingering => None,
        }
    }

    /// Begins another phase.
    pub(super) fn enter(&mut self, phase: Phase, now: u64) {
        self.phase = phase;
        self.since = now;
    }
}

impl Active {
    /// Whether the client has got bytes of the final answer.
    pub(super) fn is_answered(&self) -> bool {
        self.has_sent_answer
    }

    /// Whether the request names this server by its session or by its cookie, so that its client
    /// needs no other cookie.
    pub(super) fn names(&self, server: u32) -> bool {
        self.preferred == Some(server) || self.cookie == Some(server)
    }

    /// Whether a long silence of the server is normal.
    pub(super) fn expects_silence(&self) -> bool {
        self.exchange.is_stream() || (self.is_stream && self.exchange.is_request_done())
    }
}

impl Stage {
    pub(super) const fn server(&self) -> Option<u32> {
        match self {
            Stage::Connecting { server, .. } | Stage::Connected { server, .. } => Some(*server),
            Stage::New | Stage::Waiting | Stage::Pausing => None,
        }
    }

    pub(super) const fn lease(&self) -> Option<&Lease> {
        match self {
            Stage::Connecting { lease, .. } | Stage::Connected { lease, .. } => Some(lease),
            Stage::New | Stage::Waiting | Stage::Pausing => None,
        }
    }
}
