//! Whether connections are evenly distributed over the nodes.

use crate::api::{Distribution, Node, NodeState, Verdict};
use crate::base::stats::Spread;
use crate::profile::{Cluster, Targets};

/// The distribution over `nodes`, of which only those that are up take traffic; `capacity` is what
/// the plan can hold.
#[must_use]
pub fn distribution(cluster: &Cluster, nodes: &[Node], capacity: u64) -> Distribution {
    let serving: Vec<u64> = nodes
        .iter()
        .filter(|node| node.state == NodeState::Up)
        .map(|node| node.connections)
        .collect();
    #[expect(clippy::cast_precision_loss, reason = "no host holds 2^52 connections")]
    let counts: Vec<f64> = serving.iter().map(|count| *count as f64).collect();
    let spread = Spread::of(&counts).unwrap_or(Spread {
        mean: 0.0,
        min: 0.0,
        max: 0.0,
        variance_percent: 0.0,
        stddev: 0.0,
        jain: 1.0,
    });
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a small share of a small number"
    )]
    let tolerance = cluster.targets.tolerance.of(spread.mean).round() as u64;
    Distribution {
        total: nodes.iter().map(|node| node.connections).sum(),
        capacity,
        mean: spread.mean,
        target: cluster.nodes.first().map_or(0, |node| u64::from(node.target)),
        tolerance,
        tolerance_percent: cluster.targets.tolerance.get(),
        variance_target_percent: cluster.targets.variance.get(),
        min: serving.iter().copied().min().unwrap_or(0),
        max: serving.iter().copied().max().unwrap_or(0),
        variance_percent: round(spread.variance_percent),
        stddev: round(spread.stddev),
        jain: (spread.jain * 10_000.0).round() / 10_000.0,
        verdict: verdict(&spread, &cluster.targets),
    }
}

// Private

fn verdict(spread: &Spread, targets: &Targets) -> Verdict {
    match spread {
        spread if spread.mean < Verdict::ENOUGH => Verdict::Idle,
        spread if spread.variance_percent < targets.variance.get() => Verdict::Pass,
        _ => Verdict::Fail,
    }
}

fn round(value: f64) -> f64 {
    (value * 100.0).round() / 100.0
}

#[cfg(test)]
mod tests {
    use super::super::testing::{cluster, node};
    use super::*;

    #[test]
    fn the_reference_documents_example() {
        let counts = [25_234, 24_987, 25_156, 24_623];
        let nodes: Vec<Node> = counts.iter().map(|count| node(NodeState::Up, *count)).collect();
        let even = distribution(&cluster(), &nodes, 100_000);
        assert_eq!(
            (even.total, even.min, even.max, even.tolerance),
            (100_000, 24_623, 25_234, 500)
        );
        assert!((even.variance_percent - 2.44).abs() < 1e-9);
        assert_eq!(even.verdict, Verdict::Pass);
    }

    #[test]
    fn a_draining_node_counts_in_the_total_only() {
        let nodes = [
            node(NodeState::Up, 1_000),
            node(NodeState::Up, 1_000),
            node(NodeState::Draining, 10),
        ];
        let even = distribution(&cluster(), &nodes, 100_000);
        assert_eq!(
            (even.total, even.min, even.verdict),
            (2_010, 1_000, Verdict::Pass)
        );
    }

    #[test]
    fn few_connections_are_not_judged_and_uneven_ones_fail() {
        let idle = distribution(&cluster(), &[node(NodeState::Up, 99), node(NodeState::Up, 0)], 1);
        assert_eq!(idle.verdict, Verdict::Idle);
        let uneven = distribution(&cluster(), &[node(NodeState::Up, 100), node(NodeState::Up, 0)], 1);
        assert_eq!(uneven.verdict, Verdict::Fail);
        assert_eq!(distribution(&cluster(), &[], 1).verdict, Verdict::Idle);
    }
}
