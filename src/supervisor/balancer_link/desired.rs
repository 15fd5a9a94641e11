//! The desired state of each node: derived in every turn, published, and accepted by the instances.

use std::collections::BTreeSet;
use std::time::Instant;

use super::config_sync;
use super::runtime_sync::{self, DesiredState, DesiredStates, NodeHealth, SyncTarget};
use crate::balancer::{Away, ReloadBy};
use crate::profile::NodeId;
use crate::supervisor::core::Core;
use crate::supervisor::health::node_probes::NodeProbes;
use crate::supervisor::process::child::State;
use crate::supervisor::shutdown::ClusterShutdown;
use crate::supervisor::spec::Spec;
use crate::supervisor::waves::ChildId;

impl Core {
    /// Logs what has changed, and sends the balancer the desired state of each node.
    pub(in crate::supervisor) fn update_desired_states(&mut self, now: Instant) {
        for node in self.health.ids() {
            self.update_node_state(node, now);
        }
        self.release_held_nodes(now);
        let desired = self.desired_states();
        self.update_settling(&desired, now);
        self.link.publish(desired);
        self.link.announce(self.is_stop_announced());
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
            announced: self.link.subscribe_to_announcement(),
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
        if !self.link.accept(id, node, state, now) {
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
        self.spec.plan.balancer.instances > 1 && self.link.is_silent(id)
    }

    /// Whether the balancer has no runtime API through which it could close connections.
    pub(in crate::supervisor) fn reads_files(&self) -> bool {
        matches!(self.spec.balancer.reload(), ReloadBy::Workers(_))
    }

    /// The nodes that get no new clients, for a balancer that reads them from its files.
    pub(in crate::supervisor) fn away(&self) -> Away {
        let over = self.shutdown.as_ref().map(|ending| ending.over);
        Away {
            over: over.unwrap_or_default(),
            ..runtime_sync::away(&self.desired_states(), self.is_stop_announced())
        }
    }

    /// The same for a balancer that is to serve the nodes of `spec`. Those that are new do not serve
    /// yet.
    pub(in crate::supervisor) fn away_in(&self, spec: &Spec) -> Away {
        let mut away = self.away();
        away.down.extend(self.new_nodes(spec));
        away
    }

    /// The names of the nodes of `spec` that are not in force yet.
    pub(in crate::supervisor) fn new_nodes(&self, spec: &Spec) -> BTreeSet<String> {
        let nodes = spec.cluster.nodes.iter();
        let new = nodes.filter(|node| self.spec.cluster.by_id(node.id).is_none());
        new.map(|node| node.name.clone()).collect()
    }

    // Private

    pub(in crate::supervisor) fn is_stop_announced(&self) -> bool {
        self.shutdown.as_ref().is_some_and(ClusterShutdown::is_announced)
    }

    /// The desired state of each node at the balancer.
    fn desired_states(&self) -> DesiredStates {
        let nodes = self.spec.cluster.nodes.iter();
        nodes
            .map(|node| (node.name.clone(), self.desired_state(node.id)))
            .collect()
    }

    /// The desired state of the node at the balancer.
    fn desired_state(&self, node: NodeId) -> DesiredState {
        let name = self.spec.node_name(node);
        let drained = self.drains.has(name);
        let was_down = || self.health.was_down(node);
        let health = match self.node_state(node) {
            _ if !self.is_state_known(node) && was_down() => NodeHealth::InheritedDown,
            _ if !self.is_state_known(node) => NodeHealth::Unknown,
            state if !state.answers() => NodeHealth::Down,
            // A drain already keeps clients from the node, and the balancer shows it as drained,
            // not down.
            _ if self.health.hold_down(node).is_held() && !drained => NodeHealth::HeldDown,
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
    fn is_state_known(&self, node: NodeId) -> bool {
        match self.own_child(node) {
            Some(child) => {
                !matches!(child.state, State::Starting { .. })
                    || !self.children.is_adopted(ChildId::Node(node))
            }
            None => {
                !self.children.any_adopted() || !self.health.probes(node).is_none_or(NodeProbes::is_unknown)
            }
        }
    }
}
