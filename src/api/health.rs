//! The status, with latencies and alerts.

use serde::{Deserialize, Serialize};

use super::Status;
use crate::stats::Spread;

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

impl LatencyClass {
    /// Answers of a node from which on it is judged: with fewer a 99th percentile is one of the slowest two, which is chance.
    pub const ENOUGH: u64 = 100;
    /// Nodes whose p99 differ by less than this are alike, whatever share that is. In milliseconds.
    pub const ALIKE_MS: f64 = 2.0;

    /// Its name, as on the wire.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            LatencyClass::Excellent => "excellent",
            LatencyClass::Good => "good",
            LatencyClass::Warning => "warning",
            LatencyClass::Critical => "critical",
        }
    }

    /// What the nodes' 99th percentiles are called, each in milliseconds and with the number of answers that it is made of;
    /// and their variance in percent, to three digits.
    #[must_use]
    pub fn of(nodes: &[(f64, u64)]) -> (f64, LatencyClass) {
        let p99: Vec<f64> = nodes.iter().map(|(p99, _)| *p99).collect();
        let Some(spread) = Spread::of(&p99) else {
            return (0.0, LatencyClass::Excellent);
        };
        let variance = (spread.variance_percent * 1_000.0).round() / 1_000.0;
        let few = nodes.iter().any(|(_, answers)| *answers < LatencyClass::ENOUGH);
        let class = match variance {
            _ if few || spread.max - spread.min < LatencyClass::ALIKE_MS => LatencyClass::Excellent,
            v if v < 5.0 => LatencyClass::Excellent,
            v if v < 10.0 => LatencyClass::Good,
            v if v < 20.0 => LatencyClass::Warning,
            _ => LatencyClass::Critical,
        };
        (variance, class)
    }
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
