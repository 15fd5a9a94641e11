//! The health of all nodes: what their probes say, their last state, and whether they get clients.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use super::filling::Settlings;
use super::hold_down::{Event, HoldDown, needed};
use super::liveness::{INTERVAL, MAX_TICK_DELAY};
use super::node_probes::NodeProbes;
use crate::api::NodeState;
use crate::probe::{Answer, Failure, Probe};
use crate::profile::HttpCheck;

/// The health of every node, by its index in the profile.
pub(in crate::supervisor) struct HealthTable {
    nodes: Vec<NodeEntry>,
    /// Which nodes have had less time than the others to get connections.
    settlings: Settlings,
    /// Nodes that were down in the state file of the previous supervisor, by name.
    were_down: BTreeSet<String>,
    next_probe: Instant,
}

struct NodeEntry {
    probes: NodeProbes,
    /// The state when the node was last checked.
    state: NodeState,
    /// Whether the node gets clients once it answers.
    hold_down: HoldDown,
}

impl HealthTable {
    /// Nodes that were not probed yet, with the probes of each.
    pub(in crate::supervisor) fn new(probes: impl Iterator<Item = Vec<Probe>>, now: Instant) -> HealthTable {
        let entry = |probes| NodeEntry {
            probes: NodeProbes::new(probes, now),
            state: NodeState::Stopped,
            hold_down: HoldDown::default(),
        };
        let nodes: Vec<NodeEntry> = probes.map(entry).collect();
        HealthTable {
            settlings: Settlings::new(nodes.len(), &BTreeSet::new(), now),
            nodes,
            were_down: BTreeSet::new(),
            next_probe: now,
        }
    }

    /// Restores what an earlier supervisor has saved: the names of nodes that were down, and the
    /// indices of nodes that had less time than the others to get connections.
    pub(in crate::supervisor) fn restore(
        &mut self,
        were_down: BTreeSet<String>,
        filling: &BTreeSet<usize>,
        now: Instant,
    ) {
        self.were_down = were_down;
        self.settlings = Settlings::new(self.nodes.len(), filling, now);
    }

    /// The indices of all nodes.
    pub(in crate::supervisor) fn indices(&self) -> std::ops::Range<usize> {
        0..self.nodes.len()
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
    pub(in crate::supervisor) fn probe(&mut self, index: usize, now: Instant, late: bool) -> Vec<Probe> {
        let probes = &mut self.nodes[index].probes;
        probes.judge(now, late);
        probes.ask(now)
    }

    /// A probe of the node, sent to `target` at `asked`, returned; `is_known_down` when the node's
    /// failure is known already.
    pub(in crate::supervisor) fn probed(
        &mut self,
        index: usize,
        target: SocketAddr,
        asked: Instant,
        result: Result<Answer, Failure>,
        is_known_down: bool,
        now: Instant,
    ) {
        self.nodes[index]
            .probes
            .probed(target, asked, result, is_known_down, now);
    }

    /// The results of the node's probes.
    pub(in crate::supervisor) fn probes(&self, index: usize) -> &NodeProbes {
        &self.nodes[index].probes
    }

    /// Replaces the probes of the node.
    pub(in crate::supervisor) fn set_probes(&mut self, index: usize, probes: Vec<Probe>, now: Instant) {
        self.nodes[index].probes.set_probes(probes, now);
    }

    /// The node's process has just answered, over HTTP to `http_check`.
    pub(in crate::supervisor) fn set_answering(
        &mut self,
        index: usize,
        http_check: Option<HttpCheck>,
        now: Instant,
    ) {
        self.nodes[index].probes.set_answering(http_check, now);
    }

    /// How long one of the node's ports has been silent.
    pub(in crate::supervisor) fn silent_for(&self, index: usize, now: Instant) -> Duration {
        let since = self.nodes[index].probes.silent_since();
        since.map_or(Duration::ZERO, |since| now.saturating_duration_since(since))
    }

    /// The node's state when it was last checked.
    pub(in crate::supervisor) fn last_state(&self, index: usize) -> NodeState {
        self.nodes[index].state
    }

    /// Sets the node's state, and returns the former one.
    pub(in crate::supervisor) fn set_state(&mut self, index: usize, state: NodeState) -> NodeState {
        std::mem::replace(&mut self.nodes[index].state, state)
    }

    /// Whether an earlier supervisor reported the node with this name down.
    pub(in crate::supervisor) fn was_down(&self, name: &str) -> bool {
        self.were_down.contains(name)
    }

    /// Whether the node gets clients once it answers.
    pub(in crate::supervisor) fn hold_down(&self, index: usize) -> HoldDown {
        self.nodes[index].hold_down
    }

    /// Applies `event` to the hold-down of a node that is held back for `hold`. Returns the former
    /// and the new hold-down.
    pub(in crate::supervisor) fn apply_hold_down(
        &mut self,
        index: usize,
        event: Event,
        hold: Duration,
        now: Instant,
    ) -> (HoldDown, HoldDown) {
        let is = self.nodes[index].hold_down.after(event, hold, now);
        (std::mem::replace(&mut self.nodes[index].hold_down, is), is)
    }

    /// When time changes a hold-down next.
    pub(in crate::supervisor) fn wakes_at(&self) -> Option<Instant> {
        self.nodes
            .iter()
            .filter_map(|node| node.hold_down.wakes_at())
            .min()
    }

    /// The nodes that must take clients because no other node does; `is_taken_out` tells which
    /// nodes others keep from clients.
    pub(in crate::supervisor) fn needed(&self, is_taken_out: impl Fn(usize) -> bool) -> Vec<usize> {
        // A node that others took out does not stand in for one that is held back.
        let nodes = self.nodes.iter().enumerate();
        let states = nodes.map(|(index, node)| match node.state {
            NodeState::Up if is_taken_out(index) => NodeState::Maintenance,
            state => state,
        });
        let hold_downs: Vec<HoldDown> = self.nodes.iter().map(|node| node.hold_down).collect();
        needed(&states.collect::<Vec<_>>(), &hold_downs)
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
