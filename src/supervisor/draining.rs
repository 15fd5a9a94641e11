//! `drain` and `ready`.

use std::time::{Instant, SystemTime};

use super::census::census;
use super::child::{Child, Event, Then};
use super::core::Core;
use super::drain::{Drain, Due};
use super::news::{News, Reply};
use super::rollout::{Rollout, Verb, Who};
use super::voice;
use super::writing::write_orders;
use crate::api::{ConnectionsBy, DrainOrder, NodeState, ReadyOrder, Refusal};

impl Core {
    /// Lets no new connection or session reach a node. A second order replaces the first.
    pub(super) fn drain(&mut self, order: &DrainOrder, reply: Reply, now: Instant) {
        let begun = self.begin_drain(order);
        self.promise(&order.node, begun, reply, now);
    }

    /// Undoes a drain; starts the node if that had stopped it.
    pub(super) fn ready(&mut self, order: &ReadyOrder, reply: Reply, now: Instant) {
        let ended = self.end_drain(order, now);
        self.promise(&order.node, ended, reply, now);
    }

    /// Counts connections where an order waits for them.
    pub(super) fn count(&self) {
        if self.drains.values().any(Drain::counts) {
            let (setting, news) = (self.setting.clone(), self.news.clone());
            tokio::spawn(async move {
                let counted = News::Counted(census(&setting, true).await);
                let _nobody_listens_after_the_end = news.send(counted).await;
            });
        }
    }

    /// Does what is due on drained nodes that have so many `connections`.
    pub(super) fn counted(&mut self, connections: &[ConnectionsBy], now: Instant) {
        for (index, counted) in connections.iter().enumerate() {
            let node = self.setting.cluster.nodes.get(index);
            let Some(name) = node.map(|node| node.name.clone()) else {
                return;
            };
            let Some(drain) = self.drains.get_mut(&name) else {
                continue;
            };
            match drain.after(counted.tcp + counted.http, SystemTime::now()) {
                None => {}
                Some(Due::Close) => {
                    tracing::info!(
                        node = name,
                        connections = counted.tcp + counted.http,
                        "closing what is left"
                    );
                    self.cut_off(&name);
                    voice::cut(name, &self.setting);
                }
                Some(Due::Stop) => {
                    tracing::info!(node = name, "empty; stopping it");
                    self.put_to_rest(index, now);
                }
            }
        }
    }

    /// Writes what a balancer instance that starts later has to know of nodes that get nothing new.
    pub(super) fn write_orders(&self) {
        if let Err(error) = write_orders(&self.setting, &self.away()) {
            tracing::error!("orders not written: {error}");
        }
    }

    /// Whether a drain has stopped the node: only `ready`, or a restart of that node, starts it again.
    pub(super) fn rests(&self, index: usize) -> bool {
        let name = &self.setting.cluster.nodes[index].name;
        self.drains.get(name).is_some_and(Drain::has_stopped)
    }

    /// Stops those that a drain was stopping when the supervisor before this one died.
    pub(super) fn go_on_stopping(&mut self, now: Instant) {
        for index in 0..self.setting.cluster.nodes.len() {
            if self.rests(index) && self.adopted.contains(&Who::Node(index)) {
                self.put_to_rest(index, now);
            }
        }
    }

    /// The index of the node with this name.
    pub(super) fn index(&self, node: &str) -> Result<usize, Refusal> {
        let index = self
            .setting
            .cluster
            .nodes
            .iter()
            .position(|known| known.name == node);
        index.ok_or_else(|| Refusal {
            error: format!("no node `{node}` in this cluster"),
            hint: None,
        })
    }

    // Private

    fn put_to_rest(&mut self, index: usize, now: Instant) {
        let ladder = self.setting.ladder(Who::Node(index), std::time::Duration::ZERO);
        self.apply(Who::Node(index), Event::Stop(ladder, Then::Rest), now);
    }

    fn begin_drain(&mut self, order: &DrainOrder) -> Result<(), Refusal> {
        self.refuse_while_ending()?;
        let index = self.index(&order.node)?;
        if order.stop {
            self.own_node(&order.node)?;
        }
        let others = (0..self.vitals.len()).filter(|other| *other != index);
        // Who orders it again, perhaps of a supervisor that has not heard of the others yet, takes nothing away.
        let is_new = !self.drains.contains_key(&order.node);
        if !order.force
            && is_new
            && !others
                .into_iter()
                .any(|other| self.node_state(other) == NodeState::Up)
        {
            return Err(Refusal {
                error: format!("`{}` is the last node that serves", order.node),
                hint: Some("`--force` drains it nevertheless; new clients are refused then".to_owned()),
            });
        }
        tracing::info!(node = order.node, close = order.close, stop = order.stop, "drain");
        let now = SystemTime::now();
        let drain = if self.is_stopped_by_drain(index) {
            Drain::of_stopped(order, now)
        } else {
            Drain::new(order, now)
        };
        self.drains.insert(order.node.clone(), drain);
        self.write_orders();
        self.count();
        Ok(())
    }

    fn end_drain(&mut self, order: &ReadyOrder, now: Instant) -> Result<(), Refusal> {
        self.refuse_while_busy()?;
        let who = Who::Node(self.index(&order.node)?);
        tracing::info!(node = order.node, "ready");
        let drain = self.drains.remove(&order.node);
        if drain.is_some_and(|drain| drain.has_stopped()) {
            let deadline = now + self.setting.launch.timeout.duration();
            self.rollout = Rollout::new(Verb::Join, vec![vec![who]], deadline);
        }
        self.write_orders();
        Ok(())
    }

    /// Whether a drain has stopped the node, and nobody has started it since.
    fn is_stopped_by_drain(&self, index: usize) -> bool {
        let child = self.children.get(&Who::Node(index));
        self.rests(index) && child.is_some_and(Child::rests)
    }
}
