//! Which nodes can be compared, and whether they hold about equally many connections.

use crate::api::{Balancer, Node, Status, Verdict};
use crate::base::stats::{Draws, Spread, percentile};
use crate::plan::ChosenBy;
use crate::profile::Targets;

/// A difference that may come from counting one node a few milliseconds after another.
const A_FEW_CONNECTIONS: f64 = 8.0;

/// Nodes that have had the same time to get connections, compared with one another.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Comparison<'a> {
    nodes: Vec<&'a Node>,
    spread: Spread,
    median: f64,
    is_chance: bool,
}

impl<'a> Comparison<'a> {
    /// Compares the nodes that take traffic and are not filling. `None` for fewer than two, and
    /// when there are too few connections to judge.
    pub(super) fn of(status: &'a Status) -> Option<Comparison<'a>> {
        let nodes: Vec<&Node> = status.nodes.iter().filter(|node| node.is_comparable()).collect();
        let mut counts: Vec<f64> = nodes.iter().map(|node| float(node.connections)).collect();
        counts.sort_by(f64::total_cmp);
        let (spread, median) = (Spread::of(&counts)?, percentile(&counts, 0.5)?);
        (nodes.len() > 1 && spread.mean >= Verdict::ENOUGH).then_some(Comparison {
            nodes,
            spread,
            median,
            is_chance: is_chance(status.balancer.as_ref(), &counts),
        })
    }

    /// `(max - min) / mean`, in percent.
    pub(super) fn variance_percent(&self) -> f64 {
        self.spread.variance_percent
    }

    /// Connections per node.
    pub(super) fn mean(&self) -> f64 {
        self.spread.mean
    }

    /// Whether they are as even as `targets` require, or, where clients' nodes are computed, as
    /// chance allows.
    pub(super) fn is_even(&self, targets: &Targets) -> bool {
        self.spread.variance_percent < targets.variance.get() || self.is_chance
    }

    /// Whether a few connections explain the difference: some begin and end while they are counted.
    pub(super) fn is_within_a_few(&self) -> bool {
        self.spread.max - self.spread.min <= A_FEW_CONNECTIONS
    }

    /// The nodes that hold far more or fewer connections than the others. A node counts if it is
    /// far from both the mean and the median: a single such node moves the mean away from the
    /// others, but not the median.
    pub(super) fn out_of_band(&self, targets: &Targets) -> Vec<&'a Node> {
        let beyond =
            |node: &Node, middle: f64| (float(node.connections) - middle).abs() > targets.band.of(middle);
        let nodes = self.nodes.iter().copied();
        nodes
            .filter(|node| beyond(node, self.spread.mean) && beyond(node, self.median))
            .collect()
    }
}

/// Whether a node with `connections` holds about as many as the `others`, or more. If
/// `is_computed`, clients' nodes are computed, and chance decides how large a difference is normal.
#[must_use]
pub fn has_its_share(targets: &Targets, connections: u64, others: &[u64], is_computed: bool) -> bool {
    let others: Vec<f64> = others.iter().copied().map(float).collect();
    let mean = Spread::of(&others).map_or(0.0, |spread| spread.mean);
    let missing = mean - float(connections);
    let counts: Vec<f64> = others.iter().copied().chain([float(connections)]).collect();
    missing <= targets.variance.of(mean.max(Verdict::ENOUGH))
        || (is_computed && missing <= draws(&counts).tolerance(1.0 / float(counts.len() as u64)))
}

// Private

/// Whether chance explains the connections of each node. Where the URI of a request decides,
/// nothing can be expected.
fn is_chance(balancer: Option<&Balancer>, counts: &[f64]) -> bool {
    let mut chosen_by = balancer.iter().flat_map(|balancer| balancer.chosen_by.values());
    let bearers: Vec<(f64, f64)> = counts.iter().map(|count| (*count, 1.0)).collect();
    let is_even = || draws(counts).test(&bearers).is_some_and(|test| test.is_chance());
    chosen_by.any(|by| match by {
        ChosenBy::Uri => true,
        ChosenBy::Address | ChosenBy::Process => is_even(),
    })
}

/// Counts each connection as an independent draw: fewer addresses than connections are distributed
/// even more unevenly.
fn draws(counts: &[f64]) -> Draws {
    let count = counts.iter().sum();
    Draws {
        count,
        squares: count,
    }
}

#[expect(clippy::cast_precision_loss, reason = "no host holds 2^52 connections")]
fn float(connections: u64) -> f64 {
    connections as f64
}

#[cfg(test)]
mod tests {
    use super::super::testing::{balancer, cluster, node, status};
    use super::*;
    use crate::api::NodeState;

    fn nodes(counts: &[u64]) -> Status {
        status(counts.iter().map(|count| node(NodeState::Up, *count)).collect())
    }

    fn out_of_band(status: &Status) -> Vec<u64> {
        let comparison = Comparison::of(status).unwrap();
        let out = comparison.out_of_band(&cluster().targets);
        out.iter().map(|node| node.connections).collect()
    }

    #[test]
    fn only_the_deviating_node_is_out_of_band() {
        assert_eq!(out_of_band(&nodes(&[133, 0, 133, 134])), [0]);
        assert_eq!(out_of_band(&nodes(&[100, 100, 100, 300])), [300]);
        assert_eq!(
            out_of_band(&nodes(&[25_000, 19_000, 31_000, 25_000])),
            [19_000, 31_000]
        );
        assert!(out_of_band(&nodes(&[100, 119, 85, 100])).is_empty());
    }

    #[test]
    fn a_node_that_fills_is_not_compared() {
        let mut nodes = nodes(&[133, 0, 133, 134]);
        nodes.nodes[1].filling_seconds = Some(12);
        assert!(out_of_band(&nodes).is_empty());
        let comparison = Comparison::of(&nodes).unwrap();
        assert!(comparison.is_even(&cluster().targets) && comparison.mean() > 133.0);
        nodes.nodes[0].state = NodeState::Down;
        nodes.nodes[2].state = NodeState::Draining;
        assert_eq!(Comparison::of(&nodes), None);
    }

    #[test]
    fn few_connections_are_not_compared() {
        assert_eq!(Comparison::of(&nodes(&[60, 0, 60, 60])), None);
    }

    #[test]
    fn a_node_has_its_share_within_the_variance() {
        let targets = cluster().targets;
        let has = |connections, others: &[u64]| has_its_share(&targets, connections, others, false);
        assert!(has(950, &[1_000, 1_000]) && !has(949, &[1_000, 1_000]));
        assert!(has(2_000, &[1_000]));
        // With very few connections, a difference of one or two.
        assert!(has(0, &[3, 2]) && !has(0, &[4, 3]));
        assert!(has(0, &[]));
        let by_chance = |connections| has_its_share(&targets, connections, &[142, 137, 121], true);
        assert!(by_chance(105) && !by_chance(60));
    }

    #[test]
    fn unevenness_within_chance_is_even_where_nodes_are_computed() {
        let targets = cluster().targets;
        let mut status = nodes(&[112, 93, 105, 90]);
        let is_even = |status: &Status| Comparison::of(status).unwrap().is_even(&targets);
        assert!(!is_even(&status));
        status.balancer = Some(balancer(ChosenBy::Address));
        assert!(is_even(&status));
        status.nodes[0].connections = 180;
        assert!(!is_even(&status));
        status.balancer = Some(balancer(ChosenBy::Uri));
        assert!(is_even(&status));
    }
}
