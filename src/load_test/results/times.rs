//! Messages, and how long they took.

use serde::{Deserialize, Serialize};

use crate::api::LatencyClass;

/// The messages of the hold: an open-loop schedule. `due` is `answered` and `unanswered` and `lost`
/// together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Messages {
    /// That were due.
    pub due: u64,
    /// That were answered.
    pub answered: u64,
    /// Of those, answered by a JSON-RPC error: a sign of life, and perhaps not what a client wants.
    #[serde(default)]
    pub answered_by_error: u64,
    /// That were due, and not answered when the test ended.
    pub unanswered: u64,
    /// That were due and not answered, by a node that was made to fail.
    #[serde(default)]
    pub lost: u64,
    /// How late the generator itself was to send them, clients that still waited for an answer left
    /// out: above that, a latency is the target's.
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
    /// What that is called.
    pub class: LatencyClass,
    /// What 99 of 100 are to keep.
    pub p99_target_ms: f64,
    /// Messages by the time they took; ever wider buckets, none of them empty.
    pub histogram: Vec<Bucket>,
}

/// A distribution of times.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Quantiles {
    /// How many there are; the others are 0 when this is.
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
    /// More than this.
    pub from_ms: f64,
    /// And at most this.
    pub to_ms: f64,
    /// How many.
    pub count: u64,
}
