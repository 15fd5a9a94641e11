//! How evenly connections lay on the nodes.

use crate::loadtest::counting::Laid;
use crate::loadtest::order::Order;
use crate::loadtest::results::{Distribution, NodeCount};
use crate::stats::Spread;

/// Of the connections when all were made, over the nodes that take clients.
pub(super) fn distribution(order: &Order, laid: &Laid) -> Distribution {
    let nodes = judged(order, laid);
    let count = |node: &NodeCount| u32::try_from(node.connections).unwrap_or(u32::MAX);
    let values: Vec<f64> = nodes.iter().map(|node| f64::from(count(node))).collect();
    let spread = Spread::of(&values);
    let of_spread = |what: fn(&Spread) -> f64, none| spread.as_ref().map_or(none, what);
    Distribution {
        mean: of_spread(|spread| spread.mean, 0.0),
        min: nodes.iter().map(count).min().unwrap_or(0),
        max: nodes.iter().map(count).max().unwrap_or(0),
        variance_percent: of_spread(|spread| spread.variance_percent, 0.0),
        variance_target_percent: order.targets.variance.get(),
        tolerance_percent: order.targets.tolerance.get(),
        stddev: of_spread(|spread| spread.stddev, 0.0),
        jain: of_spread(|spread| spread.jain, 1.0),
        nodes,
        others: laid.others,
    }
}

// Private

/// The nodes that took clients when the test began. One that serves nobody is as uneven as can be.
fn judged(order: &Order, laid: &Laid) -> Vec<NodeCount> {
    let Some(cluster) = &order.cluster else {
        return laid.all.nodes.clone();
    };
    let of = |name: &str| {
        let node = laid.all.nodes.iter().find(|node| node.name == name);
        node.map_or(0, |node| node.connections)
    };
    let members = cluster.nodes.iter().map(|(name, _)| name);
    members
        .filter(|name| !cluster.resting.contains(*name))
        .map(|name| NodeCount {
            name: name.clone(),
            connections: of(name),
        })
        .collect()
}
