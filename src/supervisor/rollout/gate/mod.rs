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

mod probe_latency;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

pub(in crate::supervisor) use self::probe_latency::ProbeLatency;
use super::figures::{Counts, Figures};
use crate::base::units::{Percent, Period};

/// Fewer failures end a hold early only if the limit allows none.
const MIN_FAILURES: u64 = 3;
/// Standard deviations above the expected number of failures that chance does not explain.
const MIN_DEVIATIONS: f64 = 3.0;
/// Probes from which on their p99 ends a hold early.
const MIN_PROBES: usize = 10;
/// Requests from which on the balancer's mean is that of the new version for the most part. Times of
/// the old one make it smaller, unless the other nodes, which run the old version, are slow too.
const MIN_REQUESTS: u64 = 100;

/// What canaries must not exceed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(in crate::supervisor) struct Limits {
    /// The share of failed requests and connections.
    pub(in crate::supervisor) max_errors: Percent,
    /// The p99 latency; `None`: it does not matter.
    pub(in crate::supervisor) max_p99: Option<Period>,
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
    /// Whether the figures were read again after the beginning.
    has_counts: bool,
    /// Canaries with requests or connections since the beginning.
    used: BTreeSet<String>,
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
            has_counts: false,
            used: BTreeSet::new(),
        }
    }

    /// Adds what has happened at the nodes since the last call. The first call is the beginning. A
    /// process that is not among `figures` this time keeps its counts for the next time.
    pub(in crate::supervisor) fn add(&mut self, figures: BTreeMap<String, Figures>) {
        let Some(latest) = &mut self.latest else {
            self.latest = Some(figures);
            return;
        };
        self.has_counts = true;
        for (name, figures) in figures {
            let counts = latest.entry(name.clone()).or_default().replace(figures);
            if !self.canaries.contains(&name) {
                self.others += counts;
                continue;
            }
            self.canary += counts;
            if counts.begun > 0 {
                self.used.insert(name);
            }
        }
    }

    /// What the balancer has counted at the canaries since the beginning; `None` while that is not
    /// known.
    pub(in crate::supervisor) fn counts(&self) -> Option<Counts> {
        self.has_counts.then_some(self.canary)
    }

    /// The canaries of which the balancer has counted nothing since the beginning.
    pub(in crate::supervisor) fn unused(&self) -> impl Iterator<Item = &str> {
        self.canaries.difference(&self.used).map(String::as_str)
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
            .too_many_failures(is_over)
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
    fn too_many_failures(&self, is_over: bool) -> Option<String> {
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
            let is_sure = failed >= MIN_FAILURES || allowed == 0.0;
            is_sure && float(failed) > expected + MIN_DEVIATIONS * deviation
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
        let counts = is_over || canaries.probes >= MIN_PROBES;
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
        if self.canary.begun < MIN_REQUESTS {
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
