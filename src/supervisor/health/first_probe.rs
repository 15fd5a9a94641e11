//! Nodes that somebody else runs. Nobody waits until they answer; but each is asked once before the balancer is started, so that it
//! begins with those that do, and gives no client to the others.

use std::time::{Duration, Instant};

use crate::supervisor::core::Core;
use crate::supervisor::rollout::Verb;

/// Who has neither answered nor refused to within this time is met later.
const PROBE_TIMEOUT: Duration = Duration::from_secs(1);

impl Core {
    /// Whether a start has yet to hear from a node that somebody else runs.
    pub(in crate::supervisor) fn gets_acquainted(&self, now: Instant) -> bool {
        self.rollout.verb == Verb::Start
            && now < self.began + PROBE_TIMEOUT
            && (0..self.vitals.len()).any(|index| self.is_stranger(index))
    }

    // Private

    fn is_stranger(&self, index: usize) -> bool {
        self.own_child(index).is_none() && self.vitals[index].is_unmet()
    }
}
