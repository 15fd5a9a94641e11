//! What the director tells workers, and what they answer.

use std::net::SocketAddr;

use tokio::sync::oneshot;

use super::error_counts::Errors;
use super::names::NodeId;
use super::times::Times;

/// What a worker is told. Times are microseconds since the test began.
#[derive(Debug)]
pub(crate) enum Command {
    /// Messages that are due from then on count, or from when it hears of it.
    Hold(u64),
    /// Messages that are due from then on do not count any more, and none is sent.
    HoldIsOver(u64),
    /// Begin no more connections; those that are being made may come to be.
    Enough,
    /// How does it stand?
    Glance(oneshot::Sender<Reading>),
    /// Where do held connections come from?
    Locals(oneshot::Sender<Vec<SocketAddr>>),
    /// The clients of this node are about to lose it. Answered by how many there are.
    Fail(NodeId, oneshot::Sender<u32>),
    /// Whoever loses a connection from now on does not lose it to that.
    FailureIsOver,
    /// So many of the clients give up their connection, and come back.
    Sample(u32),
    /// Close everything, and return.
    End,
}

/// How a worker stands.
#[derive(Clone, Debug, Default)]
pub(crate) struct Reading {
    /// Connections of each node, by its number.
    pub(crate) held: Vec<u32>,
    /// Connections that are being made.
    pub(crate) opening: u32,
    /// Clients that have been served, ever: those that come back count again.
    pub(crate) welcomes: u64,
    /// What went wrong so far.
    pub(crate) errors: Errors,
    /// Messages answered since the last reading.
    pub(crate) recent: Times,
    /// Questions that are not answered yet.
    pub(crate) asking: u32,
    /// Clients of a node that failed, which no node serves yet.
    pub(crate) homeless: u32,
    /// Of them, those that have lost their connection.
    pub(crate) cut: u32,
    /// Clients that are to come back.
    pub(crate) sampling: u32,
}
