//! Nodes that answer slowly.

use super::{Case, about, about_all};
use crate::api::{Alert, AlertKind, Latency, LatencyClass, NodeLatency};
use crate::profile::Targets;

/// Nodes that are slow, or much slower than the others.
pub(super) fn slow(case: &Case) -> Vec<Alert> {
    let Case { targets, latency, .. } = *case;
    let limit = targets.p99.duration().as_secs_f64() * 1_000.0;
    let slow: Vec<&NodeLatency> = latency.nodes.iter().filter(|node| is_slow(node, limit)).collect();
    match slow.as_slice() {
        [] => uneven(targets, latency).into_iter().collect(),
        // In that case the cause is what the nodes have in common.
        [_, _, ..] if slow.len() == latency.nodes.len() && are_alike(latency) => {
            let (least, most) = range(latency);
            let message = format!(
                "all nodes are slow: p99 {least:.1} to {most:.1} ms (target: <{}); is this host busy?",
                targets.p99
            );
            vec![about_all(AlertKind::Slow, message)]
        }
        slow => slow
            .iter()
            .map(|node| {
                let message = format!("is slow: p99 {:.1} ms (target: <{})", node.p99_ms, targets.p99);
                about(AlertKind::Slow, &node.name, message)
            })
            .collect(),
    }
}

// Private

/// The slowest node, when it is much slower than the fastest.
fn uneven(targets: &Targets, latency: &Latency) -> Option<Alert> {
    let is_uneven = latency.class != LatencyClass::Excellent
        && latency.variance_percent >= targets.latency_variance.get();
    let slowest = latency.nodes.iter().max_by(|a, b| a.p99_ms.total_cmp(&b.p99_ms));
    let slowest = slowest.filter(|_| is_uneven)?;
    let (least, _) = range(latency);
    let message = format!(
        "is slower than the others: p99 {:.1} ms, the fastest {least:.1} ms, variance {:.1}% (target: <{})",
        slowest.p99_ms, latency.variance_percent, targets.latency_variance
    );
    Some(about(AlertKind::LatencyUneven, &slowest.name, message))
}

/// With few samples the 99th percentile is chance, but the median is not.
fn is_slow(node: &NodeLatency, limit_ms: f64) -> bool {
    let enough = if node.p50_ms > limit_ms {
        5
    } else {
        LatencyClass::ENOUGH
    };
    node.p99_ms > limit_ms && node.samples >= enough
}

/// Whether no node takes twice as long as another.
fn are_alike(latency: &Latency) -> bool {
    let (least, most) = range(latency);
    most <= 2.0 * least
}

/// The least and the greatest p99.
fn range(latency: &Latency) -> (f64, f64) {
    let p99 = || latency.nodes.iter().map(|node| node.p99_ms);
    (p99().fold(f64::INFINITY, f64::min), p99().fold(0.0, f64::max))
}

#[cfg(test)]
mod tests {
    use super::super::super::testing::{latency, samples};
    use super::super::testing::alerts_of_latency;

    /// The alerts about two nodes, each of which has answered 100 times in this many milliseconds.
    fn alerts_of(a: u64, b: u64) -> Vec<String> {
        let (a, b) = (samples(100, a), samples(100, b));
        alerts_of_latency(&latency([("a", &a), ("b", &b)]))
    }

    #[test]
    fn fast_nodes_raise_no_alert_however_far_apart() {
        assert!(alerts_of(2, 5).is_empty() && alerts_of(15, 16).is_empty());
    }

    #[test]
    fn the_slowest_is_named_once() {
        assert_eq!(
            alerts_of(4, 15),
            [
                "latency-uneven b is slower than the others: p99 15.0 ms, the fastest 4.0 ms, variance 115.8% (target: <10%)"
            ]
        );
        assert_eq!(alerts_of(4, 48), ["slow b is slow: p99 48.0 ms (target: <20ms)"]);
    }

    #[test]
    fn a_common_cause_raises_one_alert_for_all_nodes() {
        assert_eq!(
            alerts_of(50, 60),
            ["slow - all nodes are slow: p99 50.0 to 60.0 ms (target: <20ms); is this host busy?"]
        );
        assert_eq!(alerts_of(50, 600).len(), 2);
    }

    #[test]
    fn one_slow_answer_of_few_raises_no_alert() {
        let mut few = samples(98, 1);
        few.add(super::super::super::testing::answered(500));
        assert!(alerts_of_latency(&latency([("a", &few)])).is_empty());
        let slow = samples(5, 500);
        assert_eq!(alerts_of_latency(&latency([("a", &slow)])).len(), 1);
    }
}
