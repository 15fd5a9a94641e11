//! External nodes. The start does not wait until they answer, but probes each once before the
//! balancer is started: the balancer then starts with the nodes that answer, and sends no client to
//! the others.

use std::time::{Duration, Instant};

use crate::supervisor::core::Core;
use crate::supervisor::rollout::Verb;

/// Time for a node to answer or refuse the first probe; later answers count when they come.
const PROBE_TIMEOUT: Duration = Duration::from_secs(1);

impl Core {
    /// Whether a start still waits for the first probe of an external node.
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
