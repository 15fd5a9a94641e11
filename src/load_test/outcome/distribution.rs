//! How evenly connections were distributed over the nodes.

use crate::base::stats::Spread;
use crate::load_test::counting::Placement;
use crate::load_test::order::{Cluster, Member, Order};
use crate::load_test::results::{Chance, Distribution, NodeCount};
use crate::plan::ChosenBy;

/// The distribution of the connections when all were made, over the nodes that take clients.
pub(super) fn distribution(order: &Order, placement: &Placement) -> Distribution {
    let nodes = judged(order, placement);
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
        others: placement.others,
        in_motion: placement.in_motion,
        chosen_by: order.cluster.as_ref().and_then(|cluster| cluster.chosen_by),
        chance: order
            .cluster
            .as_ref()
            .and_then(|cluster| chance(cluster, placement)),
    }
}

// Private

/// The nodes that took clients when the test began. One without connections counts as well.
fn judged(order: &Order, placement: &Placement) -> Vec<NodeCount> {
    let Some(cluster) = &order.cluster else {
        return placement.all.nodes.clone();
    };
    let of = |name: &str| {
        let node = placement.all.nodes.iter().find(|node| node.name == name);
        node.map_or(0, |node| node.connections)
    };
    taking(cluster)
        .map(|node| NodeCount {
            name: node.name.clone(),
            connections: of(&node.name),
        })
        .collect()
}

/// The nodes that take clients.
fn taking(cluster: &Cluster) -> impl Iterator<Item = &Member> {
    let members = cluster.nodes.iter();
    members.filter(|node| !cluster.resting.contains(&node.name))
}

/// The chi-square test of this test's own connections, if addresses decide the node. The choices
/// for other clients are not known.
fn chance(cluster: &Cluster, placement: &Placement) -> Option<Chance> {
    let bearers: Vec<(f64, f64)> = taking(cluster)
        .map(|member| {
            let own = placement.own.nodes.iter().find(|node| node.name == member.name);
            let own = own.map_or(0, |node| u32::try_from(node.connections).unwrap_or(u32::MAX));
            (f64::from(own), f64::from(member.weight))
        })
        .collect();
    let processes = match cluster.chosen_by? {
        ChosenBy::Address => None,
        ChosenBy::Process => Some(cluster.processes),
        ChosenBy::Uri => return None,
    };
    #[expect(clippy::cast_precision_loss, reason = "no cluster has 2^52 nodes")]
    let nodes = bearers.len() as f64;
    let draws = match processes {
        None => placement.addresses,
        // A process deals clients out in turn. Its last round may be partial and begins anywhere:
        // that varies no more than half a round of independent choices.
        Some(processes) => placement.addresses.at_most(f64::from(processes) * nodes / 2.0),
    };
    let test = draws.test(&bearers)?;
    let weight: f64 = bearers.iter().map(|(_, weight)| weight).sum();
    let weights = bearers
        .iter()
        .map(|(_, own)| own / weight)
        .filter(|share| *share > 0.0);
    let (least, greatest) = weights.fold((1.0_f64, 0.0_f64), |(least, greatest), share| {
        (least.min(share), greatest.max(share))
    });
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a count of addresses, which are 32 bits"
    )]
    let addresses = placement.addresses.count as u32;
    Some(Chance {
        addresses,
        processes,
        least_expected: placement.addresses.count * least,
        chi_square: test.statistic,
        degrees_of_freedom: test.degrees,
        p: test.p,
        is_chance: test.is_chance(),
        tolerance: draws.tolerance(greatest),
    })
}
