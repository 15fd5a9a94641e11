//! Which nodes have had less time than the others to get connections.
//!
//! ```text
//!           gets no clients         gets clients again           has its share
//!  Settled ────────────────▶ Away ─────────────────────▶ Filling ─────────────▶ Settled
//! ```
//!
//! Connections live long and clients stick to their node, so a node that was away for a moment
//! stays empty for hours while the others hold its connections. That is not a fault of the node,
//! the others, or the balancer. The node counts among the others again once it holds about as many
//! connections as they do.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use crate::observe::has_its_share;
use crate::profile::NodeId;
use crate::supervisor::balancer_link::runtime_sync::{DesiredState, NodeHealth};
use crate::supervisor::connection_count::Connections;
use crate::supervisor::core::Core;

/// Time between two counts of connections while a node is filling: counting 100,000 takes a while.
const COUNT_INTERVAL: Duration = Duration::from_secs(5);

/// How long one node has had the time to get connections.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Settling {
    /// As long as the others.
    #[default]
    Settled,
    /// The node gets no connections.
    Away,
    /// The node gets connections again, since then.
    Filling { since: Instant },
}

/// All nodes.
#[derive(Debug)]
pub(in crate::supervisor) struct Settlings {
    nodes: BTreeMap<NodeId, Settling>,
    next_count: Instant,
}

impl Settling {
    /// The next state of a node, by whether it `gets_clients` now.
    #[must_use]
    fn after(self, gets_clients: bool, now: Instant) -> Settling {
        match (self, gets_clients) {
            (_, false) => Settling::Away,
            (Settling::Away, true) => Settling::Filling { since: now },
            (Settling::Settled | Settling::Filling { .. }, true) => self,
        }
    }
}

impl Settlings {
    /// These nodes, of which those that are `filling` had less time than the others.
    pub(in crate::supervisor) fn new(
        nodes: impl Iterator<Item = NodeId>,
        filling: &BTreeSet<NodeId>,
        now: Instant,
    ) -> Settlings {
        let settling = |node| {
            if filling.contains(&node) {
                Settling::Filling { since: now }
            } else {
                Settling::Settled
            }
        };
        Settlings {
            nodes: nodes.map(|node| (node, settling(node))).collect(),
            next_count: now,
        }
    }

    /// These are the nodes from now on. New ones get no connections yet.
    pub(super) fn set_nodes(&mut self, nodes: impl Iterator<Item = NodeId>) {
        let known = std::mem::take(&mut self.nodes);
        let settling = |node| known.get(&node).copied().unwrap_or(Settling::Away);
        self.nodes = nodes.map(|node| (node, settling(node))).collect();
    }

    /// The node gets clients now, or none.
    fn update(&mut self, node: NodeId, gets_clients: bool, now: Instant) {
        if let Some(settling) = self.nodes.get_mut(&node) {
            *settling = settling.after(gets_clients, now);
        }
    }

    /// How long the node has been filling, if it is.
    pub(in crate::supervisor) fn filling_for(&self, node: NodeId, now: Instant) -> Option<Duration> {
        match self.nodes.get(&node)? {
            Settling::Filling { since } => Some(now.saturating_duration_since(*since)),
            Settling::Settled | Settling::Away => None,
        }
    }

    /// The nodes that are filling or away.
    pub(in crate::supervisor) fn unsettled(&self) -> BTreeSet<NodeId> {
        let unsettled = self.nodes.iter().filter(|(_, it)| **it != Settling::Settled);
        unsettled.map(|(node, _)| *node).collect()
    }

    /// Whether connections must be counted now because a node is filling.
    fn is_count_due(&mut self, now: Instant) -> bool {
        let fills = |node: &Settling| matches!(node, Settling::Filling { .. });
        let is_due = now >= self.next_count && self.nodes.values().any(fills);
        if is_due {
            self.next_count = now + COUNT_INTERVAL;
        }
        is_due
    }

    /// Settles the nodes that have their share. `has_share` gets a node's connections and the
    /// connections of the nodes to compare with. Where no node has settled, all filling nodes are
    /// compared with one another.
    fn settle(&mut self, connections: &BTreeMap<NodeId, u64>, has_share: impl Fn(u64, &[u64]) -> bool) {
        let of = |wanted: fn(&Settling) -> bool| {
            let nodes = self.nodes.iter().filter(|(_, settling)| wanted(settling));
            nodes
                .filter_map(|(node, _)| connections.get(node).copied())
                .collect::<Vec<u64>>()
        };
        let filling = of(|node| matches!(node, Settling::Filling { .. }));
        let settled = of(|node| *node == Settling::Settled);
        if settled.is_empty() && !filling.iter().all(|count| has_share(*count, &filling)) {
            return;
        }
        for (node, settling) in &mut self.nodes {
            let fills = matches!(settling, Settling::Filling { .. });
            let count = connections.get(node).filter(|_| fills);
            if count.is_some_and(|count| settled.is_empty() || has_share(*count, &settled)) {
                *settling = Settling::Settled;
            }
        }
    }
}

impl Core {
    /// Updates which nodes get clients. Before a balancer serves, no node does, so all are equal.
    pub(in crate::supervisor) fn update_settling(
        &mut self,
        desired_states: &crate::supervisor::balancer_link::runtime_sync::DesiredStates,
        now: Instant,
    ) {
        if self.balanced && !self.children.is_balancer_up() {
            return;
        }
        for node in &self.spec.cluster.nodes {
            let state = desired_states.get(&node.name);
            let Some(by_us) = state.copied().and_then(gets_clients) else {
                continue;
            };
            let gets_clients = by_us && self.overridden(node.id).is_none();
            self.health.settlings_mut().update(node.id, gets_clients, now);
        }
    }

    /// Whether connections must be counted now because a node is filling.
    pub(in crate::supervisor) fn is_count_due(&mut self, now: Instant) -> bool {
        self.health.settlings_mut().is_count_due(now)
    }

    /// Connections per node were counted.
    pub(in crate::supervisor) fn settle(&mut self, connections: &Connections) {
        let counts = connections.iter().map(|(node, by)| (*node, by.tcp + by.http));
        let counts: BTreeMap<NodeId, u64> = counts.collect();
        let spec = &self.spec;
        let mut listeners = spec.cluster.listen.ports();
        let is_computed = listeners.any(|(key, _)| {
            let chosen_by = spec.balancer.chosen_by(spec.deployment(), key);
            chosen_by.is_some()
        });
        self.health.settlings_mut().settle(&counts, |count, others| {
            has_its_share(&spec.cluster.targets, count, others, is_computed)
        });
    }
}

// Private

/// Whether a balancer with this desired state gives the node new clients; `None` while the state is
/// not known.
fn gets_clients(state: DesiredState) -> Option<bool> {
    match state.health {
        NodeHealth::Unknown => None,
        NodeHealth::Up => Some(!state.drained),
        NodeHealth::InheritedDown | NodeHealth::HeldDown | NodeHealth::Down => Some(false),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// So many nodes.
    fn nodes(count: u32) -> impl Iterator<Item = NodeId> {
        (1..=count).map(NodeId)
    }

    /// Four nodes, after the second one was away.
    fn after_a_death(now: Instant) -> Settlings {
        let mut settlings = Settlings::new(nodes(4), &BTreeSet::new(), now);
        for gets_clients in [false, true] {
            settlings.update(NodeId(2), gets_clients, now);
        }
        settlings
    }

    /// The connections of the first node, of the second, and so on.
    fn connections<const N: usize>(counts: [u64; N]) -> BTreeMap<NodeId, u64> {
        (1..).map(NodeId).zip(counts).collect()
    }

    fn within_five(count: u64, others: &[u64]) -> bool {
        let sum: u64 = others.iter().sum();
        count + 5 >= sum / others.len() as u64
    }

    #[test]
    fn a_node_that_was_away_fills_until_it_has_its_share() {
        let now = Instant::now();
        let mut settlings = after_a_death(now);
        let later = now + Duration::from_secs(7);
        assert_eq!(
            settlings.filling_for(NodeId(2), later),
            Some(Duration::from_secs(7))
        );
        assert_eq!(settlings.filling_for(NodeId(1), later), None);
        settlings.settle(&connections([133, 0, 134, 133]), within_five);
        assert_eq!(settlings.unsettled(), BTreeSet::from([NodeId(2)]));
        settlings.settle(&connections([133, 128, 134, 133]), within_five);
        assert!(settlings.unsettled().is_empty());
        // A settled node stays settled, whatever its connections.
        settlings.settle(&connections([133, 0, 134, 133]), within_five);
        assert!(settlings.unsettled().is_empty());
    }

    #[test]
    fn nodes_that_have_all_been_away_are_compared_with_one_another() {
        let now = Instant::now();
        let mut settlings = Settlings::new(nodes(2), &nodes(2).collect(), now);
        settlings.settle(&connections([400, 0]), within_five);
        assert_eq!(settlings.unsettled(), nodes(2).collect());
        settlings.settle(&connections([400, 398]), within_five);
        assert!(settlings.unsettled().is_empty());
    }

    #[test]
    fn connections_are_counted_only_while_a_node_fills_and_not_all_the_time() {
        let now = Instant::now();
        assert!(!Settlings::new(nodes(4), &BTreeSet::new(), now).is_count_due(now));
        let mut settlings = after_a_death(now);
        assert!(settlings.is_count_due(now) && !settlings.is_count_due(now));
        assert!(settlings.is_count_due(now + COUNT_INTERVAL));
        settlings.update(NodeId(2), false, now);
        assert!(!settlings.is_count_due(now + COUNT_INTERVAL * 2));
    }

    #[test]
    fn only_a_healthy_undrained_node_gets_clients() {
        let state = |health, drained| {
            gets_clients(DesiredState {
                health,
                drained,
                ..DesiredState::default()
            })
        };
        assert_eq!(state(NodeHealth::Unknown, false), None);
        assert_eq!(state(NodeHealth::Up, false), Some(true));
        assert_eq!(state(NodeHealth::Up, true), Some(false));
        assert_eq!(state(NodeHealth::HeldDown, false), Some(false));
    }
}
