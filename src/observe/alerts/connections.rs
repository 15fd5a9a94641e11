//! Uneven connections on nodes that have had the same time to get them.

use super::super::evenness::Comparison;
use super::{Case, about, about_all};
use crate::api::{Alert, AlertKind, Node, NodeState};

/// Nodes outside the band, and the distribution as a whole.
pub(super) fn uneven(case: &Case) -> Vec<Alert> {
    let Case { targets, status, .. } = *case;
    let is_uneven = |compared: &Comparison| !compared.is_even(targets) && !compared.is_within_a_few();
    let Some(compared) = Comparison::of(status).filter(is_uneven) else {
        return Vec::new();
    };
    // The reference's alert: under 20,000 or over 30,000 connections where 25,000 are the mean.
    let out_of_band = compared.out_of_band(targets).into_iter().map(|node| {
        let (connections, mean) = (node.connections, compared.mean());
        let message = format!(
            "has {connections} connections, beyond {} of the mean {mean:.0}",
            targets.band
        );
        about(AlertKind::OutOfBand, &node.name, message)
    });
    let uneven = format!(
        "connections are uneven: variance {:.1}% (target: <{}){}",
        compared.variance_percent(),
        targets.variance,
        without(&status.nodes)
    );
    out_of_band
        .chain([about_all(AlertKind::Uneven, uneven)])
        .collect()
}

// Private

/// The nodes that are left out because they are filling.
fn without(nodes: &[Node]) -> String {
    let fills = |node: &&Node| node.state == NodeState::Up && node.filling_seconds.is_some();
    let names: Vec<&str> = nodes
        .iter()
        .filter(fills)
        .map(|node| node.name.as_str())
        .collect();
    match names.as_slice() {
        [] => String::new(),
        names => format!(" without {}, filling up", names.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::testing::node;
    use super::super::Facts;
    use super::super::testing::alerts_of;
    use super::*;

    fn up(counts: &[u64]) -> Vec<Node> {
        counts.iter().map(|count| node(NodeState::Up, *count)).collect()
    }

    #[test]
    fn a_node_far_from_the_others_is_named() {
        assert_eq!(
            alerts_of(up(&[25_000, 40_000, 25_001]), &Facts::default()),
            [
                "out-of-band n40000 has 40000 connections, beyond 20% of the mean 30000",
                "uneven - connections are uneven: variance 50.0% (target: <5%)"
            ]
        );
    }

    #[test]
    fn a_difference_of_a_few_connections_raises_no_alert() {
        assert!(alerts_of(up(&[58, 54, 50, 52]), &Facts::default()).is_empty());
        assert_eq!(
            alerts_of(up(&[59, 54, 50, 53]), &Facts::default()),
            ["uneven - connections are uneven: variance 16.7% (target: <5%)"]
        );
    }

    #[test]
    fn a_filling_node_does_not_count_as_uneven() {
        let mut nodes = up(&[133, 0, 134, 133]);
        nodes[1].filling_seconds = Some(12);
        assert!(alerts_of(nodes.clone(), &Facts::default()).is_empty());
        nodes[0].connections = 120;
        assert_eq!(
            alerts_of(nodes, &Facts::default()),
            ["uneven - connections are uneven: variance 10.9% (target: <5%) without n0, filling up"]
        );
    }
}
