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
//! A process that is being stopped counts as ended when everything that it has started has ended,
//! too.
//!
//! An operator's start leads from every state to running, an operator's stop from every state to
//! `Stopped`.

#[cfg(test)]
mod tests;

use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use super::restarts::Restarts;
use super::stop_sequence::StopSequence;
use crate::platform::Identity;
use crate::profile::Restart;

/// A process that is kept running.
#[derive(Clone, Debug)]
pub(in crate::supervisor) struct Child {
    pub(in crate::supervisor) state: State,
    pub(in crate::supervisor) restarts: Restarts,
    /// Why it is not running.
    pub(in crate::supervisor) reason: Option<String>,
    /// A remark about a running child, for the status.
    pub(in crate::supervisor) note: Option<String>,
}

/// A process that has not answered for this long after its start never will.
const START_TIMEOUT: Duration = Duration::from_secs(30);

/// The state of a child.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::supervisor) enum State {
    /// Not started, or stopped by an order.
    Stopped,
    /// To be spawned at `until`.
    Waiting { until: Instant },
    /// Runs, and has not answered yet; killed at the deadline, unless it was killed already.
    Starting {
        process: Identity,
        until: Option<Instant>,
    },
    /// Runs, and has answered.
    Up { process: Identity, since: Instant },
    /// Is being stopped; the rest of the stop sequence is carried out until the process ends.
    Stopping {
        process: Identity,
        stop_sequence: StopSequence,
        until: Instant,
        then: Then,
    },
    /// Died too often.
    Failed,
}

/// What follows when a stopping child has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::supervisor) enum Then {
    /// It stays stopped.
    StayStopped,
    /// It is started again.
    Start,
    /// It counts as dead, and is restarted as after a crash.
    Recover,
}

/// Events of a child.
#[derive(Clone, Debug)]
pub(in crate::supervisor) enum Event {
    /// It is wanted.
    Start,
    /// It is not wanted any more, or not at the moment.
    Stop(StopSequence, Then),
    /// It was spawned, or found running.
    Spawned(Identity),
    /// It could not be spawned.
    NotSpawned(String),
    /// It answered for the first time, perhaps with a remark for the status.
    Answered(Option<String>),
    /// Another process answers at its ports; the text describes that process.
    AnsweredByAnother(StopSequence, String),
    /// It runs, but has not answered for too long.
    Hung,
    /// Its process has ended.
    Ended(String),
    /// Time has passed.
    Time,
}

/// What must be done about a child.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::supervisor) enum Action {
    /// Spawn it.
    Spawn,
    /// Send this signal to it and to all that it has started.
    Signal(Identity, Signal),
}

impl State {
    /// The state's name in logs.
    pub(in crate::supervisor) const fn name(&self) -> &'static str {
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
    /// A child that was never started.
    pub(in crate::supervisor) fn new() -> Child {
        Child {
            state: State::Stopped,
            restarts: Restarts::default(),
            reason: None,
            note: None,
        }
    }

    /// A child that an earlier supervisor started.
    pub(in crate::supervisor) fn adopted(process: Identity, restarts: u32, now: Instant) -> Child {
        let state = State::Starting {
            process,
            until: Some(now + START_TIMEOUT),
        };
        Child {
            state,
            restarts: Restarts::counted(restarts),
            reason: None,
            note: None,
        }
    }

    /// A balancer instance that serves already, and takes another one's place.
    pub(in crate::supervisor) fn serving(process: Identity, now: Instant) -> Child {
        let state = State::Up { process, since: now };
        Child {
            state,
            ..Child::new()
        }
    }

    /// A balancer instance whose place another one has taken: it ends with its last connection, or
    /// after `drains_for`.
    pub(in crate::supervisor) fn retired(
        process: Identity,
        drains_for: Option<Duration>,
        now: Instant,
    ) -> Child {
        /// Longest life of a tunnel; after it, the instance is stopped.
        const MAX_TUNNEL: Duration = Duration::from_hours(24);
        let stop_sequence = StopSequence(vec![(Signal::SIGTERM, Duration::from_secs(2))]);
        let state = State::Stopping {
            process,
            stop_sequence,
            until: now + drains_for.unwrap_or(MAX_TUNNEL),
            then: Then::StayStopped,
        };
        Child {
            state,
            restarts: Restarts::default(),
            reason: None,
            note: None,
        }
    }

    /// Its process, if it has one.
    pub(in crate::supervisor) fn process(&self) -> Option<Identity> {
        match self.state {
            State::Starting { process, .. } | State::Up { process, .. } | State::Stopping { process, .. } => {
                Some(process)
            }
            State::Stopped | State::Waiting { .. } | State::Failed => None,
        }
    }

    /// Whether it has ended or is being stopped, and is not to be started again.
    pub(in crate::supervisor) fn is_stopping_or_stopped(&self) -> bool {
        matches!(
            self.state,
            State::Stopped
                | State::Stopping {
                    then: Then::StayStopped,
                    ..
                }
        )
    }

    /// Whether it runs and has answered.
    pub(in crate::supervisor) fn is_up(&self) -> bool {
        matches!(self.state, State::Up { .. })
    }

    /// When `Time` changes the state next.
    pub(in crate::supervisor) fn wakes_at(&self) -> Option<Instant> {
        match self.state {
            State::Waiting { until } | State::Stopping { until, .. } => Some(until),
            State::Starting { until, .. } => until,
            State::Stopped | State::Up { .. } | State::Failed => None,
        }
    }

    /// Applies `event`; returns what must be done. Combinations that are not listed change nothing:
    /// late events of a process that is gone, and orders that were carried out already.
    pub(in crate::supervisor) fn after(
        &mut self,
        event: Event,
        now: Instant,
        policy: &Restart,
    ) -> Option<Action> {
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
            Event::Stop(_, Then::Start) => Some(self.restart_now(now)),
            Event::Stop(_, Then::StayStopped) => self.rest(),
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
                    until: Some(now + START_TIMEOUT),
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
            Event::Answered(note) => {
                self.state = State::Up { process, since: now };
                self.reason = None;
                self.note = note;
                None
            }
            Event::AnsweredByAnother(stop_sequence, reason) => {
                self.reason = Some(reason);
                Some(self.next_signal(process, stop_sequence, now, Then::Recover))
            }
            Event::Time if until.is_some_and(|until| now >= until) => {
                self.state = State::Starting { process, until: None };
                Some(Action::Signal(process, Signal::SIGKILL))
            }
            Event::Ended(reason) => {
                let mute = || format!("did not answer within {} s", START_TIMEOUT.as_secs());
                self.dead(until.map_or_else(mute, |_| reason), None, now, policy)
            }
            Event::Stop(stop_sequence, then) => Some(self.next_signal(process, stop_sequence, now, then)),
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
            Event::Hung => Some(self.next_signal(process, StopSequence::kill(), now, Then::Recover)),
            Event::Stop(stop_sequence, then) => Some(self.next_signal(process, stop_sequence, now, then)),
            _ => None,
        }
    }

    fn after_while_stopping(&mut self, event: Event, now: Instant, policy: &Restart) -> Option<Action> {
        let State::Stopping {
            process,
            stop_sequence,
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
                    stop_sequence,
                    until,
                    then: Then::Start,
                };
                None
            }
            Event::Stop(stop_sequence, then) => {
                // The newer order counts, but a restart does not undo a stop.
                let then = if was == Then::StayStopped {
                    Then::StayStopped
                } else {
                    then
                };
                Some(self.next_signal(process, stop_sequence, now, then))
            }
            Event::Time if now >= until => Some(self.next_signal(process, stop_sequence, now, was)),
            Event::Ended(_) => match was {
                Then::StayStopped => self.rest(),
                Then::Start => Some(self.restart_now(now)),
                Then::Recover => {
                    let hung = || "hung: ran but did not answer".to_owned();
                    let reason = self.reason.take().unwrap_or_else(hung);
                    self.dead(reason, None, now, policy)
                }
            },
            _ => None,
        }
    }

    /// Spawns it now.
    fn begin(&mut self, now: Instant) -> Action {
        self.restarts.forget();
        self.reason = None;
        self.state = State::Waiting { until: now };
        Action::Spawn
    }

    /// Spawns a child now that was running before.
    fn restart_now(&mut self, now: Instant) -> Action {
        self.restarts.total += 1;
        self.begin(now)
    }

    fn rest(&mut self) -> Option<Action> {
        self.state = State::Stopped;
        self.reason = None;
        None
    }

    fn next_signal(
        &mut self,
        process: Identity,
        mut stop_sequence: StopSequence,
        now: Instant,
        then: Then,
    ) -> Action {
        self.note = None;
        let (signal, wait) = stop_sequence.next_signal();
        self.state = State::Stopping {
            process,
            stop_sequence,
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
        self.note = None;
        self.state = match self.restarts.next(up, now, policy) {
            Some(until) => State::Waiting { until },
            None => State::Failed,
        };
        None
    }
}
