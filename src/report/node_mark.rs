//! The standing of a node, which decides its check mark.

use super::style;
use crate::api::{Distribution, Node, NodeState, Verdict};
use crate::base::stats::Spread;

/// The standing of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NodeMark {
    /// It is up, and holds its share (or there is too little to share).
    Good,
    /// It takes no new connections, because that was ordered.
    Away,
    /// It should serve but does not, or holds more or less than its share.
    Bad,
}

impl NodeMark {
    /// The standing of `node` among the others.
    pub(super) fn of(node: &Node, share: Share) -> NodeMark {
        match node.state {
            NodeState::Up if share.is_held_by(node) => NodeMark::Good,
            // A node with a reason was taken out by other means than an order to this cluster.
            NodeState::Draining | NodeState::Drained if node.reason.is_some() => NodeMark::Bad,
            NodeState::Draining | NodeState::Drained | NodeState::Stopped => NodeMark::Away,
            NodeState::Up
            | NodeState::HeldBack
            | NodeState::Down
            | NodeState::Starting
            | NodeState::Maintenance
            | NodeState::Failed => NodeMark::Bad,
        }
    }

    /// The check mark.
    pub(super) fn mark(self) -> String {
        match self {
            NodeMark::Good => style::green("✓"),
            NodeMark::Away => style::dim("-"),
            NodeMark::Bad => style::red("✗"),
        }
    }

    /// `text` in its colour.
    pub(super) fn paint(self, text: &str) -> String {
        match self {
            NodeMark::Good => style::green(text),
            NodeMark::Away => style::yellow(text),
            NodeMark::Bad => style::red(text),
        }
    }
}

/// A node's state in capitals, as HAProxy writes it.
pub(super) const fn word(state: NodeState) -> &'static str {
    match state {
        NodeState::Up => "UP",
        NodeState::HeldBack => "HELD BACK",
        NodeState::Down => "DOWN",
        NodeState::Starting => "STARTING",
        NodeState::Draining => "DRAINING",
        NodeState::Drained => "DRAINED",
        NodeState::Maintenance => "MAINTENANCE",
        NodeState::Stopped => "STOPPED",
        NodeState::Failed => "FAILED",
    }
}

/// The connections that a node should hold now, and the tolerance.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Share {
    pub(super) connections: f64,
    pub(super) tolerance: f64,
    /// Whether there are enough connections to judge by.
    is_judged: bool,
}

impl Share {
    /// An even share of the current connections; of the profile's target, while there are too few
    /// to judge. Nodes that are filling because they were away do not make the share of the others
    /// smaller.
    pub(super) fn of(nodes: &[Node], distribution: &Distribution) -> Share {
        let is_judged = distribution.verdict != Verdict::Idle;
        #[expect(clippy::cast_precision_loss, reason = "no host holds 2^52 connections")]
        let connections = if is_judged {
            comparable(nodes).map_or(distribution.mean, |spread| spread.mean)
        } else {
            distribution.target as f64
        };
        Share {
            connections,
            tolerance: connections * distribution.tolerance_percent / 100.0,
            is_judged,
        }
    }

    fn is_held_by(self, node: &Node) -> bool {
        let is_exempt = !self.is_judged || node.filling_seconds.is_some();
        is_exempt || within(node.connections, self.connections, self.tolerance)
    }
}

/// How even the nodes are that have had the same time to get connections; `None` when this is all
/// or none of the nodes that take traffic.
pub(super) fn comparable(nodes: &[Node]) -> Option<Spread> {
    let fills = |node: &Node| node.state == NodeState::Up && !node.is_comparable();
    #[expect(clippy::cast_precision_loss, reason = "no host holds 2^52 connections")]
    let counts = || {
        nodes
            .iter()
            .filter(|node| node.is_comparable())
            .map(|node| node.connections as f64)
    };
    Spread::of(&counts().collect::<Vec<_>>()).filter(|_| nodes.iter().any(fills))
}

/// Whether `connections` differ from the `target` by at most the `tolerance`.
pub(super) fn within(connections: u64, target: f64, tolerance: f64) -> bool {
    #[expect(clippy::cast_precision_loss, reason = "no host holds 2^52 connections")]
    let distance = (connections as f64 - target).abs();
    // A difference of less than one connection is always within, however small the share.
    distance <= tolerance.max(1.0)
}

#[cfg(test)]
mod tests {
    use super::super::testing::{busy, idle, node};
    use super::*;

    #[test]
    fn within_the_tolerance_is_good() {
        let share = Share::of(&busy().nodes, &busy().distribution);
        let standing = |connections| NodeMark::of(&node(1, NodeState::Up, connections), share);
        assert_eq!(
            [25_234, 24_500, 24_499, 25_501].map(standing),
            [NodeMark::Good, NodeMark::Good, NodeMark::Bad, NodeMark::Bad]
        );
    }

    #[test]
    fn too_few_connections_are_not_judged() {
        let share = Share::of(&idle().nodes, &idle().distribution);
        assert_eq!(NodeMark::of(&node(1, NodeState::Up, 40), share), NodeMark::Good);
        assert_eq!(NodeMark::of(&node(1, NodeState::Down, 0), share), NodeMark::Bad);
    }

    #[test]
    fn effects_of_an_order_are_neither_good_nor_bad() {
        let share = Share::of(&busy().nodes, &busy().distribution);
        for state in [NodeState::Draining, NodeState::Drained, NodeState::Stopped] {
            assert_eq!(NodeMark::of(&node(1, state, 9), share), NodeMark::Away);
        }
    }

    #[test]
    fn a_filling_node_does_not_reduce_the_share_of_others() {
        let mut nodes = [133, 0, 134, 133].map(|count| node(1, NodeState::Up, count));
        let distribution = Distribution {
            mean: 100.0,
            verdict: Verdict::Fail,
            ..busy().distribution
        };
        let standings = |nodes: &[Node]| {
            let share = Share::of(nodes, &distribution);
            nodes
                .iter()
                .map(|node| NodeMark::of(node, share))
                .collect::<Vec<_>>()
        };
        assert_eq!(standings(&nodes), [NodeMark::Bad; 4]);
        nodes[1].filling_seconds = Some(12);
        assert_eq!(standings(&nodes), [NodeMark::Good; 4]);
        assert!(comparable(&nodes).is_some_and(|spread| spread.variance_percent < 1.0));
    }
}
