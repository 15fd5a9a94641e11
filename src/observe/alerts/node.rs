//! A node that does not serve although no order says so.

use super::{Case, NodeFacts, NodeFailure, about};
use crate::api::{Alert, AlertKind, FailoverCause, Node, NodeState};
use crate::profile::Targets;

/// Nodes in trouble, and clients that wait for another node.
pub(super) fn trouble(case: &Case) -> Vec<Alert> {
    let nodes = case.status.nodes.iter().enumerate();
    let facts = |index| case.facts.nodes.get(index).cloned().unwrap_or_default();
    nodes
        .flat_map(|(index, node)| of_node(case.targets, node, &facts(index)))
        .collect()
}

// Private

fn of_node(targets: &Targets, node: &Node, facts: &NodeFacts) -> Vec<Alert> {
    let overdue = facts.failure.as_ref().is_some_and(|failure| failure.is_overdue);
    let overdue = overdue.then(|| {
        let limit = targets.failover_alert;
        let message = format!("its clients were not served elsewhere within {limit}");
        (AlertKind::FailoverOverdue, message)
    });
    what_is_wrong(node, facts)
        .into_iter()
        .chain(overdue)
        .map(|(kind, message)| about(kind, &node.name, message))
        .collect()
}

fn what_is_wrong(node: &Node, facts: &NodeFacts) -> Option<(AlertKind, String)> {
    let because = |text: &str| with(text, node.reason.as_deref());
    match (node.state, &facts.failure) {
        _ if facts.is_set_outside => Some((AlertKind::NodeSetOutside, because("is not served as ordered"))),
        (NodeState::Down, _) if node.external => Some((AlertKind::NodeDown, because("does not answer"))),
        (NodeState::Down, _) => Some((AlertKind::NodeHung, because("runs, and does not answer"))),
        (NodeState::Failed, _) => Some((AlertKind::NodeFailed, because("died too often and is left alone"))),
        (NodeState::Starting, Some(failure)) => Some(recovering(node, failure, "is being restarted")),
        // It has never served, and died while it started.
        (NodeState::Starting, None) if node.reason.is_some() && !node.external => {
            Some((AlertKind::NodeDied, because("died, and is being restarted")))
        }
        (NodeState::HeldBack, Some(failure)) => Some(recovering(
            node,
            failure,
            "answers again; it gets clients in a moment",
        )),
        (
            NodeState::Up
            | NodeState::HeldBack
            | NodeState::Starting
            | NodeState::Draining
            | NodeState::Drained
            | NodeState::Maintenance
            | NodeState::Stopped,
            _,
        ) => None,
    }
}

/// The alert about a node that has failed and recovers; `now` is the step that it is at.
fn recovering(node: &Node, failure: &NodeFailure, now: &str) -> (AlertKind, String) {
    let (kind, what) = match failure.cause {
        FailoverCause::Died => (AlertKind::NodeDied, "died"),
        FailoverCause::Hung if node.external => (AlertKind::NodeDown, "was silent"),
        FailoverCause::Hung => (AlertKind::NodeHung, "hung"),
    };
    let why = failure.why.as_deref();
    let why = why.map_or(String::new(), |why| format!(" ({why})"));
    (kind, format!("{what}{why}, and {now}"))
}

fn with(text: &str, why: Option<&str>) -> String {
    why.map_or_else(|| text.to_owned(), |why| format!("{text}: {why}"))
}

#[cfg(test)]
mod tests {
    use super::super::super::testing::node;
    use super::super::Facts;
    use super::super::testing::alerts_of;
    use super::*;

    fn failure(cause: FailoverCause, why: &str) -> NodeFacts {
        NodeFacts {
            failure: Some(NodeFailure {
                cause,
                why: (!why.is_empty()).then(|| why.to_owned()),
                is_overdue: false,
            }),
            ..NodeFacts::default()
        }
    }

    fn alerts_of_one(node: Node, facts: NodeFacts) -> Vec<String> {
        let facts = Facts {
            nodes: vec![facts],
            ..Facts::default()
        };
        alerts_of(vec![node], &facts)
    }

    #[test]
    fn a_death_is_reported_until_the_node_gets_clients_again() {
        let died = || failure(FailoverCause::Died, "killed by SIGKILL");
        assert_eq!(
            alerts_of_one(node(NodeState::Starting, 1), died()),
            ["node-died n1 died (killed by SIGKILL), and is being restarted"]
        );
        assert_eq!(
            alerts_of_one(node(NodeState::HeldBack, 1), died()),
            ["node-died n1 died (killed by SIGKILL), and answers again; it gets clients in a moment"]
        );
        assert!(alerts_of_one(node(NodeState::Up, 1), NodeFacts::default()).is_empty());
    }

    #[test]
    fn a_hang_is_reported_with_its_known_cause() {
        let mut hung = node(NodeState::Down, 1);
        let facts = || failure(FailoverCause::Hung, "");
        assert_eq!(
            alerts_of_one(hung.clone(), facts()),
            ["node-hung n1 runs, and does not answer"]
        );
        hung.external = true;
        hung.reason = Some("cannot connect".into());
        assert_eq!(
            alerts_of_one(hung.clone(), NodeFacts::default()),
            ["node-down n1 does not answer: cannot connect"]
        );
        hung.state = NodeState::HeldBack;
        assert_eq!(
            alerts_of_one(hung, facts()),
            ["node-down n1 was silent, and answers again; it gets clients in a moment"]
        );
    }

    #[test]
    fn effects_of_an_order_raise_no_alert() {
        for state in [NodeState::Draining, NodeState::Drained, NodeState::Stopped] {
            assert!(
                alerts_of_one(node(state, 1), NodeFacts::default()).is_empty(),
                "{state:?}"
            );
        }
        let mut restarted = node(NodeState::Starting, 1);
        restarted.restarts = 3;
        assert!(alerts_of_one(restarted, NodeFacts::default()).is_empty());
        // The balancer has not received the state of the new process yet.
        assert!(alerts_of_one(node(NodeState::HeldBack, 1), NodeFacts::default()).is_empty());
    }

    #[test]
    fn a_node_that_others_took_out_is_reported_with_the_reason() {
        for state in [NodeState::Maintenance, NodeState::Drained, NodeState::Down] {
            let mut out = node(state, 1);
            out.reason = Some("maintenance, set over the balancer's socket".into());
            let facts = NodeFacts {
                is_set_outside: true,
                ..NodeFacts::default()
            };
            assert_eq!(
                alerts_of_one(out, facts),
                ["node-set-outside n1 is not served as ordered: maintenance, set over the balancer's socket"]
            );
        }
    }

    #[test]
    fn a_failed_node_and_an_overdue_failover_are_reported() {
        let mut given_up = node(NodeState::Failed, 1);
        given_up.reason = Some("exit code 1".into());
        let mut facts = failure(FailoverCause::Died, "exit code 1");
        if let Some(failure) = &mut facts.failure {
            failure.is_overdue = true;
        }
        assert_eq!(
            alerts_of_one(given_up, facts),
            [
                "node-failed n1 died too often and is left alone: exit code 1",
                "failover-overdue n1 its clients were not served elsewhere within 15s"
            ]
        );
    }
}
