//! How fast the nodes answer the prober.

use std::collections::VecDeque;
use std::time::Duration;

use crate::api::{Latency, LatencyClass, NodeLatency};
use crate::base::stats::percentile;
use crate::base::units::Period;

/// Five minutes at one probe a second.
const KEPT: usize = 300;

/// The latest probes of one node.
///
/// A probe without an answer counts with the time it has waited, once that is longer than the
/// median answer; a shorter wait shows nothing about the node.
#[derive(Clone, Debug, Default)]
pub struct Samples {
    ended: VecDeque<Sample>,
    waiting: Vec<Duration>,
    /// How many probes have ended, also those that are not kept.
    count: u64,
}

/// One probe that has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sample {
    /// The time until its answer, or until its timeout.
    pub took: Duration,
    /// Whether it was answered.
    pub is_answered: bool,
    /// Whether the node was known to be down, so that another alert covers it.
    pub is_explained: bool,
}

impl Samples {
    /// Adds a probe; the oldest one is dropped.
    pub fn add(&mut self, sample: Sample) {
        if self.ended.len() == KEPT {
            self.ended.pop_front();
        }
        self.ended.push_back(sample);
        self.count += 1;
    }

    /// How many probes have ended so far, also those that are not kept.
    #[must_use]
    pub const fn count(&self) -> u64 {
        self.count
    }

    /// The times of the probes that have ended since the count was `count`, and of those that still
    /// wait.
    pub fn times_since(&self, count: u64) -> impl Iterator<Item = Duration> {
        let new = usize::try_from(self.count.saturating_sub(count)).unwrap_or(usize::MAX);
        let ended = self.ended.iter().rev().take(new).map(|sample| sample.took);
        ended.chain(self.waiting.iter().copied())
    }

    /// These samples, and the ages of the probes that wait for their answer.
    #[must_use]
    pub fn with_waiting(&self, waiting: Vec<Duration>) -> Samples {
        Samples {
            ended: self.ended.clone(),
            waiting,
            count: self.count,
        }
    }

    /// These samples without those that the node's failure explains; none when it `is_failing` now.
    #[must_use]
    pub fn unexplained(&self, is_failing: bool) -> Samples {
        if is_failing {
            return Samples::default();
        }
        let ended = self.ended.iter().filter(|sample| !sample.is_explained);
        Samples {
            ended: ended.copied().collect(),
            waiting: self.waiting.clone(),
            count: self.count,
        }
    }

    fn summary(&self, name: &str) -> Option<NodeLatency> {
        let ended = |is_answered| {
            let ended = self.ended.iter().filter(move |it| it.is_answered == is_answered);
            ended.map(|sample| millis(sample.took))
        };
        let mut all: Vec<f64> = ended(true).collect();
        all.sort_by(f64::total_cmp);
        let median = percentile(&all, 0.50).unwrap_or(0.0);
        let unanswered = ended(false).chain(self.waiting.iter().copied().map(millis));
        all.extend(unanswered.filter(|waited| *waited > median));
        all.sort_by(f64::total_cmp);
        Some(NodeLatency {
            name: name.to_owned(),
            p50_ms: round(percentile(&all, 0.50)?),
            p99_ms: round(percentile(&all, 0.99)?),
            samples: all.len() as u64,
        })
    }
}

/// The latencies of `nodes`, by name, with `target` as the target for the 99th percentile.
#[must_use]
pub fn latency<'a>(nodes: impl IntoIterator<Item = (&'a str, &'a Samples)>, target: Period) -> Latency {
    let nodes: Vec<NodeLatency> = nodes
        .into_iter()
        .filter_map(|(name, samples)| samples.summary(name))
        .collect();
    let p99_target_ms = millis(target.duration());
    let p99: Vec<_> = nodes.iter().map(|node| (node.p99_ms, node.samples)).collect();
    let (variance_percent, class) = LatencyClass::of(&p99, p99_target_ms);
    Latency {
        nodes,
        variance_percent,
        class,
        p99_target_ms,
    }
}

// Private

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1_000.0
}

fn round(value: f64) -> f64 {
    (value * 1_000.0).round() / 1_000.0
}

#[cfg(test)]
mod tests {
    use super::super::testing::{answered, latency as of, samples};
    use super::*;

    /// In whole milliseconds.
    fn p99(samples: &Samples) -> String {
        format!("{:.0}", of([("a", samples)]).nodes[0].p99_ms)
    }

    #[test]
    fn classes_follow_the_variance_of_p99() {
        for (slow, class) in [
            (103, LatencyClass::Excellent),
            (108, LatencyClass::Good),
            (115, LatencyClass::Warning),
            (140, LatencyClass::Critical),
        ] {
            let (a, b) = (samples(100, 100), samples(100, slow));
            assert_eq!(of([("a", &a), ("b", &b)]).class, class, "{slow} ms");
        }
    }

    #[test]
    fn few_samples_are_not_judged() {
        let (fast, few) = (samples(100, 1), samples(99, 500));
        assert_eq!(of([("a", &fast), ("b", &few)]).class, LatencyClass::Excellent);
        assert!(of([("a", &Samples::default())]).nodes.is_empty());
    }

    #[test]
    fn the_oldest_samples_are_replaced() {
        let mut node = samples(KEPT, 1);
        (0..KEPT).for_each(|_| node.add(answered(9)));
        let latency = of([("a", &node)]);
        assert_eq!(
            (latency.nodes[0].p50_ms, latency.nodes[0].samples),
            (9.0, KEPT as u64)
        );
    }

    #[test]
    fn the_latest_samples_are_those_since_a_count() {
        let mut node = samples(KEPT, 1);
        let count = node.count();
        (0..3).for_each(|_| node.add(answered(9)));
        let node = node.with_waiting(vec![Duration::from_secs(2)]);
        let times: Vec<u128> = node.times_since(count).map(|time| time.as_millis()).collect();
        assert_eq!(times, [9, 9, 9, 2_000]);
        assert_eq!(samples(KEPT, 1).times_since(u64::MAX).count(), 0);
        assert_eq!(node.times_since(0).count(), KEPT + 1);
    }

    #[test]
    fn a_probe_that_waits_counts_with_its_age() {
        let seconds = [5, 4, 3, 2, 1, 0].map(Duration::from_secs);
        let node = samples(KEPT, 4);
        let hung = node.with_waiting(seconds.to_vec());
        assert_eq!(p99(&hung), "2000");
        // The probe that was sent just now does not count.
        assert_eq!(of([("a", &hung)]).nodes[0].samples, KEPT as u64 + 5);
        assert_eq!(p99(&hung.unexplained(false)), "2000");
        assert!(of([("a", &hung.unexplained(true))]).nodes.is_empty());
        let never_answered = Samples::default().with_waiting(vec![Duration::from_secs(2)]);
        assert_eq!(p99(&never_answered), "2000");
    }

    #[test]
    fn a_probe_without_an_answer_counts_with_its_timeout() {
        let mut node = samples(100, 4);
        for took in [5_000, 5_000, 1] {
            node.add(Sample {
                is_answered: false,
                is_explained: true,
                ..answered(took)
            });
        }
        assert_eq!(p99(&node), "5000");
        assert_eq!(of([("a", &node)]).nodes[0].samples, 102);
        assert_eq!(p99(&node.unexplained(false)), "4");
    }
}
