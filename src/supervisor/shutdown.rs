//! The end of a cluster: the balancer first, so that no client meets a dead node, then the nodes.
//!
//! ```text
//!  Balancers ── all stopped ──▶ Nodes ── all stopped ──▶ LeftBehind ── nothing left ──▶ Gone ── the failure was asked for ──▶ over
//! ```

use std::time::{Duration, Instant};

use crate::api::Progress;

/// How long a failure waits for somebody to hear of it.
const LINGER: Duration = Duration::from_secs(5);

/// The end of a cluster, on its way.
#[derive(Clone, Debug)]
pub(super) struct Ending {
    pub(super) phase: Phase,
    /// What connections get to end by themselves.
    pub(super) grace: Duration,
    /// What is told to whoever started this cluster in vain.
    pub(super) failure: Option<Progress>,
    heard: bool,
}

/// How far it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// Nothing was told to end yet.
    Begun,
    /// The balancer is ending.
    Balancers,
    /// The nodes are ending.
    Nodes,
    /// What they have left, such as an `epmd`, is ending.
    LeftBehind,
    /// Nothing runs any more.
    Gone { since: Instant },
}

impl Ending {
    /// By an order.
    pub(super) fn ordered(grace: Duration) -> Ending {
        Ending {
            phase: Phase::Begun,
            grace,
            failure: None,
            heard: false,
        }
    }

    /// Because a start failed.
    pub(super) fn failed(failure: Progress) -> Ending {
        Ending {
            phase: Phase::Begun,
            grace: Duration::ZERO,
            failure: Some(failure),
            heard: false,
        }
    }

    /// The failure, to be told once nothing runs any more.
    pub(super) fn tell_failure(&mut self) -> Option<Progress> {
        let Phase::Gone { .. } = self.phase else {
            return None;
        };
        self.heard = true;
        self.failure.clone()
    }

    /// Whether the supervisor may leave.
    pub(super) fn is_over(&self, now: Instant) -> bool {
        match self.phase {
            Phase::Gone { since } => self.failure.is_none() || self.heard || now >= since + LINGER,
            Phase::Begun | Phase::Balancers | Phase::Nodes | Phase::LeftBehind => false,
        }
    }

    /// When time matters to it next.
    pub(super) fn wakes_at(&self) -> Option<Instant> {
        match self.phase {
            Phase::Gone { since } => Some(since + LINGER),
            Phase::Begun | Phase::Balancers | Phase::Nodes | Phase::LeftBehind => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::Rollout;

    #[test]
    fn a_failure_is_told_once_nothing_runs_and_then_it_is_over() {
        let now = Instant::now();
        let mut ending = Ending::failed(Progress {
            rollout: Rollout::Running,
            steps: Vec::new(),
        });
        assert_eq!(ending.tell_failure(), None);
        ending.phase = Phase::Gone { since: now };
        assert!(!ending.is_over(now));
        assert!(ending.is_over(now + LINGER));
        assert!(ending.tell_failure().is_some());
        assert!(ending.is_over(now));
    }
}
