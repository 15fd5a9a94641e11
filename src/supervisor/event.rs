//! What the supervisor hears.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use super::balancer_link::pending_reply;
use super::balancer_link::runtime_sync::DesiredState;
use super::overrides::Seen;
use super::prepare::Prepared;
use super::reload::state;
use super::rollout::Who;
use super::snapshot::Snapshot;
use crate::api::{
    ConnectionsBy, DrainOrder, Failovers, Progress, ReadyOrder, Refusal, RestartOrder, StartOrder, StopOrder,
};
use crate::platform::Identity;
use crate::probe::Failure;

/// Something that has happened.
pub(super) enum CoreEvent {
    /// A child's process has ended, in these words.
    Ended { process: Identity, how: String },
    /// A child's process does not answer yet, in these words; told when they change.
    Doubted { process: Identity, why: String },
    /// A child's process has answered for the first time.
    Answered {
        process: Identity,
        /// What is worth knowing of it.
        note: Option<String>,
    },
    /// At the ports of a child's process another one answers, in these words.
    Usurped { process: Identity, why: String },
    /// What a child's process has left has ended.
    NothingLeft { process: Identity },
    /// What all children of the run have left has ended.
    NothingLeftOfAll,
    /// The ports of a child that is to be started were looked at: what holds them, in words.
    PortsChecked { who: Who, taken: Option<String> },
    /// A probe of the node with this index, sent at `asked`, came back from one of its addresses.
    Probed {
        node: usize,
        target: SocketAddr,
        asked: Instant,
        result: Result<Duration, Failure>,
    },
    /// A balancer instance was asked for a sign of life.
    Balancer { who: Who, answered: bool },
    /// The running balancer's view of its servers, for the one that follows it.
    Saved {
        instance: usize,
        states: Result<String, String>,
    },
    /// The running balancer has read its files again, or says why not.
    Reread(Result<(), String>),
    /// Connections per node were counted.
    Counted(Vec<ConnectionsBy>),
    /// A balancer instance has heard what it has to know of a node. One that is not well has lost its sessions there
    /// by now, if the balancer ends them itself.
    Told {
        who: Who,
        node: String,
        view: DesiredState,
        /// What others had set at the instance, and was undone by an order.
        took_back: Vec<String>,
    },
    /// A balancer instance said, or its files do, what it does with its servers; it was `asked` then.
    Inspected { who: Who, asked: Instant, seen: Seen },
    /// The kernel does not let us end the connections that the balancer has to a node.
    NotCut { node: String },
    /// After a node had lost its sessions, a request through the balancer was answered.
    Elsewhere { node: String },
    /// Somebody asks or orders.
    Request(Request),
}

/// A question or an order; the answer goes back through the channel.
pub(super) enum Request {
    /// How everything is.
    Snapshot(oneshot::Sender<Snapshot>),
    /// How far the rollout is.
    Progress(oneshot::Sender<Progress>),
    /// How the latest failovers went.
    Failovers(oneshot::Sender<Failovers>),
    /// Start what is not running.
    Start(StartOrder, Reply),
    /// Stop everything.
    Stop(StopOrder, Reply),
    /// Restart a node, or everything.
    Restart(RestartOrder, Reply),
    /// Put another configuration in force.
    Reload(Box<Prepared>, state::Reply),
    /// Empty a node.
    Drain(DrainOrder, pending_reply::Reply),
    /// Undo that.
    Ready(ReadyOrder, pending_reply::Reply),
}

/// Whether an order is followed.
pub(super) type Reply = oneshot::Sender<Result<(), Refusal>>;
