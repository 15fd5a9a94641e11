//! How fast the nodes answer the prober.

use std::collections::VecDeque;
use std::time::Duration;

use crate::api::{Latency, LatencyClass, NodeLatency};
use crate::stats::percentile;

/// Ten minutes of one probe a second.
const KEPT: usize = 600;

/// The latest answers of one node.
#[derive(Clone, Debug, Default)]
pub struct Samples(VecDeque<Duration>);

impl Samples {
    /// Remembers one answer; the oldest makes room.
    pub fn add(&mut self, took: Duration) {
        if self.0.len() == KEPT {
            self.0.pop_front();
        }
        self.0.push_back(took);
    }

    fn summary(&self, name: &str) -> Option<NodeLatency> {
        let mut millis: Vec<f64> = self.0.iter().map(|took| took.as_secs_f64() * 1_000.0).collect();
        millis.sort_by(f64::total_cmp);
        Some(NodeLatency {
            name: name.to_owned(),
            p50_ms: round(percentile(&millis, 0.50)?),
            p99_ms: round(percentile(&millis, 0.99)?),
            samples: millis.len() as u64,
        })
    }
}

/// The latencies of `nodes`, by name.
#[must_use]
pub fn latency<'a>(nodes: impl IntoIterator<Item = (&'a str, &'a Samples)>) -> Latency {
    let nodes: Vec<NodeLatency> = nodes
        .into_iter()
        .filter_map(|(name, samples)| samples.summary(name))
        .collect();
    let p99: Vec<_> = nodes.iter().map(|node| (node.p99_ms, node.samples)).collect();
    let (variance_percent, class) = LatencyClass::of(&p99);
    Latency {
        nodes,
        variance_percent,
        class,
    }
}

// Private

fn round(value: f64) -> f64 {
    (value * 1_000.0).round() / 1_000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn samples(count: usize, millis: u64) -> Samples {
        let mut samples = Samples::default();
        (0..count).for_each(|_| samples.add(Duration::from_millis(millis)));
        samples
    }

    #[test]
    fn classes_follow_the_variance_of_p99() {
        for (slow, class) in [
            (102, LatencyClass::Excellent),
            (108, LatencyClass::Good),
            (115, LatencyClass::Warning),
            (140, LatencyClass::Critical),
        ] {
            let (a, b) = (samples(100, 100), samples(100, slow));
            assert_eq!(latency([("a", &a), ("b", &b)]).class, class, "{slow} ms");
        }
    }

    #[test]
    fn small_differences_and_few_samples_are_excellent() {
        let (fast, slower) = (samples(100, 1), samples(100, 2));
        let alike = latency([("a", &fast), ("b", &slower)]);
        assert_eq!(
            (alike.class, alike.variance_percent),
            (LatencyClass::Excellent, 66.667)
        );
        let few = samples(99, 500);
        assert_eq!(
            latency([("a", &fast), ("b", &few)]).class,
            LatencyClass::Excellent
        );
        assert!(latency([("a", &Samples::default())]).nodes.is_empty());
    }

    #[test]
    fn the_oldest_samples_make_room() {
        let mut node = samples(KEPT, 1);
        (0..KEPT).for_each(|_| node.add(Duration::from_millis(9)));
        let latency = latency([("a", &node)]);
        assert_eq!(
            (latency.nodes[0].p50_ms, latency.nodes[0].samples),
            (9.0, KEPT as u64)
        );
    }
}
