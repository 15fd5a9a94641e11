//! Alerts for an operator: one for each trouble. It names the node and the cause, and ends with the
//! trouble.
//!
//! Effects of an order raise no alert: a drained node, one that is restarted, a reload. Nor does a
//! node that is filling because it was away for a moment (see
//! [`Comparison`](super::evenness::Comparison)).

mod connections;
mod latency;
mod node;

use crate::api::{Alert, AlertKind, BalancerState, FailoverCause, Latency, Status};
use crate::profile::Targets;

/// The input of alerts, beside status and latencies.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    /// The facts about each node, in the order of the nodes.
    pub nodes: Vec<NodeFacts>,
    /// The balancer processes that do not serve: their names, and why.
    pub balancers: Vec<(String, String)>,
    /// Changes that others made to the balancer itself.
    pub outside: Vec<String>,
}

/// The input of alerts about a node, beside its status.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NodeFacts {
    /// Its failure, until it gets clients again.
    pub failure: Option<Failure>,
    /// Whether others changed its settings at the balancer.
    pub is_set_outside: bool,
}

/// A node's failure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Whether it died or hung.
    pub cause: FailoverCause,
    /// Why, as far as that is known.
    pub why: Option<String>,
    /// Whether its clients were not served elsewhere in time.
    pub is_overdue: bool,
}

/// All alerts about differences of `status` and `latency` from `targets`. The latencies must not
/// contain probes that a failure explains.
#[must_use]
pub fn alerts(targets: &Targets, status: &Status, latency: &Latency, facts: &Facts) -> Vec<Alert> {
    let nodes = status.nodes.iter().enumerate();
    let facts_of = |index| facts.nodes.get(index).cloned().unwrap_or_default();
    let outside = facts.outside.iter().cloned();
    balancers(status, facts)
        .into_iter()
        .chain(outside.map(|what| about_all(AlertKind::BalancerSetOutside, what)))
        .chain(nodes.flat_map(|(index, node)| node::alerts(targets, node, &facts_of(index))))
        .chain(connections::alerts(targets, status))
        .chain(latency::alerts(targets, latency))
        .collect()
}

// Private

fn balancers(status: &Status, facts: &Facts) -> Vec<Alert> {
    let alert = |text| about_all(AlertKind::BalancerDown, text);
    if !facts.balancers.is_empty() {
        let balancers = facts.balancers.iter();
        return balancers
            .map(|(name, why)| alert(format!("{name} {why}")))
            .collect();
    }
    let failed = status.balancer.as_ref();
    let failed = failed.filter(|balancer| balancer.state == BalancerState::Failed);
    failed
        .map(|balancer| alert(format!("{} does not run", balancer.kind)))
        .into_iter()
        .collect()
}

fn about(kind: AlertKind, node: &str, message: String) -> Alert {
    Alert {
        kind,
        node: Some(node.to_owned()),
        message,
    }
}

fn about_all(kind: AlertKind, message: String) -> Alert {
    Alert {
        kind,
        node: None,
        message,
    }
}

#[cfg(test)]
mod testing {
    //! Alerts of plain values, as text.

    use super::super::Samples;
    use super::super::testing::{cluster, latency, status};
    use super::*;
    use crate::api::Node;

    /// The alerts about `nodes`, each as `KIND NODE MESSAGE`.
    pub(super) fn alerts_of(nodes: Vec<Node>, facts: &Facts) -> Vec<String> {
        let latency = latency([("a", &Samples::default())]);
        lines(alerts(&cluster().targets, &status(nodes), &latency, facts))
    }

    pub(super) fn lines(alerts: impl IntoIterator<Item = Alert>) -> Vec<String> {
        let line = |alert: Alert| {
            let node = alert.node.as_deref().unwrap_or("-");
            format!("{} {node} {}", alert.kind.name(), alert.message)
        };
        alerts.into_iter().map(line).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::node;
    use super::testing::alerts_of;
    use super::*;
    use crate::api::NodeState;

    #[test]
    fn a_calm_cluster_raises_none() {
        let nodes = vec![node(NodeState::Up, 100), node(NodeState::Up, 100)];
        assert!(alerts_of(nodes, &Facts::default()).is_empty());
    }

    #[test]
    fn a_balancer_process_that_does_not_serve_is_named() {
        let facts = Facts {
            balancers: vec![("haproxy-2".into(), "runs but does not answer".into())],
            ..Facts::default()
        };
        assert_eq!(
            alerts_of(vec![node(NodeState::Up, 0)], &facts),
            ["balancer-down - haproxy-2 runs but does not answer"]
        );
    }
}
