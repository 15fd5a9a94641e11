//! What a load test has found: the JSON of `load-test --json`, and what reports are made of. A
//! contract: fields may be added; what changes otherwise gets another [`VERSION`]. Times are
//! milliseconds where they end in `_ms`, seconds since the test began where they end in `_seconds`.

mod checks;
mod counts;
mod moves;
mod timeline;
mod times;

use std::net::SocketAddr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::error::Kind;
use super::protocol::Protocol;
use crate::profile::BalancerKind;

pub use checks::{Check, CheckName, Verdict};
pub use counts::{Chance, Count, Counts, Distribution, NodeCount};
pub use moves::{Failover, FailoverMode, FailoverPoint, Moved, Sticky};
pub use timeline::{Moment, Phase};
pub use times::{Bucket, Latency, Messages, Quantiles};

/// The version of this format.
pub const VERSION: u32 = 1;

/// All that a load test has found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Results {
    /// [`VERSION`].
    pub version: u32,
    /// What has tested: `clusterctl 0.1.0`.
    pub program: String,
    /// When it began, in seconds since 1970.
    pub began_unix: u64,
    /// Where the generator ran.
    pub host: HostFacts,
    /// What was asked.
    pub test: Asked,
    /// How it ended.
    pub outcome: Outcome,
    /// What was judged, in the order of the report.
    pub checks: Vec<Check>,
    /// Making the connections.
    pub ramp: Ramp,
    /// Connections that were held and served at the end of the hold.
    pub held: u32,
    /// How long they were held; less than asked when it was interrupted.
    pub hold_seconds: f64,
    /// Each node that clients were served by, by name.
    pub nodes: Vec<NodeResult>,
    /// How evenly connections lay on the nodes when all were made.
    pub distribution: Distribution,
    /// The same connections, counted by three.
    pub counts: Counts,
    /// The messages of the hold.
    pub messages: Messages,
    /// How long they took.
    pub latency: Latency,
    /// Whether clients came back to their node; null when nobody was to.
    pub sticky: Option<Sticky>,
    /// What became of the clients of a node that failed; null when none was to.
    pub failover: Option<Failover>,
    /// What went wrong, by kind; the most frequent first.
    pub errors: Vec<ErrorCount>,
    /// The test over time; at most some hundred moments, however long it was.
    pub timeline: Vec<Moment>,
    /// What it took.
    pub memory: Memory,
    /// What else is to be known, in sentences: why it ended early, what was not tried.
    #[serde(default)]
    pub notes: Vec<String>,
}

/// Where the generator ran.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostFacts {
    /// Processors that it may run on.
    pub cpus: u16,
    /// Memory in bytes.
    pub memory_bytes: u64,
    /// The hard `RLIMIT_NOFILE`.
    pub nofile: u64,
    /// The kernel's release: `6.18.0`.
    pub kernel: String,
}

/// What was asked.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Asked {
    /// Where clients connected.
    pub target: SocketAddr,
    /// The cluster's name; null for a target that is none of ours.
    pub cluster: Option<String>,
    /// Its balancer.
    pub balancer: Option<BalancerKind>,
    /// What clients spoke.
    pub protocol: Protocol,
    /// Connections.
    pub connections: u32,
    /// How long they were to be held.
    pub seconds: f64,
    /// New connections per second at most; null for as fast as the target accepts.
    pub rate: Option<f64>,
    /// Messages per second, over all connections.
    pub messages_per_second: f64,
    /// Source addresses; 0 for the kernel's choice.
    pub sources: u32,
    /// The generator's threads.
    pub workers: u16,
    /// The node that was to fail; null for none.
    #[serde(default)]
    pub failover: Option<String>,
}

/// How a test ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// Every check that counts was passed.
    Passed,
    /// At least one was not.
    Failed,
    /// Somebody has ended it early.
    Interrupted,
}

/// Making the connections.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ramp {
    /// From the first connection that was begun to the last that was served.
    pub seconds: f64,
    /// Connections that were served at its end.
    pub connected: u32,
    /// Clients that were served for the first time, per second.
    pub rate: f64,
    /// From connecting until the answer to `initialize`.
    pub handshake: Quantiles,
}

/// One node.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NodeResult {
    /// Its name, as it says in `initialize`.
    pub name: String,
    /// Connections when all were made.
    pub connected: u32,
    /// Connections at the end of the hold.
    pub held: u32,
    /// How long it took to answer.
    pub latency: Quantiles,
}

/// Errors of one kind.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ErrorCount {
    /// Of which kind.
    pub kind: Kind,
    /// How many.
    pub count: u64,
    /// One of them, with the client's address and when it was.
    pub example: String,
}

/// What the test took, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Memory {
    /// By which this host's available memory was less at the end of the hold than before the test,
    /// the kernel's included.
    pub host_bytes: u64,
    /// Of the generator's process, at the end of the hold.
    pub generator_bytes: u64,
    /// By which that had grown, per held connection; 0 when none was held.
    pub generator_bytes_per_connection: u64,
    /// Of the nodes' processes; 0 for a target that is none of ours.
    pub nodes_bytes: u64,
    /// Of the balancer's processes, likewise.
    pub balancer_bytes: u64,
}

/// A time in milliseconds.
#[must_use]
pub fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1_000.0
}
