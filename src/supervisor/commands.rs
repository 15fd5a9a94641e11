//! How the supervisor carries out orders.

use std::time::Instant;

use tokio::sync::oneshot;

use super::core::Core;
use super::event::Request;
use super::rollout::{ChildId, Rollout, Verb};
use super::shutdown::ClusterShutdown;
use crate::api::{Refusal, RestartOrder, StartOrder, StopOrder};

impl Core {
    /// Answers a query, or carries out an order.
    pub(super) fn carry_out(&mut self, request: Request, now: Instant) {
        match request {
            Request::Snapshot(reply) => answer(reply, self.snapshot()),
            Request::Progress(reply) => answer(reply, self.progress()),
            Request::Failovers(reply) => answer(reply, self.failovers.to_api()),
            Request::Start(order, reply) => answer(reply, self.start(order, now)),
            Request::Stop(order, reply) => {
                self.stop(order);
                answer(reply, Ok(()));
            }
            Request::Restart(order, reply) => answer(reply, self.restart(&order, now)),
            Request::Reload(prepared, reply) => self.reload(*prepared, reply, now),
            Request::Drain(order, reply) => self.drain(&order, reply, now),
            Request::Ready(order, reply) => self.ready(&order, reply, now),
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

    fn stop(&mut self, order: StopOrder) {
        tracing::info!(grace = %order.grace, "stop");
        let mut ending = ClusterShutdown::ordered(order.grace.duration());
        // A second order may shorten the grace period, but a failed start stays a failed start.
        if let Some(before) = self.shutdown.take() {
            ending.failure = before.failure;
        }
        self.shutdown = Some(ending);
    }

    fn restart(&mut self, order: &RestartOrder, now: Instant) -> Result<(), Refusal> {
        self.refuse_while_busy()?;
        let waves: Vec<Vec<ChildId>> = match &order.node {
            None => self
                .children
                .ids()
                .filter(|id| self.is_wanted(*id))
                .filter(|id| !matches!(id, ChildId::Node(index) if self.is_stopped_by_drain(*index)))
                .map(|id| vec![id])
                .collect(),
            Some(name) => vec![vec![self.own_node(name)?]],
        };
        tracing::info!(node = order.node.as_deref().unwrap_or("all"), "restart");
        self.rollout = Rollout::new(Verb::Restart, waves, now + self.spec.launch.timeout.duration());
        Ok(())
    }

    fn is_wanted(&self, id: ChildId) -> bool {
        match id {
            ChildId::Balancer(_) => self.balanced,
            ChildId::Retired(_) => false,
            ChildId::Node(_) => self.owns_nodes(),
        }
    }

    /// The node called `name`, if this cluster starts and stops it.
    pub(super) fn own_node(&self, name: &str) -> Result<ChildId, Refusal> {
        let id = ChildId::Node(self.index(name)?);
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
        if self.rollout.outcome.is_some() {
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
