//! Judges the canaries of a rollout: the nodes that run the new version while the others still run
//! the old one.
//!
//! Three figures count, each since the hold began:
//!
//! | figure | source | limit |
//! | --- | --- | --- |
//! | share of failed requests and connections | the balancer's counters | `rollout.max_errors` |
//! | p99 latency of health checks | the supervisor's prober | `rollout.max_p99` |
//! | mean time to an answer | the balancer, over the latest requests over HTTP | `rollout.max_p99` |
//!
//! A fault that all nodes share is not the canaries': the share of failures at the other nodes is
//! added to the limit, and slowness does not count while the other nodes exceed the limit, too.
//!
//! A verdict falls before the end of the hold only when chance does not explain it. One failed
//! request among a few is not enough, neither then nor at the end, unless all of them failed.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::figures::{Counts, Figures};
use crate::base::units::{Percent, Period};

/// Fewer failures end a hold early only if the limit allows none.
const SURE_FAILURES: u64 = 3;
/// Standard deviations above the expected number of failures that chance does not explain.
const SURE_DEVIATIONS: f64 = 3.0;
/// Probes from which on their p99 ends a hold early.
const SURE_PROBES: usize = 10;
/// Requests from which on the balancer's mean is that of the new version for the most part. Times of
/// the old one make it smaller, unless the other nodes, which run the old version, are slow too.
const SURE_REQUESTS: u64 = 100;

/// What canaries must not exceed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(in crate::supervisor) struct Limits {
    /// The share of failed requests and connections.
    pub(in crate::supervisor) max_errors: Percent,
    /// The p99 latency; `None`: it does not matter.
    pub(in crate::supervisor) max_p99: Option<Period>,
}

/// How fast nodes answer probes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::supervisor) struct ProbeLatency {
    /// The time within which 99 % of the probes were answered; `None` with fewer than two.
    pub(in crate::supervisor) p99: Option<Duration>,
    /// How many probes that is.
    pub(in crate::supervisor) probes: usize,
}

/// What the figures show.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::supervisor) enum Verdict {
    /// Nothing yet.
    Waiting,
    /// The hold has passed, and the canaries are within the limits.
    Passed,
    /// The canaries exceed a limit, with the reason.
    Failed(String),
}

/// The figures of a hold.
#[derive(Clone, Debug)]
pub(in crate::supervisor) struct Gate {
    limits: Limits,
    canaries: BTreeSet<String>,
    /// The latest figures of every node, by name; `None` until there are any.
    latest: Option<BTreeMap<String, Figures>>,
    canary: Counts,
    others: Counts,
}

impl ProbeLatency {
    /// The latency of these probes. Of fewer than 100 the slowest one is left out: a single one is
    /// more than the hundredth part of them.
    pub(in crate::supervisor) fn of(times: impl IntoIterator<Item = Duration>) -> ProbeLatency {
        let mut times: Vec<Duration> = times.into_iter().collect();
        times.sort_unstable();
        let slow = (times.len() / 100).max(1);
        let p99 = times.len().checked_sub(slow + 1);
        ProbeLatency {
            p99: p99.map(|place| times[place]),
            probes: times.len(),
        }
    }
}

impl Gate {
    /// A hold of these nodes, by name, that begins now.
    pub(in crate::supervisor) fn new(limits: Limits, canaries: BTreeSet<String>) -> Gate {
        Gate {
            limits,
            canaries,
            latest: None,
            canary: Counts::default(),
            others: Counts::default(),
        }
    }

    /// Adds what has happened at the nodes since the last call. The first call is the beginning. A
    /// process that is not among `figures` this time keeps its counts for the next time.
    pub(in crate::supervisor) fn add(&mut self, figures: BTreeMap<String, Figures>) {
        let Some(latest) = &mut self.latest else {
            self.latest = Some(figures);
            return;
        };
        for (name, figures) in figures {
            let before = latest.entry(name.clone()).or_default();
            let sum = if self.canaries.contains(&name) {
                &mut self.canary
            } else {
                &mut self.others
            };
            *sum += before.replace(figures);
        }
    }

    /// Judges the canaries by the figures until now, and by the probes of the canaries and of the
    /// other nodes since the beginning. `is_over` at the end of the hold.
    pub(in crate::supervisor) fn judge(
        &self,
        canaries: ProbeLatency,
        others: ProbeLatency,
        is_over: bool,
    ) -> Verdict {
        let reason = self
            .errors(is_over)
            .or_else(|| self.slow_probes(canaries, others, is_over))
            .or_else(|| self.slow_answers());
        match reason {
            Some(reason) => Verdict::Failed(reason),
            None if is_over => Verdict::Passed,
            None => Verdict::Waiting,
        }
    }

    // Private

    /// Why the share of failures is too high.
    fn errors(&self, is_over: bool) -> Option<String> {
        let Counts { begun, failed } = self.canary;
        let most = self.limits.max_errors;
        let allowed = (most.get() / 100.0 + self.others.share()).min(1.0);
        let expected = allowed * float(begun);
        let exceeds = if is_over {
            // A single failure has a meaning where the limit expects one, or none at all.
            let all = failed == begun && begun > 0;
            float(failed) > expected && (failed > 1 || all || allowed == 0.0)
        } else {
            let deviation = (expected * (1.0 - allowed)).sqrt();
            let is_sure = failed >= SURE_FAILURES || allowed == 0.0;
            is_sure && float(failed) > expected + SURE_DEVIATIONS * deviation
        };
        exceeds.then(|| {
            let share = self.canary.share() * 100.0;
            let others = match self.others {
                Counts { begun: 0, .. } => String::new(),
                Counts { begun, failed } => format!("; at the other nodes {failed} of {begun}"),
            };
            format!(
                "{failed} of {begun} requests and connections failed, {share:.1}% (`rollout.max_errors` is {most}{others})"
            )
        })
    }

    /// Why the probes are too slow.
    fn slow_probes(&self, canaries: ProbeLatency, others: ProbeLatency, is_over: bool) -> Option<String> {
        let most = self.limits.max_p99?;
        let exceeds = |latency: ProbeLatency| latency.p99.filter(|p99| *p99 > most.duration());
        let p99 = exceeds(canaries)?;
        let counts = is_over || canaries.probes >= SURE_PROBES;
        (counts && exceeds(others).is_none()).then(|| {
            format!(
                "the p99 of its health checks is {} (`rollout.max_p99` is {most})",
                millis(p99)
            )
        })
    }

    /// Why the balancer waits too long for answers. A mean above the limit for the p99 leaves no
    /// doubt about the p99.
    fn slow_answers(&self) -> Option<String> {
        let most = self.limits.max_p99?;
        if self.canary.begun < SURE_REQUESTS {
            return None;
        }
        let means = |are_canaries| {
            let nodes = self.latest.iter().flatten();
            let nodes = nodes.filter(move |(name, _)| self.canaries.contains(*name) == are_canaries);
            nodes.filter_map(|(_, figures)| figures.mean())
        };
        let slowest = means(true).max().filter(|mean| *mean > most.duration())?;
        let are_others_slow = means(false).any(|mean| mean > most.duration());
        (!are_others_slow).then(|| {
            format!(
                "it answers clients after {} on average (`rollout.max_p99` is {most})",
                millis(slowest)
            )
        })
    }
}

// Private

fn float(count: u64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "no hold has 2^52 requests")]
    let float = count as f64;
    float
}

fn millis(time: Duration) -> String {
    format!("{:.0} ms", time.as_secs_f64() * 1_000.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Limits of 1 % and of 50 ms.
    fn limits() -> Limits {
        Limits {
            max_errors: "1%".parse().unwrap(),
            max_p99: Some("50ms".parse().unwrap()),
        }
    }

    fn figures(begun: u64, failed: u64) -> Figures {
        Figures::of(0, "http", Counts { begun, failed })
    }

    /// A hold in which `a` is the canary; each has these requests, of which these failed.
    fn hold(limits: Limits, canary: (u64, u64), others: (u64, u64)) -> Gate {
        let mut gate = Gate::new(limits, BTreeSet::from(["a".to_owned()]));
        let both = |(begun, failed): (u64, u64), (others, failed_there): (u64, u64)| {
            BTreeMap::from([
                ("a".to_owned(), figures(begun, failed)),
                ("b".to_owned(), figures(others, failed_there)),
            ])
        };
        // What was before does not count.
        gate.add(both((500, 400), (500, 400)));
        gate.add(both(
            (500 + canary.0, 400 + canary.1),
            (500 + others.0, 400 + others.1),
        ));
        gate
    }

    fn probes(millis: u64, probes: usize) -> ProbeLatency {
        ProbeLatency {
            p99: Some(Duration::from_millis(millis)),
            probes,
        }
    }

    /// Whether the canary fails early, and at the end.
    fn fails(canary: (u64, u64), others: (u64, u64)) -> (bool, bool) {
        let gate = hold(limits(), canary, others);
        let judge = |is_over| gate.judge(ProbeLatency::default(), ProbeLatency::default(), is_over);
        let fails = |verdict| matches!(verdict, Verdict::Failed(_));
        (fails(judge(false)), fails(judge(true)))
    }

    #[test]
    fn a_share_above_the_limit_fails() {
        assert_eq!(fails((1_000, 0), (3_000, 0)), (false, false));
        assert_eq!(fails((1_000, 10), (3_000, 0)), (false, false));
        // A little above the limit may be chance until the end.
        assert_eq!(fails((1_000, 12), (3_000, 0)), (false, true));
        assert_eq!(fails((1_000, 30), (3_000, 0)), (true, true));
        assert_eq!(fails((1_000, 1_000), (3_000, 0)), (true, true));
    }

    #[test]
    fn a_single_failure_among_few_is_chance_unless_all_fail() {
        assert_eq!(fails((10, 1), (30, 0)), (false, false));
        assert_eq!(fails((10, 2), (30, 0)), (false, true));
        assert_eq!(fails((10, 3), (30, 0)), (true, true));
        assert_eq!(fails((1, 1), (30, 0)), (false, true));
        assert_eq!(fails((3, 3), (0, 0)), (true, true));
        assert_eq!(fails((0, 0), (0, 0)), (false, false));
    }

    #[test]
    fn a_fault_of_all_nodes_is_not_the_canarys() {
        assert_eq!(fails((1_000, 100), (3_000, 300)), (false, false));
        assert_eq!(fails((1_000, 1_000), (3_000, 3_000)), (false, false));
        assert_eq!(fails((1_000, 300), (3_000, 300)), (true, true));
    }

    #[test]
    fn a_limit_of_none_allows_none() {
        let none = Limits {
            max_errors: "0%".parse().unwrap(),
            max_p99: None,
        };
        let nothing = ProbeLatency::default();
        let judge = |gate: Gate| gate.judge(nothing, nothing, false);
        assert!(matches!(judge(hold(none, (10, 1), (30, 0))), Verdict::Failed(_)));
        assert_eq!(judge(hold(none, (10, 0), (30, 0))), Verdict::Waiting);
    }

    #[test]
    fn the_reason_has_the_figures_and_the_limit() {
        let nothing = ProbeLatency::default();
        assert_eq!(
            hold(limits(), (40, 20), (120, 0)).judge(nothing, nothing, false),
            Verdict::Failed(
                "20 of 40 requests and connections failed, 50.0% (`rollout.max_errors` is 1%; \
                 at the other nodes 0 of 120)"
                    .to_owned()
            )
        );
        assert_eq!(
            hold(limits(), (0, 0), (0, 0)).judge(probes(71, 10), nothing, true),
            Verdict::Failed("the p99 of its health checks is 71 ms (`rollout.max_p99` is 50ms)".to_owned())
        );
    }

    #[test]
    fn a_single_slow_probe_is_not_the_p99() {
        let of =
            |millis: &[u64]| ProbeLatency::of(millis.iter().map(|millis| Duration::from_millis(*millis)));
        assert_eq!(of(&[]), ProbeLatency::default());
        assert_eq!(of(&[7]), ProbeLatency { p99: None, probes: 1 });
        assert_eq!(of(&[3, 900, 4]), probes(4, 3));
        assert_eq!(of(&[900, 800, 4]), probes(800, 3));
        let many: Vec<u64> = (1..=300).collect();
        assert_eq!(of(&many), probes(297, 300));
    }

    #[test]
    fn slow_probes_fail_unless_the_others_are_slow_too() {
        let gate = hold(limits(), (0, 0), (0, 0));
        let nothing = ProbeLatency::default();
        let fails =
            |canary, others, is_over| matches!(gate.judge(canary, others, is_over), Verdict::Failed(_));
        assert!(!fails(probes(40, 10), probes(4, 30), true));
        assert!(fails(probes(51, 10), probes(4, 30), false));
        assert!(!fails(probes(51, 4), probes(4, 12), false) && fails(probes(51, 4), probes(4, 12), true));
        assert!(!fails(probes(90, 10), probes(80, 30), true));
        assert!(fails(probes(90, 10), nothing, true));
        let unlimited = Limits {
            max_p99: None,
            ..limits()
        };
        let judged = hold(unlimited, (0, 0), (0, 0)).judge(probes(9_000, 10), nothing, true);
        assert_eq!(judged, Verdict::Passed);
    }

    #[test]
    fn a_slow_mean_of_clients_answers_fails() {
        let judge = |canary: u64, others: u64, begun: u64| {
            let mut gate = Gate::new(limits(), BTreeSet::from(["a".to_owned()]));
            gate.add(BTreeMap::new());
            let slow = |millis| figures(begun, 0).with_mean(Duration::from_millis(millis));
            gate.add(BTreeMap::from([
                ("a".to_owned(), slow(canary)),
                ("b".to_owned(), slow(others)),
            ]));
            gate.judge(ProbeLatency::default(), ProbeLatency::default(), false)
        };
        assert_eq!(
            judge(80, 8, 2_000),
            Verdict::Failed(
                "it answers clients after 80 ms on average (`rollout.max_p99` is 50ms)".to_owned()
            )
        );
        assert_eq!(judge(80, 70, 2_000), Verdict::Waiting);
        assert_eq!(judge(80, 8, 90), Verdict::Waiting);
    }

    #[test]
    fn a_new_balancer_process_begins_at_zero() {
        let mut gate = hold(limits(), (100, 0), (100, 0));
        gate.add(BTreeMap::from([("a".to_owned(), figures(7, 7))]));
        assert_eq!(
            gate.canary,
            Counts {
                begun: 107,
                failed: 7
            }
        );
        // One that is silent for a moment does not.
        gate.add(BTreeMap::from([("a".to_owned(), Figures::default())]));
        gate.add(BTreeMap::from([("a".to_owned(), figures(9, 7))]));
        assert_eq!(
            gate.canary,
            Counts {
                begun: 109,
                failed: 7
            }
        );
    }
}
