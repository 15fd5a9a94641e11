//! How the supervisor carries out orders.

use std::time::Instant;

use tokio::sync::oneshot;

use super::core::Core;
use super::event::Request;
use super::shutdown::ClusterShutdown;
use super::waves::{ChildId, Verb, Waves};
use crate::api::{Refusal, RestartOrder, StartOrder, StopOrder, UpgradeOrder};
use crate::base::units::Period;

impl Core {
    /// Answers a query, or carries out an order.
    pub(super) fn carry_out(&mut self, request: Request, now: Instant) {
        match request {
            Request::Snapshot(reply) => answer(reply, self.snapshot()),
            Request::Progress(reply) => answer(reply, self.progress()),
            Request::Failovers(reply) => answer(reply, self.failovers.to_api()),
            Request::Start(order, reply) => answer(reply, self.start(order, now)),
            Request::Stop(order, reply) => {
                self.stop(order, now);
                answer(reply, Ok(()));
            }
            Request::Restart(order, reply) => answer(reply, self.restart(&order, now)),
            Request::Rollouts(reply) => answer(reply, self.rollouts.to_api()),
            Request::Change(change, reply) => self.begin_change(*change, reply, now),
            Request::Switch(prepared, purpose) => self.begin_switch(*prepared, purpose, now),
            Request::Upgrade(order, reply) => answer(reply, self.upgrade(order)),
            Request::Drain(order, reply) => self.drain(&order, reply, now),
            Request::Ready(order, reply) => self.ready(&order, reply, now),
            Request::RebalanceScope(streams, reply) => answer(reply, self.rebalance_scope(streams)),
            Request::Rebalance(order, pace, reply) => answer(reply, self.rebalance(order, pace, now)),
            Request::Rebalances(reply) => answer(reply, self.rebalances.to_api()),
        }
    }

    // Private

    fn start(&mut self, order: StartOrder, now: Instant) -> Result<(), Refusal> {
        self.refuse_while_busy()?;
        if order.balancer != self.spec.balancer.kind() {
            return Err(Refusal {
                error: format!("{} is running, not {}", self.spec.balancer.kind(), order.balancer),
                hint: Some("`clusterctl stop` first".to_owned()),
            });
        }
        self.begin_start(Verb::Join, order.only, now);
        Ok(())
    }

    /// Begins to stop the cluster. Another order while that is in progress skips what is still
    /// waited for, unless it has an announcement of its own: it comes too late for one.
    fn stop(&mut self, order: StopOrder, now: Instant) {
        let StopOrder {
            grace,
            announce,
            over,
        } = order;
        let before = self.shutdown.as_ref();
        if before.is_some() && !announce.is_zero() {
            tracing::info!("stop again: it is in progress already");
            return;
        }
        let ending = if let Some(before) = before {
            tracing::info!("stop again: at once");
            before.hastened()
        } else {
            tracing::info!(%grace, %announce, %over, "stop");
            let is_served = self.balanced && self.link.any_connected();
            let announce = if is_served { announce } else { Period::default() };
            ClusterShutdown::ordered(grace.duration(), announce.duration(), over.duration(), now)
        };
        self.shutdown = Some(ending);
        // Before the balancer is ordered anything: one that starts meanwhile reads them, and builtin
        // does whenever it needs to know.
        self.write_orders();
    }

    fn restart(&mut self, order: &RestartOrder, now: Instant) -> Result<(), Refusal> {
        self.refuse_while_busy()?;
        let waves: Vec<Vec<ChildId>> = match &order.node {
            None => self
                .children
                .ids()
                .filter(|id| self.is_wanted(*id))
                .filter(|id| !matches!(id, ChildId::Node(node) if self.is_stopped_by_drain(*node)))
                .map(|id| vec![id])
                .collect(),
            Some(name) => {
                let id = self.own_node(name)?;
                self.drains.restarted(name);
                vec![vec![id]]
            }
        };
        tracing::info!(node = order.node.as_deref().unwrap_or("all"), "restart");
        self.waves = Waves::new(Verb::Restart, waves, now + self.spec.launch.timeout.duration());
        Ok(())
    }

    /// The supervisor becomes another program, which adopts everything.
    fn upgrade(&mut self, order: UpgradeOrder) -> Result<(), Refusal> {
        self.refuse_while_busy()?;
        self.refuse_while_reloading()?;
        tracing::info!(program = %order.program.display(), "upgrade");
        self.successor = Some(order.program);
        Ok(())
    }

    fn is_wanted(&self, id: ChildId) -> bool {
        match id {
            ChildId::Balancer(_) => self.balanced,
            ChildId::Retired(..) => false,
            ChildId::Node(node) => self.owns_nodes() && self.spec.cluster.by_id(node).is_some(),
        }
    }

    /// The node called `name`, if this cluster starts and stops it.
    pub(super) fn own_node(&self, name: &str) -> Result<ChildId, Refusal> {
        let id = ChildId::Node(self.node_id(name)?);
        if self.children.get(id).is_some() && self.is_wanted(id) {
            return Ok(id);
        }
        Err(Refusal {
            error: format!("`{name}` is an external node: this cluster neither starts nor stops it"),
            hint: None,
        })
    }

    pub(super) fn refuse_while_busy(&self) -> Result<(), Refusal> {
        self.refuse_while_ending()?;
        self.refuse_while_switching()?;
        self.refuse_while_starting()?;
        match self.rollouts.busy() {
            Some(running) => Err(running.refusal()),
            None => Ok(()),
        }
    }

    /// Refuses an order that would meet a reload.
    pub(super) fn refuse_while_reloading(&self) -> Result<(), Refusal> {
        if !self.reloads.is_active() {
            return Ok(());
        }
        Err(Refusal {
            error: "a reload is in progress".to_owned(),
            hint: Some("try again when that is done".to_owned()),
        })
    }

    /// Refuses an order that would meet a start or a restart.
    pub(super) fn refuse_while_starting(&self) -> Result<(), Refusal> {
        if self.waves.outcome.is_some() {
            return Ok(());
        }
        let error = "the cluster is being started or restarted".to_owned();
        Err(Refusal {
            error,
            hint: Some("try again when that is done".to_owned()),
        })
    }
}

// Private

/// Sends the answer. The client may have disconnected by now, which does not matter.
fn answer<T>(reply: oneshot::Sender<T>, answer: T) {
    let _client_may_be_gone = reply.send(answer);
}
