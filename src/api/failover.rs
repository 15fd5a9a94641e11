//! The latest failovers, as the supervisor has measured them.

use serde::{Deserialize, Serialize};

/// The latest failovers, the oldest first; at most a few dozen.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Failovers {
    /// One entry for each failover.
    pub failovers: Vec<Failover>,
}

/// A node that failed. Times are milliseconds since its last sign of life; null for what has not
/// happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Failover {
    /// The node.
    pub node: String,
    /// Why it failed.
    pub cause: FailoverCause,
    /// Its last sign of life, in microseconds since 1970.
    pub began_unix_us: u64,
    /// When the supervisor detected the failure.
    pub detected_ms: f64,
    /// When the balancer had closed its sessions.
    pub cut_ms: Option<f64>,
    /// When a request through the balancer was answered by another node.
    pub elsewhere_ms: Option<f64>,
    /// When the node answered again.
    pub back_ms: Option<f64>,
}

/// Why a node failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FailoverCause {
    /// Its process has ended.
    Died,
    /// It runs but does not answer.
    Hung,
}
