//! `drain` and `ready`.

pub(super) mod drains;
pub(super) mod state;

use std::time::{Instant, SystemTime};

use super::balancer_link::pending_reply;
use super::balancer_link::runtime_sync;
use super::core::Core;
use super::drain::state::{Drain, Due};
use super::health::hold_down;
use super::process::child::{Child, Event, Then};
use super::rollout::{ChildId, Rollout, Verb};
use crate::api::{ConnectionsBy, DrainOrder, ReadyOrder, Refusal};

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
    pub(in crate::supervisor) fn counted(&mut self, connections: &[ConnectionsBy], now: Instant) {
        for (index, counted) in connections.iter().enumerate() {
            let node = self.spec.cluster.nodes.get(index);
            let Some(name) = node.map(|node| node.name.clone()) else {
                return;
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
                    self.stop_node(index, now);
                }
            }
        }
    }

    /// Whether a drain has stopped the node: only `ready`, or a restart of that node, starts it
    /// again.
    pub(in crate::supervisor) fn is_stopped_by_drain(&self, index: usize) -> bool {
        let name = &self.spec.cluster.nodes[index].name;
        self.drains.has_stopped(name)
    }

    /// Stops the nodes that a drain was stopping when the previous supervisor died.
    pub(in crate::supervisor) fn resume_stopping(&mut self, now: Instant) {
        for index in 0..self.spec.cluster.nodes.len() {
            if self.is_stopped_by_drain(index) && self.children.is_adopted(ChildId::Node(index)) {
                self.stop_node(index, now);
            }
        }
    }

    // Private

    fn stop_node(&mut self, index: usize, now: Instant) {
        let stop_sequence = self
            .spec
            .stop_sequence(ChildId::Node(index), std::time::Duration::ZERO);
        self.apply(
            ChildId::Node(index),
            Event::Stop(stop_sequence, Then::StayStopped),
            now,
        );
    }

    /// Whether a listener has clients that no other node would serve.
    fn is_last(&self, index: usize) -> bool {
        let serves = |node: usize, key: &str| self.takes_clients(node) && !self.is_taken_out_of(node, key);
        let mut keys = self.spec.cluster.listen.ports().map(|(key, _)| key);
        keys.any(|key| {
            let mut others = self.health.indices().filter(|other| *other != index);
            !self.is_taken_out_of(index, key) && !others.any(|other| serves(other, key))
        })
    }

    fn begin_drain(&mut self, order: &DrainOrder) -> Result<(), Refusal> {
        self.refuse_while_ending()?;
        let index = self.index(&order.node)?;
        if order.stop {
            self.own_node(&order.node)?;
        }
        // A repeated order, perhaps to a supervisor that does not know the other nodes' states yet,
        // takes no further node away.
        let is_new = !self.drains.has(&order.node);
        if !order.force && is_new && self.is_last(index) {
            return Err(Refusal {
                error: format!("`{}` is the last node that serves", order.node),
                hint: Some("`--force` drains it nevertheless; new clients are refused then".to_owned()),
            });
        }
        tracing::info!(node = order.node, close = order.close, stop = order.stop, "drain");
        let now = SystemTime::now();
        let drain = if self.is_still_stopped_by_drain(index) {
            Drain::of_stopped(order, now)
        } else {
            Drain::new(order, now)
        };
        self.drains.begin(&order.node, drain);
        self.write_orders();
        if drain.counts() {
            self.count();
        }
        Ok(())
    }

    /// Undoes the drain. Returns what was undone beside the settings of others at the balancer.
    fn end_drain(&mut self, order: &ReadyOrder, now: Instant) -> Result<Vec<String>, Refusal> {
        self.refuse_while_busy()?;
        let index = self.index(&order.node)?;
        let id = ChildId::Node(index);
        tracing::info!(node = order.node, "ready");
        let drain = self.drains.end(&order.node);
        if drain.is_some_and(|drain| drain.has_stopped()) {
            let deadline = now + self.spec.launch.timeout.duration();
            self.rollout = Rollout::new(Verb::Join, vec![vec![id]], deadline);
        }
        let mut undone = Vec::new();
        if self.health.hold_down(index).is_held() {
            self.apply_hold_down(index, hold_down::Event::Ordered, now);
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
    fn is_still_stopped_by_drain(&self, index: usize) -> bool {
        let child = self.children.get(ChildId::Node(index));
        self.is_stopped_by_drain(index) && child.is_some_and(Child::is_stopping_or_stopped)
    }
}
