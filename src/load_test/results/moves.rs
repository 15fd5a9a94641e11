//! Clients that lost or closed their connection, and the nodes that served them afterwards.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::{ErrorCount, NodeCount};

/// Whether clients returned to their node.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sticky {
    /// Clients that closed their connection and reconnected.
    pub sampled: u32,
    /// How many of them the same node served again.
    pub same: u32,
    /// Some of the others.
    pub moved: Vec<Moved>,
}

/// A client that reconnected to another node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Moved {
    /// Its source address; null for the kernel's choice.
    pub address: Option<IpAddr>,
    /// Its node before.
    pub was: String,
    /// Its node after; null if it was not served.
    pub now: Option<String>,
}

/// What happened to the clients of a node that failed. Times count from when it was made to fail.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Failover {
    /// The node.
    pub node: String,
    /// How it was made to fail.
    pub mode: FailoverMode,
    /// When, in seconds since the test began.
    pub at_seconds: f64,
    /// The number of its clients.
    pub clients: u32,
    /// When the supervisor detected it; null if the supervisor has not reported it.
    pub detected_ms: Option<f64>,
    /// When half of its clients had lost their connection; null if that did not happen.
    pub cut_p50_ms: Option<f64>,
    /// When all of its clients had lost their connection.
    pub cut_p100_ms: Option<f64>,
    /// When half of its clients were served elsewhere; null if that did not happen.
    pub rehomed_p50_ms: Option<f64>,
    /// When all of its clients were served elsewhere.
    pub rehomed_p100_ms: Option<f64>,
    /// When the node served again; null if it did not before the test ended.
    pub back_ms: Option<f64>,
    /// The target: all must be served elsewhere within this time.
    pub target_ms: f64,
    /// Clients that were not served elsewhere when the test ended.
    pub homeless: u32,
    /// Failed attempts of its clients to reconnect.
    pub failed_attempts: u64,
    /// These failed attempts by kind, with an example of each.
    #[serde(default)]
    pub errors: Vec<ErrorCount>,
    /// Connections of other nodes' clients that broke in the meantime: there should be none.
    pub bystanders: u32,
    /// Its clients by the node that served them afterwards.
    pub rehomed_to: Vec<NodeCount>,
    /// All connections by node, when all its clients were served elsewhere.
    pub after: Vec<NodeCount>,
    /// The number of clients cut, and served elsewhere, over time: for a chart.
    pub curve: Vec<FailoverPoint>,
}

/// A point of a failover's curve.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct FailoverPoint {
    /// Time since the node was made to fail.
    pub ms: f64,
    /// Clients that had lost their connection by then.
    pub cut: u32,
    /// Clients that were served elsewhere by then.
    pub rehomed: u32,
}

/// How a node is made to fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FailoverMode {
    /// Its process is killed.
    Kill,
    /// Its process is stopped (SIGSTOP): it accepts connections and never answers. It continues
    /// once its clients are served elsewhere.
    Stop,
}
