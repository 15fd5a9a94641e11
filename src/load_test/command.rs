//! Commands that the director sends to workers, and the workers' answers.

use std::net::SocketAddr;

use tokio::sync::oneshot;

use super::error_counts::Errors;
use super::names::NodeId;
use super::times::Times;

/// A command to a worker. Times are microseconds since the test began.
#[derive(Debug)]
pub(crate) enum Command {
    /// Count messages due from then on, or from when the worker receives this.
    Hold(u64),
    /// Do not count messages due from then on, and send no more of them.
    HoldIsOver(u64),
    /// Begin no more connections; those already begun may complete.
    OpenNoMore,
    /// Report the current state.
    Report(oneshot::Sender<Reading>),
    /// Report the local addresses of all connections.
    Locals(oneshot::Sender<Locals>),
    /// The clients of this node are about to lose it. The answer is their number.
    Fail(NodeId, oneshot::Sender<u32>),
    /// Connections lost from now on do not count as part of the failure.
    FailureIsOver,
    /// This many of the clients close their connection and reconnect.
    Sample(u32),
    /// Close everything, and return.
    End,
}

/// The local addresses of connections.
#[derive(Clone, Debug, Default)]
pub(crate) struct Locals {
    /// Of those that are served.
    pub(crate) held: Vec<SocketAddr>,
    /// Of those that are not served yet.
    pub(crate) opening: Vec<SocketAddr>,
}

/// The state of a worker.
#[derive(Clone, Debug, Default)]
pub(crate) struct Reading {
    /// Connections of each node, by its number.
    pub(crate) held: Vec<u32>,
    /// Connections that are being made.
    pub(crate) opening: u32,
    /// Clients served, in total: a client that reconnects counts again.
    pub(crate) served: u64,
    /// Errors so far.
    pub(crate) errors: Errors,
    /// Messages answered since the last reading.
    pub(crate) recent: Times,
    /// Messages that are not answered yet.
    pub(crate) in_flight: u32,
    /// Clients of a failed node that no other node serves yet.
    pub(crate) homeless: u32,
    /// How many of them have lost their connection.
    pub(crate) cut: u32,
    /// Clients that are still to reconnect.
    pub(crate) sampling: u32,
}
