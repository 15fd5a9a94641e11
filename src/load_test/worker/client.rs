//! One client: who it is over all its connections.
//!
//! ```text
//!            begin             welcome
//!  Waiting ────────▶ Opening ────────▶ Held ──▶ asks, when its turn has come
//!     ▲                 │ failed        │ lost, or given up to come back
//!     └── after a while ┴───────────────┘ at once
//! ```

use mio::net::TcpStream;

use crate::load_test::conversation::{Conversation, Keepsake};
use crate::load_test::names::NodeId;

/// One client.
#[derive(Debug)]
pub(super) struct Seat {
    pub(super) phase: Phase,
    /// What it keeps while it has no connection.
    pub(super) keepsake: Keepsake,
    /// The turn of its next message; `None` before it was served for the first time.
    pub(super) turn: Option<u64>,
    /// Connections in a row that were not made, or lost before anything was answered over them.
    pub(super) failures: u8,
    /// What else is to be known when it is served again.
    pub(super) story: Story,
    /// The node that has served it last.
    pub(super) node: NodeId,
}

/// What a client is at.
#[derive(Debug)]
pub(super) enum Phase {
    /// It has no connection.
    Waiting,
    /// It has one, and is not served yet.
    Opening {
        line: Box<Line>,
        /// When it began, in microseconds since the test began.
        since: u64,
    },
    /// It is served.
    Held {
        line: Box<Line>,
        /// When the message was due that is not answered yet.
        asked: Option<u64>,
    },
}

/// Why a client's next connection matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Story {
    /// It does not.
    Plain,
    /// Its node fails, or has failed.
    Failing {
        /// Whether it has lost its connection.
        cut: bool,
    },
    /// It has given its connection up, to see whether it comes back to this node.
    ComingBack(NodeId),
    /// Its node has failed, and another one serves it. A balancer that computes where clients
    /// belong will send it home again when its node is back.
    Away,
}

/// A connection and what is said on it.
#[derive(Debug)]
pub(super) struct Line {
    pub(super) stream: TcpStream,
    pub(super) talk: Conversation,
    /// Whether the kernel tells when it takes more.
    pub(super) told_when_writable: bool,
    pub(super) errand: Option<Box<Errand>>,
}

/// A message on a connection of its own.
#[derive(Debug)]
pub(super) struct Errand {
    pub(super) stream: TcpStream,
    pub(super) text: Box<[u8]>,
    pub(super) sent: usize,
}

impl Default for Seat {
    fn default() -> Seat {
        Seat {
            phase: Phase::Waiting,
            keepsake: Keepsake::default(),
            turn: None,
            failures: 0,
            story: Story::Plain,
            node: NodeId::MAX,
        }
    }
}

impl Phase {
    pub(super) fn line_mut(&mut self) -> Option<&mut Line> {
        match self {
            Phase::Opening { line, .. } | Phase::Held { line, .. } => Some(line),
            Phase::Waiting => None,
        }
    }
}
