//! The status, with latencies and alerts.

use serde::{Deserialize, Serialize};

use super::{Alert, Status};
use crate::base::stats::Spread;

/// A [`Status`] with `latency` and `alerts` beside its fields.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Health {
    /// The status of the cluster.
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
    /// The class of this variance.
    pub class: LatencyClass,
    /// `targets.p99`, in milliseconds.
    #[serde(default)]
    pub p99_target_ms: f64,
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
    /// The number of probes behind these figures, from the last five minutes. A probe without an
    /// answer counts with the time that it has waited.
    pub samples: u64,
}

/// The class of a latency variance: `excellent` whenever the p99 are [alike](Alike).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LatencyClass {
    /// Below 5 %.
    Excellent,
    /// Below 10 %.
    Good,
    /// Below 20 %.
    Warning,
    /// 20 % and above.
    Critical,
}

/// Why the nodes' p99 count as alike, whatever their variance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Alike {
    /// A node has too few samples.
    Few,
    /// They are at most [`LatencyClass::ALIKE_MS`] apart.
    Close,
    /// All are at most half of the target.
    Fast,
}

impl Alike {
    /// The reason as text.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Alike::Few => "under 100 samples of a node: too few to judge",
            Alike::Close => "p99 no more than 2 ms apart",
            Alike::Fast => "every p99 within half its target",
        }
    }
}

impl LatencyClass {
    /// Samples that a node needs to be judged: with fewer, a 99th percentile is one of the slowest
    /// two, which is chance.
    pub const ENOUGH: u64 = 100;
    /// Nodes whose p99 differ by at most this are alike, whatever percentage that is. In
    /// milliseconds.
    pub const ALIKE_MS: f64 = 2.0;

    /// Its name in the API.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            LatencyClass::Excellent => "excellent",
            LatencyClass::Good => "good",
            LatencyClass::Warning => "warning",
            LatencyClass::Critical => "critical",
        }
    }

    /// The variance of the nodes' 99th percentiles in percent, to three digits, and its class. Each
    /// node has its percentile in milliseconds and its number of samples; `target_ms` is the target
    /// for the percentiles.
    #[must_use]
    pub fn of(nodes: &[(f64, u64)], target_ms: f64) -> (f64, LatencyClass) {
        let p99: Vec<f64> = nodes.iter().map(|(p99, _)| *p99).collect();
        let Some(spread) = Spread::of(&p99) else {
            return (0.0, LatencyClass::Excellent);
        };
        let variance = (spread.variance_percent * 1_000.0).round() / 1_000.0;
        let class = match variance {
            _ if Alike::of(nodes, target_ms).is_some() => LatencyClass::Excellent,
            v if v < 5.0 => LatencyClass::Excellent,
            v if v < 10.0 => LatencyClass::Good,
            v if v < 20.0 => LatencyClass::Warning,
            _ => LatencyClass::Critical,
        };
        (variance, class)
    }
}

impl Alike {
    /// Why the nodes' 99th percentiles count as alike, if they do. The arguments are those of
    /// [`LatencyClass::of`].
    #[must_use]
    pub fn of(nodes: &[(f64, u64)], target_ms: f64) -> Option<Alike> {
        let p99: Vec<f64> = nodes.iter().map(|(p99, _)| *p99).collect();
        let spread = Spread::of(&p99)?;
        if nodes.iter().any(|(_, samples)| *samples < LatencyClass::ENOUGH) {
            Some(Alike::Few)
        } else if spread.max - spread.min <= LatencyClass::ALIKE_MS {
            Some(Alike::Close)
        } else if spread.max <= target_ms / 2.0 {
            Some(Alike::Fast)
        } else {
            None
        }
    }
}

impl Health {
    /// The health of a cluster that does not run.
    #[must_use]
    pub fn down(cluster: &str) -> Health {
        Health {
            status: Status::down(cluster),
            latency: Latency {
                nodes: Vec::new(),
                variance_percent: 0.0,
                class: LatencyClass::Excellent,
                p99_target_ms: 0.0,
            },
            alerts: Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The class of two nodes with these p99, each of 100 samples, where 20 ms are the target.
    fn class(p99: [f64; 2]) -> (LatencyClass, Option<Alike>) {
        let nodes = p99.map(|p99| (p99, LatencyClass::ENOUGH));
        (LatencyClass::of(&nodes, 20.0).1, Alike::of(&nodes, 20.0))
    }

    #[test]
    fn p99_close_together_or_far_below_their_target_are_alike() {
        let (excellent, critical) = (LatencyClass::Excellent, LatencyClass::Critical);
        assert_eq!(class([10.0, 12.0]), (excellent, Some(Alike::Close)));
        assert_eq!(class([2.0, 5.0]), (excellent, Some(Alike::Fast)));
        assert_eq!(class([1.0, 10.0]), (excellent, Some(Alike::Fast)));
        assert_eq!(class([1.0, 10.1]), (critical, None));
        assert_eq!(class([18.0, 20.1]).1, None);
    }

    #[test]
    fn a_node_with_few_samples_makes_all_of_them_alike() {
        let nodes = [(1.0, LatencyClass::ENOUGH), (500.0, 99)];
        assert_eq!(Alike::of(&nodes, 20.0), Some(Alike::Few));
        assert_eq!(LatencyClass::of(&nodes, 20.0), (199.202, LatencyClass::Excellent));
        assert_eq!(Alike::of(&[], 20.0), None);
    }
}
