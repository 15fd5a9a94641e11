//! What is measured: connections, latency, alerts.

mod stats;

pub use stats::stats;
