//! Whether all clients were served: connections, errors, and the counts of all three sources.

use super::super::protocol::Protocol;
use super::super::results::{Check, CheckName, Count, Counts, ErrorCount, Results, Verdict};

/// Kinds of errors that one line shows.
const MAX_EXAMPLES: usize = 3;

/// All requested connections must be held at the end. A test without any proves nothing.
pub(super) fn connections(results: &Results) -> Check {
    let (held, asked) = (results.held, results.test.connections);
    Check::made(
        CheckName::Connections,
        Verdict::of(held > 0 && held >= asked),
        format!("{held} of {asked} at the end"),
        asked.to_string(),
    )
}

/// There must be no errors, and every message must be answered. What a failover costs on purpose
/// does not count: its node's connections, and the messages lost with them.
pub(super) fn errors(results: &Results) -> Check {
    let (due, unanswered) = (results.messages.due, results.messages.unanswered);
    let mute = (unanswered > 0).then(|| format!("{unanswered} of {due} pings not answered"));
    let faults: Vec<String> = kinds(&results.errors).into_iter().chain(mute).collect();
    let kept = faults.is_empty();
    let measured = if kept {
        "none".to_owned()
    } else {
        faults.join("; ")
    };
    Check::made(CheckName::Errors, Verdict::of(kept), measured, "none")
}

/// All counts of the same thing must be equal. Over TCP to a cluster those are generator, balancer
/// and kernel; otherwise a client's connection is not one at a node too, and only its two ends are
/// compared.
pub(super) fn counts(results: &Results) -> Check {
    let (asked, counts) = (&results.test, &results.counts);
    let Some(agree) = counts.agree else {
        return Check::skipped(CheckName::Counts, "they count different things");
    };
    let (measured, target) = if asked.protocol == Protocol::Tcp && asked.cluster.is_some() {
        (by_three(counts), "all the same")
    } else {
        (at_both_ends(counts), "the same")
    };
    Check::made(CheckName::Counts, Verdict::of(agree), measured, target)
}

// Private

/// The kinds of errors, and the number of each: `2 refused`, `3: 2 refused, 1 reset`.
fn kinds(errors: &[ErrorCount]) -> Option<String> {
    let errors = errors.iter().filter(|error| error.count > 0);
    let total = errors
        .clone()
        .fold(0_u64, |sum, error| sum.saturating_add(error.count));
    let kinds: Vec<String> = errors
        .map(|error| format!("{} {}", error.count, error.kind.name()))
        .collect();
    match kinds.as_slice() {
        [] => None,
        [only] => Some(only.clone()),
        several => {
            let more = if several.len() > MAX_EXAMPLES { ", .." } else { "" };
            let examples = &several[..several.len().min(MAX_EXAMPLES)];
            Some(format!("{total}: {}{more}", examples.join(", ")))
        }
    }
}

fn by_three(counts: &Counts) -> String {
    let shown = |count: &Option<Count>| {
        count
            .as_ref()
            .map_or("-".to_owned(), |count| count.total.to_string())
    };
    let ours = counts.generator.total;
    let (balancer, kernel) = (shown(&counts.balancer), shown(&counts.kernel));
    let all = format!("generator {ours}, balancer {balancer}, kernel {kernel}");
    let target = match counts.to_target {
        same if same == ours => String::new(),
        other => format!(", at the target {other}"),
    };
    match counts.others {
        0 => format!("{all}{target}"),
        others => format!("{all}{target}, {others} of others"),
    }
}

fn at_both_ends(counts: &Counts) -> String {
    let (generator, target) = (counts.generator.total, counts.to_target);
    format!("generator {generator}, kernel at the target {target}")
}

#[cfg(test)]
mod tests {
    use super::super::super::testing::sample;
    use super::*;
    use crate::load_test::error::Kind;

    #[test]
    fn one_connection_less_than_asked_is_not_all() {
        let mut results = sample();
        assert_eq!(connections(&results).verdict, Verdict::Passed);
        results.held -= 1;
        let check = connections(&results);
        assert_eq!(
            (check.verdict, check.measured.as_str()),
            (Verdict::Failed, "99999 of 100000 at the end")
        );
    }

    #[test]
    fn errors_are_listed_by_kind() {
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
    fn counts_agree_or_differ_or_mean_different_things() {
        let mut results = sample();
        assert_eq!(
            counts(&results).measured,
            "generator 100000, balancer 100000, kernel 100000"
        );
        results.counts.agree = Some(false);
        assert_eq!(counts(&results).verdict, Verdict::Failed);
        results.counts.balancer = None;
        (results.counts.others, results.counts.to_target) = (7, 99_999);
        assert_eq!(
            counts(&results).measured,
            "generator 100000, balancer -, kernel 100000, at the target 99999, 7 of others"
        );
        results.counts.agree = None;
        assert_eq!(counts(&results).verdict, Verdict::Skipped);
    }

    #[test]
    fn connections_that_end_at_the_balancer_are_compared_at_their_two_ends() {
        let mut results = sample();
        results.test.protocol = Protocol::Http;
        let ends = "generator 100000, kernel at the target 100000";
        assert_eq!(counts(&results).measured, ends);
        results.test.protocol = Protocol::Tcp;
        results.test.cluster = None;
        assert_eq!(
            (counts(&results).measured, counts(&results).target),
            (ends.into(), "the same".into())
        );
    }

    #[test]
    fn a_ping_that_was_not_answered_is_an_error_unless_its_node_was_to_fail() {
        let mut results = sample();
        results.messages.lost = 239;
        assert_eq!(errors(&results).verdict, Verdict::Passed);
        (results.messages.due, results.messages.unanswered) = (800, 612);
        let mute = errors(&results);
        assert_eq!(
            (mute.verdict, mute.measured.as_str()),
            (Verdict::Failed, "612 of 800 pings not answered")
        );
        results.errors = vec![ErrorCount {
            kind: Kind::Refused,
            count: 2,
            example: String::new(),
        }];
        assert_eq!(
            errors(&results).measured,
            "2 refused; 612 of 800 pings not answered"
        );
    }
}
