//! What a load test has found: the JSON of `load-test --json`, and what reports are made of. A contract: fields may be
//! added; what changes otherwise gets another [`VERSION`]. Times are milliseconds where they end in `_ms`, seconds since the
//! test began where they end in `_seconds`.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::protocol::Protocol;
use super::trouble::Kind;
use crate::api::LatencyClass;
use crate::profile::BalancerKind;

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

/// One thing that was judged.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Check {
    /// What.
    pub name: CheckName,
    /// How it went.
    pub verdict: Verdict,
    /// What was measured: `100000 of 100000`.
    pub measured: String,
    /// What it had to be: `<5%`; empty when nothing was asked.
    pub target: String,
}

/// What is judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CheckName {
    /// All connections were made, and held to the end.
    Connections,
    /// Nothing went wrong.
    Errors,
    /// Each node has its share.
    Distribution,
    /// Three counts are one.
    Counts,
    /// Latency is alike on all nodes.
    LatencyVariance,
    /// 99 of 100 messages are answered in time.
    Latency,
    /// Clients of a failed node are served elsewhere in time.
    Failover,
    /// Clients come back to their node.
    Sticky,
}

/// How a check went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// As it has to be.
    Passed,
    /// Not so, and the test has failed.
    Failed,
    /// Not so; it is only told.
    Warned,
    /// There was nothing to judge, or nobody has asked.
    Skipped,
}

/// Making the connections.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ramp {
    /// From the first connection that was begun to the last that was served.
    pub seconds: f64,
    /// Connections that were served at its end.
    pub connected: u32,
    /// Of them per second.
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

/// How evenly connections lay on the nodes. See [`crate::stats::Spread`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Distribution {
    /// Per node.
    pub mean: f64,
    /// On the node that had the fewest.
    pub min: u32,
    /// On the node that had the most.
    pub max: u32,
    /// `(max - min) / mean`, in percent.
    pub variance_percent: f64,
    /// What that has to stay below.
    pub variance_target_percent: f64,
    /// How far a node may be off the mean, in percent of it.
    pub tolerance_percent: f64,
    /// Population standard deviation.
    pub stddev: f64,
    /// Jain's fairness index.
    pub jain: f64,
}

/// The same connections, counted by three at the same time, at the end of the hold.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Counts {
    /// By the generator: those that were served and live.
    pub generator: Count,
    /// By the balancer; null for a target that is none of ours.
    pub balancer: Option<Count>,
    /// By the kernel: established connections of the nodes, probes left out; null for a target that is none of ours.
    pub kernel: Option<Count>,
    /// By the kernel: established connections from this generator to the target.
    pub to_target: u64,
    /// Of the kernel's count, connections of clients that are not this generator's.
    pub others: u64,
    /// Whether they agree; null where they count different things.
    pub agree: Option<bool>,
    /// What each counts, for people.
    pub meaning: Vec<String>,
}

/// One count.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Count {
    /// All.
    pub total: u64,
    /// Of each node.
    pub nodes: Vec<NodeCount>,
}

/// One node's count.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeCount {
    /// The node.
    pub name: String,
    /// Its connections.
    pub connections: u64,
}

/// The messages of the hold: an open-loop schedule.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Messages {
    /// That were due.
    pub due: u64,
    /// That were answered.
    pub answered: u64,
    /// That were due, and not answered when the test ended.
    pub unanswered: u64,
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
    /// When half of its clients had lost their connection, and all of them.
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
    /// Its process is stopped (SIGSTOP): it accepts and never answers. It goes on when its clients are elsewhere.
    Stop,
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

/// The test at one moment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Moment {
    /// Since it began.
    pub at_seconds: f64,
    /// What went on.
    pub phase: Phase,
    /// Connections of each node, in the order of [`Results::nodes`].
    pub held: Vec<u32>,
    /// Connections that are being made.
    pub opening: u32,
    /// Errors by then.
    pub errors: u64,
    /// Of the messages answered since the moment before, the 99th percentile; null when there were none.
    pub p99_ms: Option<f64>,
}

/// What a test is at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    /// Connections are made.
    Ramp,
    /// They are held.
    Hold,
    /// Some are given up and made again.
    Sticky,
    /// They are closed.
    Close,
}

/// What the test took, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Memory {
    /// By which this host's available memory was less at the end of the hold than before the test, the kernel's
    /// included.
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
