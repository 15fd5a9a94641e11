//! The shutdown of a cluster: the balancer first, so that no client reaches a dead node, then the
//! nodes.
//!
//! ```text
//!  Balancers ── all stopped ──▶ Nodes ── all stopped ──▶ LeftBehind ── nothing left ──▶ Gone ── the failure was asked for ──▶ over
//! ```

use std::time::{Duration, Instant};

use super::core::Core;
use super::process::child::{Event, State, Then};
use super::rollout::ChildId;
use crate::api::{Progress, Refusal};

/// How long the supervisor keeps a failure for the command that started the cluster.
const FAILURE_LIFETIME: Duration = Duration::from_secs(5);

/// A shutdown in progress.
#[derive(Clone, Debug)]
pub(super) struct ClusterShutdown {
    pub(super) phase: Phase,
    /// The time that connections get to end by themselves.
    pub(super) grace: Duration,
    /// The failure for the command that tried to start this cluster.
    pub(super) failure: Option<Progress>,
    is_reported: bool,
}

/// The phase of a shutdown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// Nothing is being stopped yet.
    Begun,
    /// The balancer is ending.
    Balancers,
    /// The nodes are ending.
    Nodes,
    /// The processes that they have left, such as an `epmd`, are ending.
    LeftBehind,
    /// Nothing runs any more.
    Gone { since: Instant },
}

impl ClusterShutdown {
    /// A shutdown by an order.
    pub(super) fn ordered(grace: Duration) -> ClusterShutdown {
        ClusterShutdown {
            phase: Phase::Begun,
            grace,
            failure: None,
            is_reported: false,
        }
    }

    /// A shutdown because a start failed.
    pub(super) fn failed(failure: Progress) -> ClusterShutdown {
        ClusterShutdown {
            phase: Phase::Begun,
            grace: Duration::ZERO,
            failure: Some(failure),
            is_reported: false,
        }
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
            Phase::Begun | Phase::Balancers | Phase::Nodes | Phase::LeftBehind => false,
        }
    }

    /// When time changes the shutdown next.
    pub(super) fn wakes_at(&self) -> Option<Instant> {
        match self.phase {
            Phase::Gone { since } => Some(since + FAILURE_LIFETIME),
            Phase::Begun | Phase::Balancers | Phase::Nodes | Phase::LeftBehind => None,
        }
    }
}

impl Core {
    /// Stops the balancer, then the nodes.
    pub(super) fn advance_shutdown(&mut self, now: Instant) {
        loop {
            let Some(ending) = &mut self.shutdown else { return };
            let (is_due, group): (fn(ChildId) -> bool, _) = match ending.phase {
                Phase::Begun => (|_| false, Some(Phase::Balancers)),
                Phase::Balancers => (|id| !matches!(id, ChildId::Node(_)), Some(Phase::Nodes)),
                Phase::Nodes => (|id| matches!(id, ChildId::Node(_)), None),
                Phase::LeftBehind | Phase::Gone { .. } => return,
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
                    ending.phase = group;
                    self.end_group(now);
                }
                None if self.left_behind.is_empty() => {
                    ending.phase = Phase::LeftBehind;
                    self.end_all_left_behind();
                }
                None => return,
            }
        }
    }

    /// No process that the children have started runs any more.
    pub(super) fn all_descendants_ended(&mut self, now: Instant) {
        if let Some(ending) = self.shutdown.as_mut().filter(|it| it.phase == Phase::LeftBehind) {
            ending.phase = Phase::Gone { since: now };
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
        let Some(ClusterShutdown { phase, grace, .. }) = self.shutdown else {
            return;
        };
        let group: Vec<ChildId> = self
            .children
            .ids()
            .filter(|id| match phase {
                Phase::Balancers => !matches!(id, ChildId::Node(_)),
                Phase::Nodes => matches!(id, ChildId::Node(_)),
                Phase::Begun | Phase::LeftBehind | Phase::Gone { .. } => false,
            })
            .collect();
        for id in group {
            let stop_sequence = self.spec.stop_sequence(id, grace);
            self.apply(id, Event::Stop(stop_sequence, Then::StayStopped), now);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::Rollout;

    #[test]
    fn a_failure_is_reported_when_nothing_runs_and_then_the_shutdown_is_over() {
        let now = Instant::now();
        let mut ending = ClusterShutdown::failed(Progress {
            rollout: Rollout::Running,
            steps: Vec::new(),
        });
        assert_eq!(ending.take_failure(), None);
        ending.phase = Phase::Gone { since: now };
        assert!(!ending.is_over(now));
        assert!(ending.is_over(now + FAILURE_LIFETIME));
        assert!(ending.take_failure().is_some());
        assert!(ending.is_over(now));
    }
}
