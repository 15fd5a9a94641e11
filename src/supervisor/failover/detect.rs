//! Node failures: detects them, closes the node's connections, informs the balancer, and lets the
//! node get clients again.

use std::time::{Instant, SystemTime};

use super::timeline::Failover;
use crate::api::{FailoverCause, NodeState};
use crate::observe::NodeFailure;
use crate::profile::NodeId;
use crate::supervisor::balancer_link::runtime_sync;
use crate::supervisor::core::Core;
use crate::supervisor::health::hold_down::Event;
use crate::supervisor::health::node_probes::NodeProbes;
use crate::supervisor::process::child::State;
use crate::supervisor::waves::ChildId;

impl Core {
    /// Notices that the node went away, or came back.
    pub(in crate::supervisor) fn update_node_state(&mut self, node: NodeId, now: Instant) {
        let state = self.node_state(node);
        let was = self.health.set_state(node, state);
        if state == was {
            return;
        }
        let name = self.spec.node_name(node).to_owned();
        tracing::info!(node = name, state = state.name(), was = was.name());
        if was.answers()
            && let Some(cause) = self.cause(node, state)
        {
            let last_sign = match cause {
                FailoverCause::Hung => self.health.probes(node).map_or(now, NodeProbes::last_answer),
                FailoverCause::Died => now,
            };
            let why = self.own_child(node).and_then(|child| child.reason.clone());
            let failover = Failover::new(cause, last_sign, now, SystemTime::now()).because(why);
            self.failovers.begin(&name, failover);
            self.apply_hold_down(node, Event::Failed, now);
        }
        if state.answers() {
            self.failovers.back(&name, now);
            self.apply_hold_down(node, Event::Answers, now);
        }
    }

    /// Notices that every connected balancer instance has closed the sessions of a node that
    /// failed.
    pub(in crate::supervisor) fn note_closed_sessions(&mut self, now: Instant) {
        let running = self.failovers.all_running().map(|(node, _)| node.clone());
        for node in running.collect::<Vec<_>>() {
            if self.link.knows_of_failure(&node)
                && self.all_accepted(&node, |state| state.health.is_down())
                && let Some(failover) = self.failovers.running(&node)
                && failover.cut(now)
            {
                let cause = failover.cause();
                runtime_sync::request_until_served(node.clone(), &self.spec, &self.events);
                // The connections of a process that has died have ended with it.
                if cause == FailoverCause::Hung {
                    self.close_connections(&node);
                }
                if let Ok(id) = self.node_id(&node) {
                    self.apply_hold_down(id, Event::Cut, now);
                }
            }
        }
    }

    /// A request through the balancer was answered after the node had been cut off.
    pub(in crate::supervisor) fn served_elsewhere(&mut self, node: &str, now: Instant) {
        let limit = self.spec.cluster.targets.failover;
        self.failovers.served_elsewhere(node, limit, now);
    }

    /// The node's failure, until it gets clients again.
    pub(in crate::supervisor) fn failure(&self, node: NodeId, now: Instant) -> Option<NodeFailure> {
        let name = self.spec.node_name(node);
        let limit = self.spec.cluster.targets.failover_alert.duration();
        let failover = self.failovers.of(name)?;
        Some(NodeFailure {
            cause: failover.cause(),
            why: failover.why().map(str::to_owned),
            is_overdue: failover.is_overdue(limit, now),
        })
    }

    /// Whether the node is known not to answer, or to recover from that.
    pub(in crate::supervisor) fn is_known_down(&self, node: NodeId) -> bool {
        let name = self.spec.node_name(node);
        !self.health.last_state(node).answers() || self.failovers.of(name).is_some()
    }

    // Private

    /// Why a node that served no longer does; `None` when that was ordered.
    fn cause(&self, node: NodeId, state: NodeState) -> Option<FailoverCause> {
        let child = self.children.state(ChildId::Node(node));
        match (state, child) {
            (NodeState::Down, _) => Some(FailoverCause::Hung),
            (NodeState::Starting | NodeState::Failed, Some(State::Waiting { .. } | State::Failed)) => {
                Some(FailoverCause::Died)
            }
            _ => None,
        }
    }
}
