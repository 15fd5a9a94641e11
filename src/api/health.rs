//! The status, with latencies and alerts.

use serde::{Deserialize, Serialize};

use super::Status;

/// A [`Status`] with `latency` and `alerts` beside its fields.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Health {
    /// Who is up.
    #[serde(flatten)]
    pub status: Status,
    /// How fast the nodes answer the prober.
    pub latency: Latency,
    /// What an operator should look at.
    pub alerts: Vec<Alert>,
}

/// How fast the nodes answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Latency {
    /// Each node that has answered.
    pub nodes: Vec<NodeLatency>,
    /// `(max - min) / mean` over the nodes' p99, in percent.
    pub variance_percent: f64,
    /// What that is called.
    pub class: LatencyClass,
}

/// How fast one node answers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NodeLatency {
    /// The node.
    pub name: String,
    /// Median, in milliseconds.
    pub p50_ms: f64,
    /// 99th percentile, in milliseconds.
    pub p99_ms: f64,
    /// How many answers that is made of.
    pub samples: u64,
}

/// What a latency variance is called. `excellent` whenever the p99 differ by less than 2 ms, or a node has under 100
/// samples.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LatencyClass {
    /// Below 5 %.
    Excellent,
    /// Below 10 %.
    Good,
    /// Below 20 %.
    Warning,
    /// More.
    Critical,
}

/// What an operator should look at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Alert {
    /// The node, unless it is about the whole cluster.
    pub node: Option<String>,
    /// What is wrong.
    pub message: String,
}

impl Health {
    /// A cluster that does not run.
    #[must_use]
    pub fn down(cluster: &str) -> Health {
        Health {
            status: Status::down(cluster),
            latency: Latency {
                nodes: Vec::new(),
                variance_percent: 0.0,
                class: LatencyClass::Excellent,
            },
            alerts: Vec::new(),
        }
    }
}
