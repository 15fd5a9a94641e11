//! The shutdown of a cluster: the balancer first, so that no client reaches a dead node, then the
//! nodes. If it is to be announced, `/ready` answers 503 for a while before the balancer ends.
//!
//! ```text
//!  Publishing ── every instance answers 503 ──▶ Announcing ── `announce` ──▶ Balancers
//!  Balancers ── `grace` ──▶ Closing: connections are closed over `over`
//!  Balancers, Closing ── all stopped ──▶ Nodes ── all stopped ──▶ LeftBehind ── nothing left ──▶ Gone ── the failure was asked for ──▶ over
//! ```

use std::time::{Duration, Instant};

use super::core::Core;
use super::process::child::{Event, State, Then};
use super::waves::ChildId;
use crate::api::{Progress, Refusal};

/// How long the supervisor keeps a failure for the command that started the cluster.
const FAILURE_LIFETIME: Duration = Duration::from_secs(5);

/// An announcement that has not reached every balancer instance by then is taken as made.
const PUBLISH_TIMEOUT: Duration = Duration::from_secs(10);

/// A shutdown in progress.
#[derive(Clone, Debug)]
pub(super) struct ClusterShutdown {
    pub(super) phase: Phase,
    /// The time that connections get to end by themselves.
    pub(super) grace: Duration,
    announce: Duration,
    /// The time over which the connections that are left are closed.
    pub(super) over: Duration,
    /// The failure for the command that tried to start this cluster.
    pub(super) failure: Option<Progress>,
    is_reported: bool,
}

/// The phase of a shutdown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// Nothing is being stopped yet.
    Begun,
    /// The balancer's instances are being ordered to answer `/ready` with 503.
    Publishing { until: Instant },
    /// They do, and still accept connections.
    Announcing { until: Instant },
    /// The balancer is ending: it accepts nothing more.
    Balancers { closes_at: Instant },
    /// The connections that are left are being closed.
    Closing,
    /// The nodes are ending.
    Nodes,
    /// The processes that they have left, such as an `epmd`, are ending.
    LeftBehind,
    /// Nothing runs any more.
    Gone { since: Instant },
}

impl Phase {
    /// The name in logs.
    const fn name(self) -> &'static str {
        match self {
            Phase::Begun => "begun",
            Phase::Publishing { .. } => "publishing",
            Phase::Announcing { .. } => "announcing",
            Phase::Balancers { .. } => "balancers",
            Phase::Closing => "closing",
            Phase::Nodes => "nodes",
            Phase::LeftBehind => "left-behind",
            Phase::Gone { .. } => "gone",
        }
    }
}

impl ClusterShutdown {
    /// A shutdown by an order.
    pub(super) fn ordered(
        grace: Duration,
        announce: Duration,
        over: Duration,
        now: Instant,
    ) -> ClusterShutdown {
        let phase = if announce.is_zero() {
            Phase::Begun
        } else {
            Phase::Publishing {
                until: now + PUBLISH_TIMEOUT,
            }
        };
        ClusterShutdown {
            phase,
            grace,
            announce,
            over,
            failure: None,
            is_reported: false,
        }
    }

    /// A shutdown without any wait; a failed start stays a failed start.
    pub(super) fn at_once(failure: Option<Progress>) -> ClusterShutdown {
        ClusterShutdown {
            phase: Phase::Begun,
            grace: Duration::ZERO,
            announce: Duration::ZERO,
            over: Duration::ZERO,
            failure,
            is_reported: false,
        }
    }

    /// This shutdown without what it still waits for. What it has announced stays announced: `/ready`
    /// must not invite clients again.
    pub(super) fn hastened(&self) -> ClusterShutdown {
        ClusterShutdown {
            announce: self.announce,
            ..ClusterShutdown::at_once(self.failure.clone())
        }
    }

    /// A shutdown because a start failed.
    pub(super) fn failed(failure: Progress) -> ClusterShutdown {
        ClusterShutdown::at_once(Some(failure))
    }

    /// Whether connections are still accepted.
    pub(super) fn accepts(&self) -> bool {
        matches!(
            self.phase,
            Phase::Begun | Phase::Publishing { .. } | Phase::Announcing { .. }
        )
    }

    /// What happens, for operators.
    pub(super) const fn sentence(&self) -> &'static str {
        match self.phase {
            Phase::Publishing { .. } | Phase::Announcing { .. } => {
                "the cluster is being stopped: `/ready` answers 503, connections are still accepted"
            }
            Phase::Balancers { .. } | Phase::Closing => {
                "the cluster is being stopped: no connections are accepted, and those that are left end"
            }
            Phase::Begun | Phase::Nodes | Phase::LeftBehind | Phase::Gone { .. } => {
                "the cluster is being stopped"
            }
        }
    }

    /// Whether `/ready` has to answer that the cluster stops.
    pub(super) fn is_announced(&self) -> bool {
        !self.announce.is_zero()
    }

    /// The phase that follows by time, or because every instance `is_published`.
    fn after(&self, is_published: bool, now: Instant) -> Phase {
        match self.phase {
            Phase::Publishing { until } if is_published || now >= until => Phase::Announcing {
                until: now + self.announce,
            },
            Phase::Announcing { until } if now >= until => Phase::Begun,
            Phase::Balancers { closes_at } if now >= closes_at && !self.over.is_zero() => Phase::Closing,
            phase => phase,
        }
    }

    /// The shutdown enters `phase`.
    fn enter(&mut self, phase: Phase) {
        tracing::info!(phase = phase.name(), was = self.phase.name(), "stopping");
        self.phase = phase;
    }

    /// The failure, once nothing runs any more.
    pub(super) fn take_failure(&mut self) -> Option<Progress> {
        let Phase::Gone { .. } = self.phase else {
            return None;
        };
        self.is_reported = true;
        self.failure.clone()
    }

    /// Whether the supervisor may exit.
    pub(super) fn is_over(&self, now: Instant) -> bool {
        match self.phase {
            Phase::Gone { since } => {
                self.failure.is_none() || self.is_reported || now >= since + FAILURE_LIFETIME
            }
            _ => false,
        }
    }

    /// When time changes the shutdown next.
    pub(super) fn wakes_at(&self) -> Option<Instant> {
        match self.phase {
            Phase::Gone { since } => Some(since + FAILURE_LIFETIME),
            Phase::Publishing { until } | Phase::Announcing { until } => Some(until),
            Phase::Balancers { closes_at } if !self.over.is_zero() => Some(closes_at),
            _ => None,
        }
    }
}

impl Core {
    /// Stops the balancer, then the nodes.
    pub(super) fn advance_shutdown(&mut self, now: Instant) {
        let is_published = self.link.is_announced();
        loop {
            let Some(ending) = &mut self.shutdown else { return };
            let next = ending.after(is_published, now);
            if next != ending.phase {
                ending.enter(next);
                if next == Phase::Closing {
                    let over = ending.over;
                    self.close_evenly(over);
                    continue;
                }
            }
            let (is_due, group): (fn(ChildId) -> bool, _) = match ending.phase {
                Phase::Begun => {
                    let closes_at = now + ending.grace;
                    (|_| false, Some(Phase::Balancers { closes_at }))
                }
                Phase::Balancers { .. } | Phase::Closing => {
                    (|id| !matches!(id, ChildId::Node(_)), Some(Phase::Nodes))
                }
                Phase::Nodes => (|id| matches!(id, ChildId::Node(_)), None),
                Phase::Publishing { .. }
                | Phase::Announcing { .. }
                | Phase::LeftBehind
                | Phase::Gone { .. } => return,
            };
            if self
                .children
                .iter()
                .any(|(id, child)| is_due(id) && child.state != State::Stopped)
            {
                return;
            }
            match group {
                Some(group) => {
                    ending.enter(group);
                    self.end_group(now);
                }
                None if self.left_behind.is_empty() => {
                    ending.enter(Phase::LeftBehind);
                    self.end_all_left_behind();
                }
                None => return,
            }
        }
    }

    /// No process that the children have started runs any more.
    pub(super) fn all_descendants_ended(&mut self, now: Instant) {
        if let Some(ending) = self.shutdown.as_mut().filter(|it| it.phase == Phase::LeftBehind) {
            ending.enter(Phase::Gone { since: now });
        }
    }

    pub(super) fn refuse_while_ending(&self) -> Result<(), Refusal> {
        let hint = Some("try again when that is done".to_owned());
        let refusal = Refusal {
            error: "the cluster is being stopped".to_owned(),
            hint,
        };
        if self.shutdown.is_some() {
            Err(refusal)
        } else {
            Ok(())
        }
    }

    // Private

    /// Stops the children whose phase of the shutdown has come.
    fn end_group(&mut self, now: Instant) {
        let Some(ClusterShutdown {
            phase, grace, over, ..
        }) = self.shutdown
        else {
            return;
        };
        let group: Vec<ChildId> = self
            .children
            .ids()
            .filter(|id| match phase {
                Phase::Balancers { .. } => !matches!(id, ChildId::Node(_)),
                Phase::Nodes => matches!(id, ChildId::Node(_)),
                _ => false,
            })
            .collect();
        for id in group {
            let stop_sequence = self.spec.stop_sequence(id, grace, over);
            self.apply(id, Event::Stop(stop_sequence, Then::StayStopped), now);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::ProgressState;

    #[test]
    fn a_failure_is_reported_when_nothing_runs_and_then_the_shutdown_is_over() {
        let now = Instant::now();
        let mut ending = ClusterShutdown::failed(Progress {
            outcome: ProgressState::Running,
            steps: Vec::new(),
        });
        assert_eq!(ending.take_failure(), None);
        ending.phase = Phase::Gone { since: now };
        assert!(!ending.is_over(now));
        assert!(ending.is_over(now + FAILURE_LIFETIME));
        assert!(ending.take_failure().is_some());
        assert!(ending.is_over(now));
    }

    #[test]
    fn an_announcement_begins_when_it_is_published_and_accepts_until_its_end() {
        let now = Instant::now();
        let second = Duration::from_secs(1);
        let mut ending = ClusterShutdown::ordered(second, 3 * second, 2 * second, now);
        assert!(ending.accepts() && ending.is_announced());
        assert_eq!(ending.after(false, now + second), ending.phase);
        let until = now + 4 * second;
        ending.phase = ending.after(true, now + second);
        assert_eq!(ending.phase, Phase::Announcing { until });
        assert_eq!(ending.wakes_at(), Some(until));
        assert!(ending.accepts());
        assert_eq!(ending.after(true, until), Phase::Begun);
        let closes_at = until + second;
        ending.phase = Phase::Balancers { closes_at };
        assert!(!ending.accepts());
        assert_eq!(ending.after(true, until), ending.phase);
        assert_eq!(ending.after(true, closes_at), Phase::Closing);
        // What does not answer does not hold up the end.
        let silent = ClusterShutdown::ordered(second, second, second, now);
        let late = now + PUBLISH_TIMEOUT;
        let until = late + second;
        assert_eq!(silent.after(false, late), Phase::Announcing { until });
        let at_once = ClusterShutdown::ordered(second, Duration::ZERO, second, now);
        assert_eq!((at_once.phase, at_once.is_announced()), (Phase::Begun, false));
    }

    #[test]
    fn another_stop_skips_the_waits_and_stays_announced() {
        let now = Instant::now();
        let second = Duration::from_secs(1);
        let hastened = ClusterShutdown::ordered(second, second, second, now).hastened();
        assert_eq!((hastened.phase, hastened.is_announced()), (Phase::Begun, true));
        assert_eq!((hastened.grace, hastened.over), (Duration::ZERO, Duration::ZERO));
        assert_eq!(hastened.after(true, now + second), Phase::Begun);
    }
}
