//! The balancer's own statistics.

use serde::{Deserialize, Serialize};

/// The rows of `show stat` that matter to an operator, over all instances.
///
/// nginx has no such rows. Rows of the same shape are made from its access log, which has a request
/// or session only once that has ended, from the kernel's counts, and from the supervisor's view of
/// the nodes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stats {
    /// Frontends, servers and backends, in the balancer's order.
    pub rows: Vec<StatsRow>,
    /// Balancer processes that do not answer, whose figures are missing.
    #[serde(default, skip_serializing_if = "is_none")]
    pub silent: u16,
    /// nginx's own totals; null for other balancers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nginx: Option<NginxTotals>,
}

/// nginx's own totals, over all listeners.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NginxTotals {
    /// Clients' connections now, without the supervisor's own request.
    pub connections: u64,
    /// Connections that were dropped for lack of free connections since nginx started.
    pub dropped: u64,
    /// Lines of its access log that cannot be parsed, and are in no row.
    pub strange_lines: u64,
}

/// One frontend, server or backend.
///
/// For nginx: current sessions are the kernel's counts, for a frontend the connections of its
/// listener, for a node those to its TCP port, and the total includes the ended ones. `rate` counts
/// ended sessions. Over HTTP a session is a request that has ended. `denied` counts 429 answers and
/// refusals for too many connections; `errors` counts bad requests and answers from 500 on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
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
    /// Figures that the balancer does not report; they are 0 here.
    #[serde(default, rename = "untold", skip_serializing_if = "Vec::is_empty")]
    pub unreported: Vec<Figure>,
    /// The time that nodes take to answer; only nginx reports it, for its upstreams.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_byte: Option<FirstByte>,
}

/// A figure that not every balancer reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Figure {
    /// [`StatsRow::sessions`].
    Sessions,
    /// [`StatsRow::sessions_max`].
    SessionsMax,
    /// [`StatsRow::queued`].
    Queued,
}

/// The time until a node's first byte, of all ended requests and sessions, in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FirstByte {
    /// The median.
    pub p50_ms: u64,
    /// The 99th percentile.
    pub p99_ms: u64,
}

// Private

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
fn is_none(silent: &u16) -> bool {
    *silent == 0
}
