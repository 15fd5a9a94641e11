//! The state of one client over all its connections.
//!
//! ```text
//!            begin             welcome
//!  Waiting ────────▶ Opening ────────▶ Held ──▶ asks, when its turn has come
//!     ▲                 │ failed        │ lost, or given up to come back
//!     └── after a while ┴───────────────┘ at once
//! ```

use mio::net::TcpStream;

use crate::load_test::conversation::{CarriedState, Conversation};
use crate::load_test::names::NodeId;

/// One client.
#[derive(Debug)]
pub(super) struct Client {
    pub(super) phase: Phase,
    /// What it keeps from one connection to the next.
    pub(super) carried_state: CarriedState,
    /// The turn of its next message; `None` before it was served for the first time.
    pub(super) turn: Option<u64>,
    /// Connections in a row that were not made, or lost before anything was answered over them.
    pub(super) failures: u8,
    /// What its next welcome counts for.
    pub(super) tracking: Tracking,
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
        connection: Box<Connection>,
        /// When it began, in microseconds since the test began.
        since: u64,
    },
    /// It is served.
    Held {
        connection: Box<Connection>,
        /// When the message was due that is not answered yet, if there is one.
        pending: Option<u64>,
    },
}

/// Why a client's next connection matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tracking {
    /// It does not matter.
    Normal,
    /// Its node is failing, or has failed.
    Failing {
        /// Whether it has lost its connection.
        cut: bool,
    },
    /// It has closed its connection, to check whether it returns to this node.
    Returning(NodeId),
    /// Its node has failed, and another one serves it. A balancer that computes a client's node
    /// will send it back when its node is up again.
    Moved,
}

/// A connection and its conversation.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) stream: TcpStream,
    pub(super) conversation: Conversation,
    /// Whether the poller reports when it is writable.
    pub(super) watches_writability: bool,
    pub(super) side_request: Option<Box<SideRequest>>,
}

/// A message on a connection of its own.
#[derive(Debug)]
pub(super) struct SideRequest {
    pub(super) stream: TcpStream,
    pub(super) text: Box<[u8]>,
    pub(super) sent: usize,
}

impl Default for Client {
    fn default() -> Client {
        Client {
            phase: Phase::Waiting,
            carried_state: CarriedState::default(),
            turn: None,
            failures: 0,
            tracking: Tracking::Normal,
            node: NodeId::MAX,
        }
    }
}

impl Phase {
    pub(super) fn connection_mut(&mut self) -> Option<&mut Connection> {
        match self {
            Phase::Opening { connection, .. } | Phase::Held { connection, .. } => Some(connection),
            Phase::Waiting => None,
        }
    }
}
