//! Events that the supervisor's core receives, and the channel that carries them.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Instant;

use tokio::sync::{mpsc, oneshot};

use super::balancer_link::pending_reply;
use super::balancer_link::runtime_sync::DesiredState;
use super::change::{Cause, Change};
use super::connection_count::Connections;
use super::overrides::Observation;
use super::prepare::{PrepareError, Prepared};
use super::rebalance::plan::Pace;
use super::rebalance::round::RoundResult;
use super::rebalance::survey::Scope;
use super::reload::state;
use super::resolver::Answers;
use super::rollout::figures::Figures;
use super::snapshot::Snapshot;
use super::switch::state::Purpose;
use super::waves::ChildId;
use crate::api::{
    DrainOrder, Failovers, Progress, ReadyOrder, RebalanceOrder, Rebalances, Refusal, RestartOrder, Rollouts,
    StartOrder, StopOrder, UpgradeOrder,
};
use crate::platform::Identity;
use crate::probe::{Answer, Failure, Revisions};
use crate::profile::{HttpCheck, NodeId};

/// The most events that wait for the core; a sender of more is made to wait.
const MAX_EVENTS: usize = 1_024;

/// The sending end of the core's event channel. Once the core has ended, events are dropped.
#[derive(Clone)]
pub(super) struct EventSender(mpsc::Sender<CoreEvent>);

/// Creates the core's event channel.
pub(super) fn channel() -> (EventSender, mpsc::Receiver<CoreEvent>) {
    let (sender, receiver) = mpsc::channel(MAX_EVENTS);
    (EventSender(sender), receiver)
}

impl EventSender {
    /// Sends the event; returns whether the core still runs.
    pub(super) async fn send(&self, event: CoreEvent) -> bool {
        self.0.send(event).await.is_ok()
    }

    /// Sends the event from a thread that may block.
    pub(super) fn blocking_send(&self, event: CoreEvent) {
        let _core_has_ended = self.0.blocking_send(event);
    }

    /// Starts a task that ends with an event for the core.
    pub(super) fn spawn(&self, task: impl Future<Output = CoreEvent> + Send + 'static) {
        let sender = self.clone();
        tokio::spawn(async move {
            let event = task.await;
            sender.send(event).await;
        });
    }

    /// Whether the core has ended.
    pub(super) fn is_closed(&self) -> bool {
        self.0.is_closed()
    }
}

/// An event for the core.
pub(super) enum CoreEvent {
    /// A child's process has ended; `how` describes it.
    Ended { process: Identity, how: String },
    /// A child's process does not answer yet; `why` describes it. Sent when `why` changes.
    NotReady { process: Identity, why: String },
    /// A child's process has answered for the first time.
    Answered {
        process: Identity,
        /// The check over HTTP that a node answered.
        http_check: Option<HttpCheck>,
        /// A remark about the process, for the status.
        note: Option<String>,
    },
    /// Another process answers at the ports of a child's process; `why` describes it.
    AnsweredByAnother { process: Identity, why: String },
    /// The processes that a child's process has left have ended.
    DescendantsEnded { process: Identity },
    /// The processes that all children of the run have left have ended.
    AllDescendantsEnded,
    /// The ports of a child that is to be started were checked; `taken` describes what holds them.
    PortsChecked { id: ChildId, taken: Option<String> },
    /// A probe of the node, sent at `asked`, returned from one of its addresses.
    Probed {
        node: NodeId,
        target: SocketAddr,
        asked: Instant,
        result: Result<Answer, Failure>,
    },
    /// The node was asked for the revisions of MCP that it serves.
    RevisionsAsked {
        node: NodeId,
        /// Counts the node's processes.
        process: u32,
        revisions: Revisions,
    },
    /// A balancer instance was probed.
    Balancer { id: ChildId, answered: bool },
    /// The running balancer's server states, for the instance that takes over.
    ServerStates {
        instance: usize,
        states: Result<String, String>,
    },
    /// The running balancer has read its files again, or reports why not.
    Reread(Result<(), String>),
    /// Connections per node were counted; the count began at `asked`.
    Counted {
        asked: Instant,
        connections: Connections,
    },
    /// A balancer instance has accepted a node's desired state. If that is not up, the node's
    /// sessions there have been closed by now, provided that the balancer closes them itself.
    StateAccepted {
        id: ChildId,
        node: String,
        state: DesiredState,
        /// Settings by others at the instance that an order has undone.
        undone: Vec<String>,
    },
    /// A balancer instance answers `/ready` as ordered: whether a stop is announced.
    Announced { id: ChildId, announced: bool },
    /// A balancer instance was inspected, over its runtime API or by its files; the inspection
    /// began at `asked`.
    Inspected {
        id: ChildId,
        asked: Instant,
        observation: Observation,
    },
    /// The kernel does not let this process close the balancer's connections to a node.
    ConnectionsNotClosed { node: String },
    /// After a node had lost its sessions, a request through the balancer was answered.
    ServedElsewhere { node: String },
    /// The configuration of a step of the rollout is prepared.
    StepPrepared(Result<Box<Prepared>, PrepareError>),
    /// The balancer has taken the nodes of a step of the rollout, or has not.
    Applied(Result<(), String>),
    /// Host names of nodes were looked up.
    Resolved(Answers),
    /// The balancer was asked for what it counts at each node.
    Figures(Result<BTreeMap<String, Figures>, String>),
    /// The change to other addresses of host names is prepared.
    ResolvePrepared(Result<Box<Change>, Refusal>),
    /// A change that no operator has ordered is prepared.
    ChangePrepared(Cause, Result<Box<Change>, Refusal>),
    /// A round of the rebalance is over.
    RebalanceRound { number: u64, result: RoundResult },
    /// A query or an order from a client.
    Request(Request),
}

/// A query or an order; the answer is sent through the channel.
pub(super) enum Request {
    /// The state of everything.
    Snapshot(oneshot::Sender<Snapshot>),
    /// The progress of the latest start or restart.
    Progress(oneshot::Sender<Progress>),
    /// The latest failovers.
    Failovers(oneshot::Sender<Failovers>),
    /// Start what is not running.
    Start(StartOrder, Reply),
    /// Stop everything.
    Stop(StopOrder, Reply),
    /// Restart a node, or everything.
    Restart(RestartOrder, Reply),
    /// The rollout in progress, and the last one.
    Rollouts(oneshot::Sender<Rollouts>),
    /// Change what runs.
    Change(Box<Change>, state::Reply),
    /// Let another balancer take over.
    Switch(Box<Prepared>, Purpose),
    /// Become another program.
    Upgrade(UpgradeOrder, Reply),
    /// Drain a node.
    Drain(DrainOrder, pending_reply::Reply),
    /// Undo a drain.
    Ready(ReadyOrder, pending_reply::Reply),
    /// What a rebalance would work on; with `true` it may close streams.
    RebalanceScope(bool, oneshot::Sender<Result<Scope, Refusal>>),
    /// Close connections evenly, so that the nodes become even.
    Rebalance(RebalanceOrder, Pace, Reply),
    /// The rebalance in progress, and the latest one.
    Rebalances(oneshot::Sender<Rebalances>),
}

/// Whether an order is accepted.
pub(super) type Reply = oneshot::Sender<Result<(), Refusal>>;
