//! The state of each node, by its probes, and where it goes: to the balancer and to the log.

use std::time::Instant;

use super::liveness::ANSWER_TIMEOUT;
use crate::api::NodeState;
use crate::platform::Identity;
use crate::profile::NodeId;
use crate::supervisor::core::Core;
use crate::supervisor::event::CoreEvent;
use crate::supervisor::process::child::{Child, Event};
use crate::supervisor::snapshot::node_state;
use crate::supervisor::waves::ChildId;

impl Core {
    /// Probes every running node, and judges the results so far.
    pub(in crate::supervisor) fn probe(&mut self, now: Instant) {
        let late = self.health.begin_probing(now);
        for node in self.health.ids() {
            if !self.own_child(node).is_none_or(Child::is_up) {
                continue;
            }
            for probe in self.health.probe(node, now, late) {
                self.events.spawn(async move {
                    CoreEvent::Probed {
                        node,
                        target: probe.target,
                        asked: now,
                        result: probe.ask().await,
                    }
                });
            }
            if self.health.silent_for(node, now) >= self.spec.cluster.restart.hung_after.duration() {
                self.apply(ChildId::Node(node), Event::Hung, now);
            }
        }
        self.ask_revisions(now);
        self.probe_balancers(now, late);
        self.children.measure(now);
    }

    /// The state of the node.
    pub(in crate::supervisor) fn node_state(&self, node: NodeId) -> NodeState {
        let child = self.own_child(node);
        let is_drained = self.drains.has(self.spec.node_name(node));
        let probes = self.health.probes(node);
        probes.map_or(NodeState::Stopped, |probes| node_state(child, probes, is_drained))
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
}
