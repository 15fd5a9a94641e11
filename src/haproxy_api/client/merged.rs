//! Merges the `show stat` tables of several processes that share the work.

use std::collections::{BTreeMap, BTreeSet};

use super::row::Row;

/// How the figures of several processes become one.
enum Rule {
    /// Their sum. For a maximum this is an upper bound: the processes may have reached theirs at
    /// different times.
    Sum,
    /// The largest value: each process observes the same server.
    Most,
    /// The smallest value, which is the most recent event. -1 means never.
    Least,
    /// Their mean, weighted by the sessions of each.
    Mean,
    /// The first value among the processes in the most frequent state.
    Typical,
}

impl Row {
    /// The rows of all `tables` in the order of the first, each once: counters are summed, and the
    /// state is the most frequent one. If not all processes report it, the state includes how many
    /// do: `UP (12/13)`.
    #[must_use]
    pub fn merged(tables: &[Vec<Row>]) -> Vec<Row> {
        let mut places = BTreeMap::new();
        let mut groups: Vec<Vec<&Row>> = Vec::new();
        for row in tables.iter().flatten() {
            let place = *places.entry((row.proxy(), row.name())).or_insert(groups.len());
            if place == groups.len() {
                groups.push(Vec::new());
            }
            groups[place].push(row);
        }
        groups.iter().map(|rows| merge(rows)).collect()
    }
}

// Private

fn merge(rows: &[&Row]) -> Row {
    let (state, count) = prevailing(rows);
    let typical = rows.iter().find(|row| row.state() == state);
    let columns: BTreeSet<&String> = rows.iter().flat_map(|row| row.0.keys()).collect();
    let values = columns.into_iter().filter_map(|column| {
        let typically = || Some(typical?.text(column).to_owned()).filter(|text| !text.is_empty());
        let value = match column.as_str() {
            "status" if count < rows.len() => Some(format!("{state} ({count}/{})", rows.len())),
            column => one(rows, column, &rule(column)).or_else(typically),
        };
        Some((column.clone(), value?))
    });
    Row(values.collect())
}

/// The most frequent state of the rows, and its number of rows; the worse one of two that are
/// equally frequent.
fn prevailing<'a>(rows: &[&'a Row]) -> (&'a str, usize) {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for row in rows {
        *counts.entry(row.state()).or_default() += 1;
    }
    let most = counts
        .into_iter()
        .max_by_key(|(state, count)| (*count, !matches!(*state, "UP" | "OPEN")));
    most.unwrap_or_default()
}

fn rule(column: &str) -> Rule {
    match column {
        "pid" | "iid" | "sid" | "type" | "throttle" => Rule::Typical,
        "lastchg" | "lastsess" => Rule::Least,
        "qtime" | "ctime" | "rtime" | "ttime" => Rule::Mean,
        "weight" | "uweight" | "act" | "bck" | "chkfail" | "chkdown" | "downtime" => Rule::Most,
        times if times.ends_with("time_max") => Rule::Most,
        checks
            if ["check_", "agent_", "agg_"]
                .iter()
                .any(|it| checks.starts_with(it)) =>
        {
            Rule::Typical
        }
        _ => Rule::Sum,
    }
}

/// `None` if a row's value is not a number.
fn one(rows: &[&Row], column: &str, rule: &Rule) -> Option<String> {
    let reporting = rows.iter().filter(|row| !row.text(column).is_empty());
    let numbers = reporting.clone().map(|row| row.text(column).parse::<i64>().ok());
    let numbers: Vec<i64> = numbers.collect::<Option<_>>()?;
    let number = match rule {
        Rule::Typical => None,
        Rule::Sum => numbers.into_iter().reduce(i64::saturating_add),
        Rule::Most => numbers.into_iter().max(),
        Rule::Least => {
            let happened = numbers.iter().filter(|number| **number >= 0).min();
            happened.or(numbers.first()).copied()
        }
        Rule::Mean => {
            let sessions = reporting.map(|row| i128::from(row.number("stot").unwrap_or(0)));
            let weighted: Vec<(i128, i128)> = sessions.zip(numbers.into_iter().map(i128::from)).collect();
            let all: i128 = weighted.iter().map(|(sessions, _)| sessions).sum();
            let sum: i128 = weighted.iter().map(|(sessions, time)| sessions * time).sum();
            i64::try_from(sum / all.max(1)).ok()
        }
    };
    number.map(|number| number.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(rows: &str) -> Vec<Row> {
        Row::parse(&format!(
            "# pxname,svname,scur,stot,status,lastsess,ctime,chkdown,check_status,\n{rows}\n"
        ))
        .unwrap()
    }

    #[test]
    fn counters_are_summed_and_observations_are_not() {
        let one = table("be,s1,2,10,UP,-1,4,1,L7OK,\nbe,s2,1,0,UP,5,0,0,L7OK,");
        let other = table("be,s2,1,0,UP,3,0,0,L7OK,\nbe,s1,3,30,UP,-1,8,1,L7OK,");
        let rows = Row::merged(&[one, other]);
        let names: Vec<&str> = rows.iter().map(Row::name).collect();
        assert_eq!(names, ["s1", "s2"]);
        let first = &rows[0];
        assert_eq!((first.number("scur"), first.number("stot")), (Some(5), Some(40)));
        assert_eq!((first.text("lastsess"), first.number("ctime")), ("-1", Some(7)));
        assert_eq!(
            (first.number("chkdown"), first.text("check_status")),
            (Some(1), "L7OK")
        );
        assert_eq!(rows[1].number("lastsess"), Some(3));
    }

    #[test]
    fn a_state_that_not_all_report_includes_how_many_do() {
        let seen = |status: &str| table(&format!("be,s1,0,0,{status},0,0,0,{status},"));
        let state = |seen: &[Vec<Row>]| {
            let rows = Row::merged(seen);
            (rows[0].text("status").to_owned(), rows[0].state().to_owned())
        };
        let (up, down) = (seen("UP"), seen("DOWN 1/2"));
        assert_eq!(state(&[up.clone(), up.clone(), up.clone()]).0, "UP");
        let most_see = state(&[up.clone(), down.clone(), up.clone()]);
        assert_eq!(most_see, ("UP (2/3)".to_owned(), "UP".to_owned()));
        assert_eq!(state(&[up, down.clone()]).0, "DOWN (1/2)");
        assert_eq!(state(&[down.clone(), down]).0, "DOWN 1/2");
    }

    #[test]
    fn a_single_table_stays_as_it_is() {
        let golden = include_str!("../../../tests/golden/haproxy-2.6.12/show_stat.csv");
        let rows = Row::parse(golden).unwrap();
        assert_eq!(Row::merged(std::slice::from_ref(&rows)), rows);
        assert_eq!(Row::merged(&[]), []);
    }
}
