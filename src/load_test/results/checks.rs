//! What was judged, and how it went.

use serde::{Deserialize, Serialize};

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
