//! One node at one moment, and its state for the API.

use std::collections::BTreeSet;
use std::time::Duration;

use super::ChildSnapshot;
use crate::api::NodeState;
use crate::observe::{NodeFailure, Samples};
use crate::profile::NodeId;
use crate::supervisor::health::node_probes::NodeProbes;
use crate::supervisor::overrides::Overridden;
use crate::supervisor::process::child::{Child, State, Then};

/// One node.
#[derive(Clone, Debug)]
pub(in crate::supervisor) struct NodeSnapshot {
    pub(in crate::supervisor) id: NodeId,
    pub(in crate::supervisor) state: NodeState,
    /// Whether an operator has ordered a drain.
    pub(in crate::supervisor) drained: bool,
    /// Whether the drain has stopped it.
    pub(in crate::supervisor) stopped_by_drain: bool,
    /// Its process, if this supervisor starts it.
    pub(in crate::supervisor) child: ChildSnapshot,
    /// Whether the node is external.
    pub(in crate::supervisor) external: bool,
    /// The revisions of MCP that it serves; empty while they are not known.
    pub(in crate::supervisor) eras: Vec<String>,
    /// What it answers instead of MCP, if it does so.
    pub(in crate::supervisor) mcp_problem: Option<String>,
    /// Why it does not answer, as far as that is known.
    pub(in crate::supervisor) probe_failure: Option<String>,
    /// Changes that others made to it at the balancer.
    pub(in crate::supervisor) overridden: Option<Overridden>,
    /// The keys of listeners whose clients others keep from it.
    pub(in crate::supervisor) out_of: BTreeSet<&'static str>,
    /// How much longer it gets no clients because of a recent failure.
    pub(in crate::supervisor) held_for: Option<Duration>,
    pub(in crate::supervisor) samples: Samples,
    /// Its failure, until it gets clients again.
    pub(in crate::supervisor) failure: Option<NodeFailure>,
    /// How long it has had clients again, while it holds fewer than the others because it was away.
    pub(in crate::supervisor) filling_for: Option<Duration>,
}

/// The state of a node, by its process, if this supervisor starts it, and by its answers. A drained
/// node is `Draining` whatever its connections.
pub(in crate::supervisor) fn node_state(
    child: Option<&Child>,
    probes: &NodeProbes,
    is_drained: bool,
) -> NodeState {
    let by_probes = match probes.silent_since() {
        Some(_) => NodeState::Down,
        None if probes.is_unknown() => NodeState::Starting,
        None if is_drained => NodeState::Draining,
        None => NodeState::Up,
    };
    match child.map(|child| &child.state) {
        None | Some(State::Up { .. }) => by_probes,
        // A command that waits for the end of the drain must see that the node has not ended yet.
        Some(State::Stopping {
            then: Then::StayStopped,
            ..
        }) if is_drained => NodeState::Draining,
        Some(
            State::Stopping {
                then: Then::StayStopped,
                ..
            }
            | State::Stopped,
        ) => NodeState::Stopped,
        Some(State::Stopping {
            then: Then::Recover, ..
        }) => NodeState::Down,
        Some(
            State::Waiting { .. }
            | State::Starting { .. }
            | State::Stopping {
                then: Then::Start, ..
            },
        ) => NodeState::Starting,
        Some(State::Failed) => NodeState::Failed,
    }
}

impl NodeSnapshot {
    /// The latencies that the node's failure does not explain.
    pub(super) fn unexplained(&self) -> Samples {
        let is_failing = self.failure.is_some() || !self.state.answers();
        self.samples.unexplained(is_failing)
    }

    /// The state to show for a node with this number of connections.
    pub(in crate::supervisor) fn state(&self, connections: u64) -> NodeState {
        let own = self.own_state(connections);
        match self.stricter_outside(own) {
            // A node that others made ready in spite of a drain order gets new connections, and is
            // not drained.
            Some(overridden)
                if overridden.state == NodeState::Draining && connections == 0 && !self.drained =>
            {
                NodeState::Drained
            }
            Some(overridden) => overridden.state,
            None => own,
        }
    }

    /// The state by the orders and probes of this supervisor.
    pub(super) fn own_state(&self, connections: u64) -> NodeState {
        match self.state {
            NodeState::Up if self.held_for.is_some() => NodeState::HeldBack,
            NodeState::Draining if connections == 0 => NodeState::Drained,
            state => state,
        }
    }

    /// The changes by others, if their state is at least as strict as `own`.
    pub(super) fn stricter_outside(&self, own: NodeState) -> Option<&Overridden> {
        let overridden = self.overridden.as_ref();
        overridden.filter(|overridden| strictness(overridden.state) >= strictness(own))
    }

    /// Why the node is not up.
    pub(super) fn reason(&self) -> Option<String> {
        if let Some(overridden) = self.stricter_outside(self.own_state(1)) {
            return Some(overridden.reason.clone());
        }
        match (self.state, self.held_for) {
            (NodeState::Up, Some(Duration::ZERO)) => {
                Some("held back until the balancer has accepted that it answers".to_owned())
            }
            (NodeState::Up, Some(left)) => {
                let seconds = left.as_millis().div_ceil(1_000);
                Some(format!(
                    "held back for {seconds} s: its former clients find another node first"
                ))
            }
            (NodeState::Up, None) => self.child.note.clone(),
            // A drain by an order needs no reason, and an earlier death of the process no longer
            // matters.
            (NodeState::Draining, _) => None,
            (NodeState::Down, _) => self.child.reason.clone().or_else(|| self.probe_failure.clone()),
            (NodeState::Starting, _) if self.external => self.probe_failure.clone(),
            _ => self.child.reason.clone(),
        }
    }
}

// Private

/// How strict a state is: of two states of a node, the stricter one counts.
const fn strictness(state: NodeState) -> u8 {
    match state {
        NodeState::Up => 0,
        NodeState::HeldBack => 1,
        NodeState::Drained => 2,
        NodeState::Draining => 3,
        NodeState::Maintenance => 4,
        NodeState::Starting => 5,
        NodeState::Down => 6,
        NodeState::Stopped => 7,
        NodeState::Failed => 8,
    }
}
