//! `stats`: the balancer's own view, as a table.

use super::{numbers, table};
use crate::api::{Stats, StatsRow};

const HEADER: [&str; 12] = [
    "proxy", "name", "status", "check", "now", "max", "total", "rate/s", "in", "out", "denied", "errors",
];

/// The columns that hold words; the others hold numbers.
const WORDS: usize = 4;

/// One row for each frontend, server and backend.
#[must_use]
pub fn stats(stats: &Stats) -> String {
    table::lines(HEADER, stats.rows.iter().map(cells), WORDS).join("\n")
}

// Private

fn cells(row: &StatsRow) -> [String; HEADER.len()] {
    let errors = row.connect_errors.saturating_add(row.errors);
    [
        row.proxy.clone(),
        row.name.clone(),
        row.status.clone(),
        row.check.clone(),
        row.sessions.to_string(),
        row.sessions_max.to_string(),
        row.sessions_total.to_string(),
        row.rate.to_string(),
        numbers::bytes(row.bytes_in),
        numbers::bytes(row.bytes_out),
        row.denied.to_string(),
        errors.to_string(),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(name: &str, status: &str, sessions: u64) -> StatsRow {
        StatsRow {
            proxy: "mcp_cluster_tcp".into(),
            name: name.into(),
            status: status.into(),
            sessions,
            sessions_max: sessions * 2,
            sessions_total: sessions * 100,
            rate: 12,
            bytes_in: 1_234_567,
            bytes_out: 98_765,
            denied: 3,
            connect_errors: 1,
            errors: 1,
            queued: 0,
            check: "L7OK".into(),
        }
    }

    #[test]
    fn numbers_stand_under_one_another() {
        let rows = vec![row("erlmcp1", "UP", 25_000), row("BACKEND", "UP", 7)];
        insta::assert_snapshot!(stats(&Stats { rows }), @r"
        proxy            name     status  check    now    max    total  rate/s      in      out  denied  errors
        mcp_cluster_tcp  erlmcp1  UP      L7OK   25000  50000  2500000      12  1.2 MB  98.8 kB       3       2
        mcp_cluster_tcp  BACKEND  UP      L7OK       7     14      700      12  1.2 MB  98.8 kB       3       2
        ");
    }
}
