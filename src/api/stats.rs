//! The balancer's own view of itself.

use serde::{Deserialize, Serialize};

/// The rows of `show stat` over all instances that an operator reads.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stats {
    /// Frontends, servers and backends, in the balancer's order.
    pub rows: Vec<StatsRow>,
}

/// One frontend, server or backend.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StatsRow {
    /// The frontend's or backend's name (`pxname`).
    pub proxy: String,
    /// `FRONTEND`, `BACKEND` or the server's name (`svname`).
    pub name: String,
    /// `OPEN`, `UP`, `DOWN`, `DRAIN`, `MAINT`, `no check`.. (`status`).
    pub status: String,
    /// Sessions now (`scur`).
    pub sessions: u64,
    /// Most sessions at once (`smax`).
    pub sessions_max: u64,
    /// Sessions ever (`stot`).
    pub sessions_total: u64,
    /// New sessions in the last second (`rate`).
    pub rate: u64,
    /// Bytes from clients (`bin`).
    pub bytes_in: u64,
    /// Bytes to clients (`bout`).
    pub bytes_out: u64,
    /// Requests or connections refused by a rule (`dreq` and `dcon`).
    pub denied: u64,
    /// Failed connections to the server (`econ`).
    pub connect_errors: u64,
    /// Failed requests and responses (`ereq` and `eresp`).
    pub errors: u64,
    /// Connections queued (`qcur`).
    pub queued: u64,
    /// The last health check's result (`check_status`).
    pub check: String,
}
