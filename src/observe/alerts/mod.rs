//! Alerts for an operator: one for each trouble. It names the node and the cause, and ends with the
//! trouble.
//!
//! Effects of an order raise no alert: a drained node, one that is restarted, a reload. Nor does a
//! node that is filling because it was away for a moment (see
//! [`Comparison`](super::evenness::Comparison)).

mod balancer;
mod connections;
mod latency;
mod node;

use crate::api::{Alert, AlertKind, FailoverCause, Latency, Status};
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
    pub failure: Option<NodeFailure>,
    /// Whether others changed its settings at the balancer.
    pub is_set_outside: bool,
}

/// A node's failure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeFailure {
    /// Whether it died or hung.
    pub cause: FailoverCause,
    /// Why, as far as that is known.
    pub why: Option<String>,
    /// Whether its clients were not served elsewhere in time.
    pub is_overdue: bool,
}

/// What a rule looks at.
#[derive(Clone, Copy, Debug)]
struct Case<'a> {
    targets: &'a Targets,
    status: &'a Status,
    latency: &'a Latency,
    facts: &'a Facts,
}

/// The rules, in the order in which their alerts are shown. Each raises the alerts of one or a few
/// [kinds](AlertKind).
const RULES: [fn(&Case) -> Vec<Alert>; 5] = [
    balancer::down,
    balancer::set_outside,
    node::trouble,
    connections::uneven,
    latency::slow,
];

/// All alerts about differences of `status` and `latency` from `targets`. The latencies must not
/// contain probes that a failure explains.
#[must_use]
pub fn alerts(targets: &Targets, status: &Status, latency: &Latency, facts: &Facts) -> Vec<Alert> {
    let case = Case {
        targets,
        status,
        latency,
        facts,
    };
    RULES.iter().flat_map(|rule| rule(&case)).collect()
}

// Private

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

    /// The alerts about nodes without connections that answer this fast.
    pub(super) fn alerts_of_latency(latency: &Latency) -> Vec<String> {
        let (status, facts) = (status(Vec::new()), Facts::default());
        lines(alerts(&cluster().targets, &status, latency, &facts))
    }

    fn lines(alerts: impl IntoIterator<Item = Alert>) -> Vec<String> {
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
    fn a_healthy_cluster_raises_no_alert() {
        let nodes = vec![node(NodeState::Up, 100), node(NodeState::Up, 100)];
        assert!(alerts_of(nodes, &Facts::default()).is_empty());
    }
}
