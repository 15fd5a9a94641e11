//! The balancer gets the nodes of a rollout: their configuration is prepared, and carried out by a
//! reload.

use std::sync::Arc;
use std::time::Instant;

use tokio::sync::oneshot;

use super::current::CurrentRollout;
use crate::supervisor::core::Core;
use crate::supervisor::event::CoreEvent;
use crate::supervisor::prepare::{PrepareError, Prepared, beside_if_needed};

impl Core {
    /// Gives the balancer the nodes that there are now, unless something else is in progress there.
    pub(super) fn apply_when_idle(&mut self, now: Instant) {
        let waits = self.waves.outcome.is_none()
            || self.reloads.is_active()
            || self.switches.current().is_some()
            || (self.balanced && !self.children.is_balancer_up());
        if waits || !self.rollouts.running().is_some_and(CurrentRollout::is_apply_due) {
            return;
        }
        let Some(running) = self.rollouts.current_mut() else {
            return;
        };
        if let Some(first) = running.begin_apply() {
            return self.begin_apply(first, now);
        }
        let (target, others) = (Arc::clone(running.target()), running.others().clone());
        let now_spec = self.spec.clone();
        self.events.spawn(async move {
            let prepared = Prepared::mixed(&target, others).await;
            let prepared = prepared.and_then(|prepared| beside_if_needed(&now_spec, prepared));
            CoreEvent::StepPrepared(prepared.map(Box::new))
        });
    }

    /// The balancer has the nodes that it was to get, or does not.
    pub(in crate::supervisor) fn applied(&mut self, ended: Result<(), String>) {
        if let Some(running) = self.rollouts.current_mut() {
            running.end_apply(ended);
        }
    }

    /// The configuration of a step is prepared.
    pub(in crate::supervisor) fn step_prepared(
        &mut self,
        prepared: Result<Box<Prepared>, PrepareError>,
        now: Instant,
    ) {
        if self.rollouts.running().is_none() {
            return;
        }
        match prepared {
            Ok(prepared) => self.begin_apply(*prepared, now),
            Err(error) => self.applied(Err(error.to_string())),
        }
    }

    // Private

    fn begin_apply(&mut self, prepared: Prepared, now: Instant) {
        let (reply, answer) = oneshot::channel();
        self.reload(prepared, reply, now);
        self.events.spawn(async move {
            let ended = match answer.await {
                Ok(Ok(_)) => Ok(()),
                Ok(Err(refusal)) => Err(refusal.error),
                Err(_) => Err("the supervisor is shutting down".to_owned()),
            };
            CoreEvent::Applied(ended)
        });
    }
}
