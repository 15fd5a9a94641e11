//! One health check: a question to a node, its answer, and what a row of answers says about the node.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

/// What is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Question {
    /// Whether a connection is accepted. A hung process passes.
    Tcp,
    /// One JSON-RPC line, answered by a JSON-RPC line; an error is a sign of life too.
    Mcp,
    /// `GET /health`, answered by a 2xx.
    Http,
}

/// One question to one node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Probe {
    /// Where.
    pub target: SocketAddr,
    /// What.
    pub question: Question,
    /// The address to ask from, so that these connections can be told from clients'.
    pub source: Option<IpAddr>,
    /// Time for the whole of it.
    pub timeout: Duration,
}
