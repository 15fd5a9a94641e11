//! `drain` and `ready`.

pub(super) mod drains;
pub(super) mod state;

use std::time::{Duration, Instant, SystemTime};

use super::balancer_link::pending_reply;
use super::balancer_link::runtime_sync;
use super::connection_count::Connections;
use super::core::Core;
use super::drain::state::{Drain, Due};
use super::health::hold_down;
use super::process::child::{Child, Event, Then};
use super::waves::{ChildId, Verb, Waves};
use crate::api::{DrainOrder, ReadyOrder, Refusal};
use crate::profile::NodeId;

impl Core {
    /// Keeps new connections and sessions from a node. A second order replaces the first.
    pub(in crate::supervisor) fn drain(
        &mut self,
        order: &DrainOrder,
        reply: pending_reply::Reply,
        now: Instant,
    ) {
        let begun = self.begin_drain(order).map(|()| Vec::new());
        self.reply_when_in_force(&order.node, begun, reply, now);
    }

    /// Ends a drain; starts the node if the drain had stopped it.
    pub(in crate::supervisor) fn ready(
        &mut self,
        order: &ReadyOrder,
        reply: pending_reply::Reply,
        now: Instant,
    ) {
        let ended = self.end_drain(order, now);
        self.reply_when_in_force(&order.node, ended, reply, now);
    }

    /// Does what is due on drained nodes with this number of `connections`.
    pub(in crate::supervisor) fn counted(&mut self, connections: &Connections, now: Instant) {
        for (id, counted) in connections {
            let Some(name) = self.spec.cluster.by_id(*id).map(|node| node.name.clone()) else {
                continue;
            };
            let open = counted.tcp + counted.http;
            match self.drains.due(&name, open, SystemTime::now()) {
                None => {}
                Some(Due::Close) => {
                    tracing::info!(
                        node = name,
                        connections = open,
                        "closing the remaining connections"
                    );
                    self.close_connections(&name);
                    runtime_sync::cut(name, &self.spec);
                }
                Some(Due::Stop) => {
                    tracing::info!(node = name, "empty; stopping it");
                    self.stop_node(*id, now);
                }
            }
        }
    }

    /// Whether a drain has stopped the node: only `ready`, or a restart of that node, starts it
    /// again.
    pub(in crate::supervisor) fn is_stopped_by_drain(&self, node: NodeId) -> bool {
        let name = self.spec.node_name(node);
        self.drains.has_stopped(name)
    }

    /// Stops the nodes that a drain was stopping when the previous supervisor died.
    pub(in crate::supervisor) fn resume_stopping(&mut self, now: Instant) {
        for node in self.health.ids() {
            if self.is_stopped_by_drain(node) && self.children.is_adopted(ChildId::Node(node)) {
                self.stop_node(node, now);
            }
        }
    }

    // Private

    fn stop_node(&mut self, node: NodeId, now: Instant) {
        let id = ChildId::Node(node);
        let stop_sequence = self.spec.stop_sequence(id, Duration::ZERO, Duration::ZERO);
        self.apply(id, Event::Stop(stop_sequence, Then::StayStopped), now);
    }

    /// Whether a listener has clients that no other node would serve.
    fn is_last(&self, node: NodeId) -> bool {
        let serves =
            |other: NodeId, key: &str| self.takes_clients(other) && !self.is_taken_out_of(other, key);
        let mut keys = self.spec.cluster.listen.ports().map(|(key, _)| key);
        keys.any(|key| {
            let mut others = self.health.ids().into_iter().filter(|other| *other != node);
            !self.is_taken_out_of(node, key) && !others.any(|other| serves(other, key))
        })
    }

    fn begin_drain(&mut self, order: &DrainOrder) -> Result<(), Refusal> {
        self.refuse_while_ending()?;
        let node = self.node_id(&order.node)?;
        if order.stop {
            self.own_node(&order.node)?;
        }
        // A repeated order, perhaps to a supervisor that does not know the other nodes' states yet,
        // takes no further node away.
        let is_new = !self.drains.has(&order.node);
        if !order.force && is_new && self.is_last(node) {
            return Err(Refusal {
                error: format!("`{}` is the last node that serves", order.node),
                hint: Some("`--force` drains it nevertheless; new clients are refused then".to_owned()),
            });
        }
        tracing::info!(node = order.node, close = order.close, stop = order.stop, "drain");
        let now = SystemTime::now();
        let drain = if self.is_still_stopped_by_drain(node) {
            Drain::of_stopped(order, now)
        } else {
            Drain::new(order, now)
        };
        self.drains.begin(&order.node, drain);
        // A rollout that has drained it does not end the operator's drain.
        self.rollouts.remove_drain(node);
        self.write_orders();
        if drain.counts() {
            self.count();
        }
        Ok(())
    }

    /// Undoes the drain. Returns what was undone beside the settings of others at the balancer.
    fn end_drain(&mut self, order: &ReadyOrder, now: Instant) -> Result<Vec<String>, Refusal> {
        self.refuse_while_busy()?;
        let node = self.node_id(&order.node)?;
        if let Some(running) = self.rollouts.running()
            && self.rollouts.drains(node)
        {
            return Err(running.refusal());
        }
        let id = ChildId::Node(node);
        tracing::info!(node = order.node, "ready");
        let drain = self.drains.end(&order.node);
        self.rollouts.remove_drain(node);
        if drain.is_some_and(|drain| drain.has_stopped()) {
            let deadline = now + self.spec.launch.timeout.duration();
            self.waves = Waves::new(Verb::Join, vec![vec![id]], deadline);
        }
        let mut undone = Vec::new();
        if self.health.hold_down(node).is_held() {
            self.apply_hold_down(node, hold_down::Event::Ordered, now);
            undone.push("held back after its failure".to_owned());
        }
        if self.reads_files() {
            // The files are written again now.
            undone.extend(
                self.overrides
                    .edited_files()
                    .map(|file| format!("an edit of {file}")),
            );
        }
        self.write_orders();
        Ok(undone)
    }

    /// Whether a drain has stopped the node, and it was not started since.
    fn is_still_stopped_by_drain(&self, node: NodeId) -> bool {
        let child = self.children.get(ChildId::Node(node));
        self.is_stopped_by_drain(node) && child.is_some_and(Child::is_stopping_or_stopped)
    }
}
