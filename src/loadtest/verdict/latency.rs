//! Whether messages are answered in time, and alike on all nodes.

use super::super::results::{Check, CheckName, Results, Verdict};
use crate::api::LatencyClass;
use crate::units::{Percent, Period};

/// With fewer answers a 99th percentile is one of the slowest two, which is chance.
const ENOUGH: u64 = 100;

/// The nodes' p99 are alike, or differ by less than `target`; `missed` is what it is called when they do not.
pub(super) fn variance(results: &Results, target: Percent, missed: Verdict) -> Check {
    let latency = &results.latency;
    let name = CheckName::LatencyVariance;
    if results.nodes.len() < 2 {
        return Check::skipped(name, "there are no two nodes to compare");
    }
    if results.nodes.iter().any(|node| node.latency.count < ENOUGH) {
        return Check::skipped(name, "under 100 answers from a node: too few to judge");
    }
    let (class, alike) = match latency.class {
        LatencyClass::Excellent => ("excellent", true),
        LatencyClass::Good => ("good", false),
        LatencyClass::Warning => ("warning", false),
        LatencyClass::Critical => ("critical", false),
    };
    let within = latency.variance_percent < target.get();
    let measured = if alike && !within {
        // A large share of next to nothing.
        format!("{:.1}% of less than 2 ms, {class}", latency.variance_percent)
    } else {
        format!("{:.1}%, {class}", latency.variance_percent)
    };
    Check::made(
        name,
        if alike || within { Verdict::Passed } else { missed },
        measured,
        format!("<{target}"),
    )
}

/// 99 of 100 messages are answered within `target`. One that never was is not.
pub(super) fn p99(results: &Results, target: Period, missed: Verdict) -> Check {
    let (all, messages) = (&results.latency.all, &results.messages);
    let name = CheckName::Latency;
    if all.count == 0 && messages.unanswered == 0 {
        return Check::skipped(name, "no message was due");
    }
    // One of a hundred is beyond the percentile.
    let lost = messages.due >= ENOUGH && messages.unanswered > messages.due / 100;
    let kept = all.count > 0 && !lost && all.p99_ms < target.duration().as_secs_f64() * 1_000.0;
    let unanswered = match (lost, all.count) {
        (false, 1..) => String::new(),
        _ => format!(", {} of {} unanswered", messages.unanswered, messages.due),
    };
    Check::made(
        name,
        if kept { Verdict::Passed } else { missed },
        format!("p99 {:.1} ms{unanswered}", all.p99_ms),
        format!("<{target}"),
    )
}

#[cfg(test)]
mod tests {
    use super::super::super::results::{Messages, Quantiles};
    use super::super::super::testing::{sample, targets};
    use super::*;

    #[test]
    fn nodes_that_are_alike_or_within_the_target_pass() {
        let mut results = sample();
        let verdict =
            |results: &Results| variance(results, targets().latency_variance, Verdict::Warned).verdict;
        for (class, percent, expected) in [
            (LatencyClass::Excellent, 60.0, Verdict::Passed),
            (LatencyClass::Good, 9.9, Verdict::Passed),
            (LatencyClass::Warning, 10.0, Verdict::Warned),
            (LatencyClass::Critical, 50.0, Verdict::Warned),
        ] {
            (results.latency.class, results.latency.variance_percent) = (class, percent);
            assert_eq!(verdict(&results), expected, "{class:?}");
        }
        results.nodes[0].latency.count = 99;
        assert_eq!(verdict(&results), Verdict::Skipped);
        results.nodes.truncate(1);
        assert_eq!(verdict(&results), Verdict::Skipped);
    }

    #[test]
    fn an_answer_that_never_came_was_not_in_time() {
        let mut results = sample();
        let verdict = |results: &Results| p99(results, targets().p99, Verdict::Failed).verdict;
        assert_eq!(verdict(&results), Verdict::Passed);
        results.messages.unanswered = results.messages.due / 100;
        assert_eq!(verdict(&results), Verdict::Passed);
        results.messages.unanswered += 1;
        assert_eq!(verdict(&results), Verdict::Failed);
        results.messages.unanswered = 0;
        results.latency.all.p99_ms = 20.0;
        assert_eq!(verdict(&results), Verdict::Failed);
    }

    #[test]
    fn a_test_without_messages_has_no_latency() {
        let mut results = sample();
        results.messages = Messages::default();
        results.latency.all = Quantiles::default();
        assert_eq!(
            p99(&results, targets().p99, Verdict::Failed).verdict,
            Verdict::Skipped
        );
        results.messages.due = 5;
        results.messages.unanswered = 5;
        let mute = p99(&results, targets().p99, Verdict::Failed);
        assert_eq!(mute.verdict, Verdict::Failed);
    }
}
