//! What the supervisor hears.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::sync::oneshot;

use super::look::Look;
use super::rollout::Who;
use crate::api::{Progress, Refusal, RestartOrder, StartOrder, StopOrder};
use crate::platform::Identity;
use crate::probe::Failure;

/// Something that has happened.
pub(super) enum News {
    /// A child's process has ended, in these words.
    Ended {
        who: Who,
        process: Identity,
        how: String,
    },
    /// A child's process does not answer yet, in these words; told when they change.
    Doubted {
        who: Who,
        process: Identity,
        why: String,
    },
    /// A child's process has answered for the first time.
    Answered { who: Who, process: Identity },
    /// A probe of the node with this index came back from one of its addresses.
    Probed {
        node: usize,
        target: SocketAddr,
        result: Result<Duration, Failure>,
    },
    /// Somebody asks or orders.
    Request(Request),
}

/// A question or an order; the answer goes back through the channel.
pub(super) enum Request {
    /// How everything is.
    Look(oneshot::Sender<Look>),
    /// How far the rollout is.
    Progress(oneshot::Sender<Progress>),
    /// Start what is not running.
    Start(StartOrder, Reply),
    /// Stop everything.
    Stop(StopOrder, Reply),
    /// Restart a node, or everything.
    Restart(RestartOrder, Reply),
}

/// Whether an order is followed.
pub(super) type Reply = oneshot::Sender<Result<(), Refusal>>;
