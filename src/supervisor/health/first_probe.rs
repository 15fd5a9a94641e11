//! External nodes. The start does not wait until they answer, but probes each once before the
//! balancer is started: the balancer then starts with the nodes that answer, and sends no client to
//! the others.

use std::time::{Duration, Instant};

use super::node_probes::NodeProbes;
use crate::profile::NodeId;
use crate::supervisor::core::Core;
use crate::supervisor::waves::Verb;

/// Time for a node to answer or refuse the first probe; later answers count when they come.
const FIRST_PROBE_TIMEOUT: Duration = Duration::from_secs(1);

impl Core {
    /// Whether a start still waits for the first probe of an external node.
    pub(in crate::supervisor) fn awaits_first_probes(&self, now: Instant) -> bool {
        self.waves.verb == Verb::Start
            && now < self.began + FIRST_PROBE_TIMEOUT
            && self
                .health
                .ids()
                .into_iter()
                .any(|node| self.is_external_and_unprobed(node))
    }

    // Private

    fn is_external_and_unprobed(&self, node: NodeId) -> bool {
        self.own_child(node).is_none() && self.health.probes(node).is_some_and(NodeProbes::has_no_result)
    }
}
