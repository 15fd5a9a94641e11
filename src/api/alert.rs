//! What an operator should look at. `crate::observe` has the rules that raise alerts.

use serde::{Deserialize, Serialize};

/// What an operator should look at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Alert {
    /// The kind of trouble.
    pub kind: AlertKind,
    /// The node, unless it is about the whole cluster.
    pub node: Option<String>,
    /// What is wrong.
    pub message: String,
}

/// The kind of trouble that an alert is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AlertKind {
    /// A balancer process has died, or does not answer.
    BalancerDown,
    /// Something other than this supervisor changed the balancer itself.
    BalancerSetOutside,
    /// A node's process has died. It ends when the node gets clients again.
    NodeDied,
    /// A node's process runs and does not answer. It ends when the node gets clients again.
    NodeHung,
    /// An external node does not answer. It ends when the node gets clients again.
    NodeDown,
    /// A node has died too often and is left alone.
    NodeFailed,
    /// Something other than this supervisor changed a node's settings at the balancer.
    NodeSetOutside,
    /// The clients of a node that failed were not served elsewhere within `targets.failover_alert`.
    FailoverOverdue,
    /// A node holds far more or fewer connections than the others: beyond `targets.band` of the
    /// mean.
    OutOfBand,
    /// The variance of connections is not below `targets.variance`.
    Uneven,
    /// The p99 of a node, or of all nodes, is above `targets.p99`.
    Slow,
    /// A node is much slower than another one: the variance of the p99 is not below
    /// `targets.latency_variance`.
    LatencyUneven,
}

impl AlertKind {
    /// All of them.
    pub const ALL: [AlertKind; 12] = [
        AlertKind::BalancerDown,
        AlertKind::BalancerSetOutside,
        AlertKind::NodeDied,
        AlertKind::NodeHung,
        AlertKind::NodeDown,
        AlertKind::NodeFailed,
        AlertKind::NodeSetOutside,
        AlertKind::FailoverOverdue,
        AlertKind::OutOfBand,
        AlertKind::Uneven,
        AlertKind::Slow,
        AlertKind::LatencyUneven,
    ];

    /// Its name in the API.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            AlertKind::BalancerDown => "balancer-down",
            AlertKind::BalancerSetOutside => "balancer-set-outside",
            AlertKind::NodeDied => "node-died",
            AlertKind::NodeHung => "node-hung",
            AlertKind::NodeDown => "node-down",
            AlertKind::NodeFailed => "node-failed",
            AlertKind::NodeSetOutside => "node-set-outside",
            AlertKind::FailoverOverdue => "failover-overdue",
            AlertKind::OutOfBand => "out-of-band",
            AlertKind::Uneven => "uneven",
            AlertKind::Slow => "slow",
            AlertKind::LatencyUneven => "latency-uneven",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_has_its_name_and_is_explained() {
        let explained = include_str!("../../docs/operations.md");
        for kind in AlertKind::ALL {
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.name());
            assert!(explained.contains(&format!("`{}`", kind.name())), "{kind:?}");
        }
    }
}
