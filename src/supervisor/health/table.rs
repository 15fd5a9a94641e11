//! The health of all nodes: what their probes say, their last state, and whether they get clients.

use std::collections::{BTreeMap, BTreeSet};
use std::mem;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use super::filling::Settlings;
use super::hold_down::{Event, HoldDown, needed};
use super::liveness::{INTERVAL, MAX_TICK_DELAY};
use super::node_probes::NodeProbes;
use crate::api::NodeState;
use crate::probe::{Answer, Failure, Probe};
use crate::profile::{HttpCheck, NodeId};

/// The health of every node.
pub(in crate::supervisor) struct HealthTable {
    nodes: BTreeMap<NodeId, NodeEntry>,
    /// Which nodes have had less time than the others to get connections.
    settlings: Settlings,
    /// Nodes that were down in the state file of the previous supervisor.
    were_down: BTreeSet<NodeId>,
    next_probe: Instant,
}

struct NodeEntry {
    probes: NodeProbes,
    /// The state when the node was last checked.
    state: NodeState,
    /// Whether the node gets clients once it answers.
    hold_down: HoldDown,
}

impl NodeEntry {
    /// A node that was not probed yet.
    fn new(probes: Vec<Probe>, now: Instant) -> NodeEntry {
        NodeEntry {
            probes: NodeProbes::new(probes, now),
            state: NodeState::Stopped,
            hold_down: HoldDown::default(),
        }
    }
}

impl HealthTable {
    /// Nodes that were not probed yet, with the probes of each.
    pub(in crate::supervisor) fn new(
        nodes: impl Iterator<Item = (NodeId, Vec<Probe>)>,
        now: Instant,
    ) -> HealthTable {
        let nodes: BTreeMap<NodeId, NodeEntry> = nodes
            .map(|(node, probes)| (node, NodeEntry::new(probes, now)))
            .collect();
        HealthTable {
            settlings: Settlings::new(nodes.keys().copied(), &BTreeSet::new(), now),
            nodes,
            were_down: BTreeSet::new(),
            next_probe: now,
        }
    }

    /// Restores what an earlier supervisor has saved: the nodes that were down, and those that had
    /// less time than the others to get connections.
    pub(in crate::supervisor) fn restore(
        &mut self,
        were_down: BTreeSet<NodeId>,
        filling: &BTreeSet<NodeId>,
        now: Instant,
    ) {
        self.were_down = were_down;
        self.settlings = Settlings::new(self.nodes.keys().copied(), filling, now);
    }

    /// These are the nodes from now on, with the probes of each: what is known of the others is
    /// dropped.
    pub(in crate::supervisor) fn set_nodes(
        &mut self,
        nodes: impl Iterator<Item = (NodeId, Vec<Probe>)>,
        now: Instant,
    ) {
        let mut known = mem::take(&mut self.nodes);
        for (id, probes) in nodes {
            let node = match known.remove(&id) {
                Some(mut node) => {
                    node.probes.set_probes(probes, now);
                    node
                }
                None => NodeEntry::new(probes, now),
            };
            self.nodes.insert(id, node);
        }
        self.settlings.set_nodes(self.nodes.keys().copied());
        self.were_down.retain(|id| self.nodes.contains_key(id));
    }

    /// The ids of all nodes.
    pub(in crate::supervisor) fn ids(&self) -> Vec<NodeId> {
        self.nodes.keys().copied().collect()
    }

    /// When the next probes are due.
    pub(in crate::supervisor) fn next_probe(&self) -> Instant {
        self.next_probe
    }

    /// Probes are sent now. Returns whether that is so late that silence proves nothing.
    pub(in crate::supervisor) fn begin_probing(&mut self, now: Instant) -> bool {
        let late = now.saturating_duration_since(self.next_probe) > MAX_TICK_DELAY;
        self.next_probe = now + INTERVAL;
        late
    }

    /// Judges the node by the results so far, and returns the probes to send.
    pub(in crate::supervisor) fn probe(&mut self, id: NodeId, now: Instant, late: bool) -> Vec<Probe> {
        let Some(NodeEntry { probes, .. }) = self.nodes.get_mut(&id) else {
            return Vec::new();
        };
        probes.judge(now, late);
        probes.ask(now)
    }

    /// A probe of the node, sent to `target` at `asked`, returned; `is_known_down` when the node's
    /// failure is known already.
    pub(in crate::supervisor) fn probed(
        &mut self,
        id: NodeId,
        target: SocketAddr,
        asked: Instant,
        result: Result<Answer, Failure>,
        is_known_down: bool,
        now: Instant,
    ) {
        if let Some(node) = self.nodes.get_mut(&id) {
            node.probes.probed(target, asked, result, is_known_down, now);
        }
    }

    /// The results of the node's probes; `None` for a node that is not part of the cluster any more.
    pub(in crate::supervisor) fn probes(&self, id: NodeId) -> Option<&NodeProbes> {
        self.nodes.get(&id).map(|node| &node.probes)
    }

    /// The node's process has just answered, over HTTP to `http_check`.
    pub(in crate::supervisor) fn set_answering(
        &mut self,
        id: NodeId,
        http_check: Option<HttpCheck>,
        now: Instant,
    ) {
        if let Some(node) = self.nodes.get_mut(&id) {
            node.probes.set_answering(http_check, now);
        }
    }

    /// How long one of the node's ports has been silent.
    pub(in crate::supervisor) fn silent_for(&self, id: NodeId, now: Instant) -> Duration {
        let since = self.probes(id).and_then(NodeProbes::silent_since);
        since.map_or(Duration::ZERO, |since| now.saturating_duration_since(since))
    }

    /// The node's state when it was last checked.
    pub(in crate::supervisor) fn last_state(&self, id: NodeId) -> NodeState {
        self.nodes.get(&id).map_or(NodeState::Stopped, |node| node.state)
    }

    /// Sets the node's state, and returns the former one.
    pub(in crate::supervisor) fn set_state(&mut self, id: NodeId, state: NodeState) -> NodeState {
        let node = self.nodes.get_mut(&id);
        node.map_or(state, |node| mem::replace(&mut node.state, state))
    }

    /// Whether an earlier supervisor reported the node down.
    pub(in crate::supervisor) fn was_down(&self, id: NodeId) -> bool {
        self.were_down.contains(&id)
    }

    /// Whether the node gets clients once it answers.
    pub(in crate::supervisor) fn hold_down(&self, id: NodeId) -> HoldDown {
        self.nodes.get(&id).map_or(HoldDown::Free, |node| node.hold_down)
    }

    /// Applies `event` to the hold-down of a node that is held back for `hold`. Returns the former
    /// and the new hold-down.
    pub(in crate::supervisor) fn apply_hold_down(
        &mut self,
        id: NodeId,
        event: Event,
        hold: Duration,
        now: Instant,
    ) -> (HoldDown, HoldDown) {
        let Some(node) = self.nodes.get_mut(&id) else {
            return (HoldDown::Free, HoldDown::Free);
        };
        let is = node.hold_down.after(event, hold, now);
        (mem::replace(&mut node.hold_down, is), is)
    }

    /// When time changes a hold-down next.
    pub(in crate::supervisor) fn wakes_at(&self) -> Option<Instant> {
        self.nodes
            .values()
            .filter_map(|node| node.hold_down.wakes_at())
            .min()
    }

    /// The nodes that must take clients because no other node does; `is_taken_out` tells which
    /// nodes others keep from clients.
    pub(in crate::supervisor) fn needed(&self, is_taken_out: impl Fn(NodeId) -> bool) -> Vec<NodeId> {
        // A node that others took out does not stand in for one that is held back.
        let nodes = self.nodes.iter().map(|(id, node)| {
            let state = match node.state {
                NodeState::Up if is_taken_out(*id) => NodeState::Maintenance,
                state => state,
            };
            (*id, state, node.hold_down)
        });
        needed(&nodes.collect::<Vec<_>>())
    }

    /// Which nodes have had less time than the others to get connections.
    pub(in crate::supervisor) fn settlings(&self) -> &Settlings {
        &self.settlings
    }

    /// Which nodes have had less time than the others to get connections, to be updated.
    pub(in crate::supervisor) fn settlings_mut(&mut self) -> &mut Settlings {
        &mut self.settlings
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOLD: Duration = Duration::from_secs(6);

    fn nodes(ids: [u32; 2]) -> impl Iterator<Item = (NodeId, Vec<Probe>)> {
        ids.into_iter().map(|id| (NodeId(id), Vec::new()))
    }

    #[test]
    fn a_node_that_is_gone_is_forgotten_and_the_others_are_not() {
        let now = Instant::now();
        let mut health = HealthTable::new(nodes([1, 2]), now);
        health.restore(BTreeSet::from([NodeId(1)]), &BTreeSet::from([NodeId(1)]), now);
        for id in [NodeId(1), NodeId(2)] {
            health.set_state(id, NodeState::Up);
            health.apply_hold_down(id, Event::Failed, HOLD, now);
        }
        health.set_nodes(nodes([2, 3]), now);
        assert_eq!(health.ids(), [NodeId(2), NodeId(3)]);
        assert_eq!(health.last_state(NodeId(2)), NodeState::Up);
        assert_ne!(health.hold_down(NodeId(2)), HoldDown::Free);
        assert!(!health.was_down(NodeId(1)));
        // Nothing had clients for as long as the others before it was there.
        assert_eq!(health.settlings().unsettled(), BTreeSet::from([NodeId(3)]));
    }

    #[test]
    fn events_about_a_node_that_is_gone_change_nothing() {
        let now = Instant::now();
        let (mut health, gone) = (HealthTable::new(nodes([1, 2]), now), NodeId(9));
        assert_eq!(
            health.set_state(gone, NodeState::Up),
            NodeState::Up,
            "not a change"
        );
        let (was, is) = health.apply_hold_down(gone, Event::Failed, HOLD, now);
        assert_eq!((was, is), (HoldDown::Free, HoldDown::Free));
        health.set_answering(gone, None, now);
        assert!(health.probe(gone, now, false).is_empty() && health.probes(gone).is_none());
        assert_eq!(health.last_state(gone), NodeState::Stopped);
        assert_eq!(health.ids(), [NodeId(1), NodeId(2)]);
    }
}
