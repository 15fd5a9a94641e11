//! Clients that lost their connection or gave it up, and who served them then.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::{ErrorCount, NodeCount};

/// Whether clients came back to their node.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sticky {
    /// Clients that gave up their connection and came back.
    pub sampled: u32,
    /// Of them, served by the same node again.
    pub same: u32,
    /// Some of the others.
    pub moved: Vec<Moved>,
}

/// A client that came back to another node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Moved {
    /// Where it connected from; null for the kernel's choice.
    pub address: Option<IpAddr>,
    /// Its node before.
    pub was: String,
    /// Its node after; null when it was not served.
    pub now: Option<String>,
}

/// What became of the clients of a node that failed. Times are since it was made to fail.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Failover {
    /// The node.
    pub node: String,
    /// What was done to it.
    pub mode: FailoverMode,
    /// When, in seconds since the test began.
    pub at_seconds: f64,
    /// Clients that it had.
    pub clients: u32,
    /// When the supervisor knew; null when it has not told.
    pub detected_ms: Option<f64>,
    /// When half of its clients had lost their connection; null when that never was.
    pub cut_p50_ms: Option<f64>,
    /// When all of them had.
    pub cut_p100_ms: Option<f64>,
    /// When half of its clients were served elsewhere; null when that never was.
    pub rehomed_p50_ms: Option<f64>,
    /// When all of them were.
    pub rehomed_p100_ms: Option<f64>,
    /// When the node served again; null when it did not before the test ended.
    pub back_ms: Option<f64>,
    /// Within which all are to be served elsewhere.
    pub target_ms: f64,
    /// Clients that were not served elsewhere when the test ended.
    pub homeless: u32,
    /// Attempts of its clients to come back that failed.
    pub failed_attempts: u64,
    /// The same by kind, with an example of each.
    #[serde(default)]
    pub errors: Vec<ErrorCount>,
    /// Connections of other nodes' clients that broke meanwhile: there should be none.
    pub bystanders: u32,
    /// Its clients by the node that served them then.
    pub rehomed_to: Vec<NodeCount>,
    /// All connections by node, when all its clients were served elsewhere.
    pub after: Vec<NodeCount>,
    /// How many were cut, and served elsewhere, by when: for a chart.
    pub curve: Vec<FailoverPoint>,
}

/// A moment of a failover.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct FailoverPoint {
    /// Since the node was made to fail.
    pub ms: f64,
    /// Clients that had lost their connection by then.
    pub cut: u32,
    /// Clients that were served elsewhere by then.
    pub rehomed: u32,
}

/// What is done to a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FailoverMode {
    /// Its process is killed.
    Kill,
    /// Its process is stopped (SIGSTOP): it accepts and never answers. It goes on when its clients
    /// are elsewhere.
    Stop,
}
