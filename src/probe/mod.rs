//! One health check: a question to a node, its answer, and what a row of answers says about the node.

mod ask;
mod failure;
mod question;
mod standing;

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

pub use failure::Failure;
pub use question::{Question, Service};
pub use standing::{Rules, Standing};

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
