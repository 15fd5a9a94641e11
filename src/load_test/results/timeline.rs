//! The test over time.

use serde::{Deserialize, Serialize};

/// The state of the test at one moment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Moment {
    /// Time since the test began.
    pub at_seconds: f64,
    /// The phase.
    pub phase: Phase,
    /// Connections of each node, in the order of [`Results::nodes`](super::Results::nodes).
    pub held: Vec<u32>,
    /// Connections that are being made.
    pub opening: u32,
    /// Errors so far.
    pub errors: u64,
    /// The 99th percentile of the messages answered since the previous point; null if there were
    /// none.
    pub p99_ms: Option<f64>,
}

/// A phase of a test.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    /// Connections are being made.
    Ramp,
    /// Connections are held.
    Hold,
    /// Some clients close their connection and reconnect.
    Sticky,
    /// Connections are being closed.
    Close,
}
