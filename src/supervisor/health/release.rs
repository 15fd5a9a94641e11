//! Holds nodes that have failed back from clients, and releases them.

use std::time::{Duration, Instant};

use super::hold_down::{Event, HoldDown};
use crate::api::NodeState;
use crate::supervisor::core::Core;

impl Core {
    /// How much longer the node with this index gets no clients, if it gets none: a balancer that
    /// does not know yet that the node may have clients sends it none, either.
    pub(in crate::supervisor) fn held_for(&self, index: usize, now: Instant) -> Option<Duration> {
        let is_not_accepted = || self.link.knows_of_failure(&self.spec.cluster.nodes[index].name);
        let held = self.health.hold_down(index).held_for(now);
        held.or_else(|| is_not_accepted().then_some(Duration::ZERO))
    }

    /// Whether the node answers, and neither an order nor a recent failure keeps new clients from
    /// it.
    pub(in crate::supervisor) fn takes_clients(&self, index: usize) -> bool {
        self.node_state(index) == NodeState::Up && !self.health.hold_down(index).is_held()
    }

    /// Lets nodes that are held back get clients when their time has come, or when no other node
    /// takes any.
    pub(in crate::supervisor) fn release_held_nodes(&mut self, now: Instant) {
        for index in self.health.indices() {
            self.apply_hold_down(index, Event::Time, now);
        }
        for index in self.health.needed(|index| self.is_taken_out(index)) {
            self.apply_hold_down(index, Event::Needed, now);
        }
    }

    /// Applies `event` to a node that has failed; changes nothing for other nodes.
    pub(in crate::supervisor) fn apply_hold_down(&mut self, index: usize, event: Event, now: Instant) {
        let (was, is) = self.health.apply_hold_down(index, event, self.spec.hold(), now);
        let name = &self.spec.cluster.nodes[index].name;
        if let Some(left) = is.held_for(now).filter(|_| !was.is_held()) {
            let milliseconds = left.as_millis();
            tracing::info!(
                node = name,
                milliseconds,
                "held back: its former clients find another node first"
            );
        }
        if was.is_held() && is == HoldDown::Free {
            tracing::info!(node = name, "gets clients again");
        }
        if is == HoldDown::Free
            && self.health.last_state(index).answers()
            && let Some(failover) = self.failovers.running(name)
        {
            failover.end();
        }
    }
}
