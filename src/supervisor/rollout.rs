//! A rollout: children are started, or restarted, in waves; a wave begins when the previous one is
//! up.
//!
//! ```text
//!            wave is up                    last wave is up
//!  wave n ─────────────▶ wave n+1 .. ──────────────────────▶ Done
//!     │
//!     └── a child died, or the deadline passed ──▶ Failed
//! ```

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::core::Core;
use super::logs::tail::tail;
use super::process::child::{Child, Event, State, Then};
use super::shutdown::ClusterShutdown;
use crate::api::{self, Only, Progress, Step, StepState};

/// How many lines of a failing child's log are shown.
const LOG_LINES: usize = 12;

/// A child of the supervisor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum ChildId {
    /// The node with this index.
    Node(usize),
    /// The balancer instance with this index.
    Balancer(usize),
    /// A former balancer instance, by pid, that still has connections.
    Retired(u32),
}

/// The condition of one child, as far as it matters to a rollout.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Condition {
    /// It does not run, and nothing is wrong with it.
    Down,
    /// It is starting.
    Starting,
    /// It answers.
    Up,
    /// It died while it was starting.
    Dead(String),
}

/// What a rollout does to its children.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verb {
    /// Children that do not run are started; a failure ends the cluster.
    Start,
    /// Children that do not run are started beside the running ones; a failure stops them again.
    Join,
    /// Children that an earlier supervisor did not leave running are started; a failed one is
    /// restarted further.
    Resume,
    /// Each child is stopped and started again; a failed one is restarted further.
    Restart,
}

/// A rollout in progress, or over.
#[derive(Clone, Debug)]
pub(super) struct Rollout {
    pub(super) verb: Verb,
    deadline: Instant,
    /// Every child that takes part, in order.
    pub(super) all: Vec<ChildId>,
    waves: VecDeque<Vec<ChildId>>,
    current: Vec<ChildId>,
    pub(super) outcome: Option<Result<(), Failure>>,
}

/// Why a rollout failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Failure {
    pub(super) id: ChildId,
    pub(super) reason: String,
}

impl Rollout {
    /// A rollout over `waves`, with a `deadline`.
    pub(super) fn new(verb: Verb, waves: Vec<Vec<ChildId>>, deadline: Instant) -> Rollout {
        let waves: VecDeque<Vec<ChildId>> = waves.into_iter().filter(|wave| !wave.is_empty()).collect();
        let all = waves.iter().flatten().copied().collect();
        Rollout {
            verb,
            deadline,
            all,
            waves,
            current: Vec::new(),
            outcome: None,
        }
    }

    /// When the rollout fails unless it is over by then.
    pub(super) fn wakes_at(&self) -> Option<Instant> {
        self.outcome.is_none().then_some(self.deadline)
    }

    /// Whether the wave of the child is still to come.
    pub(super) fn is_waiting(&self, id: ChildId) -> bool {
        self.waves.iter().flatten().any(|waiting| *waiting == id)
    }

    /// Returns the children whose wave would have come if the rollout had not failed.
    pub(super) fn give_up_waiting(&mut self) -> Vec<ChildId> {
        self.waves.drain(..).flatten().collect()
    }

    /// Advances as far as `condition` allows. Returns the children whose wave has come.
    pub(super) fn advance(&mut self, condition: impl Fn(ChildId) -> Condition, now: Instant) -> Vec<ChildId> {
        if self.outcome.is_some() {
            return Vec::new();
        }
        let conditions: Vec<(ChildId, Condition)> =
            self.current.iter().map(|id| (*id, condition(*id))).collect();
        for (id, condition) in &conditions {
            let reason = match condition {
                Condition::Dead(reason) => reason.clone(),
                Condition::Up => continue,
                Condition::Down | Condition::Starting if now < self.deadline => continue,
                Condition::Down | Condition::Starting => "did not answer in time".to_owned(),
            };
            self.outcome = Some(Err(Failure { id: *id, reason }));
            return Vec::new();
        }
        if conditions
            .iter()
            .any(|(_, condition)| *condition != Condition::Up)
        {
            return Vec::new();
        }
        if let Some(wave) = self.waves.pop_front() {
            self.current.clone_from(&wave);
            wave
        } else {
            self.outcome = Some(Ok(()));
            Vec::new()
        }
    }
}

impl Core {
    /// Starts what is wanted and does not run yet.
    pub(super) fn begin_start(&mut self, verb: Verb, only: Option<Only>, now: Instant) {
        let (nodes, balancers): (Vec<ChildId>, Vec<ChildId>) = self
            .spec
            .children()
            .filter(|id| !matches!(id, ChildId::Node(index) if self.is_stopped_by_drain(*index)))
            .partition(|id| matches!(id, ChildId::Node(_)));
        let mut waves = Vec::new();
        if only != Some(Only::Balancer) {
            waves.push(nodes);
        }
        if only != Some(Only::Nodes) {
            self.balanced = true;
            waves.push(balancers);
        }
        self.rollout = Rollout::new(verb, waves, now + self.spec.launch.timeout.duration());
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
            if turn.iter().any(|id| matches!(id, ChildId::Balancer(_))) {
                self.decide_http_check(now);
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

    pub(super) fn progress(&mut self) -> Progress {
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

    // Private

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

fn condition(child: &Child) -> Condition {
    match (&child.state, &child.reason) {
        (State::Up { .. }, _) => Condition::Up,
        (State::Waiting { .. } | State::Failed, Some(reason)) => Condition::Dead(reason.clone()),
        (State::Stopped, _) => Condition::Down,
        _ => Condition::Starting,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const NODES: [ChildId; 2] = [ChildId::Node(0), ChildId::Node(1)];

    fn start(now: Instant) -> Rollout {
        let waves = vec![NODES.to_vec(), vec![ChildId::Balancer(0)]];
        Rollout::new(Verb::Start, waves, now + Duration::from_secs(30))
    }

    #[test]
    fn the_balancer_waits_for_the_nodes() {
        let now = Instant::now();
        let mut rollout = start(now);
        assert_eq!(rollout.advance(|_| Condition::Down, now), NODES);
        let one_up = |id| {
            if id == ChildId::Node(0) {
                Condition::Up
            } else {
                Condition::Starting
            }
        };
        assert_eq!(rollout.advance(one_up, now), []);
        assert!(rollout.is_waiting(ChildId::Balancer(0)));
        assert_eq!(rollout.advance(|_| Condition::Up, now), [ChildId::Balancer(0)]);
        assert_eq!(rollout.advance(|_| Condition::Up, now), []);
        assert_eq!(rollout.outcome, Some(Ok(())));
    }

    #[test]
    fn a_dead_child_fails_it_at_once() {
        let now = Instant::now();
        let mut rollout = start(now);
        rollout.advance(|_| Condition::Down, now);
        rollout.advance(|_| Condition::Dead("exit code 1".into()), now);
        let failure = Failure {
            id: ChildId::Node(0),
            reason: "exit code 1".into(),
        };
        assert_eq!(rollout.outcome, Some(Err(failure)));
    }

    #[test]
    fn a_child_that_never_answers_fails_it_at_the_deadline() {
        let now = Instant::now();
        let mut rollout = start(now);
        rollout.advance(|_| Condition::Down, now);
        rollout.advance(|_| Condition::Starting, now + Duration::from_secs(29));
        assert_eq!(rollout.outcome, None);
        rollout.advance(|_| Condition::Starting, rollout.wakes_at().unwrap());
        assert!(matches!(rollout.outcome, Some(Err(_))));
        assert_eq!(rollout.wakes_at(), None);
    }
}
