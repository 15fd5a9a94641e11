//! Event rates: events over a sliding second, in one atomic word.

use std::sync::atomic::{AtomicU64, Ordering};

/// Events per second, as HAProxy's `freq_ctr` counts them. Time is cut into periods of a second,
/// the first of which begins with the first event after a silence; the rate is the events of the
/// current period, and of those of the one before the share that a second's window would still see
/// if they had been spread evenly:
///
/// ```text
///        |   previous    |    current    |
///        |      [- - - - - window - - -] |
///        begin - 1 s     begin         now
/// ```
///
/// Any number of threads may count and read; each count is one compare-and-swap.
///
/// [`Rate::admit`] keeps a rate below a limit. It is exact in each period: never more than the
/// limit. A window across two periods may contain more if the events of the first all came at its
/// end, yet never more than twice the limit.
#[derive(Debug, Default)]
pub(super) struct Rate {
    /// A [`Periods`], packed; 0 before the first event.
    state: AtomicU64,
}

/// The events that a rate admits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Passed {
    /// How many events may pass; they are counted.
    pub(crate) events: u32,
    /// When the next event may pass, in the milliseconds of `now`; only if some events may not
    /// pass.
    pub(crate) again_at: Option<u64>,
}

/// A second.
const PERIOD_MS: u64 = 1_000;

const TWO_PERIODS_MS: u64 = 2 * PERIOD_MS;

/// How far the clock readings of threads may differ when they are used, in milliseconds.
const MAX_SKEW_MS: u64 = 60_000;

/// Bits of a count, of which there are two.
const COUNT_BITS: u32 = 19;

/// Bits of a timestamp; it wraps after 18 hours. (A rate that was neither read nor counted in
/// between may then mistake very old events for new ones, for two seconds.)
const TIME_BITS: u32 = 64 - 2 * COUNT_BITS;

/// The state at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Periods {
    /// When the current period began, in milliseconds, to [`TIME_BITS`].
    begin: u64,
    current: u64,
    previous: u64,
}

impl Rate {
    /// The most events that it can count in a second; more are counted as this many. No limit above
    /// it is ever reached.
    pub(super) const MAX: u32 = (1 << COUNT_BITS) - 1;

    /// Counts one event at `now_ms`, on any clock that does not go back.
    pub(super) fn tick(&self, now_ms: u64) {
        self.add(1, now_ms);
    }

    /// Counts `events` at once.
    pub(super) fn add(&self, events: u32, now_ms: u64) {
        self.update(now_ms, |periods| periods.current += u64::from(events));
    }

    /// The rate, as HAProxy shows it: rounded down, but a single event in the last period is shown
    /// as 1 while the window contains any of it.
    pub(super) fn per_second(&self, now_ms: u64) -> u32 {
        let now = Periods::unpack(self.state.load(Ordering::Relaxed)).at(now_ms);
        let rate = match now {
            Periods {
                current: 0,
                previous: previous @ 0..=1,
                ..
            } => previous,
            now => now.thousandths(now_ms) / PERIOD_MS,
        };
        u32::try_from(rate).unwrap_or(u32::MAX)
    }

    /// Whether no counted event contributes to the rate any more.
    pub(super) fn is_quiet(&self, now_ms: u64) -> bool {
        let now = Periods::unpack(self.state.load(Ordering::Relaxed)).at(now_ms);
        now.current == 0 && now.previous == 0
    }

    /// Whether one more event would be admitted now under `limit`; 0 means unlimited.
    pub(super) fn has_room(&self, limit: u32, now_ms: u64) -> bool {
        Periods::unpack(self.state.load(Ordering::Relaxed))
            .at(now_ms)
            .room(limit, now_ms)
            > 0
    }

    /// Admits as many of `events` as fit while the rate is below `limit`, and counts them; a limit
    /// of 0 means unlimited.
    pub(super) fn admit(&self, events: u32, limit: u32, now_ms: u64) -> Passed {
        let mut passed = Passed {
            events,
            again_at: None,
        };
        self.update(now_ms, |periods| {
            passed.events = events.min(periods.room(limit, now_ms));
            periods.current += u64::from(passed.events);
            passed.again_at = (passed.events < events).then(|| periods.next_room(limit, now_ms));
        });
        passed
    }

    // Private

    fn update(&self, now_ms: u64, mut change: impl FnMut(&mut Periods)) {
        // `Relaxed` is enough, because it publishes no other data.
        let _previous = self
            .state
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |state| {
                let mut periods = Periods::unpack(state).at(now_ms);
                change(&mut periods);
                Some(periods.pack())
            });
    }
}

impl Periods {
    fn unpack(state: u64) -> Periods {
        let count = u64::from(Rate::MAX);
        Periods {
            begin: state >> (2 * COUNT_BITS),
            current: (state >> COUNT_BITS) & count,
            previous: state & count,
        }
    }

    fn pack(self) -> u64 {
        let count = |events: u64| events.min(u64::from(Rate::MAX));
        self.begin << (2 * COUNT_BITS) | count(self.current) << COUNT_BITS | count(self.previous)
    }

    /// The state at `now_ms`: if a period is over, the next one has begun.
    fn at(self, now_ms: u64) -> Periods {
        let later = match self.age(now_ms) {
            0..PERIOD_MS => self,
            PERIOD_MS..TWO_PERIODS_MS => Periods {
                begin: time(self.begin + PERIOD_MS),
                current: 0,
                previous: self.current,
            },
            _ => Periods::default(),
        };
        if later.current == 0 && later.previous == 0 {
            return Periods {
                begin: time(now_ms),
                ..later
            };
        }
        later
    }

    /// Milliseconds since the begin of the period. If a thread read its clock a little before the
    /// thread that began the period, the age is 0.
    fn age(self, now_ms: u64) -> u64 {
        let age = time(now_ms.wrapping_sub(self.begin));
        if age > time(u64::MAX) - MAX_SKEW_MS {
            0
        } else {
            age
        }
    }

    /// The rate in thousandths.
    fn thousandths(self, now_ms: u64) -> u64 {
        self.previous * (PERIOD_MS - self.age(now_ms)) + self.current * PERIOD_MS
    }

    /// How many more events fit while the rate is below `limit`.
    fn room(self, limit: u32, now_ms: u64) -> u32 {
        if limit == 0 || limit > Rate::MAX {
            return u32::MAX;
        }
        let room = (u64::from(limit) * PERIOD_MS).saturating_sub(self.thousandths(now_ms));
        u32::try_from(room.div_ceil(PERIOD_MS)).unwrap_or(u32::MAX)
    }

    /// When there is room again, if there are no further events.
    fn next_room(self, limit: u32, now_ms: u64) -> u64 {
        let limit = u64::from(limit);
        let left = PERIOD_MS - self.age(now_ms);
        // The rest of a count that may still be seen: the rate is below the limit while `count *
        // rest < room * PERIOD`.
        let rest = |count: u64, room: u64| {
            (room * PERIOD_MS)
                .div_ceil(count.max(1))
                .saturating_sub(1)
                .min(PERIOD_MS)
        };
        let wait = if self.current < limit {
            left.saturating_sub(rest(self.previous, limit - self.current))
        } else {
            left + PERIOD_MS - rest(self.current, limit)
        };
        now_ms + wait.max(1)
    }
}

const fn time(ms: u64) -> u64 {
    ms & ((1 << TIME_BITS) - 1)
}

#[cfg(test)]
mod tests {
    use std::sync::Barrier;

    use proptest::prelude::*;

    use super::*;

    /// A reference implementation that keeps the time of every event.
    #[derive(Default)]
    struct Reference {
        events: Vec<u64>,
        begin: u64,
    }

    impl Reference {
        fn thousandths(&mut self, now: u64) -> u64 {
            let within =
                |from: u64, to: u64| self.events.iter().filter(|at| (from..to).contains(at)).count() as u64;
            if now >= self.begin + 2_000 {
                self.begin = now;
            } else if now >= self.begin + 1_000 {
                self.begin += 1_000;
            }
            let before = within(self.begin.saturating_sub(1_000), self.begin);
            let since = within(self.begin, u64::MAX);
            if before + since == 0 {
                self.begin = now;
            }
            before * (1_000 - (now - self.begin)) + since * 1_000
        }
    }

    fn waits() -> impl Strategy<Value = Vec<u64>> {
        let wait = prop_oneof![5 => 0u64..5, 3 => 0u64..300, 1 => 900u64..1_100, 1 => 1_500u64..2_500];
        prop::collection::vec(wait, 1..300)
    }

    fn start() -> impl Strategy<Value = u64> {
        prop_oneof![
            Just(0),
            0u64..5_000,
            (1u64 << TIME_BITS) - 5_000..1u64 << TIME_BITS,
            0u64..1 << 45
        ]
    }

    proptest! {
        #[test]
        fn the_shown_rate_equals_haproxys(start in start(), waits in waits()) {
            let (rate, mut reference) = (Rate::default(), Reference { events: vec![], begin: start });
            let mut now = start;
            for wait in waits {
                now += wait;
                let exact = reference.thousandths(now);
                let shown = u64::from(rate.per_second(now));
                // One event is shown as one while the window contains any of it.
                prop_assert!(shown == exact / 1_000 || (shown == 1 && 0 < exact && exact < 1_000), "{shown} {exact}");
                rate.tick(now);
                reference.events.push(now);
            }
        }

        #[test]
        fn a_limit_is_held(start in start(), waits in waits(), limit in 1u32..40, events in 1u32..4) {
            let (rate, mut reference) = (Rate::default(), Reference { events: vec![], begin: start });
            let mut now = start;
            for wait in waits {
                now += wait;
                let mut room = 0;
                while room < events && reference.thousandths(now) < u64::from(limit) * 1_000 {
                    reference.events.push(now);
                    room += 1;
                }
                prop_assert_eq!(rate.has_room(limit, now), room > 0);
                let passed = rate.admit(events, limit, now);
                prop_assert_eq!(passed.events, room);
                prop_assert_eq!(passed.again_at.is_some(), room < events);
            }
            let all = &reference.events;
            for from in all {
                let second = all.iter().filter(|at| (*from..from + 1_000).contains(at)).count();
                prop_assert!(second <= 2 * limit as usize, "{second} in a second");
            }
        }

        #[test]
        fn the_next_permitted_time_is_exact(start in start(), waits in waits(), limits in [1u32..40, 1u32..40]) {
            let rate = Rate::default();
            let mut now = start;
            for (wait, limit) in waits.into_iter().zip(limits.into_iter().cycle()) {
                now += wait;
                if let Some(again_at) = rate.admit(3, limit, now).again_at {
                    prop_assert!(now < again_at && again_at <= now + 2_000);
                    prop_assert!(!rate.has_room(limit, again_at - 1) && rate.has_room(limit, again_at));
                }
            }
        }
    }

    #[test]
    fn a_burst_after_silence_gets_the_limit_exactly() {
        for start in [0, 999, 123_456_789] {
            let rate = Rate::default();
            let passed: u32 = (0..1_000).map(|ms| rate.admit(1, 100, start + ms).events).sum();
            assert_eq!(passed, 100);
        }
    }

    #[test]
    fn no_limit_lets_all_through() {
        let rate = Rate::default();
        let all = Passed {
            events: 1_000_000,
            again_at: None,
        };
        assert_eq!(rate.admit(1_000_000, 0, 5), all);
        assert_eq!(rate.per_second(5), Rate::MAX);
        assert_eq!(rate.admit(1_000_000, u32::MAX, 5), all);
    }

    #[test]
    fn threads_together_get_the_limit_and_no_count_is_lost() {
        let (limited, counted, start) = (Rate::default(), Rate::default(), Barrier::new(4));
        let passed: u32 = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..4)
                .map(|_| {
                    scope.spawn(|| {
                        start.wait();
                        (0..10_000)
                            .map(|nth| {
                                counted.tick(7_000 + nth / 100);
                                limited.admit(1, 5_000, 7_000 + nth / 100).events
                            })
                            .sum::<u32>()
                    })
                })
                .collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).sum()
        });
        assert_eq!(passed, 5_000);
        assert_eq!(counted.per_second(7_500), 40_000);
    }
}
