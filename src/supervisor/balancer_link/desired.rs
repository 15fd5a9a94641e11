//! The desired state of each node: derived in every turn, published, and accepted by the instances.

use std::time::Instant;

use super::config_sync;
use super::runtime_sync::{self, DesiredState, DesiredStates, NodeHealth, SyncTarget};
use crate::balancer::{Away, ReloadBy};
use crate::supervisor::core::Core;
use crate::supervisor::process::child::State;
use crate::supervisor::rollout::ChildId;

impl Core {
    /// Logs what has changed, and sends the balancer the desired state of each node.
    pub(in crate::supervisor) fn update_desired_states(&mut self, now: Instant) {
        for index in self.health.indices() {
            self.update_node_state(index, now);
        }
        self.release_held_nodes(now);
        let desired = self.desired_states();
        self.update_settling(&desired, now);
        self.link.publish(desired);
    }

    /// The balancer instance serves: from now on it receives desired states.
    pub(in crate::supervisor) fn begin_sync(&mut self, id: ChildId, now: Instant) {
        self.update_desired_states(now);
        self.link.disconnect(id);
        self.link.set_answering(id, now);
        let ChildId::Balancer(instance) = id else { return };
        let Some(process) = self.children.process(id) else {
            return;
        };
        let target = SyncTarget {
            id,
            spec: self.spec.clone(),
            desired: self.link.subscribe(),
            events: self.events.clone(),
        };
        let task = match (self.spec.socket(instance), self.spec.balancer.reload()) {
            (Some(socket), _) => tokio::spawn(runtime_sync::sync(socket, target)),
            (None, ReloadBy::Workers(signal)) => tokio::spawn(config_sync::sync(process, signal, target)),
            (None, _) => return,
        };
        self.link.connect(id, task.abort_handle());
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

    /// Whether every connected balancer instance has accepted a state of the node that `is_enough`.
    /// Of several instances, one that does not answer is skipped: it receives nothing, and gets no
    /// clients.
    pub(in crate::supervisor) fn all_accepted(
        &self,
        node: &str,
        is_enough: impl Fn(&DesiredState) -> bool,
    ) -> bool {
        let mut instances = self.link.connected().filter(|id| !self.is_left_out(*id));
        instances.all(|id| {
            let accepted = self.link.accepted(id).and_then(|accepted| accepted.get(node));
            accepted.is_some_and(&is_enough)
        })
    }

    /// Whether the instance is one of several and does not answer: it receives nothing, and gets no
    /// clients.
    pub(in crate::supervisor) fn is_left_out(&self, id: ChildId) -> bool {
        self.shards.is_shared() && self.link.is_silent(id)
    }

    /// Whether the balancer has no runtime API through which it could close connections.
    pub(in crate::supervisor) fn reads_files(&self) -> bool {
        matches!(self.spec.balancer.reload(), ReloadBy::Workers(_))
    }

    /// The nodes that get no new clients, for a balancer that reads them from its files.
    pub(in crate::supervisor) fn away(&self) -> Away {
        runtime_sync::away(&self.desired_states())
    }

    // Private

    /// The desired state of each node at the balancer.
    fn desired_states(&self) -> DesiredStates {
        let nodes = self.spec.cluster.nodes.iter().enumerate();
        nodes
            .map(|(index, node)| (node.name.clone(), self.desired_state(index)))
            .collect()
    }

    /// The desired state of the node at the balancer.
    fn desired_state(&self, index: usize) -> DesiredState {
        let name = &self.spec.cluster.nodes[index].name;
        let drained = self.drains.has(name);
        let was_down = || self.health.was_down(name);
        let health = match self.node_state(index) {
            _ if !self.is_state_known(index) && was_down() => NodeHealth::InheritedDown,
            _ if !self.is_state_known(index) => NodeHealth::Unknown,
            state if !state.answers() => NodeHealth::Down,
            // A drain already keeps clients from the node, and the balancer shows it as drained,
            // not down.
            _ if self.health.hold_down(index).is_held() && !drained => NodeHealth::HeldDown,
            _ => NodeHealth::Up,
        };
        DesiredState {
            health,
            drained,
            orders: self.drains.orders(name),
        }
    }

    /// Whether the node's state is known. A node that served before this supervisor started counts
    /// as up until a probe shows otherwise. An external node does not, unless it has answered.
    fn is_state_known(&self, index: usize) -> bool {
        match self.own_child(index) {
            Some(child) => {
                !matches!(child.state, State::Starting { .. })
                    || !self.children.is_adopted(ChildId::Node(index))
            }
            None => !self.children.any_adopted() || !self.health.probes(index).is_unknown(),
        }
    }
}
