//! How a node stands: the one question behind its check mark.

use super::paint;
use crate::api::{Distribution, Node, NodeState, Verdict};

/// How a node stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// It is up, and holds its share (or there is too little to share).
    Good,
    /// It takes no new connections, because somebody wanted that.
    Away,
    /// It should serve and does not, or holds more or less than its share.
    Bad,
}

impl Standing {
    /// How `node` stands among the others.
    pub(super) fn of(node: &Node, distribution: &Distribution) -> Standing {
        match node.state {
            NodeState::Up if holds_its_share(node.connections, distribution) => Standing::Good,
            // With a reason, others than an order to this cluster took it out.
            NodeState::Draining | NodeState::Drained if node.reason.is_some() => Standing::Bad,
            NodeState::Draining | NodeState::Drained | NodeState::Stopped => Standing::Away,
            NodeState::Up
            | NodeState::HeldBack
            | NodeState::Down
            | NodeState::Starting
            | NodeState::Maintenance
            | NodeState::Failed => Standing::Bad,
        }
    }

    /// Its mark.
    pub(super) fn mark(self) -> String {
        match self {
            Standing::Good => paint::green("✓"),
            Standing::Away => paint::dim("-"),
            Standing::Bad => paint::red("✗"),
        }
    }

    /// `text` in its colour.
    pub(super) fn paint(self, text: &str) -> String {
        match self {
            Standing::Good => paint::green(text),
            Standing::Away => paint::yellow(text),
            Standing::Bad => paint::red(text),
        }
    }
}

/// A node's state in HAProxy's capitals.
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

/// What a node should hold now and how far it may be off: its even share of the connections that there are; of those
/// that the profile wants, while there are too few to judge.
pub(super) fn target(distribution: &Distribution) -> (f64, f64) {
    #[expect(clippy::cast_precision_loss, reason = "no host holds 2^52 connections")]
    let target = match distribution.verdict {
        Verdict::Idle => distribution.target as f64,
        Verdict::Pass | Verdict::Fail => distribution.mean,
    };
    (target, target * distribution.tolerance_percent / 100.0)
}

/// Whether `connections` are off the `target` by no more than the `tolerance`.
pub(super) fn within(connections: u64, target: f64, tolerance: f64) -> bool {
    #[expect(clippy::cast_precision_loss, reason = "no host holds 2^52 connections")]
    let distance = (connections as f64 - target).abs();
    // Less than one connection is no distance, however small the share.
    distance <= tolerance.max(1.0)
}

// Private

fn holds_its_share(connections: u64, distribution: &Distribution) -> bool {
    let (target, tolerance) = target(distribution);
    distribution.verdict == Verdict::Idle || within(connections, target, tolerance)
}

#[cfg(test)]
mod tests {
    use super::super::testing::{busy, idle, node};
    use super::*;

    #[test]
    fn within_the_tolerance_is_good() {
        let standing = |connections| Standing::of(&node(1, NodeState::Up, connections), &busy().distribution);
        assert_eq!(
            [25_234, 24_500, 24_499, 25_501].map(standing),
            [Standing::Good, Standing::Good, Standing::Bad, Standing::Bad]
        );
    }

    #[test]
    fn too_few_connections_are_not_judged() {
        let status = idle();
        assert_eq!(
            Standing::of(&node(1, NodeState::Up, 40), &status.distribution),
            Standing::Good
        );
        assert_eq!(
            Standing::of(&node(1, NodeState::Down, 0), &status.distribution),
            Standing::Bad
        );
    }

    #[test]
    fn what_an_operator_wanted_is_neither_good_nor_bad() {
        for state in [NodeState::Draining, NodeState::Drained, NodeState::Stopped] {
            assert_eq!(
                Standing::of(&node(1, state, 9), &busy().distribution),
                Standing::Away
            );
        }
    }
}
