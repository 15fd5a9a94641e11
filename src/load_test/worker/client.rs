//! The state of one client over all its connections.
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
    /// What it keeps from one connection to the next.
    pub(super) keepsake: Keepsake,
    /// The turn of its next message; `None` before it was served for the first time.
    pub(super) turn: Option<u64>,
    /// Connections in a row that were not made, or lost before anything was answered over them.
    pub(super) failures: u8,
    /// What its next welcome counts for.
    pub(super) story: Story,
    /// The node that served it last.
    pub(super) node: NodeId,
}

/// The phase of a client.
#[derive(Debug)]
pub(super) enum Phase {
    /// It has no connection.
    Waiting,
    /// It has a connection, and is not served yet.
    Opening {
        line: Box<Line>,
        /// When it began, in microseconds since the test began.
        since: u64,
    },
    /// It is served.
    Held {
        line: Box<Line>,
        /// When the message was due that is not answered yet, if there is one.
        asked: Option<u64>,
    },
}

/// Why a client's next connection matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Story {
    /// It does not matter.
    Plain,
    /// Its node is failing, or has failed.
    Failing {
        /// Whether it has lost its connection.
        cut: bool,
    },
    /// It has closed its connection, to check whether it returns to this node.
    ComingBack(NodeId),
    /// Its node has failed, and another one serves it. A balancer that computes a client's node
    /// will send it back when its node is up again.
    Away,
}

/// A connection and its conversation.
#[derive(Debug)]
pub(super) struct Line {
    pub(super) stream: TcpStream,
    pub(super) talk: Conversation,
    /// Whether the poller reports when it is writable.
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
