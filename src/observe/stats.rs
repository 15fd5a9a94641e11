//! The balancer's own statistics, for an operator.

use crate::api::{Stats, StatsRow};
use crate::haproxy_api::Row;

/// Converts the rows of `show stat` to the API's. Listeners of single sockets and the balancer's
/// own pages are left out.
#[must_use]
pub fn stats(rows: &[Row]) -> Stats {
    let own = ["stats", "mcp_status"];
    Stats {
        rows: rows
            .iter()
            .filter(|row| row.number("type") != Some(3) && !own.contains(&row.proxy()))
            .map(row)
            .collect(),
        silent: 0,
        nginx: None,
    }
}

// Private

fn row(row: &Row) -> StatsRow {
    let number = |column| row.number(column).unwrap_or(0);
    StatsRow {
        proxy: row.proxy().to_owned(),
        name: row.name().to_owned(),
        status: row.text("status").to_owned(),
        sessions: number("scur"),
        sessions_max: number("smax"),
        sessions_total: number("stot"),
        rate: number("rate"),
        bytes_in: number("bin"),
        bytes_out: number("bout"),
        denied: number("dreq").saturating_add(number("dcon")),
        connect_errors: number("econ"),
        errors: number("ereq").saturating_add(number("eresp")),
        queued: number("qcur"),
        // A `*` marks a check that is in progress.
        check: row.text("check_status").trim_start_matches("* ").to_owned(),
        unreported: Vec::new(),
        first_byte: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn haproxys_rows_become_rows_of_the_api() {
        let answer = include_str!("../../tests/golden/haproxy-2.6.12/show_stat.csv");
        let stats = stats(&Row::parse(answer).unwrap());
        let names: Vec<&str> = stats.rows.iter().map(|row| row.name.as_str()).collect();
        assert_eq!(names, ["FRONTEND", "s1", "s2", "s3", "BACKEND", "t1", "BACKEND"]);
        let first = &stats.rows[1];
        assert_eq!(
            (first.status.as_str(), first.check.as_str(), first.sessions),
            ("UP 1/3", "L7OK", 0)
        );
    }

    #[test]
    fn absurd_values_do_no_harm() {
        let most = u64::MAX;
        let rows = Row::parse(&format!("# dreq,dcon,check_status,\n{most},{most},* L7OK,\n")).unwrap();
        let stats = stats(&rows);
        assert_eq!(
            (stats.rows[0].denied, stats.rows[0].check.as_str()),
            (most, "L7OK")
        );
    }
}
