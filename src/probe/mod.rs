//! One health check: a request to a node, its answer, and the health that follows from several
//! results.

mod answer;
mod ask;
mod failure;
mod question;
mod revisions;
mod standing;

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

pub use answer::Answer;
pub use failure::Failure;
pub use question::{Question, Service};
pub use revisions::{RevisionQuery, Revisions};
pub use standing::{Rules, Standing};

/// One check of one node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Probe {
    /// The address to check.
    pub target: SocketAddr,
    /// The kind of check.
    pub question: Question,
    /// The source address, which distinguishes these connections from clients'.
    pub source: Option<IpAddr>,
    /// The time limit of the whole check.
    pub timeout: Duration,
}
