//! One supervised process, as a value that events change.
//!
//! ```text
//!            start             spawned               answers
//!  Stopped ────────▶ Waiting ──────────▶ Starting ────────────▶ Up
//!     ▲                 ▲                   │                   │
//!     │                 │ back-off          │ ended             │ ended
//!     │                 ├───────────────────┴───────────────────┘
//!     │                 │                   └──▶ Failed   too many restarts
//!     │  ended          │ ended, to be started again
//!     └──────────── Stopping ◀── stop ── Waiting, Starting, Up
//! ```
//!
//! An operator's start leads from every state to running, an operator's stop from every state to `Stopped`.

use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use super::ladder::Ladder;
use super::restarts::Restarts;
use crate::platform::Identity;
use crate::profile::Restart;

/// A process to be kept running.
#[derive(Clone, Debug)]
pub(super) struct Child {
    pub(super) state: State,
    pub(super) restarts: Restarts,
    /// Why it is not running, in words.
    pub(super) reason: Option<String>,
}

/// A process that has not answered for so long after its start never will.
const START_PATIENCE: Duration = Duration::from_secs(30);

/// What a child does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// Not started, or stopped by an order.
    Stopped,
    /// To be spawned then.
    Waiting { until: Instant },
    /// Runs, and has not answered yet; killed then, unless it has been already.
    Starting {
        process: Identity,
        until: Option<Instant>,
    },
    /// Runs, and has answered.
    Up { process: Identity, since: Instant },
    /// Told to end; the rest of the ladder is climbed until it does.
    Stopping {
        process: Identity,
        ladder: Ladder,
        until: Instant,
        then: Then,
    },
    /// Died too often.
    Failed,
}

/// What follows when a stopping child has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Then {
    /// It stays stopped.
    Rest,
    /// It is started again.
    Start,
    /// It counts as dead, and is restarted as such.
    Recover,
}

/// What happens to a child.
#[derive(Clone, Debug)]
pub(super) enum Event {
    /// It is wanted.
    Start,
    /// It is not wanted any more, or not for a moment.
    Stop(Ladder, Then),
    /// It was spawned, or found running.
    Spawned(Identity),
    /// It could not even be spawned.
    NotSpawned(String),
    /// It answered for the first time.
    Answered,
    /// It runs, and has answered nothing for too long.
    Hung,
    /// Its process has ended.
    Ended(String),
    /// Time went on.
    Time,
}

/// What is to be done about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Action {
    /// Spawn it.
    Spawn,
    /// Send this signal to the process group.
    Signal(Identity, Signal),
}

impl State {
    /// Its name in logs.
    pub(super) const fn name(&self) -> &'static str {
        match self {
            State::Stopped => "stopped",
            State::Waiting { .. } => "waiting",
            State::Starting { .. } => "starting",
            State::Up { .. } => "up",
            State::Stopping { .. } => "stopping",
            State::Failed => "failed",
        }
    }
}

impl Child {
    /// One that was never started.
    pub(super) fn new() -> Child {
        Child {
            state: State::Stopped,
            restarts: Restarts::default(),
            reason: None,
        }
    }

    /// One that an earlier supervisor started.
    pub(super) fn adopted(process: Identity, restarts: u32, now: Instant) -> Child {
        let state = State::Starting {
            process,
            until: Some(now + START_PATIENCE),
        };
        Child {
            state,
            restarts: Restarts::counted(restarts),
            reason: None,
        }
    }

    /// A balancer instance whose place another one has taken: it ends with its last connection.
    pub(super) fn retired(process: Identity, now: Instant) -> Child {
        /// No tunnel lives longer; then it is told to end.
        const LONGEST: Duration = Duration::from_hours(24);
        let ladder = Ladder(vec![(Signal::SIGTERM, Duration::from_secs(2))]);
        let state = State::Stopping {
            process,
            ladder,
            until: now + LONGEST,
            then: Then::Rest,
        };
        Child {
            state,
            restarts: Restarts::default(),
            reason: None,
        }
    }

    /// Its process, if it has one.
    pub(super) fn process(&self) -> Option<Identity> {
        match self.state {
            State::Starting { process, .. } | State::Up { process, .. } | State::Stopping { process, .. } => {
                Some(process)
            }
            State::Stopped | State::Waiting { .. } | State::Failed => None,
        }
    }

    /// Whether it runs and has answered.
    pub(super) fn is_up(&self) -> bool {
        matches!(self.state, State::Up { .. })
    }

    /// When `Time` matters to it next.
    pub(super) fn wakes_at(&self) -> Option<Instant> {
        match self.state {
            State::Waiting { until } | State::Stopping { until, .. } => Some(until),
            State::Starting { until, .. } => until,
            State::Stopped | State::Up { .. } | State::Failed => None,
        }
    }

    /// Changes state after `event`; returns what is to be done. What is not named changes nothing: late news of a
    /// process that is gone, orders that were followed already.
    pub(super) fn after(&mut self, event: Event, now: Instant, policy: &Restart) -> Option<Action> {
        match self.state.clone() {
            State::Stopped | State::Failed => self.after_while_resting(&event, now),
            State::Waiting { until } => self.after_while_waiting(event, until, now, policy),
            State::Starting { process, until } => {
                self.after_while_starting(event, process, until, now, policy)
            }
            State::Up { process, since } => self.after_while_up(event, process, since, now, policy),
            State::Stopping { .. } => self.after_while_stopping(event, now, policy),
        }
    }

    // Private

    fn after_while_resting(&mut self, event: &Event, now: Instant) -> Option<Action> {
        match event {
            Event::Start => Some(self.begin(now)),
            Event::Stop(_, Then::Start) => Some(self.begin_again(now)),
            Event::Stop(_, Then::Rest) => self.rest(),
            _ => None,
        }
    }

    fn after_while_waiting(
        &mut self,
        event: Event,
        until: Instant,
        now: Instant,
        policy: &Restart,
    ) -> Option<Action> {
        match event {
            Event::Time => (now >= until).then_some(Action::Spawn),
            Event::Spawned(process) => {
                self.state = State::Starting {
                    process,
                    until: Some(now + START_PATIENCE),
                };
                None
            }
            Event::NotSpawned(reason) => self.dead(reason, None, now, policy),
            event => self.after_while_resting(&event, now),
        }
    }

    fn after_while_starting(
        &mut self,
        event: Event,
        process: Identity,
        until: Option<Instant>,
        now: Instant,
        policy: &Restart,
    ) -> Option<Action> {
        match event {
            Event::Answered => {
                self.state = State::Up { process, since: now };
                self.reason = None;
                None
            }
            Event::Time if until.is_some_and(|until| now >= until) => {
                self.state = State::Starting { process, until: None };
                Some(Action::Signal(process, Signal::SIGKILL))
            }
            Event::Ended(reason) => {
                let mute = || format!("did not answer within {} s", START_PATIENCE.as_secs());
                self.dead(until.map_or_else(mute, |_| reason), None, now, policy)
            }
            Event::Stop(ladder, then) => Some(self.climb(process, ladder, now, then)),
            _ => None,
        }
    }

    fn after_while_up(
        &mut self,
        event: Event,
        process: Identity,
        since: Instant,
        now: Instant,
        policy: &Restart,
    ) -> Option<Action> {
        match event {
            Event::Ended(reason) => self.dead(reason, Some(since), now, policy),
            Event::Hung => Some(self.climb(process, Ladder::kill(), now, Then::Recover)),
            Event::Stop(ladder, then) => Some(self.climb(process, ladder, now, then)),
            _ => None,
        }
    }

    fn after_while_stopping(&mut self, event: Event, now: Instant, policy: &Restart) -> Option<Action> {
        let State::Stopping {
            process,
            ladder,
            until,
            then: was,
        } = self.state.clone()
        else {
            return None;
        };
        match event {
            Event::Start => {
                self.state = State::Stopping {
                    process,
                    ladder,
                    until,
                    then: Then::Start,
                };
                None
            }
            Event::Stop(ladder, then) => {
                // The newer order counts, but a stop is not undone by a restart.
                let then = if was == Then::Rest { Then::Rest } else { then };
                Some(self.climb(process, ladder, now, then))
            }
            Event::Time if now >= until => Some(self.climb(process, ladder, now, was)),
            Event::Ended(_) => match was {
                Then::Rest => self.rest(),
                Then::Start => Some(self.begin_again(now)),
                Then::Recover => self.dead("hung: ran, and answered nothing".to_owned(), None, now, policy),
            },
            _ => None,
        }
    }

    /// To be spawned now.
    fn begin(&mut self, now: Instant) -> Action {
        self.restarts.forget();
        self.reason = None;
        self.state = State::Waiting { until: now };
        Action::Spawn
    }

    /// The same, for a child that was running before.
    fn begin_again(&mut self, now: Instant) -> Action {
        self.restarts.total += 1;
        self.begin(now)
    }

    fn rest(&mut self) -> Option<Action> {
        self.state = State::Stopped;
        self.reason = None;
        None
    }

    fn climb(&mut self, process: Identity, mut ladder: Ladder, now: Instant, then: Then) -> Action {
        let (signal, wait) = ladder.climb();
        self.state = State::Stopping {
            process,
            ladder,
            until: now + wait,
            then,
        };
        Action::Signal(process, signal)
    }

    fn dead(
        &mut self,
        reason: String,
        up: Option<Instant>,
        now: Instant,
        policy: &Restart,
    ) -> Option<Action> {
        self.reason = Some(reason);
        self.state = match self.restarts.next(up, now, policy) {
            Some(until) => State::Waiting { until },
            None => State::Failed,
        };
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const PROCESS: Identity = Identity {
        pid: 7,
        start_time: 1,
    };

    fn policy(give_up_after: u32) -> Restart {
        Restart {
            backoff: "100ms..30s".parse().unwrap(),
            give_up_after,
            forget_after: "60s".parse().unwrap(),
            hung_after: "30s".parse().unwrap(),
        }
    }

    fn ladder() -> Ladder {
        Ladder(vec![
            (Signal::SIGUSR1, Duration::from_secs(5)),
            (Signal::SIGTERM, Duration::from_secs(2)),
        ])
    }

    fn running(now: Instant) -> Child {
        let mut child = Child::new();
        assert_eq!(child.after(Event::Start, now, &policy(10)), Some(Action::Spawn));
        child.after(Event::Spawned(PROCESS), now, &policy(10));
        child.after(Event::Answered, now, &policy(10));
        assert!(child.is_up());
        child
    }

    #[test]
    fn a_child_that_dies_is_spawned_again_after_its_wait() {
        let now = Instant::now();
        let mut child = running(now);
        assert_eq!(
            child.after(Event::Ended("killed by SIGKILL".into()), now, &policy(10)),
            None
        );
        assert_eq!(child.after(Event::Time, now, &policy(10)), None);
        assert_eq!(
            child.after(Event::Time, child.wakes_at().unwrap(), &policy(10)),
            Some(Action::Spawn)
        );
        assert_eq!(
            (child.restarts.total, child.reason.as_deref()),
            (1, Some("killed by SIGKILL"))
        );
    }

    #[test]
    fn a_child_that_dies_too_often_fails_until_an_operator_starts_it() {
        let now = Instant::now();
        let mut child = running(now);
        child.after(Event::Ended("exit 1".into()), now, &policy(1));
        child.after(Event::Spawned(PROCESS), now, &policy(1));
        child.after(Event::Ended("exit 1".into()), now, &policy(1));
        assert_eq!(child.state, State::Failed);
        assert_eq!(
            child.after(Event::Time, now + Duration::from_hours(1), &policy(1)),
            None
        );
        assert_eq!(child.after(Event::Start, now, &policy(1)), Some(Action::Spawn));
    }

    #[test]
    fn a_child_that_never_answers_is_killed_and_counts_as_dead() {
        let now = Instant::now();
        let mut child = Child::new();
        child.after(Event::Start, now, &policy(10));
        child.after(Event::Spawned(PROCESS), now, &policy(10));
        let late = child.wakes_at().unwrap();
        assert_eq!(
            child.after(Event::Time, late, &policy(10)),
            Some(Action::Signal(PROCESS, Signal::SIGKILL))
        );
        assert_eq!(child.wakes_at(), None);
        child.after(Event::Ended("killed by SIGKILL".into()), late, &policy(10));
        assert_eq!(child.reason.as_deref(), Some("did not answer within 30 s"));
    }

    #[test]
    fn a_hung_child_is_killed_and_restarted_with_its_reason() {
        let now = Instant::now();
        let mut child = running(now);
        let action = child.after(Event::Hung, now, &policy(10));
        assert_eq!(action, Some(Action::Signal(PROCESS, Signal::SIGKILL)));
        child.after(Event::Ended("killed by SIGKILL".into()), now, &policy(10));
        assert_eq!(child.reason.as_deref(), Some("hung: ran, and answered nothing"));
        assert_eq!(
            child.after(Event::Time, child.wakes_at().unwrap(), &policy(10)),
            Some(Action::Spawn)
        );
    }

    #[test]
    fn stopping_climbs_the_ladder_to_sigkill() {
        let mut now = Instant::now();
        let mut child = running(now);
        let mut signals = Vec::new();
        let mut action = child.after(Event::Stop(ladder(), Then::Rest), now, &policy(10));
        while let Some(Action::Signal(process, signal)) = action {
            assert_eq!(process, PROCESS);
            signals.push(signal);
            if signals.len() == 4 {
                break;
            }
            now = child.wakes_at().unwrap();
            action = child.after(Event::Time, now, &policy(10));
        }
        assert_eq!(
            signals,
            [Signal::SIGUSR1, Signal::SIGTERM, Signal::SIGKILL, Signal::SIGKILL]
        );
        child.after(Event::Ended("killed".into()), now, &policy(10));
        assert_eq!((child.state, child.reason), (State::Stopped, None));
    }

    #[test]
    fn a_restart_does_not_undo_a_stop() {
        let now = Instant::now();
        let mut child = running(now);
        child.after(Event::Stop(ladder(), Then::Rest), now, &policy(10));
        child.after(Event::Stop(ladder(), Then::Start), now, &policy(10));
        assert_eq!(child.after(Event::Ended("exit 0".into()), now, &policy(10)), None);
        assert_eq!(child.state, State::Stopped);
    }

    fn events() -> impl Strategy<Value = Event> {
        prop_oneof![
            Just(Event::Start),
            Just(Event::Stop(ladder(), Then::Rest)),
            Just(Event::Stop(Ladder::kill(), Then::Start)),
            Just(Event::Spawned(PROCESS)),
            Just(Event::NotSpawned("no such file".into())),
            Just(Event::Answered),
            Just(Event::Hung),
            Just(Event::Ended("exit 0".into())),
            Just(Event::Time),
        ]
    }

    proptest! {
        #[test]
        fn whatever_happened_a_stop_and_its_end_lead_to_rest(history in prop::collection::vec(events(), 0..40)) {
            let now = Instant::now();
            let mut child = Child::new();
            for event in history {
                let action = child.after(event, now, &policy(3));
                // Nothing is spawned beside a process that still runs.
                prop_assert!(action != Some(Action::Spawn) || child.process().is_none());
            }
            child.after(Event::Stop(ladder(), Then::Rest), now, &policy(3));
            child.after(Event::Ended("exit 0".into()), now, &policy(3));
            prop_assert_eq!(child.state, State::Stopped);
        }
    }
}
