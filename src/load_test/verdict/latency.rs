//! Whether messages are answered in time, and equally fast by all nodes.

use super::super::results::{Check, CheckName, Results, Verdict};
use crate::api::{Alike, LatencyClass};
use crate::base::units::{Percent, Period};

/// The nodes' p99 must be similar, or differ by less than `target`; `missed` is the verdict
/// otherwise.
pub(super) fn variance(results: &Results, target: Percent, missed: Verdict) -> Check {
    let latency = &results.latency;
    let name = CheckName::LatencyVariance;
    if results.nodes.len() < 2 {
        return Check::skipped(name, "fewer than two nodes to compare");
    }
    let p99 = results
        .nodes
        .iter()
        .map(|node| (node.latency.p99_ms, node.latency.count));
    let alike = Alike::of(&p99.collect::<Vec<_>>(), latency.p99_target_ms);
    if alike == Some(Alike::Few) {
        return Check::skipped(name, "under 100 answers from a node: too few to judge");
    }
    let excellent = latency.class == LatencyClass::Excellent;
    let kept = excellent || latency.variance_percent < target.get();
    // Without the reason a reader would not understand why a large variance is excellent.
    let why = alike
        .filter(|_| excellent)
        .map_or(String::new(), |alike| format!(": {}", alike.text()));
    Check::made(
        name,
        if kept { Verdict::Passed } else { missed },
        format!("{:.1}%, {}{why}", latency.variance_percent, latency.class.name()),
        format!("<{target}"),
    )
}

/// 99 of 100 answers must come within `target`. Messages without an answer are
/// [errors](super::service::errors).
pub(super) fn p99(results: &Results, target: Period, missed: Verdict) -> Check {
    let all = &results.latency.all;
    let name = CheckName::Latency;
    match (results.messages.due, all.count) {
        (0, _) => return Check::skipped(name, "no message was due"),
        (_, 0) => return Check::skipped(name, "no message was answered"),
        _ => {}
    }
    let kept = all.p99_ms < target.duration().as_secs_f64() * 1_000.0;
    Check::made(
        name,
        if kept { Verdict::Passed } else { missed },
        format!("p99 {:.1} ms", all.p99_ms),
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
    fn a_large_variance_of_tiny_latencies_gives_its_reason() {
        let mut results = sample();
        (results.latency.class, results.latency.variance_percent) = (LatencyClass::Excellent, 60.0);
        let measured =
            |results: &Results| variance(results, targets().latency_variance, Verdict::Warned).measured;
        assert_eq!(
            measured(&results),
            "60.0%, excellent: p99 no more than 2 ms apart"
        );
        results.nodes[0].latency.p99_ms = 9.0;
        assert_eq!(
            measured(&results),
            "60.0%, excellent: every p99 within half its target"
        );
        results.nodes[0].latency.p99_ms = 11.0;
        results.latency.variance_percent = 4.9;
        assert_eq!(measured(&results), "4.9%, excellent");
    }

    #[test]
    fn a_p99_on_the_target_is_not_below_it() {
        let mut results = sample();
        let verdict = |results: &Results| p99(results, targets().p99, Verdict::Failed).verdict;
        assert_eq!(verdict(&results), Verdict::Passed);
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
        assert_eq!(
            mute,
            Check::skipped(CheckName::Latency, "no message was answered")
        );
    }
}
