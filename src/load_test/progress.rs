//! The progress of a running test.

use std::time::Duration;

use super::results::Phase;

/// The progress of a running test.
#[derive(Clone, Debug, PartialEq)]
pub struct Progress {
    /// The current phase.
    pub phase: Phase,
    /// Time since the test began.
    pub elapsed: Duration,
    /// Connections to make.
    pub asked: u32,
    /// Connections that are served.
    pub connected: u32,
    /// Connections that are being made.
    pub opening: u32,
    /// Errors so far.
    pub errors: u64,
    /// Connections made since the last poll, per second.
    pub rate_per_second: f64,
    /// The 99th percentile of the messages answered since the last poll; `None` if there were none.
    pub p99_ms: Option<f64>,
    /// Connections of each node, by name.
    pub held: Vec<(String, u32)>,
    /// The time left of the hold; `None` before it begins.
    pub hold_left: Option<Duration>,
}
