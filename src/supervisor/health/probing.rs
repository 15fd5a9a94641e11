//! The state of each node, by its probes, and where it goes: to the balancer and to the log.

use std::time::Instant;

use super::liveness::ANSWER_TIMEOUT;
use crate::api::NodeState;
use crate::balancer::{Away, ReloadBy};
use crate::platform::Identity;
use crate::supervisor::balancer_link::config_sync;
use crate::supervisor::balancer_link::runtime_sync::{
    self, DesiredState, DesiredStates, NodeHealth, SyncTarget,
};
use crate::supervisor::core::Core;
use crate::supervisor::event::CoreEvent;
use crate::supervisor::process::child::{Child, Event, State};
use crate::supervisor::rollout::ChildId;
use crate::supervisor::snapshot::node_state;

impl Core {
    /// Probes every running node, and judges the results so far.
    pub(in crate::supervisor) fn probe(&mut self, now: Instant) {
        let late = self.health.begin_probing(now);
        for index in self.health.indices() {
            if !self.own_child(index).is_none_or(Child::is_up) {
                continue;
            }
            for probe in self.health.probe(index, now, late) {
                self.events.spawn(async move {
                    CoreEvent::Probed {
                        node: index,
                        target: probe.target,
                        asked: now,
                        result: probe.ask().await,
                    }
                });
            }
            if self.health.silent_for(index, now) >= self.spec.cluster.restart.hung_after.duration() {
                self.apply(ChildId::Node(index), Event::Hung, now);
            }
        }
        self.probe_balancers(now, late);
        self.children.measure(now);
    }

    /// The state of the node with this index.
    pub(in crate::supervisor) fn node_state(&self, index: usize) -> NodeState {
        let child = self.own_child(index);
        let is_drained = self.drains.has(&self.spec.cluster.nodes[index].name);
        node_state(child, self.health.probes(index), is_drained)
    }

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

    /// The nodes that get no new clients, for a balancer that reads them from its files.
    pub(in crate::supervisor) fn away(&self) -> Away {
        runtime_sync::away(&self.desired_states())
    }

    // Private

    /// Probes the balancer instances, and kills one that has not answered for too long.
    fn probe_balancers(&mut self, now: Instant, late: bool) {
        let up = self.children.balancers().filter(|(_, child)| child.is_up());
        let up: Vec<(usize, Identity)> = up
            .filter_map(|(instance, child)| Some((instance, child.process()?)))
            .collect();
        for (instance, process) in up {
            let id = ChildId::Balancer(instance);
            let name = self.spec.title(id);
            match self.link.probe(id, now, late) {
                (None, Some(_)) => tracing::error!(child = name, "the balancer runs but does not answer"),
                (Some(_), None) => tracing::info!(child = name, "the balancer answers again"),
                (_, Some(since)) if now >= since + self.spec.cluster.restart.hung_after.duration() => {
                    self.apply(id, Event::Hung, now);
                }
                _ => {}
            }
            let readiness = self.spec.readiness(instance);
            self.events.spawn(async move {
                let asked = tokio::time::timeout(ANSWER_TIMEOUT, readiness.lacks(process)).await;
                // A process without its socket is not hung for that reason: the inspection shows
                // what it does with clients.
                let answered = match asked {
                    Ok(None) => true,
                    Ok(Some(_)) => readiness.is_unreachable().await.is_some(),
                    Err(_) => false,
                };
                CoreEvent::Balancer { id, answered }
            });
        }
    }

    /// The desired state of each node at the balancer.
    fn desired_states(&self) -> DesiredStates {
        let nodes = self.spec.cluster.nodes.iter().enumerate();
        nodes
            .map(|(index, node)| (node.name.clone(), self.state(index)))
            .collect()
    }

    /// The desired state of the node at the balancer.
    fn state(&self, index: usize) -> DesiredState {
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
