//! The checks of a test, and their verdicts.

use serde::{Deserialize, Serialize};

/// One check.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Check {
    /// Its name.
    pub name: CheckName,
    /// Its verdict.
    pub verdict: Verdict,
    /// What was measured: `100000 of 100000`.
    pub measured: String,
    /// The required value: `<5%`; empty if there is none.
    pub target: String,
}

/// The name of a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CheckName {
    /// All connections were made, and held to the end.
    Connections,
    /// There were no errors.
    Errors,
    /// Each node has its share.
    Distribution,
    /// Three counts are equal.
    Counts,
    /// Latency is similar on all nodes.
    LatencyVariance,
    /// 99 of 100 messages are answered in time.
    Latency,
    /// Clients of a failed node are served elsewhere in time.
    Failover,
    /// Clients return to their node.
    Sticky,
}

/// The verdict of a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// The requirement is met.
    Passed,
    /// The requirement is not met, and the test has failed.
    Failed,
    /// The requirement is not met; this is only a warning.
    Warned,
    /// There was nothing to judge, or the check was not requested.
    Skipped,
}
