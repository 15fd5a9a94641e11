//! What every module may use: units, statistics, secrets, the end of a process, its log, and the
//! Prometheus format.

pub mod prometheus;
pub mod secret;
pub mod shutdown;
pub mod stats;
pub mod telemetry;
pub mod units;
