//! What every module may use: units, statistics, the end of a process, its log, and the Prometheus
//! format.

pub mod prometheus;
pub mod shutdown;
pub mod stats;
pub mod telemetry;
pub mod units;
