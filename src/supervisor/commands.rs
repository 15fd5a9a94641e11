//! How the supervisor carries out orders.

use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use super::core::Core;
use super::event::Request;
use super::logs::tail::tail;
use super::process::child::{Event, State, Then};
use super::process::stop_sequence::StopSequence;
use super::rollout::{Condition, Failure, Rollout, Verb, Who};
use super::shutdown::{Ending, Phase};
use crate::api::{self, Progress, Refusal, RestartOrder, StartOrder, Step, StepState, StopOrder};

/// How many lines of a failing child's log are shown.
const LOG_LINES: usize = 12;

impl Core {
    /// Answers a query, or carries out an order.
    pub(super) fn follow(&mut self, request: Request, now: Instant) {
        match request {
            Request::Snapshot(reply) => answer(reply, self.look()),
            Request::Progress(reply) => answer(reply, self.progress()),
            Request::Failovers(reply) => answer(reply, self.failovers.told()),
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
    pub(super) fn go_on_with_rollout(&mut self, now: Instant) {
        // A finished rollout was handled already: a child that dies later is restarted, not
        // stopped.
        if self.ending.is_some() || self.rollout.outcome.is_some() || self.gets_acquainted(now) {
            return;
        }
        loop {
            let children = &self.children;
            let turn = self
                .rollout
                .advance(|who| children.get(&who).map_or(Condition::Down, condition), now);
            if turn.is_empty() {
                break;
            }
            for who in turn {
                let event = match self.rollout.verb {
                    Verb::Start | Verb::Join | Verb::Resume => Event::Start,
                    Verb::Restart => Event::Stop(self.setting.ladder(who, Duration::ZERO), Then::Start),
                };
                self.apply(who, event, now);
            }
        }
        match (&self.rollout.outcome, self.rollout.verb) {
            (Some(Err(_)), Verb::Start) => self.ending = Some(Ending::failed(self.progress())),
            (Some(Err(_)), Verb::Join) => self.take_back(now),
            // A node that does not start again is not a reason to run without a balancer.
            (Some(Err(_)), Verb::Resume) => {
                for who in self.rollout.give_up_waiting() {
                    self.apply(who, Event::Start, now);
                }
            }
            _ => {}
        }
    }

    /// Stops the balancer, then the nodes.
    pub(super) fn go_on_with_ending(&mut self, now: Instant) {
        loop {
            let Some(ending) = &mut self.ending else { return };
            let (is_due, group): (fn(&Who) -> bool, _) = match ending.phase {
                Phase::Begun => (|_| false, Some(Phase::Balancers)),
                Phase::Balancers => (|who| !matches!(who, Who::Node(_)), Some(Phase::Nodes)),
                Phase::Nodes => (|who| matches!(who, Who::Node(_)), None),
                Phase::LeftBehind | Phase::Gone { .. } => return,
            };
            if self
                .children
                .iter()
                .any(|(who, child)| is_due(who) && child.state != State::Stopped)
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
    pub(super) fn nothing_left_of_all(&mut self, now: Instant) {
        if let Some(ending) = self.ending.as_mut().filter(|it| it.phase == Phase::LeftBehind) {
            ending.phase = Phase::Gone { since: now };
        }
    }

    // Private

    fn start(&mut self, order: StartOrder, now: Instant) -> Result<(), Refusal> {
        self.refuse_while_busy()?;
        if order.balancer != self.setting.balancer.kind() {
            return Err(Refusal {
                error: format!(
                    "{} is running, not {}",
                    self.setting.balancer.kind(),
                    order.balancer
                ),
                hint: Some("`clusterctl stop` first".to_owned()),
            });
        }
        self.begin_start(Verb::Join, order.only, now);
        Ok(())
    }

    fn stop(&mut self, order: StopOrder) {
        tracing::info!(grace = %order.grace, "stop");
        let mut ending = Ending::ordered(order.grace.duration());
        // A second order may shorten the grace period, but a failed start stays a failed start.
        if let Some(before) = self.ending.take() {
            ending.failure = before.failure;
        }
        self.ending = Some(ending);
    }

    fn restart(&mut self, order: &RestartOrder, now: Instant) -> Result<(), Refusal> {
        self.refuse_while_busy()?;
        let waves: Vec<Vec<Who>> = match &order.node {
            None => self
                .children
                .keys()
                .filter(|who| self.is_wanted(**who))
                .filter(|who| !matches!(who, Who::Node(index) if self.rests(*index)))
                .map(|who| vec![*who])
                .collect(),
            Some(name) => vec![vec![self.own_node(name)?]],
        };
        tracing::info!(node = order.node.as_deref().unwrap_or("all"), "restart");
        self.rollout = Rollout::new(Verb::Restart, waves, now + self.setting.launch.timeout.duration());
        Ok(())
    }

    /// Stops what a failed rollout has started beside the running children.
    fn take_back(&mut self, now: Instant) {
        for who in self.rollout.all.clone() {
            if self
                .children
                .get(&who)
                .is_some_and(|child| !child.is_up() && child.state != State::Stopped)
            {
                self.apply(
                    who,
                    Event::Stop(self.setting.ladder(who, Duration::ZERO), Then::Rest),
                    now,
                );
            }
        }
        self.balanced = self.is_balancer_up();
    }

    /// Whether a balancer instance serves.
    pub(super) fn is_balancer_up(&self) -> bool {
        let mut children = self.children.iter();
        children.any(|(who, child)| matches!(who, Who::Balancer(_)) && child.is_up())
    }

    fn is_wanted(&self, who: Who) -> bool {
        match who {
            Who::Balancer(_) => self.balanced,
            Who::Retired(_) => false,
            Who::Node(_) => self.owns_nodes(),
        }
    }

    /// The node called `name`, if this cluster starts and stops it.
    pub(super) fn own_node(&self, name: &str) -> Result<Who, Refusal> {
        let who = Who::Node(self.index(name)?);
        if self.children.contains_key(&who) && self.is_wanted(who) {
            return Ok(who);
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
        if self.ending.is_some() {
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
        let Some(Ending { phase, grace, .. }) = self.ending else {
            return;
        };
        let group: Vec<Who> = self
            .children
            .keys()
            .filter(|who| match phase {
                Phase::Balancers => !matches!(who, Who::Node(_)),
                Phase::Nodes => matches!(who, Who::Node(_)),
                Phase::Begun | Phase::LeftBehind | Phase::Gone { .. } => false,
            })
            .copied()
            .collect();
        for who in group {
            let ladder: StopSequence = self.setting.ladder(who, grace);
            self.apply(who, Event::Stop(ladder, Then::Rest), now);
        }
    }

    fn progress(&mut self) -> Progress {
        if let Some(failure) = self.ending.as_mut().and_then(Ending::tell_failure) {
            return failure;
        }
        let steps = self.rollout.all.iter().map(|who| self.step(*who)).collect();
        let rollout = match (&self.ending, &self.rollout.outcome) {
            (Some(_), _) | (None, None) => api::Rollout::Running,
            (None, Some(Ok(()))) => api::Rollout::Done,
            (None, Some(Err(failure))) => self.failed(failure),
        };
        Progress { rollout, steps }
    }

    fn failed(&self, failure: &Failure) -> api::Rollout {
        let log = self.setting.run_dir.log(self.setting.name(failure.who));
        let since = self.log_starts.get(&failure.who).copied().unwrap_or(0);
        let doubt = self
            .doubts
            .get(&failure.who)
            .map_or(String::new(), |why| format!(": {why}"));
        api::Rollout::Failed {
            error: format!("{}{doubt}", failure.reason),
            log: tail(&log, since, LOG_LINES),
            child: Some(self.setting.title(failure.who)),
            undone: self.rollout.verb == Verb::Start,
        }
    }

    fn step(&self, who: Who) -> Step {
        let condition = self.children.get(&who).map_or(Condition::Down, condition);
        let state = match condition {
            Condition::Up if self.adopted.contains(&who) => StepState::Adopted,
            _ if self.rollout.is_waiting(who) => StepState::Waiting,
            Condition::Up => StepState::Ready,
            Condition::Down | Condition::Coming => StepState::Starting,
            Condition::Dead(_) => StepState::Failed,
        };
        Step {
            name: self.setting.title(who),
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
        _ => Condition::Coming,
    }
}
