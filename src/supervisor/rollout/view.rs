//! What a rollout sees of the core: which nodes serve, and why others do not.

use super::drain_progress::DrainProgress;
use super::state::ClusterView;
use crate::api::{NodeState, RolloutKind};
use crate::profile::NodeId;
use crate::supervisor::balancer_link::runtime_sync::NodeHealth;
use crate::supervisor::core::Core;
use crate::supervisor::process::child::Child;
use crate::supervisor::waves::{ChildId, Condition};

/// The core as a rollout sees it.
pub(super) struct CoreView<'a>(pub(super) &'a Core);

impl ClusterView for CoreView<'_> {
    fn condition(&self, node: NodeId) -> Condition {
        let CoreView(core) = self;
        if core.owns_nodes() && core.spec.is_own(node) {
            let child = core.children.get(ChildId::Node(node));
            return child.map_or(Condition::Down, Child::condition);
        }
        match core.node_state(node) {
            state if state.answers() => Condition::Up,
            _ => Condition::Starting,
        }
    }

    fn serves(&self, node: NodeId) -> bool {
        self.0.why_not_serving(node).is_none()
    }

    fn why_silent(&self, node: NodeId) -> Option<String> {
        let state = self.0.node_state(node);
        (!state.answers()).then(|| format!("it is {}", state.name()))
    }

    fn is_drained_by_operator(&self, node: NodeId) -> bool {
        self.0.is_drained_by_operator(node)
    }

    fn is_stopped_by_operator(&self, node: NodeId) -> bool {
        self.0.is_stopped_by_drain(node)
    }

    fn not_serving(&self, left_out: &[NodeId]) -> Option<(NodeId, String)> {
        let CoreView(core) = self;
        let nodes = core.spec.cluster.nodes.iter();
        let stays = |node: NodeId| {
            let running = core.rollouts.running();
            running.is_none_or(|running| running.target().cluster.by_id(node).is_some())
        };
        let others = nodes
            .filter(|node| !left_out.contains(&node.id) && !core.drains.has(&node.name) && stays(node.id));
        let mut failing = others.filter_map(|node| Some((node.id, core.why_not_serving(node.id)?)));
        failing.next().or_else(|| core.drained_beside_the_last(left_out))
    }

    fn connections_left(&self, node: NodeId) -> Option<u64> {
        let running = self.0.rollouts.running()?;
        running.drain(node).and_then(DrainProgress::connections)
    }

    fn applied(&self) -> Option<Result<(), String>> {
        self.0.rollouts.running()?.applied()
    }

    fn objection(&self, is_over: bool) -> Option<String> {
        self.0.objection(is_over)
    }
}

impl Core {
    /// Whether an operator, and not the rollout, keeps clients from the node.
    pub(super) fn is_drained_by_operator(&self, node: NodeId) -> bool {
        self.drains.has(self.spec.node_name(node)) && !self.rollouts.drains(node)
    }

    // Private

    /// Why the node gets no clients; `None` if it gets some.
    fn why_not_serving(&self, node: NodeId) -> Option<String> {
        let name = &self.spec.cluster.by_id(node)?.name;
        let state = self.node_state(node);
        if state != NodeState::Up {
            return Some(format!("it is {}", state.name()));
        }
        let is_up = self.all_accepted(name, |state| state.health == NodeHealth::Up && !state.drained);
        (!is_up).then(|| "the balancer gives it no clients yet".to_owned())
    }

    /// A node that an operator has drained since the plan, so that none would serve without the nodes in
    /// `batch`, and why that is not permitted. The way back begins all the same, and so does a change
    /// that closes connections, because the time without nodes is bounded then.
    fn drained_beside_the_last(&self, batch: &[NodeId]) -> Option<(NodeId, String)> {
        let running = self.rollouts.running()?;
        let goes_on = matches!(running.kind(), RolloutKind::Undo | RolloutKind::Resolve)
            || running.close_after().is_some();
        let serves = |node: &NodeId| self.why_not_serving(*node).is_none();
        if goes_on || !batch.iter().any(serves) {
            return None;
        }
        let others = || self.spec.cluster.ids().filter(|node| !batch.contains(node));
        let first = others().next().filter(|_| !others().any(|node| serves(&node)))?;
        Some((first, "it is drained, and no other node would serve".to_owned()))
    }
}
