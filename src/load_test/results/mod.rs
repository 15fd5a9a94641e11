//! The results of a load test: the JSON of `load-test --json`, and the source of the reports. A
//! contract: fields may be added; any other change needs a new [`VERSION`]. Fields that end in
//! `_ms` are milliseconds, those that end in `_seconds` are seconds since the test began.

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
use crate::mcp::Revision;
use crate::profile::BalancerKind;

pub use checks::{Check, CheckName, Verdict};
pub use counts::{Chance, Count, Counts, Distribution, NodeCount};
pub use moves::{Failover, FailoverMode, FailoverPoint, Moved, Sticky};
pub use timeline::{Moment, Phase};
pub use times::{Bucket, Latency, Messages, Quantiles};

/// The version of this format.
pub const VERSION: u32 = 1;

/// The results of a load test.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Results {
    /// [`VERSION`].
    pub version: u32,
    /// The program that ran the test: `clusterctl 0.1.0`.
    pub program: String,
    /// When it began, in seconds since 1970.
    pub began_unix: u64,
    /// Where the generator ran.
    pub host: HostFacts,
    /// The parameters of the test.
    pub test: Asked,
    /// How it ended.
    pub outcome: Outcome,
    /// The checks, in the order of the report.
    pub checks: Vec<Check>,
    /// The phase in which the connections were made.
    pub ramp: Ramp,
    /// Connections that were held and served at the end of the hold.
    pub held: u32,
    /// How long they were held; less than requested if the test was interrupted.
    pub hold_seconds: f64,
    /// Each node that served clients, by name.
    pub nodes: Vec<NodeResult>,
    /// How evenly connections were distributed over the nodes when all were made.
    pub distribution: Distribution,
    /// The same connections, counted from three sides.
    pub counts: Counts,
    /// The messages of the hold.
    pub messages: Messages,
    /// Latencies of these messages.
    pub latency: Latency,
    /// Whether clients returned to their node; null if none had to reconnect.
    pub sticky: Option<Sticky>,
    /// What happened to the clients of a node that failed; null if none was to fail.
    pub failover: Option<Failover>,
    /// The errors by kind, the most frequent first.
    pub errors: Vec<ErrorCount>,
    /// The test over time; at most some hundred moments, however long it was.
    pub timeline: Vec<Moment>,
    /// Memory that the test took.
    pub memory: Memory,
    /// Further remarks, in sentences: why the test ended early, what was not tried.
    #[serde(default)]
    pub notes: Vec<String>,
}

/// The host of the generator.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostFacts {
    /// Processors that the generator may run on.
    pub cpus: u16,
    /// Memory in bytes.
    pub memory_bytes: u64,
    /// The hard `RLIMIT_NOFILE`.
    pub nofile: u64,
    /// The kernel's release: `6.18.0`.
    pub kernel: String,
}

/// The parameters of a test.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Asked {
    /// The target.
    pub target: SocketAddr,
    /// The cluster's name; null for a target outside of the cluster.
    pub cluster: Option<String>,
    /// Its balancer.
    pub balancer: Option<BalancerKind>,
    /// The protocol of the clients.
    pub protocol: Protocol,
    /// The revision of MCP that clients requested.
    #[serde(default = "with_sessions")]
    pub mcp: Revision,
    /// Connections.
    pub connections: u32,
    /// Requested length of the hold.
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

/// The outcome of a test.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// Every check that counts was passed.
    Passed,
    /// At least one was not passed.
    Failed,
    /// The test was ended early.
    Interrupted,
}

/// The phase in which the connections are made.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ramp {
    /// From the first connection that was begun to the last that was served.
    pub seconds: f64,
    /// Connections that were served at the end of the ramp.
    pub connected: u32,
    /// Clients that were served for the first time, per second.
    pub rate: f64,
    /// From connecting until the answer to the first request.
    pub handshake: Quantiles,
}

/// Results of one node.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NodeResult {
    /// The name that the node reports in `serverInfo`.
    pub name: String,
    /// Connections when all were made.
    pub connected: u32,
    /// Connections at the end of the hold.
    pub held: u32,
    /// Latencies of its answers.
    pub latency: Quantiles,
}

/// Errors of one kind.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ErrorCount {
    /// The kind.
    pub kind: Kind,
    /// Their number.
    pub count: u64,
    /// One of them, with the client's address and the time.
    pub example: String,
}

/// Memory that the test took, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Memory {
    /// The decrease of this host's available memory from before the test until the end of the hold,
    /// including the kernel's.
    pub host_bytes: u64,
    /// Memory of the generator's process at the end of the hold.
    pub generator_bytes: u64,
    /// Growth of the generator's process per held connection; 0 if none was held.
    pub generator_bytes_per_connection: u64,
    /// Memory of the nodes' processes; 0 for a target outside of the cluster.
    pub nodes_bytes: u64,
    /// Memory of the balancer's processes; 0 for a target outside of the cluster.
    pub balancer_bytes: u64,
}

/// A time in milliseconds.
#[must_use]
pub fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1_000.0
}

// Private

/// The revision of tests from before there was a choice.
fn with_sessions() -> Revision {
    Revision::NEWEST_WITH_SESSIONS
}
