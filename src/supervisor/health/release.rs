//! Holds nodes that have failed back from clients, and releases them.

use std::time::{Duration, Instant};

use super::hold_down::{Event, HoldDown};
use crate::api::NodeState;
use crate::profile::NodeId;
use crate::supervisor::core::Core;

impl Core {
    /// How much longer the node gets no clients, if it gets none: a balancer that
    /// does not know yet that the node may have clients sends it none, either.
    pub(in crate::supervisor) fn held_for(&self, node: NodeId, now: Instant) -> Option<Duration> {
        let is_not_accepted = || self.link.knows_of_failure(self.spec.node_name(node));
        let held = self.health.hold_down(node).held_for(now);
        held.or_else(|| is_not_accepted().then_some(Duration::ZERO))
    }

    /// Whether the node answers, and neither an order nor a recent failure keeps new clients from
    /// it.
    pub(in crate::supervisor) fn takes_clients(&self, node: NodeId) -> bool {
        self.node_state(node) == NodeState::Up && !self.health.hold_down(node).is_held()
    }

    /// Lets nodes that are held back get clients when their time has come, or when no other node
    /// takes any.
    pub(in crate::supervisor) fn release_held_nodes(&mut self, now: Instant) {
        for node in self.health.ids() {
            self.apply_hold_down(node, Event::Time, now);
        }
        for node in self.health.needed(|node| self.is_taken_out(node)) {
            self.apply_hold_down(node, Event::Needed, now);
        }
    }

    /// Applies `event` to a node that has failed; changes nothing for other nodes.
    pub(in crate::supervisor) fn apply_hold_down(&mut self, node: NodeId, event: Event, now: Instant) {
        let (was, is) = self.health.apply_hold_down(node, event, self.spec.hold(), now);
        let name = self.spec.node_name(node);
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
            && self.health.last_state(node).answers()
            && let Some(failover) = self.failovers.running(name)
        {
            failover.end();
        }
    }
}
