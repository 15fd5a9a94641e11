//! Node failures: detects them, closes the node's connections, informs the balancer, and lets the
//! node get clients again.

use std::time::{Duration, Instant, SystemTime};

use super::timeline::Failover;
use crate::api::{FailoverCause, NodeState};
use crate::balancer::ReloadBy;
use crate::observe::Failure;
use crate::platform::sock_diag::destroy_to;
use crate::supervisor::balancer_link::runtime_sync::{self, DesiredState};
use crate::supervisor::core::Core;
use crate::supervisor::event::CoreEvent;
use crate::supervisor::health::hold_down::{Event, HoldDown};
use crate::supervisor::process::child::{self, State};
use crate::supervisor::process::stop_sequence::StopSequence;
use crate::supervisor::rollout::ChildId;

/// How long a restart waits for the balancer to learn of a death.
const INFORM_TIMEOUT: Duration = Duration::from_secs(5);

impl Core {
    /// Notices that the node went away, or came back.
    pub(in crate::supervisor) fn update_node_state(&mut self, index: usize, now: Instant) {
        let state = self.node_state(index);
        let was = self.health.set_state(index, state);
        if state == was {
            return;
        }
        let name = self.spec.cluster.nodes[index].name.clone();
        tracing::info!(node = name, state = state.name(), was = was.name());
        if was.answers()
            && let Some(cause) = self.cause(index, state)
        {
            let last_sign = match cause {
                FailoverCause::Hung => self.health.probes(index).last_answer(),
                FailoverCause::Died => now,
            };
            let why = self.own_child(index).and_then(|child| child.reason.clone());
            let failover = Failover::new(cause, last_sign, now, SystemTime::now()).because(why);
            self.failovers.begin(&name, failover);
            self.apply_hold_down(index, Event::Failed, now);
        }
        if state.answers() {
            self.failovers.back(&name, now);
            self.apply_hold_down(index, Event::Answers, now);
        }
    }

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

    /// A balancer instance has accepted the desired state of the node.
    pub(in crate::supervisor) fn state_accepted(
        &mut self,
        id: ChildId,
        node: &str,
        state: DesiredState,
        undone: Vec<String>,
        now: Instant,
    ) {
        if !self.link.accept(id, node, state) {
            return;
        }
        self.note_undone(node, undone);
        self.note_closed_sessions(now);
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
                if let Ok(index) = self.index(&node) {
                    self.apply_hold_down(index, Event::Cut, now);
                }
            }
        }
    }

    /// The kernel did not close the balancer's connections to the node: they end with the node's
    /// process.
    pub(in crate::supervisor) fn connections_not_closed(&mut self, node: &str, now: Instant) {
        let Ok(index) = self.index(node) else { return };
        if !self.reads_files() {
            return;
        }
        tracing::warn!(node, "killed, because nothing else ends its connections");
        let event = if self.health.last_state(index).answers() {
            // The node was only drained; it is not held back like a node that has failed.
            child::Event::Stop(StopSequence::kill(), child::Then::Start)
        } else {
            child::Event::Hung
        };
        self.apply(ChildId::Node(index), event, now);
    }

    /// A request through the balancer was answered after the node had been cut off.
    pub(in crate::supervisor) fn served_elsewhere(&mut self, node: &str, now: Instant) {
        let limit = self.spec.cluster.targets.failover;
        self.failovers.served_elsewhere(node, limit, now);
    }

    /// Replaced balancer instances, and those without a runtime API, cannot receive orders: the
    /// kernel closes their connections to the node.
    pub(in crate::supervisor) fn close_connections(&self, node: &str) {
        let Some(node) = self.spec.cluster.node(node).cloned() else {
            return;
        };
        if !self.children.has_retired() && !self.reads_files() {
            return;
        }
        let events = self.events.clone();
        tokio::task::spawn_blocking(move || {
            for address in std::iter::once(node.tcp).chain(node.http) {
                if let Err(error) = destroy_to(address) {
                    let name = &node.name;
                    tracing::warn!(node = name, %address, "connections were not ended: {error}");
                    events.blocking_send(CoreEvent::ConnectionsNotClosed { node: node.name });
                    return;
                }
            }
        });
    }

    /// Whether a dead child must not be started again yet. The processes that it has left must end
    /// first. A balancer that reads files takes a moment to learn that the node is away, and would
    /// meanwhile send the clients back to it that it has just lost.
    pub(in crate::supervisor) fn must_wait(&self, id: ChildId, now: Instant) -> bool {
        if self.is_blocked(id) {
            return true;
        }
        let ChildId::Node(index) = id else { return false };
        let name = &self.spec.cluster.nodes[index].name;
        let waits = matches!(self.children.state(id), Some(State::Waiting { .. }));
        waits
            && self.reads_files()
            && self.link.any_connected()
            && self
                .failovers
                .of(name)
                .is_some_and(|failover| failover.is_unsent(INFORM_TIMEOUT, now))
    }

    /// Whether the balancer has no runtime API through which it could close connections.
    pub(in crate::supervisor) fn reads_files(&self) -> bool {
        matches!(self.spec.balancer.reload(), ReloadBy::Workers(_))
    }

    /// The node's failure, until it gets clients again.
    pub(in crate::supervisor) fn failure(&self, index: usize, now: Instant) -> Option<Failure> {
        let name = &self.spec.cluster.nodes[index].name;
        let limit = self.spec.cluster.targets.failover_alert.duration();
        let failover = self.failovers.of(name)?;
        Some(Failure {
            cause: failover.cause(),
            why: failover.why().map(str::to_owned),
            is_overdue: failover.is_overdue(limit, now),
        })
    }

    /// Whether the node is known not to answer, or to recover from that.
    pub(in crate::supervisor) fn is_known_down(&self, index: usize) -> bool {
        let name = &self.spec.cluster.nodes[index].name;
        !self.health.last_state(index).answers() || self.failovers.of(name).is_some()
    }

    // Private

    /// Why a node that served no longer does; `None` when that was ordered.
    fn cause(&self, index: usize, state: NodeState) -> Option<FailoverCause> {
        let child = self.children.state(ChildId::Node(index));
        match (state, child) {
            (NodeState::Down, _) => Some(FailoverCause::Hung),
            (NodeState::Starting | NodeState::Failed, Some(State::Waiting { .. } | State::Failed)) => {
                Some(FailoverCause::Died)
            }
            _ => None,
        }
    }
}
