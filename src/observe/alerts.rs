//! What an operator should look at.

use crate::api::{
    Alert, BalancerState, Latency, LatencyClass, Node, NodeLatency, NodeState, Status, Verdict,
};
use crate::profile::Targets;

/// Everything about `status` and `latency` that is not as `targets` want it.
#[must_use]
pub fn alerts(targets: &Targets, status: &Status, latency: &Latency) -> Vec<Alert> {
    let mut alerts = Vec::new();
    if let Some(balancer) = &status.balancer
        && balancer.state == BalancerState::Failed
    {
        alerts.push(about_all(format!("{} does not run", balancer.kind)));
    }
    alerts.extend(status.nodes.iter().filter_map(out_of_service));
    if status.distribution.verdict != Verdict::Idle {
        alerts.extend(
            status
                .nodes
                .iter()
                .filter_map(|node| out_of_band(targets, status, node)),
        );
    }
    if status.distribution.verdict == Verdict::Fail {
        let (is, limit) = (status.distribution.variance_percent, targets.variance);
        alerts.push(about_all(format!(
            "connections are uneven: variance {is:.1}% (target: <{limit})"
        )));
    }
    if latency.class != LatencyClass::Excellent && latency.variance_percent >= targets.latency_variance.get()
    {
        let (is, limit) = (latency.variance_percent, targets.latency_variance);
        alerts.push(about_all(format!(
            "latencies are uneven: variance {is:.1}% (target: <{limit})"
        )));
    }
    let p99 = targets.p99.duration().as_secs_f64() * 1_000.0;
    alerts.extend(
        latency
            .nodes
            .iter()
            .filter(|node| is_slow(node, p99))
            .map(|node| {
                about(
                    &node.name,
                    format!("is slow: p99 {:.1} ms (target: <{})", node.p99_ms, targets.p99),
                )
            }),
    );
    alerts
}

// Private

fn out_of_service(node: &Node) -> Option<Alert> {
    let state = match node.state {
        NodeState::Down if node.elsewhere => "does not answer",
        NodeState::Down => "runs, and does not answer",
        NodeState::Maintenance => "gets no new connections",
        NodeState::Failed => "died too often and is left alone",
        NodeState::Starting if node.restarts > 0 => "died, and is being restarted",
        NodeState::Up
        | NodeState::HeldBack
        | NodeState::Starting
        | NodeState::Draining
        | NodeState::Drained
        | NodeState::Stopped => return None,
    };
    Some(about(
        &node.name,
        match &node.reason {
            Some(reason) => format!("{state}: {reason}"),
            None => state.to_owned(),
        },
    ))
}

/// Of few samples the 99th percentile is chance, but the median is not.
fn is_slow(node: &NodeLatency, limit_ms: f64) -> bool {
    let enough = if node.p50_ms > limit_ms { 5 } else { 100 };
    node.p99_ms > limit_ms && node.samples >= enough
}

/// The reference's alert: under 20,000 or over 30,000 connections where 25,000 are the mean.
fn out_of_band(targets: &Targets, status: &Status, node: &Node) -> Option<Alert> {
    let mean = status.distribution.mean;
    #[expect(clippy::cast_precision_loss, reason = "no host holds 2^52 connections")]
    let distance = (node.connections as f64 - mean).abs();
    let message = || {
        format!(
            "has {} connections, beyond {} of the mean {mean:.0}",
            node.connections, targets.band
        )
    };
    (node.state == NodeState::Up && distance > targets.band.of(mean)).then(|| about(&node.name, message()))
}

fn about(node: &str, message: String) -> Alert {
    Alert {
        node: Some(node.to_owned()),
        message,
    }
}

fn about_all(message: String) -> Alert {
    Alert { node: None, message }
}

#[cfg(test)]
mod tests {
    use super::super::Samples;
    use super::super::testing::{cluster, latency, node, status};
    use super::*;

    fn messages(nodes: Vec<Node>) -> Vec<String> {
        let alerts = alerts(
            &cluster().targets,
            &status(nodes),
            &latency([("a", &Samples::default())]),
        );
        alerts.into_iter().map(|alert| alert.message).collect()
    }

    #[test]
    fn a_calm_cluster_raises_none() {
        assert!(messages(vec![node(NodeState::Up, 100), node(NodeState::Up, 100)]).is_empty());
    }

    #[test]
    fn a_node_far_from_the_mean_is_named() {
        let said = messages(vec![node(NodeState::Up, 40_000), node(NodeState::Up, 15_000)]);
        assert_eq!(said.len(), 3, "{said:?}");
        assert_eq!(said[0], "has 40000 connections, beyond 20% of the mean 27500");
        assert_eq!(said[2], "connections are uneven: variance 90.9% (target: <5%)");
    }

    #[test]
    fn of_a_silent_node_only_what_is_known_is_told() {
        let mut silent = node(NodeState::Down, 0);
        assert_eq!(messages(vec![silent.clone()]), ["runs, and does not answer"]);
        silent.elsewhere = true;
        silent.reason = Some("cannot connect".into());
        assert_eq!(messages(vec![silent]), ["does not answer: cannot connect"]);
    }

    #[test]
    fn a_dead_node_is_named_with_its_reason() {
        let mut dead = node(NodeState::Failed, 0);
        dead.reason = Some("exit code 1".into());
        assert_eq!(
            messages(vec![dead]),
            ["died too often and is left alone: exit code 1"]
        );
    }
}
