//! Waves: children are started, or restarted, in waves; a wave begins when the previous one is
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
use crate::profile::{BalancerKind, NodeId};

/// How many lines of a failing child's log are shown.
const LOG_LINES: usize = 12;

/// A child of the supervisor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum ChildId {
    /// The node with this id.
    Node(NodeId),
    /// The balancer instance with this index.
    Balancer(usize),
    /// A former balancer instance, by kind and pid, that accepts nothing more and still has
    /// connections.
    Retired(BalancerKind, u32),
}

/// The condition of one child, as far as it matters to them.
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

/// What is done to the children.
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

/// Waves in progress, or over.
#[derive(Clone, Debug)]
pub(super) struct Waves {
    pub(super) verb: Verb,
    deadline: Instant,
    /// Every child that takes part, in order.
    pub(super) all: Vec<ChildId>,
    /// Those that are still to come.
    waiting: VecDeque<Vec<ChildId>>,
    current: Vec<ChildId>,
    pub(super) outcome: Option<Result<(), WaveFailure>>,
}

/// Why the waves failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct WaveFailure {
    pub(super) id: ChildId,
    pub(super) reason: String,
}

impl Waves {
    /// These `waves`, with a `deadline`.
    pub(super) fn new(verb: Verb, waves: Vec<Vec<ChildId>>, deadline: Instant) -> Waves {
        let waves: VecDeque<Vec<ChildId>> = waves.into_iter().filter(|wave| !wave.is_empty()).collect();
        let all = waves.iter().flatten().copied().collect();
        Waves {
            verb,
            deadline,
            all,
            waiting: waves,
            current: Vec::new(),
            outcome: None,
        }
    }

    /// When they fail unless they are over by then.
    pub(super) fn wakes_at(&self) -> Option<Instant> {
        self.outcome.is_none().then_some(self.deadline)
    }

    /// Whether the wave of the child is still to come.
    pub(super) fn is_waiting(&self, id: ChildId) -> bool {
        self.waiting.iter().flatten().any(|waiting| *waiting == id)
    }

    /// The child is gone: it is not waited for, and a failure of it does not matter any more.
    pub(super) fn forget(&mut self, id: ChildId) {
        for wave in self.waiting.iter_mut().chain([&mut self.current, &mut self.all]) {
            wave.retain(|known| *known != id);
        }
        self.waiting.retain(|wave| !wave.is_empty());
        let failed_by = |outcome: &Result<(), WaveFailure>| outcome.as_ref().is_err_and(|it| it.id == id);
        if self.outcome.as_ref().is_some_and(failed_by) {
            self.outcome = Some(Ok(()));
        }
    }

    /// Returns the children whose wave would have come if no other had failed.
    pub(super) fn give_up_waiting(&mut self) -> Vec<ChildId> {
        self.waiting.drain(..).flatten().collect()
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
            self.outcome = Some(Err(WaveFailure { id: *id, reason }));
            return Vec::new();
        }
        if conditions
            .iter()
            .any(|(_, condition)| *condition != Condition::Up)
        {
            return Vec::new();
        }
        if let Some(wave) = self.waiting.pop_front() {
            self.current.clone_from(&wave);
            wave
        } else {
            self.outcome = Some(Ok(()));
            Vec::new()
        }
    }
}

impl Child {
    /// The condition of the child.
    pub(super) fn condition(&self) -> Condition {
        match (&self.state, &self.reason) {
            (State::Up { .. }, _) => Condition::Up,
            (State::Waiting { .. } | State::Failed, Some(reason)) => Condition::Dead(reason.clone()),
            (State::Stopped, _) => Condition::Down,
            _ => Condition::Starting,
        }
    }
}

impl Core {
    /// Starts what is wanted and does not run yet.
    pub(super) fn begin_start(&mut self, verb: Verb, only: Option<Only>, now: Instant) {
        let (nodes, balancers): (Vec<ChildId>, Vec<ChildId>) = self
            .spec
            .children()
            .filter(|id| !matches!(id, ChildId::Node(node) if self.is_stopped_by_drain(*node)))
            .partition(|id| matches!(id, ChildId::Node(_)));
        let mut waves = Vec::new();
        if only != Some(Only::Balancer) {
            waves.push(nodes);
        }
        if only != Some(Only::Nodes) {
            self.balanced = true;
            waves.push(balancers);
        }
        self.waves = Waves::new(verb, waves, now + self.spec.launch.timeout.duration());
    }

    /// Starts waves that are due, and stops what a failed start has begun.
    pub(super) fn advance_waves(&mut self, now: Instant) {
        // What is over was handled already: a child that dies later is restarted, not
        // stopped.
        if self.shutdown.is_some() || self.waves.outcome.is_some() || self.awaits_first_probes(now) {
            return;
        }
        loop {
            let (children, drains, spec) = (&self.children, &self.drains, &self.spec);
            // A later drain has stopped the node: it is neither started nor waited for.
            let is_left_out =
                |id| matches!(id, ChildId::Node(node) if drains.has_stopped(spec.node_name(node)));
            let condition = |id| match children.get(id) {
                _ if is_left_out(id) => Condition::Up,
                child => child.map_or(Condition::Down, Child::condition),
            };
            let mut turn = self.waves.advance(condition, now);
            if turn.is_empty() {
                break;
            }
            turn.retain(|id| !is_left_out(*id));
            if turn.iter().any(|id| matches!(id, ChildId::Balancer(_))) {
                self.decide_http_check(now);
            }
            for id in turn {
                let event = match self.waves.verb {
                    Verb::Start | Verb::Join | Verb::Resume => Event::Start,
                    Verb::Restart => Event::Stop(
                        self.spec.stop_sequence(id, Duration::ZERO, Duration::ZERO),
                        Then::Start,
                    ),
                };
                self.apply(id, event, now);
            }
        }
        match (&self.waves.outcome, self.waves.verb) {
            (Some(Err(_)), Verb::Start) => self.shutdown = Some(ClusterShutdown::failed(self.progress())),
            (Some(Err(_)), Verb::Join) => self.stop_failed_join(now),
            // A node that does not start again is not a reason to run without a balancer.
            (Some(Err(_)), Verb::Resume) => {
                for id in self.waves.give_up_waiting() {
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
        let steps = self.waves.all.iter().map(|id| self.step(*id)).collect();
        let outcome = match (&self.shutdown, &self.waves.outcome) {
            (Some(_), _) | (None, None) => api::ProgressState::Running,
            (None, Some(Ok(()))) if self.switches.is_upgrading() => api::ProgressState::Running,
            (None, Some(Ok(()))) => api::ProgressState::Done,
            (None, Some(Err(failure))) => self.failed(failure),
        };
        Progress { outcome, steps }
    }

    /// The last lines that the child has logged since its last start.
    pub(super) fn last_lines(&self, id: ChildId) -> Vec<String> {
        let log = self.spec.run_dir.log(self.spec.name(id));
        tail(&log, self.children.log_start(id), LOG_LINES)
    }

    // Private

    /// Stops what failed waves have started beside the running children.
    fn stop_failed_join(&mut self, now: Instant) {
        for id in self.waves.all.clone() {
            if self
                .children
                .get(id)
                .is_some_and(|child| !child.is_up() && child.state != State::Stopped)
            {
                self.apply(
                    id,
                    Event::Stop(
                        self.spec.stop_sequence(id, Duration::ZERO, Duration::ZERO),
                        Then::StayStopped,
                    ),
                    now,
                );
            }
        }
        self.balanced = self.children.is_balancer_up();
    }

    fn failed(&self, failure: &WaveFailure) -> api::ProgressState {
        let doubt = self
            .children
            .not_ready(failure.id)
            .map_or(String::new(), |why| format!(": {why}"));
        api::ProgressState::Failed {
            error: format!("{}{doubt}", failure.reason),
            log: self.last_lines(failure.id),
            child: Some(self.spec.title(failure.id)),
            undone: self.waves.verb == Verb::Start,
        }
    }

    fn step(&self, id: ChildId) -> Step {
        let condition = self.children.get(id).map_or(Condition::Down, Child::condition);
        let state = match condition {
            Condition::Up if self.children.is_adopted(id) => StepState::Adopted,
            _ if self.waves.is_waiting(id) => StepState::Waiting,
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const NODES: [ChildId; 2] = [ChildId::Node(NodeId(1)), ChildId::Node(NodeId(2))];

    fn start(now: Instant) -> Waves {
        let waves = vec![NODES.to_vec(), vec![ChildId::Balancer(0)]];
        Waves::new(Verb::Start, waves, now + Duration::from_secs(30))
    }

    #[test]
    fn the_balancer_waits_for_the_nodes() {
        let now = Instant::now();
        let mut waves = start(now);
        assert_eq!(waves.advance(|_| Condition::Down, now), NODES);
        let one_up = |id| {
            if id == NODES[0] {
                Condition::Up
            } else {
                Condition::Starting
            }
        };
        assert_eq!(waves.advance(one_up, now), []);
        assert!(waves.is_waiting(ChildId::Balancer(0)));
        assert_eq!(waves.advance(|_| Condition::Up, now), [ChildId::Balancer(0)]);
        assert_eq!(waves.advance(|_| Condition::Up, now), []);
        assert_eq!(waves.outcome, Some(Ok(())));
    }

    #[test]
    fn a_child_that_is_gone_is_not_waited_for() {
        let now = Instant::now();
        let mut waves = start(now);
        waves.advance(|_| Condition::Down, now);
        let one_up = |id| match id {
            id if id == NODES[0] => Condition::Up,
            _ => Condition::Starting,
        };
        assert_eq!(waves.advance(one_up, now), []);
        waves.forget(NODES[1]);
        assert_eq!(waves.advance(one_up, now), [ChildId::Balancer(0)]);
        assert_eq!(waves.all, [NODES[0], ChildId::Balancer(0)]);
        waves.advance(|_| Condition::Dead("exit code 1".into()), now);
        waves.forget(ChildId::Balancer(0));
        assert_eq!(waves.outcome, Some(Ok(())));
    }

    #[test]
    fn a_dead_child_fails_it_at_once() {
        let now = Instant::now();
        let mut waves = start(now);
        waves.advance(|_| Condition::Down, now);
        waves.advance(|_| Condition::Dead("exit code 1".into()), now);
        let failure = WaveFailure {
            id: NODES[0],
            reason: "exit code 1".into(),
        };
        assert_eq!(waves.outcome, Some(Err(failure)));
    }

    #[test]
    fn a_child_that_never_answers_fails_it_at_the_deadline() {
        let now = Instant::now();
        let mut waves = start(now);
        waves.advance(|_| Condition::Down, now);
        waves.advance(|_| Condition::Starting, now + Duration::from_secs(29));
        assert_eq!(waves.outcome, None);
        waves.advance(|_| Condition::Starting, waves.wakes_at().unwrap());
        assert!(matches!(waves.outcome, Some(Err(_))));
        assert_eq!(waves.wakes_at(), None);
    }
}
