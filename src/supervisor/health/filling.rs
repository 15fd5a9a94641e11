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

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use crate::api::ConnectionsBy;
use crate::observe::has_its_share;
use crate::supervisor::balancer_link::runtime_sync::{DesiredState, NodeHealth};
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

/// All nodes, by index.
#[derive(Debug)]
pub(in crate::supervisor) struct Settlings {
    nodes: Vec<Settling>,
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
    /// `count` nodes; those with the `filling` indices had less time than the others.
    pub(in crate::supervisor) fn new(count: usize, filling: &BTreeSet<usize>, now: Instant) -> Settlings {
        let node = |index| {
            if filling.contains(&index) {
                Settling::Filling { since: now }
            } else {
                Settling::Settled
            }
        };
        Settlings {
            nodes: (0..count).map(node).collect(),
            next_count: now,
        }
    }

    /// The node gets clients now, or none.
    fn update(&mut self, index: usize, gets_clients: bool, now: Instant) {
        self.nodes[index] = self.nodes[index].after(gets_clients, now);
    }

    /// How long the node has been filling, if it is.
    pub(in crate::supervisor) fn filling_for(&self, index: usize, now: Instant) -> Option<Duration> {
        match self.nodes.get(index)? {
            Settling::Filling { since } => Some(now.saturating_duration_since(*since)),
            Settling::Settled | Settling::Away => None,
        }
    }

    /// The indices of nodes that are filling or away.
    pub(in crate::supervisor) fn unsettled(&self) -> BTreeSet<usize> {
        let nodes = self.nodes.iter().enumerate();
        let unsettled = nodes.filter(|(_, node)| **node != Settling::Settled);
        unsettled.map(|(index, _)| index).collect()
    }

    /// Whether connections must be counted now because a node is filling.
    fn is_count_due(&mut self, now: Instant) -> bool {
        let fills = |node: &Settling| matches!(node, Settling::Filling { .. });
        let is_due = now >= self.next_count && self.nodes.iter().any(fills);
        if is_due {
            self.next_count = now + COUNT_INTERVAL;
        }
        is_due
    }

    /// Settles the nodes that have their share. `has_share` gets a node's connections and the
    /// connections of the nodes to compare with. Where no node has settled, all filling nodes are
    /// compared with one another.
    fn settle(&mut self, connections: &[u64], has_share: impl Fn(u64, &[u64]) -> bool) {
        let of = |wanted: fn(&Settling) -> bool| {
            let nodes = self.nodes.iter().zip(connections);
            nodes
                .filter(|(node, _)| wanted(node))
                .map(|(_, count)| *count)
                .collect::<Vec<u64>>()
        };
        let filling = of(|node| matches!(node, Settling::Filling { .. }));
        let settled = of(|node| *node == Settling::Settled);
        if settled.is_empty() && !filling.iter().all(|count| has_share(*count, &filling)) {
            return;
        }
        for (node, count) in self.nodes.iter_mut().zip(connections) {
            let fills = matches!(node, Settling::Filling { .. });
            if fills && (settled.is_empty() || has_share(*count, &settled)) {
                *node = Settling::Settled;
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
        for index in self.health.indices() {
            let state = desired_states.get(&self.spec.cluster.nodes[index].name);
            let Some(by_us) = state.copied().and_then(gets_clients) else {
                continue;
            };
            let gets_clients = by_us && self.overridden(index).is_none();
            self.health.settlings_mut().update(index, gets_clients, now);
        }
    }

    /// Whether connections must be counted now because a node is filling.
    pub(in crate::supervisor) fn is_count_due(&mut self, now: Instant) -> bool {
        self.health.settlings_mut().is_count_due(now)
    }

    /// Connections per node were counted.
    pub(in crate::supervisor) fn settle(&mut self, connections: &[ConnectionsBy]) {
        let counts: Vec<u64> = connections.iter().map(|by| by.tcp + by.http).collect();
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

    /// Four nodes, after the one with index 1 was away.
    fn after_a_death(now: Instant) -> Settlings {
        let mut settlings = Settlings::new(4, &BTreeSet::new(), now);
        for gets_clients in [false, true] {
            settlings.nodes[1] = settlings.nodes[1].after(gets_clients, now);
        }
        settlings
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
        assert_eq!(settlings.filling_for(1, later), Some(Duration::from_secs(7)));
        assert_eq!(settlings.filling_for(0, later), None);
        settlings.settle(&[133, 0, 134, 133], within_five);
        assert_eq!(settlings.unsettled(), BTreeSet::from([1]));
        settlings.settle(&[133, 128, 134, 133], within_five);
        assert!(settlings.unsettled().is_empty());
        // A settled node stays settled, whatever its connections.
        settlings.settle(&[133, 0, 134, 133], within_five);
        assert!(settlings.unsettled().is_empty());
    }

    #[test]
    fn nodes_that_have_all_been_away_are_compared_with_one_another() {
        let now = Instant::now();
        let mut settlings = Settlings::new(2, &BTreeSet::from([0, 1]), now);
        settlings.settle(&[400, 0], within_five);
        assert_eq!(settlings.unsettled(), BTreeSet::from([0, 1]));
        settlings.settle(&[400, 398], within_five);
        assert!(settlings.unsettled().is_empty());
    }

    #[test]
    fn connections_are_counted_only_while_a_node_fills_and_not_all_the_time() {
        let now = Instant::now();
        assert!(!Settlings::new(4, &BTreeSet::new(), now).is_count_due(now));
        let mut settlings = after_a_death(now);
        assert!(settlings.is_count_due(now) && !settlings.is_count_due(now));
        assert!(settlings.is_count_due(now + COUNT_INTERVAL));
        settlings.nodes[1] = settlings.nodes[1].after(false, now);
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
