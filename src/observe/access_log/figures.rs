//! Counts of one frontend, server or backend.

use std::time::Duration;

/// How many of the latest times a mean is about; as in HAProxy.
const MEAN_SAMPLES: u64 = 512;

/// Sums over all ended requests and sessions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// Sessions; over HTTP, requests.
    pub sessions: u64,
    /// How many ended per second.
    pub rate: Rate,
    /// Bytes from clients.
    pub bytes_in: u64,
    /// Bytes to clients.
    pub bytes_out: u64,
    /// Requests and sessions that a limit refused.
    pub denied: u64,
    /// Failed connections to nodes.
    pub connect_errors: u64,
    /// Bad requests, and requests without a good answer.
    pub errors: u64,
    /// The time until a node's first byte.
    pub first_byte: Mean,
}

/// A mean in which a later time counts more than an earlier one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Mean {
    micros: u64,
    /// The number of times, up to the limit.
    count: u64,
}

/// Events per second, by the clock of the events' source.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rate {
    /// The second of the latest event, since 1970.
    second: u64,
    /// Events in it.
    latest: u64,
    /// Events in the previous second.
    before: u64,
}

impl Figures {
    /// Adds a session that ended at `time`, in seconds since 1970, with these bytes.
    pub(super) fn add(&mut self, time: Option<f64>, bytes_in: u64, bytes_out: u64) {
        self.sessions += 1;
        self.bytes_in = self.bytes_in.saturating_add(bytes_in);
        self.bytes_out = self.bytes_out.saturating_add(bytes_out);
        if let Some(time) = time {
            self.rate.add(second(time));
        }
    }
}

impl Mean {
    /// The mean; `None` when there are no times.
    #[must_use]
    pub const fn get(self) -> Option<Duration> {
        match self.count {
            0 => None,
            _ => Some(Duration::from_micros(self.micros)),
        }
    }

    /// Adds a time.
    pub(super) fn add(&mut self, took: Duration) {
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        self.count = (self.count + 1).min(MEAN_SAMPLES);
        if micros >= self.micros {
            self.micros += (micros - self.micros) / self.count;
        } else {
            self.micros -= (self.micros - micros) / self.count;
        }
    }
}

impl Rate {
    /// Events in the last whole second before `now`, in seconds since 1970.
    #[must_use]
    pub const fn at(self, now: u64) -> u64 {
        match now.checked_sub(self.second) {
            Some(0) => self.before,
            Some(1) => self.latest,
            _ => 0,
        }
    }

    // Private

    fn add(&mut self, second: u64) {
        match (second.checked_sub(self.second), self.second.checked_sub(second)) {
            (Some(0), _) => self.latest += 1,
            (Some(1), _) => {
                *self = Rate {
                    second,
                    latest: 1,
                    before: self.latest,
                }
            }
            // With several workers, one may write a little late.
            (None, Some(1)) => self.before += 1,
            // After a pause, or when the clock was set back.
            _ => {
                *self = Rate {
                    second,
                    latest: 1,
                    before: 0,
                }
            }
        }
    }
}

// Private

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a time of the log is neither negative nor beyond all bounds"
)]
const fn second(time: f64) -> u64 {
    time as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rate(seconds: &[u64]) -> Rate {
        let mut rate = Rate::default();
        for second in seconds {
            rate.add(*second);
        }
        rate
    }

    #[test]
    fn the_last_whole_second_counts() {
        let seen = rate(&[10, 10, 11, 10, 11, 11, 11]);
        assert_eq!([10, 11, 12, 13].map(|now| seen.at(now)), [0, 3, 4, 0]);
    }

    #[test]
    fn the_rate_starts_again_after_a_pause_or_a_clock_change() {
        assert_eq!(rate(&[10, 10, 20]).at(20), 0);
        let set_back = rate(&[99_999, 10, 10, 11]);
        assert_eq!((set_back.at(11), set_back.at(12)), (2, 1));
    }

    #[test]
    fn the_mean_follows_the_latest_times() {
        let mut mean = Mean::default();
        assert_eq!(mean.get(), None);
        for millis in [2, 4, 6] {
            mean.add(Duration::from_millis(millis));
        }
        assert_eq!(mean.get(), Some(Duration::from_millis(4)));
        (0..100_000).for_each(|_| mean.add(Duration::from_millis(40)));
        let near = Duration::from_millis(39)..=Duration::from_millis(40);
        assert!(near.contains(&mean.get().unwrap()));
        mean.add(Duration::MAX);
        (0..100_000).for_each(|_| mean.add(Duration::ZERO));
        assert!(mean.get().unwrap() < Duration::from_millis(1));
    }
}
