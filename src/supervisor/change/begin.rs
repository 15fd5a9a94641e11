//! How a change begins: by an order, after a failure, or under the next supervisor.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Instant;

use tokio::sync::oneshot;

use super::{Cause, Change};
use crate::api::{ChangeOrder, Refusal, RolloutKind, Target};
use crate::base::units::Period;
use crate::profile::NodeId;
use crate::supervisor::core::Core;
use crate::supervisor::event::CoreEvent;
use crate::supervisor::reload::state::{Reloaded, Reply};
use crate::supervisor::rollout::current::CurrentRollout;

/// The error of a change that was prepared for another state of the cluster.
const OUTDATED: &str = "the cluster has changed since this was prepared";

/// Whether the change only has to be prepared again.
pub(in crate::supervisor) fn is_outdated(refusal: &Refusal) -> bool {
    refusal.error == OUTDATED
}

impl Core {
    /// Begins the change. The reply is sent at once if a rollout follows, and otherwise when the
    /// balancer has carried it out.
    pub(in crate::supervisor) fn begin_change(&mut self, change: Change, reply: Reply, now: Instant) {
        if let Err(refusal) = self.refuse_change(&change) {
            let _client_may_be_gone = reply.send(Err(refusal));
            return;
        }
        if !change.has_rollout() && self.rollouts.current().is_none() {
            return self.reload(change.first, reply, now);
        }
        tracing::info!(kind = ?change.order.kind, by = change.order.by, work = ?change.work, "rollout begins");
        self.rollouts.begin(change);
        self.record();
        let _client_may_be_gone = reply.send(Ok(Reloaded::default()));
    }

    /// Goes on with what an earlier supervisor has not finished, once everything runs again.
    pub(in crate::supervisor) fn resume_unfinished(&mut self) {
        if self.waves.outcome.is_none() || self.shutdown.is_some() {
            return;
        }
        if let Some(saved) = self.rollouts.take_unfinished() {
            tracing::info!(kind = ?saved.kind, by = saved.by, "the rollout of the previous supervisor goes on");
            let ids = |names: &BTreeSet<String>| -> BTreeSet<NodeId> {
                let nodes = self.spec.cluster.nodes.iter();
                nodes
                    .filter(|node| names.contains(&node.name))
                    .map(|node| node.id)
                    .collect()
            };
            let is_to_be_undone = saved.is_to_be_undone();
            let goes_on = saved.stopped.is_none();
            self.rollouts.restore(saved, ids, &self.spec);
            if is_to_be_undone {
                self.go_back();
            } else if goes_on {
                self.prepare_change(Cause::Resume);
            }
        }
    }

    /// Goes back to what ran before, because of a failure.
    pub(in crate::supervisor) fn go_back(&mut self) {
        tracing::warn!("going back to what ran before");
        self.prepare_change(Cause::Failure);
    }

    /// Prepares a change that no operator has ordered; it begins when it is prepared.
    pub(in crate::supervisor) fn prepare_change(&mut self, cause: Cause) {
        self.rollouts.begin_going_on();
        let (base, snapshot) = (self.spec.clone(), self.snapshot());
        let current = self.rollouts.current();
        let close_after = current.and_then(CurrentRollout::close_after);
        let target = match cause {
            Cause::Resume => Target::Resume,
            Cause::Failure => Target::Undo,
        };
        let order = ChangeOrder {
            target,
            dry_run: false,
            close: close_after.is_some(),
            deadline: close_after.map(Period::from),
            force: true,
            by: current.map_or_else(String::new, |current| current.order().by.clone()),
        };
        self.events.spawn(async move {
            let prepared = Change::prepare(base, &order, None, &snapshot).await;
            CoreEvent::ChangePrepared(cause, prepared.map(Box::new))
        });
    }

    /// A change that no operator has ordered is prepared.
    pub(in crate::supervisor) fn change_prepared(
        &mut self,
        cause: Cause,
        prepared: Result<Box<Change>, Refusal>,
        now: Instant,
    ) {
        self.rollouts.end_preparing();
        let begun = prepared.and_then(|change| self.begin_prepared(*change, now));
        if begun.as_ref().is_err_and(is_outdated) {
            return self.prepare_change(cause);
        }
        if let Err(refusal) = begun {
            tracing::error!("the rollout does not go on: {}", refusal.error);
            self.rollouts.stay_stopped(&refusal.error);
        }
    }

    /// Begins a change that no operator waits for.
    ///
    /// # Errors
    /// When it is refused at once.
    pub(super) fn begin_prepared(&mut self, change: Change, now: Instant) -> Result<(), Refusal> {
        let (reply, mut answer) = oneshot::channel();
        self.begin_change(change, reply, now);
        match answer.try_recv() {
            Ok(Err(refusal)) => Err(refusal),
            _ => Ok(()),
        }
    }

    // Private

    fn refuse_change(&self, change: &Change) -> Result<(), Refusal> {
        self.refuse_while_ending()?;
        self.refuse_while_switching()?;
        self.refuse_while_starting()?;
        let is_way_out =
            |running: &CurrentRollout| running.is_of_dns() || change.order.kind == RolloutKind::Undo;
        if let Some(running) = self
            .rollouts
            .running()
            .filter(|running| !is_way_out(running) || running.is_applying())
        {
            return Err(running.refusal());
        }
        let is_as_prepared = Arc::ptr_eq(&change.base, &self.spec)
            && change.drained == *self.rollouts.drained()
            && change.owns_nodes == self.owns_nodes();
        if change.has_rollout() && !is_as_prepared {
            return Err(Refusal {
                error: OUTDATED.to_owned(),
                hint: Some("try again".to_owned()),
            });
        }
        Ok(())
    }
}
