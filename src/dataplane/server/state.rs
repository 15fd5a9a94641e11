//! A server's state: health by its checks, the administrative state, and the time of the last
//! change.

use std::time::{Duration, Instant};

use crate::haproxy_api::server::{AdminState, Health};
use crate::haproxy_api::{ServerHealth, ServerState};
use crate::probe::{Rules, Standing};

/// An event of a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    /// A check has completed.
    Checked {
        /// Whether it succeeded.
        good: bool,
        /// When the check was sent.
        sent_at: Instant,
        /// The limits for checks to change the health.
        rules: Rules,
    },
    /// The supervisor or an operator set the health explicitly.
    HealthSet(ServerHealth),
    /// Too many connections in a row have failed.
    Ejected,
    /// An ejected server gets clients again.
    Readmitted,
    /// An administrator set the administrative state.
    AdminStateSet(ServerState),
    /// The server that it tracks has this state. `None`: it tracks none any more.
    Tracked(Option<TrackedState>),
}

/// What a server takes from the one that it tracks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TrackedState {
    standing: Standing,
    wanted: ServerState,
}

/// Up until the next failed check, whatever the rules.
const LAST_CHANCE: Standing = Standing::Up { failed: u16::MAX };

/// Two independent axes: health, and the administrative state.
///
/// ```text
///   health:  Up ◀── rise good checks, set up, tried ──▶ Down ◀── fall bad checks, set down, ejected
///   wanted:  ready ◀─▶ drain ◀─▶ maint          (the last command counts)
/// ```
///
/// In maintenance, check results are ignored; a server that leaves maintenance is up, and the next
/// failed check takes it down. A check that was sent before the health was set explicitly is
/// ignored: a hung node that is resumed answers it at once.
///
/// A server that tracks another one has no health of its own, and two administrative states: its
/// own and the other's. The stricter one counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct State {
    standing: Standing,
    wanted: ServerState,
    /// The administrative state of the server that it tracks, if it tracks one.
    inherited: Option<ServerState>,
    /// When it was ejected, if it is down because of that.
    ejected: Option<Instant>,
    /// When the health was last set explicitly.
    health_set_at: Option<Instant>,
    /// When it last began or ceased to get clients.
    changed: Instant,
    down_since: Option<Instant>,
    down_before: Duration,
    times_down: u64,
}

impl State {
    /// The state of a new server: up, until the first failed check.
    pub(crate) const fn new(wanted: ServerState, now: Instant) -> State {
        State {
            standing: LAST_CHANCE,
            wanted,
            inherited: None,
            ejected: None,
            health_set_at: None,
            changed: now,
            down_since: None,
            down_before: Duration::ZERO,
            times_down: 0,
        }
    }

    /// The state after `event` at `now`.
    #[must_use]
    pub(crate) fn after(self, event: Event, now: Instant) -> State {
        let mut next = self;
        match event {
            Event::Tracked(tracked) => {
                next.inherited = tracked.map(|tracked| tracked.wanted);
                match tracked {
                    Some(tracked) => next.standing = tracked.standing,
                    None if self.is_tracker() => next.standing = LAST_CHANCE,
                    None => {}
                }
            }
            Event::AdminStateSet(wanted) if self.is_tracker() => next.wanted = wanted,
            // The other server's health counts.
            _ if self.is_tracker() => {}
            Event::Checked { .. } if self.wanted == ServerState::Maint => {}
            Event::Checked { sent_at, .. }
                if self
                    .health_set_at
                    .is_some_and(|health_set_at| sent_at < health_set_at) => {}
            Event::Checked { good, rules, .. } => next.standing = self.standing.after(good, rules),
            Event::HealthSet(ServerHealth::Down) => {
                next.standing = Standing::DOWN;
                next.ejected = None;
            }
            Event::Ejected => {
                next.standing = Standing::DOWN;
                next.ejected = Some(now);
            }
            // The health may have been set explicitly in the meantime.
            Event::Readmitted if self.ejected.is_none() => {}
            Event::Readmitted | Event::HealthSet(ServerHealth::Up) => next.standing = Standing::UP,
            Event::AdminStateSet(wanted) => {
                if self.wanted == ServerState::Maint && wanted != ServerState::Maint {
                    next.standing = LAST_CHANCE;
                }
                next.wanted = wanted;
            }
        }
        if let Event::HealthSet(_) = event {
            next.health_set_at = Some(now);
        }
        if next.standing.is_up() {
            next.ejected = None;
        }
        if next.word() != self.word() {
            next.changed = now;
        }
        match (self.is_down(), next.is_down()) {
            (false, true) => {
                next.down_since = Some(now);
                next.times_down += 1;
            }
            (true, false) => {
                next.down_before = self.downtime(now);
                next.down_since = None;
            }
            _ => {}
        }
        next
    }

    /// Whether it gets new clients.
    pub(crate) fn serves(&self) -> bool {
        self.standing.is_up() && self.effective() == ServerState::Ready
    }

    /// Whether its sessions may continue.
    pub(crate) fn holds(&self) -> bool {
        !self.is_down()
    }

    /// How long ago it was ejected, if it still is.
    pub(crate) fn ejected_for(&self, now: Instant) -> Option<Duration> {
        self.ejected.map(|at| now.saturating_duration_since(at))
    }

    /// The health according to the checks.
    pub(crate) fn health(&self) -> Health {
        if self.standing.is_up() {
            Health::Up
        } else {
            Health::Down
        }
    }

    /// Whether the health is about to change: the next check comes sooner.
    pub(crate) fn is_changing(&self) -> bool {
        !matches!(
            self.standing,
            Standing::Up { failed: 0 } | Standing::Down { passed: 0 }
        )
    }

    /// The progress of the checks, as HAProxy counts: below `rise` is down.
    pub(crate) fn health_count(&self, rules: Rules) -> u32 {
        let (rise, fall) = (u32::from(rules.rise), u32::from(rules.fall));
        match self.standing {
            Standing::Up { failed } => rise + fall.saturating_sub(1).saturating_sub(u32::from(failed)),
            Standing::Down { passed } => u32::from(passed).min(rise.saturating_sub(1)),
        }
    }

    /// Its administrative state.
    pub(crate) fn admin(&self) -> AdminState {
        AdminState {
            maint: self.wanted == ServerState::Maint,
            drain: self.wanted == ServerState::Drain,
            inherited_maint: self.inherited == Some(ServerState::Maint),
            inherited_drain: self.inherited == Some(ServerState::Drain),
        }
    }

    /// What servers that track this one take from it.
    pub(crate) const fn for_trackers(&self) -> TrackedState {
        TrackedState {
            standing: self.standing,
            wanted: self.wanted,
        }
    }

    /// Whether it tracks another server.
    pub(crate) const fn is_tracker(&self) -> bool {
        self.inherited.is_some()
    }

    /// HAProxy's name of the state.
    pub(crate) fn word(&self) -> &'static str {
        match (self.effective(), self.standing.is_up()) {
            (ServerState::Maint, _) => "MAINT",
            (_, false) => "DOWN",
            (ServerState::Drain, true) => "DRAIN",
            (ServerState::Ready, true) => "UP",
        }
    }

    /// Time since the state's name changed.
    pub(crate) fn since(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.changed)
    }

    /// How long it was down.
    pub(crate) fn downtime(&self, now: Instant) -> Duration {
        let now_down = self
            .down_since
            .map_or(Duration::ZERO, |since| now.saturating_duration_since(since));
        self.down_before + now_down
    }

    /// How often it went down.
    pub(crate) const fn times_down(&self) -> u64 {
        self.times_down
    }

    /// Resets the count of how often it went down.
    pub(crate) fn forget_times_down(&mut self) {
        self.times_down = 0;
    }

    // Private

    fn is_down(&self) -> bool {
        self.effective() == ServerState::Maint || !self.standing.is_up()
    }

    /// The stricter one of its two administrative states.
    fn effective(&self) -> ServerState {
        self.wanted.max(self.inherited.unwrap_or(ServerState::Ready))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULES: Rules = Rules { rise: 2, fall: 2 };

    /// A check that was sent after all other events of a test.
    fn checked(good: bool) -> Event {
        Event::Checked {
            good,
            sent_at: Instant::now() + Duration::from_hours(1),
            rules: RULES,
        }
    }

    fn words(events: &[Event]) -> Vec<&'static str> {
        let now = Instant::now();
        let mut state = State::new(ServerState::Ready, now);
        let next = |event: &Event| {
            state = state.after(*event, now);
            state.word()
        };
        events.iter().map(next).collect()
    }

    #[test]
    fn health_and_administrative_state_are_independent() {
        let bad = checked(false);
        let seen = words(&[
            Event::HealthSet(ServerHealth::Up),
            bad,
            Event::AdminStateSet(ServerState::Drain),
            bad,
            Event::AdminStateSet(ServerState::Ready),
            Event::HealthSet(ServerHealth::Up),
            Event::AdminStateSet(ServerState::Maint),
            bad,
            Event::AdminStateSet(ServerState::Drain),
            bad,
        ]);
        assert_eq!(
            seen,
            [
                "UP", "UP", "DRAIN", "DOWN", "DOWN", "UP", "MAINT", "MAINT", "DRAIN", "DOWN"
            ]
        );
    }

    #[test]
    fn checks_raise_a_server_set_down() {
        let good = checked(true);
        let bad = checked(false);
        assert_eq!(words(&[bad]), ["DOWN"]);
        assert_eq!(
            words(&[Event::HealthSet(ServerHealth::Down), good, good]),
            ["DOWN", "DOWN", "UP"]
        );
    }

    #[test]
    fn only_an_ejected_server_is_raised_by_a_try() {
        assert_eq!(words(&[Event::Ejected, Event::Readmitted]), ["DOWN", "UP"]);
        let health_set_at = Event::HealthSet(ServerHealth::Down);
        assert_eq!(words(&[health_set_at, Event::Readmitted]), ["DOWN", "DOWN"]);
        assert_eq!(
            words(&[Event::Ejected, health_set_at, Event::Readmitted]),
            ["DOWN", "DOWN", "DOWN"]
        );
        let up = Event::HealthSet(ServerHealth::Up);
        assert_eq!(
            words(&[Event::Ejected, up, health_set_at, Event::Readmitted]),
            ["DOWN", "UP", "DOWN", "DOWN"]
        );
    }

    #[test]
    fn a_check_begun_before_health_was_set_is_ignored() {
        let began = Instant::now();
        let at = |seconds| began + Duration::from_secs(seconds);
        let mut state =
            State::new(ServerState::Ready, began).after(Event::HealthSet(ServerHealth::Down), at(10));
        let mut word_after = |sent_at| {
            let rules = Rules { rise: 1, fall: 1 };
            state = state.after(
                Event::Checked {
                    good: true,
                    sent_at: at(sent_at),
                    rules,
                },
                at(20),
            );
            state.word()
        };
        assert_eq!([word_after(9), word_after(10)], ["DOWN", "UP"]);
    }

    #[test]
    fn a_tracker_has_the_others_health_and_the_stricter_state() {
        let now = Instant::now();
        let (mut other, mut state) = (
            State::new(ServerState::Ready, now),
            State::new(ServerState::Ready, now),
        );
        let set = |state| Some(Event::AdminStateSet(state));
        let down = Some(Event::HealthSet(ServerHealth::Down));
        let up = Some(Event::HealthSet(ServerHealth::Up));
        let (ready, drain, maint) = (ServerState::Ready, ServerState::Drain, ServerState::Maint);
        let words = [
            (None, None, "UP"),
            (None, down, "UP"),
            (None, Some(Event::Ejected), "UP"),
            (down, None, "DOWN"),
            (None, up, "DOWN"),
            (up, Some(checked(false)), "UP"),
            (set(drain), None, "DRAIN"),
            (None, set(maint), "MAINT"),
            (None, set(ready), "DRAIN"),
            (set(maint), set(drain), "MAINT"),
            (set(ready), None, "DRAIN"),
            (None, set(ready), "UP"),
        ];
        for (theirs, own, word) in words {
            other = theirs.map_or(other, |event| other.after(event, now));
            state = state.after(Event::Tracked(Some(other.for_trackers())), now);
            state = own.map_or(state, |event| state.after(event, now));
            assert_eq!(state.word(), word, "{theirs:?} {own:?}");
            assert_eq!(state.serves(), word == "UP");
        }
        // It was down twice: by the other's health, and by maintenance.
        assert_eq!(state.times_down(), 3);
        let freed = state.after(Event::Tracked(None), now);
        assert_eq!(freed.after(checked(false), now).word(), "DOWN");
        assert!(!freed.is_tracker());
    }

    #[test]
    fn time_down_adds_up() {
        let began = Instant::now();
        let at = |seconds| began + Duration::from_secs(seconds);
        let mut state = State::new(ServerState::Ready, began);
        for (second, health) in [
            (1, ServerHealth::Down),
            (3, ServerHealth::Up),
            (5, ServerHealth::Down),
        ] {
            state = state.after(Event::HealthSet(health), at(second));
        }
        assert_eq!(state.downtime(at(6)), Duration::from_secs(3));
        assert_eq!(
            (state.times_down(), state.since(at(6))),
            (2, Duration::from_secs(1))
        );
    }

    #[test]
    fn health_counts_as_haproxy_counts_it() {
        let now = Instant::now();
        let mut state = State::new(ServerState::Ready, now);
        let mut seen = vec![state.health_count(RULES)];
        for good in [true, false, false, true, true, true] {
            state = state.after(checked(good), now);
            seen.push(state.health_count(RULES));
        }
        assert_eq!(seen, [2, 3, 2, 0, 1, 3, 3]);
    }
}
