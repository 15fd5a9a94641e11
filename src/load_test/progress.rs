//! A running test at a glance.

use std::time::Duration;

use super::results::Phase;

/// How far a test is.
#[derive(Clone, Debug, PartialEq)]
pub struct Glance {
    /// What goes on.
    pub phase: Phase,
    /// Since the test began.
    pub elapsed: Duration,
    /// Connections that were asked for.
    pub asked: u32,
    /// Of them, those that are served.
    pub connected: u32,
    /// Those that are being made.
    pub opening: u32,
    /// Errors so far.
    pub errors: u64,
    /// Connections that were made over the last moment, per second.
    pub rate_per_second: f64,
    /// Of the messages answered over the last moment, the 99th percentile; none when there were
    /// none.
    pub p99_ms: Option<f64>,
    /// Connections of each node, by name.
    pub held: Vec<(String, u32)>,
    /// What is left of the hold; none before it has begun.
    pub hold_left: Option<Duration>,
}
