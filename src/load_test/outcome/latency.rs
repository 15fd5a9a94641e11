//! Latencies of messages, over all nodes and for each node.

use crate::api::LatencyClass;
use crate::load_test::order::Order;
use crate::load_test::results::{Latency, Quantiles, millis};
use crate::load_test::tally::Tally;
use crate::load_test::times::Times;

/// The latencies of the hold's messages.
pub(super) fn latency(tally: &Tally, order: &Order) -> Latency {
    let mut all = Times::default();
    tally.nodes.iter().for_each(|node| all.merge(node));
    let nodes: Vec<Quantiles> = tally
        .nodes
        .iter()
        .map(Times::quantiles)
        .filter(|node| node.count > 0)
        .collect();
    let p99: Vec<(f64, u64)> = nodes.iter().map(|node| (node.p99_ms, node.count)).collect();
    let p99_target_ms = millis(order.targets.p99.duration());
    let (variance_percent, class) = LatencyClass::of(&p99, p99_target_ms);
    Latency {
        all: all.quantiles(),
        variance_percent,
        class,
        p99_target_ms,
        histogram: all.buckets(),
    }
}
