//! Whether everybody was served: connections, errors, and who counted them.

use super::super::results::{Check, CheckName, Count, Counts, Results, Verdict};

/// Kinds of errors that are told in one line.
const TOLD: usize = 3;

/// All connections that were asked for are held at the end. None at all proves nothing.
pub(super) fn connections(results: &Results) -> Check {
    let (held, asked) = (results.held, results.test.connections);
    Check::made(
        CheckName::Connections,
        Verdict::of(held > 0 && held >= asked),
        format!("{held} of {asked}"),
        asked.to_string(),
    )
}

/// Nothing went wrong. What a failover cuts off on purpose is not among the errors.
pub(super) fn errors(results: &Results) -> Check {
    let total = results
        .errors
        .iter()
        .fold(0_u64, |sum, error| sum.saturating_add(error.count));
    let kinds = results.errors.iter().filter(|error| error.count > 0);
    let kinds: Vec<String> = kinds
        .map(|error| format!("{} {}", error.count, error.kind.name()))
        .collect();
    let measured = match kinds.as_slice() {
        [] => "none".to_owned(),
        [only] => only.clone(),
        several => {
            let more = if several.len() > TOLD { ", .." } else { "" };
            let told = &several[..several.len().min(TOLD)];
            format!("{total}: {}{more}", told.join(", "))
        }
    };
    Check::made(CheckName::Errors, Verdict::of(total == 0), measured, "none")
}

/// Generator, balancer and kernel have counted the same.
pub(super) fn counts(results: &Results) -> Check {
    let counts = &results.counts;
    match counts.agree {
        Some(agree) => Check::made(
            CheckName::Counts,
            Verdict::of(agree),
            totals(counts),
            "all the same",
        ),
        None if counts.meaning.is_empty() => Check::skipped(CheckName::Counts, "nobody else has counted"),
        None => Check::skipped(CheckName::Counts, counts.meaning.join("; ")),
    }
}

// Private

fn totals(counts: &Counts) -> String {
    let told = |who: &str, count: &Count| format!("{who} {}", count.total);
    let others = [("balancer", &counts.balancer), ("kernel", &counts.kernel)];
    let others = others
        .into_iter()
        .filter_map(|(who, count)| Some(told(who, count.as_ref()?)));
    let all: Vec<String> = [told("generator", &counts.generator)]
        .into_iter()
        .chain(others)
        .collect();
    all.join(", ")
}

#[cfg(test)]
mod tests {
    use super::super::super::results::ErrorCount;
    use super::super::super::testing::sample;
    use super::super::super::trouble::Kind;
    use super::*;

    #[test]
    fn one_connection_less_than_asked_is_not_all() {
        let mut results = sample();
        assert_eq!(connections(&results).verdict, Verdict::Passed);
        results.held -= 1;
        let check = connections(&results);
        assert_eq!(
            (check.verdict, check.measured.as_str()),
            (Verdict::Failed, "99999 of 100000")
        );
    }

    #[test]
    fn errors_are_told_by_kind() {
        let mut results = sample();
        assert_eq!(
            (errors(&results).verdict, errors(&results).measured.as_str()),
            (Verdict::Passed, "none")
        );
        let error = |kind, count| ErrorCount {
            kind,
            count,
            example: String::new(),
        };
        results.errors = vec![error(Kind::Refused, 2)];
        assert_eq!(errors(&results).measured, "2 refused");
        results.errors = [Kind::Refused, Kind::Reset, Kind::Closed, Kind::System]
            .map(|kind| error(kind, 1))
            .to_vec();
        let check = errors(&results);
        assert_eq!(check.verdict, Verdict::Failed);
        assert_eq!(
            check.measured,
            "4: 1 refused, 1 reset, 1 closed by the other end, .."
        );
        results.errors = vec![error(Kind::Refused, u64::MAX); 2];
        assert_eq!(errors(&results).verdict, Verdict::Failed);
    }

    #[test]
    fn counts_agree_or_do_not_or_mean_different_things() {
        let mut results = sample();
        assert_eq!(
            counts(&results).measured,
            "generator 100000, balancer 100000, kernel 100000"
        );
        results.counts.agree = Some(false);
        assert_eq!(counts(&results).verdict, Verdict::Failed);
        results.counts.agree = None;
        results.counts.meaning = vec!["one".into(), "two".into()];
        assert_eq!(counts(&results), Check::skipped(CheckName::Counts, "one; two"));
    }
}
