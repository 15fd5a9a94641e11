//! How the supervisor carries out orders.

use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use super::core::Core;
use super::event::Request;
use super::logs::tail::tail;
use super::process::child::{Event, State, Then};
use super::process::stop_sequence::StopSequence;
use super::rollout::{ChildId, Condition, Failure, Rollout, Verb};
use super::shutdown::{ClusterShutdown, Phase};
use crate::api::{self, Progress, Refusal, RestartOrder, StartOrder, Step, StepState, StopOrder};

/// How many lines of a failing child's log are shown.
const LOG_LINES: usize = 12;

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

    /// Starts waves that are due, and stops what a failed start has begun.
    pub(super) fn advance_rollout(&mut self, now: Instant) {
        // A finished rollout was handled already: a child that dies later is restarted, not
        // stopped.
        if self.shutdown.is_some() || self.rollout.outcome.is_some() || self.awaits_first_probes(now) {
            return;
        }
        loop {
            let children = &self.children;
            let turn = self
                .rollout
                .advance(|id| children.get(id).map_or(Condition::Down, condition), now);
            if turn.is_empty() {
                break;
            }
            for id in turn {
                let event = match self.rollout.verb {
                    Verb::Start | Verb::Join | Verb::Resume => Event::Start,
                    Verb::Restart => Event::Stop(self.spec.stop_sequence(id, Duration::ZERO), Then::Start),
                };
                self.apply(id, event, now);
            }
        }
        match (&self.rollout.outcome, self.rollout.verb) {
            (Some(Err(_)), Verb::Start) => self.shutdown = Some(ClusterShutdown::failed(self.progress())),
            (Some(Err(_)), Verb::Join) => self.stop_failed_join(now),
            // A node that does not start again is not a reason to run without a balancer.
            (Some(Err(_)), Verb::Resume) => {
                for id in self.rollout.give_up_waiting() {
                    self.apply(id, Event::Start, now);
                }
            }
            _ => {}
        }
    }

    /// Stops the balancer, then the nodes.
    pub(super) fn advance_shutdown(&mut self, now: Instant) {
        loop {
            let Some(ending) = &mut self.shutdown else { return };
            let (is_due, group): (fn(ChildId) -> bool, _) = match ending.phase {
                Phase::Begun => (|_| false, Some(Phase::Balancers)),
                Phase::Balancers => (|id| !matches!(id, ChildId::Node(_)), Some(Phase::Nodes)),
                Phase::Nodes => (|id| matches!(id, ChildId::Node(_)), None),
                Phase::LeftBehind | Phase::Gone { .. } => return,
            };
            if self
                .children
                .iter()
                .any(|(id, child)| is_due(id) && child.state != State::Stopped)
            {
                return;
            }
            match group {
                Some(group) => {
                    ending.phase = group;
                    self.end_group(now);
                }
                None if self.left_behind.is_empty() => {
                    ending.phase = Phase::LeftBehind;
                    self.end_all_left_behind();
                }
                None => return,
            }
        }
    }

    /// No process that the children have started runs any more.
    pub(super) fn all_descendants_ended(&mut self, now: Instant) {
        if let Some(ending) = self.shutdown.as_mut().filter(|it| it.phase == Phase::LeftBehind) {
            ending.phase = Phase::Gone { since: now };
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

    /// Stops what a failed rollout has started beside the running children.
    fn stop_failed_join(&mut self, now: Instant) {
        for id in self.rollout.all.clone() {
            if self
                .children
                .get(id)
                .is_some_and(|child| !child.is_up() && child.state != State::Stopped)
            {
                self.apply(
                    id,
                    Event::Stop(self.spec.stop_sequence(id, Duration::ZERO), Then::StayStopped),
                    now,
                );
            }
        }
        self.balanced = self.children.is_balancer_up();
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

    pub(super) fn refuse_while_ending(&self) -> Result<(), Refusal> {
        let hint = Some("try again when that is done".to_owned());
        let refusal = Refusal {
            error: "the cluster is being stopped".to_owned(),
            hint,
        };
        if self.shutdown.is_some() {
            Err(refusal)
        } else {
            Ok(())
        }
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

    /// Stops the children whose phase of the shutdown has come.
    fn end_group(&mut self, now: Instant) {
        let Some(ClusterShutdown { phase, grace, .. }) = self.shutdown else {
            return;
        };
        let group: Vec<ChildId> = self
            .children
            .ids()
            .filter(|id| match phase {
                Phase::Balancers => !matches!(id, ChildId::Node(_)),
                Phase::Nodes => matches!(id, ChildId::Node(_)),
                Phase::Begun | Phase::LeftBehind | Phase::Gone { .. } => false,
            })
            .collect();
        for id in group {
            let stop_sequence: StopSequence = self.spec.stop_sequence(id, grace);
            self.apply(id, Event::Stop(stop_sequence, Then::StayStopped), now);
        }
    }

    fn progress(&mut self) -> Progress {
        if let Some(failure) = self.shutdown.as_mut().and_then(ClusterShutdown::take_failure) {
            return failure;
        }
        let steps = self.rollout.all.iter().map(|id| self.step(*id)).collect();
        let rollout = match (&self.shutdown, &self.rollout.outcome) {
            (Some(_), _) | (None, None) => api::Rollout::Running,
            (None, Some(Ok(()))) => api::Rollout::Done,
            (None, Some(Err(failure))) => self.failed(failure),
        };
        Progress { rollout, steps }
    }

    fn failed(&self, failure: &Failure) -> api::Rollout {
        let log = self.spec.run_dir.log(self.spec.name(failure.id));
        let since = self.children.log_start(failure.id);
        let doubt = self
            .children
            .not_ready(failure.id)
            .map_or(String::new(), |why| format!(": {why}"));
        api::Rollout::Failed {
            error: format!("{}{doubt}", failure.reason),
            log: tail(&log, since, LOG_LINES),
            child: Some(self.spec.title(failure.id)),
            undone: self.rollout.verb == Verb::Start,
        }
    }

    fn step(&self, id: ChildId) -> Step {
        let condition = self.children.get(id).map_or(Condition::Down, condition);
        let state = match condition {
            Condition::Up if self.children.is_adopted(id) => StepState::Adopted,
            _ if self.rollout.is_waiting(id) => StepState::Waiting,
            Condition::Up => StepState::Ready,
            Condition::Down | Condition::Starting => StepState::Starting,
            Condition::Dead(_) => StepState::Failed,
        };
        Step {
            name: self.spec.title(id),
            state,
        }
    }
}

// Private

/// Sends the answer. The client may have disconnected by now, which does not matter.
fn answer<T>(reply: oneshot::Sender<T>, answer: T) {
    let _nobody_waits = reply.send(answer);
}

fn condition(child: &super::process::child::Child) -> Condition {
    match (&child.state, &child.reason) {
        (State::Up { .. }, _) => Condition::Up,
        (State::Waiting { .. } | State::Failed, Some(reason)) => Condition::Dead(reason.clone()),
        (State::Stopped, _) => Condition::Down,
        _ => Condition::Starting,
    }
}
