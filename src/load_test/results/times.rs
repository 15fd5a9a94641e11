//! Messages, and their latencies.

use serde::{Deserialize, Serialize};

use crate::api::LatencyClass;

/// The messages of the hold, which follow an open-loop schedule. `due` is the sum of `answered`,
/// `unanswered` and `lost`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Messages {
    /// Messages that were due.
    pub due: u64,
    /// Messages that were answered.
    pub answered: u64,
    /// How many of the answers were JSON-RPC errors: a sign of life, but perhaps not what a client
    /// wants.
    #[serde(default)]
    pub answered_by_error: u64,
    /// Messages that were due, and not answered when the test ended.
    pub unanswered: u64,
    /// Messages that were due to a node that was made to fail, and not answered.
    #[serde(default)]
    pub lost: u64,
    /// How late the generator itself sent them, without clients that still waited for an answer: a
    /// latency above this is the target's.
    #[serde(default)]
    pub sent_late: Quantiles,
}

/// How long messages took, from when they were due (not: sent) to their answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Latency {
    /// On all nodes.
    pub all: Quantiles,
    /// `(max - min) / mean` of the nodes' p99, in percent.
    pub variance_percent: f64,
    /// The class of the variance.
    pub class: LatencyClass,
    /// The target for the 99th percentile.
    pub p99_target_ms: f64,
    /// Messages by latency; buckets widen, and empty ones are left out.
    pub histogram: Vec<Bucket>,
}

/// A distribution of times.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Quantiles {
    /// The number of times; if it is 0, so are the other fields.
    pub count: u64,
    /// The shortest.
    pub min_ms: f64,
    /// Arithmetic mean.
    pub mean_ms: f64,
    /// Standard deviation.
    pub stddev_ms: f64,
    /// Median.
    pub p50_ms: f64,
    /// 90 of 100 are shorter.
    pub p90_ms: f64,
    /// 99 of 100 are shorter.
    pub p99_ms: f64,
    /// 999 of 1,000 are shorter.
    pub p999_ms: f64,
    /// The longest.
    pub max_ms: f64,
}

/// Messages that took about the same time.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Bucket {
    /// The lower bound, exclusive.
    pub from_ms: f64,
    /// The upper bound, inclusive.
    pub to_ms: f64,
    /// The number of messages.
    pub count: u64,
}
