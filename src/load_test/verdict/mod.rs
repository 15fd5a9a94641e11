//! The verdicts: the rules behind PASSED and FAILED. There is one rule for each line of the report;
//! it depends on results and targets only.
//!
//! | check | passed when | else |
//! | --- | --- | --- |
//! | connections | all that were asked for were held to the end | failed |
//! | errors | there was none, and every message was answered that was not lost with a node that was to fail | failed |
//! | distribution | its variance is below `targets.variance`, with the connections of others, or chance explains it where clients' addresses decide | failed; skipped with too few to judge |
//! | counts | all counts agree | failed; skipped if they count different things |
//! | latency variance | nodes are alike, or it is below `targets.latency_variance` | warned |
//! | latency | 99 of 100 answers came within `targets.p99` | warned |
//! | failover | every client is elsewhere within `targets.failover`, and no other was touched | failed, also when it was not tried |
//! | sticky | each client of the sample came back to its node | failed |

mod balance;
mod failover;
mod latency;
mod service;

use super::results::{Check, CheckName, Outcome, Results, Verdict};
use crate::profile::Targets;

/// Judges `results`, without looking at their own checks and outcome; `interrupted` if the test was
/// ended early. With `fail_on_latency`, latency can fail the test.
#[must_use]
pub fn judge(
    results: &Results,
    targets: &Targets,
    fail_on_latency: bool,
    interrupted: bool,
) -> (Vec<Check>, Outcome) {
    let missed = if fail_on_latency {
        Verdict::Failed
    } else {
        Verdict::Warned
    };
    let checks = vec![
        service::connections(results),
        service::errors(results),
        balance::distribution(results, targets.variance),
        service::counts(results),
        latency::variance(results, targets.latency_variance, missed),
        latency::p99(results, targets.p99, missed),
        failover::failover(results, targets.failover, interrupted),
        balance::sticky(results),
    ];
    let outcome = outcome(&checks, interrupted);
    (checks, outcome)
}

// Private

fn outcome(checks: &[Check], interrupted: bool) -> Outcome {
    if interrupted {
        Outcome::Interrupted
    } else if checks.iter().any(|check| check.verdict == Verdict::Failed) {
        Outcome::Failed
    } else {
        Outcome::Passed
    }
}

impl Check {
    /// A check with a result.
    fn made(
        name: CheckName,
        verdict: Verdict,
        measured: impl Into<String>,
        target: impl Into<String>,
    ) -> Check {
        Check {
            name,
            verdict,
            measured: measured.into(),
            target: target.into(),
        }
    }

    /// A check that could not be made, or was not requested, and `why`.
    fn skipped(name: CheckName, why: impl Into<String>) -> Check {
        Check::made(name, Verdict::Skipped, why, "")
    }
}

impl Verdict {
    /// Passed if `kept`.
    fn of(kept: bool) -> Verdict {
        if kept { Verdict::Passed } else { Verdict::Failed }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{sample, targets};
    use super::*;

    #[test]
    fn a_test_without_a_flaw_has_passed() {
        let (checks, outcome) = judge(&sample(), &targets(), true, false);
        assert_eq!(outcome, Outcome::Passed);
        assert!(
            checks.iter().all(|check| check.verdict == Verdict::Passed),
            "{checks:?}"
        );
    }

    #[test]
    fn one_failed_check_fails_the_test() {
        let mut results = sample();
        results.held -= 1;
        let (checks, outcome) = judge(&results, &targets(), false, false);
        assert_eq!((checks[0].verdict, outcome), (Verdict::Failed, Outcome::Failed));
    }

    #[test]
    fn latency_is_a_warning_unless_it_counts() {
        let mut results = sample();
        results.latency.all.p99_ms = 21.0;
        let latency = |fail| {
            let (checks, outcome) = judge(&results, &targets(), fail, false);
            let latency = checks.into_iter().find(|check| check.name == CheckName::Latency);
            (latency.unwrap().verdict, outcome)
        };
        assert_eq!(latency(false), (Verdict::Warned, Outcome::Passed));
        assert_eq!(latency(true), (Verdict::Failed, Outcome::Failed));
    }

    #[test]
    fn an_interrupted_test_is_interrupted_and_judged() {
        let mut results = sample();
        let (checks, outcome) = judge(&results, &targets(), false, true);
        assert_eq!(
            (checks[0].verdict, outcome),
            (Verdict::Passed, Outcome::Interrupted)
        );
        results.held = 0;
        let (checks, outcome) = judge(&results, &targets(), false, true);
        assert_eq!(
            (checks[0].verdict, outcome),
            (Verdict::Failed, Outcome::Interrupted)
        );
    }

    #[test]
    fn nothing_proves_nothing() {
        let mut results = sample();
        results.test.connections = 0;
        results.held = 0;
        assert_eq!(judge(&results, &targets(), false, false).1, Outcome::Failed);
    }
}
