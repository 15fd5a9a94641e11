//! Whether other nodes serve the clients of a failed node in time, and no other clients are
//! affected.

use super::super::results::{Check, CheckName, Failover, Results, Verdict};
use crate::base::units::Period;

/// All clients of the failed node must be served elsewhere within `target`, and no bystander may be
/// cut. A node without clients proves nothing. A failover that was requested but not tried fails
/// the check, unless the test was `interrupted` before it.
pub(super) fn failover(results: &Results, target: Period, interrupted: bool) -> Check {
    let name = CheckName::Failover;
    let seconds = target.duration().as_secs_f64();
    let target = format!("<{seconds} seconds");
    let Some(failover) = &results.failover else {
        return match &results.test.failover {
            None => Check::skipped(name, "--failover NODE"),
            Some(_) if interrupted => Check::skipped(name, "interrupted before it"),
            Some(_) => Check::made(name, Verdict::Failed, "not tried", target),
        };
    };
    let faults: Vec<String> = [
        (failover.clients == 0).then(|| format!("{} had no clients", failover.node)),
        (failover.homeless > 0).then(|| {
            let Failover {
                homeless, clients, ..
            } = failover;
            format!("{homeless} of {clients} clients not served elsewhere")
        }),
        (failover.bystanders > 0).then(|| format!("{} of other nodes' clients cut off", failover.bystanders)),
    ]
    .into_iter()
    .flatten()
    .collect();
    let took = failover.rehomed_p100_ms.map(|ms| ms / 1_000.0);
    let kept = faults.is_empty() && took.is_some_and(|took| took < seconds);
    let took = took.map(|took| format!("{took:.1} seconds"));
    let never = (took.is_none() && faults.is_empty())
        .then(|| "no time at which all were served elsewhere".to_owned());
    let measured: Vec<String> = took.into_iter().chain(never).chain(faults).collect();
    Check::made(name, Verdict::of(kept), measured.join(", "), target)
}

#[cfg(test)]
mod tests {
    use super::super::super::testing::{sample, targets};
    use super::*;

    fn judged(change: impl FnOnce(&mut Failover)) -> (Verdict, String) {
        let mut results = sample();
        change(results.failover.as_mut().unwrap());
        let check = failover(&results, targets().failover, false);
        assert_eq!(check.target, "<5 seconds");
        (check.verdict, check.measured)
    }

    #[test]
    fn all_clients_served_elsewhere_in_time_passes() {
        assert_eq!(judged(|_| {}), (Verdict::Passed, "2.1 seconds".to_owned()));
        let late = judged(|failover| failover.rehomed_p100_ms = Some(5_000.0));
        assert_eq!(late, (Verdict::Failed, "5.0 seconds".to_owned()));
    }

    #[test]
    fn the_homeless_and_the_bystanders_are_counted() {
        let homeless = judged(|failover| {
            failover.homeless = 3;
            failover.rehomed_p100_ms = None;
        });
        assert_eq!(
            homeless,
            (
                Verdict::Failed,
                "3 of 25156 clients not served elsewhere".to_owned()
            )
        );
        let bystanders = judged(|failover| failover.bystanders = 1);
        assert_eq!(
            bystanders,
            (
                Verdict::Failed,
                "2.1 seconds, 1 of other nodes' clients cut off".to_owned()
            )
        );
    }

    #[test]
    fn a_failover_that_was_requested_and_not_proven_fails() {
        assert_eq!(judged(|failover| failover.clients = 0).0, Verdict::Failed);
        assert_eq!(
            judged(|failover| failover.rehomed_p100_ms = None).0,
            Verdict::Failed
        );
        let mut results = sample();
        results.failover = None;
        let tried = |results: &Results, interrupted| {
            let check = failover(results, targets().failover, interrupted);
            (check.verdict, check.measured)
        };
        assert_eq!(tried(&results, false), (Verdict::Failed, "not tried".to_owned()));
        assert_eq!(tried(&results, true).0, Verdict::Skipped);
        results.test.failover = None;
        assert_eq!(tried(&results, false).0, Verdict::Skipped);
    }
}
