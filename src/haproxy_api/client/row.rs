//! `show stat`.

use std::collections::BTreeMap;

/// One frontend, listener, server or backend: its figures by column name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Row(pub(super) BTreeMap<String, String>);

impl Row {
    /// Parses the answer to `show stat`. Columns are found by the header, because every version
    /// adds some; a row that is cut short has fewer.
    ///
    /// `None` if there is no header.
    #[must_use]
    pub fn parse(answer: &str) -> Option<Vec<Row>> {
        let mut lines = answer.lines();
        let header: Vec<&str> = lines.next()?.strip_prefix("# ")?.split(',').collect();
        let rows = lines
            .filter(|line| !line.is_empty())
            .map(|line| {
                let columns = header.iter().zip(line.split(','));
                Row(columns
                    .filter(|(name, value)| !name.is_empty() && !value.is_empty())
                    .map(|(name, value)| ((*name).to_owned(), value.to_owned()))
                    .collect())
            })
            .collect();
        Some(rows)
    }

    /// The value of a column; empty if the row has none.
    #[must_use]
    pub fn text(&self, column: &str) -> &str {
        self.0.get(column).map_or("", String::as_str)
    }

    /// The number in a column; `None` if it is empty or not a number, which is not the same as 0.
    #[must_use]
    pub fn number(&self, column: &str) -> Option<u64> {
        self.text(column).parse().ok()
    }

    /// The frontend or backend that it belongs to.
    #[must_use]
    pub fn proxy(&self) -> &str {
        self.text("pxname")
    }

    /// `FRONTEND`, `BACKEND`, or the name of a server or listener.
    #[must_use]
    pub fn name(&self) -> &str {
        self.text("svname")
    }

    /// Whether it is a server's row.
    #[must_use]
    pub fn is_server(&self) -> bool {
        self.number("type") == Some(2)
    }

    /// Its state as a word: `UP`, `DOWN`, `DRAIN`, `MAINT`, `NOLB`, `OPEN`, `no check`.. (a state
    /// that is about to change has its progress, `UP 1/2`, which is left out here).
    #[must_use]
    pub fn state(&self) -> &str {
        let status = self.text("status");
        match status.split_once(' ') {
            Some((state, progress)) if progress.contains('/') || progress.starts_with('(') => state,
            _ => status,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn golden() -> Vec<Row> {
        Row::parse(include_str!("../../../tests/golden/haproxy-2.6.12/show_stat.csv")).unwrap()
    }

    #[test]
    fn parses_the_answer_of_haproxy_2_6() {
        let rows = golden();
        let names: Vec<(&str, &str)> = rows.iter().map(|row| (row.proxy(), row.name())).collect();
        assert_eq!(names[3], ("be", "s1"));
        assert_eq!(names.len(), 9);
        let servers: Vec<(&str, &str)> = rows
            .iter()
            .filter(|row| row.is_server())
            .map(|row| (row.name(), row.state()))
            .collect();
        assert_eq!(
            servers,
            [("s1", "UP"), ("s2", "DOWN"), ("s3", "MAINT"), ("t1", "no check")]
        );
        assert_eq!(rows[3].text("check_status"), "L7OK");
        assert_eq!(rows[3].number("slim"), Some(50));
    }

    #[test]
    fn empty_is_not_zero() {
        let rows = golden();
        assert_eq!(rows[2].number("qcur"), None);
        assert_eq!(rows[3].number("qcur"), Some(0));
        assert_eq!(rows[3].number("no_such_column"), None);
    }

    #[test]
    fn columns_are_found_by_name_wherever_they_are() {
        let rows = Row::parse("# svname,new,pxname,\na,1,b,\nc\n").unwrap();
        assert_eq!((rows[0].proxy(), rows[0].name()), ("b", "a"));
        assert_eq!((rows[1].proxy(), rows[1].name()), ("", "c"));
        assert_eq!(Row::parse("Unknown command"), None);
    }

    #[test]
    fn a_state_comes_without_its_progress() {
        let state = |status: &str| {
            let rows = Row::parse(&format!("# status,\n{status},\n")).unwrap();
            rows[0].state().to_owned()
        };
        assert_eq!(state("UP 1/2"), "UP");
        assert_eq!(state("DOWN 1/2"), "DOWN");
        assert_eq!(state("DRAIN (agent)"), "DRAIN");
        assert_eq!(state("no check"), "no check");
        // A server that tracks another one.
        assert_eq!(state("MAINT (via mcp_http_backend/erlmcp1)"), "MAINT");
    }

    proptest! {
        #[test]
        fn any_text_is_handled(text in "(# )?[a-z,\\n #/]{0,200}") {
            for row in Row::parse(&text).unwrap_or_default() {
                let _ = (row.state(), row.number("type"));
            }
        }
    }
}
