//! `stats`: the balancer's own statistics, as a table.

use super::{numbers, style, table};
use crate::api::{Figure, NginxTotals, Stats, StatsRow};

const HEADER: [&str; 12] = [
    "proxy", "name", "status", "check", "now", "max", "total", "rate/s", "in", "out", "denied", "errors",
];

/// The columns that hold words; the others hold numbers.
const WORDS: usize = 4;

/// Shown in place of a figure that the balancer does not report.
const UNREPORTED: &str = "-";

/// One row for each frontend, server and backend; after them nginx's own totals.
#[must_use]
pub fn stats(stats: &Stats) -> String {
    let mut lines = table::lines(HEADER, stats.rows.iter().map(cells), WORDS);
    if stats.silent > 0 {
        let silent = format!(
            "Processes that do not answer, whose figures are missing: {}",
            stats.silent
        );
        lines.extend([String::new(), style::yellow(&silent)]);
    }
    lines.extend(stats.nginx.iter().flat_map(nginx));
    lines.join("\n")
}

// Private

fn cells(row: &StatsRow) -> [String; HEADER.len()] {
    let errors = row.connect_errors.saturating_add(row.errors);
    let known = |figure, number: u64| {
        if row.unreported.contains(&figure) {
            UNREPORTED.to_owned()
        } else {
            number.to_string()
        }
    };
    [
        row.proxy.clone(),
        row.name.clone(),
        row.status.clone(),
        row.check.clone(),
        known(Figure::Sessions, row.sessions),
        known(Figure::SessionsMax, row.sessions_max),
        row.sessions_total.to_string(),
        row.rate.to_string(),
        numbers::bytes(row.bytes_in),
        numbers::bytes(row.bytes_out),
        row.denied.to_string(),
        errors.to_string(),
    ]
}

fn nginx(totals: &NginxTotals) -> Vec<String> {
    let NginxTotals {
        connections,
        dropped,
        strange_lines,
    } = *totals;
    let mut lines = vec![
        String::new(),
        format!(
            "nginx has {connections} client connections; {dropped} were dropped for lack of free connections."
        ),
        style::dim(
            "It reports requests and sessions once they have ended, and no figures where `-` is shown.",
        ),
    ];
    if strange_lines > 0 {
        let strange = format!("{strange_lines} lines of its access log cannot be parsed, and are left out.");
        lines.push(style::yellow(&strange));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::super::testing::plain;
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
            check: "L7OK".into(),
            ..StatsRow::default()
        }
    }

    #[test]
    fn numbers_are_aligned() {
        let rows = vec![row("erlmcp1", "UP", 25_000), row("BACKEND", "UP", 7)];
        insta::assert_snapshot!(stats(&Stats { rows, ..Stats::default() }), @r"
        proxy            name     status  check    now    max    total  rate/s      in      out  denied  errors
        mcp_cluster_tcp  erlmcp1  UP      L7OK   25000  50000  2500000      12  1.2 MB  98.8 kB       3       2
        mcp_cluster_tcp  BACKEND  UP      L7OK       7     14      700      12  1.2 MB  98.8 kB       3       2
        ");
    }

    #[test]
    fn figures_that_nginx_does_not_report_are_not_numbers() {
        let unreported = StatsRow {
            unreported: vec![Figure::Sessions, Figure::SessionsMax, Figure::Queued],
            ..row("erlmcp1", "UP", 0)
        };
        let partial = Stats {
            silent: 1,
            rows: vec![unreported],
            nginx: Some(NginxTotals {
                connections: 1_204,
                dropped: 0,
                strange_lines: 2,
            }),
        };
        insta::assert_snapshot!(plain(&stats(&partial)), @r"
        proxy            name     status  check  now  max  total  rate/s      in      out  denied  errors
        mcp_cluster_tcp  erlmcp1  UP      L7OK     -    -      0      12  1.2 MB  98.8 kB       3       2

        Processes that do not answer, whose figures are missing: 1

        nginx has 1204 client connections; 0 were dropped for lack of free connections.
        It reports requests and sessions once they have ended, and no figures where `-` is shown.
        2 lines of its access log cannot be parsed, and are left out.
        ");
    }
}
