//! The test over time.

use serde::{Deserialize, Serialize};

/// The test at one moment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Moment {
    /// Since it began.
    pub at_seconds: f64,
    /// What went on.
    pub phase: Phase,
    /// Connections of each node, in the order of [`Results::nodes`](super::Results::nodes).
    pub held: Vec<u32>,
    /// Connections that are being made.
    pub opening: u32,
    /// Errors by then.
    pub errors: u64,
    /// Of the messages answered since the moment before, the 99th percentile; null when there were
    /// none.
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
