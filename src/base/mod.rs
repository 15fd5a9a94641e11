//! What every module may use: units, dates, versions, statistics, secrets, the end of a process, its
//! log, and the Prometheus format.

pub mod date;
pub mod prometheus;
pub mod secret;
pub mod shutdown;
pub mod stats;
pub mod telemetry;
pub mod units;
pub mod version;
