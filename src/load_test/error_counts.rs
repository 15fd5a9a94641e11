//! Errors by kind: how many, and one example of each.

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::error::{Kind, LoadError};
use super::results::ErrorCount;

/// Errors by kind. There are a dozen kinds, so this is small.
#[derive(Clone, Debug, Default)]
pub(crate) struct Errors(BTreeMap<Kind, (u64, String)>);

impl Errors {
    /// Adds an error of the client at `address`, at `at` (microseconds since the test began). The
    /// first of each kind is kept as the example.
    pub(crate) fn add(&mut self, failure: &LoadError, address: Option<IpAddr>, at: u64) {
        let example = || {
            let from = address.map_or(String::new(), |address| format!(" from {address}"));
            format!(
                "{}{from}, at {}.{:01} s",
                failure.detail,
                at / 1_000_000,
                at / 100_000 % 10
            )
        };
        let (count, _) = self.0.entry(failure.kind).or_insert_with(|| (0, example()));
        *count += 1;
    }

    /// Adds all of `other`.
    pub(crate) fn merge(&mut self, other: &Errors) {
        for (kind, (count, example)) in &other.0 {
            let (sum, _) = self.0.entry(*kind).or_insert_with(|| (0, example.clone()));
            *sum += count;
        }
    }

    /// The total.
    pub(crate) fn count(&self) -> u64 {
        self.0.values().map(|(count, _)| count).sum()
    }

    /// One entry for each kind, the most frequent first.
    pub(crate) fn by_kind(&self) -> Vec<ErrorCount> {
        let mut all: Vec<ErrorCount> = self
            .0
            .iter()
            .map(|(kind, (count, example))| ErrorCount {
                kind: *kind,
                count: *count,
                example: example.clone(),
            })
            .collect();
        all.sort_by_key(|error| std::cmp::Reverse(error.count));
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_is_counted_and_shown_once() {
        let (mut all, mut more) = (Errors::default(), Errors::default());
        let refused = LoadError::new(Kind::Refused, "connection refused");
        all.add(&refused, Some("127.16.0.1".parse().unwrap()), 1_250_000);
        more.add(&refused, None, 0);
        more.add(&LoadError::new(Kind::Reset, "reset by peer"), None, 7_000_000);
        all.merge(&more);
        all.merge(&more);
        let by_kind = all.by_kind();
        assert_eq!(all.count(), 5);
        assert_eq!(
            (by_kind[0].kind, by_kind[0].count, by_kind[0].example.as_str()),
            (Kind::Refused, 3, "connection refused from 127.16.0.1, at 1.2 s")
        );
        assert_eq!(by_kind[1].example, "reset by peer, at 7.0 s");
    }
}
