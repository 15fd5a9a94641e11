//! The latency of messages, node by node.

use super::super::status::section;
use super::super::{health, numbers, style, table};
use super::messages::late;
use crate::load_test::results::{Quantiles, Results};

const HEADER: [&str; 9] = [
    "", "average", "stddev", "p50", "p90", "p99", "p99.9", "max", "samples",
];

/// `2.0 ms - 8.0 ms`, from the node with the lowest p99 to the one with the highest; nothing when
/// no message was answered.
pub(super) fn range(results: &Results) -> Option<String> {
    let answered = results.nodes.iter().filter(|node| node.latency.count > 0);
    let p99: Vec<f64> = answered.map(|node| node.latency.p99_ms).collect();
    let least = p99.iter().copied().reduce(f64::min)?;
    let most = p99.iter().copied().reduce(f64::max)?;
    Some(format!("{} - {}", numbers::millis(least), numbers::millis(most)))
}

/// A row for each node that has answered, and one for all; then how far the nodes are apart, and
/// what the latencies consist of.
pub(super) fn latency(results: &Results) -> String {
    if results.latency.all.count == 0 {
        return String::new();
    }
    let nodes = results
        .nodes
        .iter()
        .map(|node| (node.name.as_str(), &node.latency));
    let all = [("all", &results.latency.all)];
    let answered = nodes.chain(all).filter(|(_, quantiles)| quantiles.count > 0);
    let mut lines = table::lines(HEADER, answered.map(|(name, quantiles)| row(name, quantiles)), 1);
    let class = health::class(results.latency.class);
    let percent = results.latency.variance_percent;
    let apart = format!("p99 of the nodes: {percent:.1}% apart ({class})");
    lines.extend((results.nodes.len() > 1).then_some(apart));
    lines.extend(late(results).map(|late| style::yellow(&late)));
    section("Latency, from when a message was due to its answer", &lines)
}

// Private

fn row(name: &str, quantiles: &Quantiles) -> [String; HEADER.len()] {
    [
        name.to_owned(),
        numbers::millis(quantiles.mean_ms),
        numbers::millis(quantiles.stddev_ms),
        numbers::millis(quantiles.p50_ms),
        numbers::millis(quantiles.p90_ms),
        numbers::millis(quantiles.p99_ms),
        numbers::millis(quantiles.p999_ms),
        numbers::millis(quantiles.max_ms),
        quantiles.count.to_string(),
    ]
}
