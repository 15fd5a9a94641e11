//! How evenly connections lay on the nodes.

use crate::loadtest::order::Order;
use crate::loadtest::results::{Count, Distribution};
use crate::stats::Spread;

/// Of the connections when all were made.
pub(super) fn distribution(order: &Order, connected: &Count) -> Distribution {
    let of = |name: &str| {
        let node = connected.nodes.iter().find(|node| node.name == name);
        node.map_or(0, |node| node.connections)
    };
    // A node of ours that serves nobody is as uneven as can be.
    let counts: Vec<u64> = match &order.cluster {
        Some(cluster) => cluster.nodes.iter().map(|(name, _)| of(name)).collect(),
        None => connected.nodes.iter().map(|node| node.connections).collect(),
    };
    let counts = counts
        .into_iter()
        .map(|count| u32::try_from(count).unwrap_or(u32::MAX));
    let counts: Vec<u32> = counts.collect();
    let values: Vec<f64> = counts.iter().copied().map(f64::from).collect();
    let spread = Spread::of(&values);
    let of_spread = |what: fn(&Spread) -> f64, none| spread.as_ref().map_or(none, what);
    Distribution {
        nodes: Vec::new(),
        others: 0,
        mean: of_spread(|spread| spread.mean, 0.0),
        min: counts.iter().copied().min().unwrap_or(0),
        max: counts.iter().copied().max().unwrap_or(0),
        variance_percent: of_spread(|spread| spread.variance_percent, 0.0),
        variance_target_percent: order.targets.variance.get(),
        tolerance_percent: order.targets.tolerance.get(),
        stddev: of_spread(|spread| spread.stddev, 0.0),
        jain: of_spread(|spread| spread.jain, 1.0),
    }
}
