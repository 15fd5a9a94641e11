//! At most one log line per period, however often its cause occurs.

use std::time::{Duration, Instant};

/// Lets one occurrence per period through, and counts the others.
#[derive(Clone, Copy, Debug)]
pub struct Throttle {
    every: Duration,
    last: Option<Instant>,
    held_back: u64,
}

impl Throttle {
    /// Lets one occurrence through per `every`.
    #[must_use]
    pub const fn new(every: Duration) -> Throttle {
        Throttle {
            every,
            last: None,
            held_back: 0,
        }
    }

    /// Counts an occurrence at `now`. Returns `Some` if it must be logged, with the number of
    /// occurrences since the last time.
    pub fn after(&mut self, now: Instant) -> Option<u64> {
        self.held_back += 1;
        if self
            .last
            .is_some_and(|last| now.duration_since(last) < self.every)
        {
            return None;
        }
        self.last = Some(now);
        Some(std::mem::take(&mut self.held_back))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_per_period_is_logged_and_all_are_counted() {
        let start = Instant::now();
        let mut throttle = Throttle::new(Duration::from_secs(1));
        let reported: Vec<_> = [0, 10, 500, 999, 1_000, 1_001, 5_000]
            .map(|ms| throttle.after(start + Duration::from_millis(ms)))
            .to_vec();
        assert_eq!(reported, [Some(1), None, None, None, Some(4), None, Some(2)]);
    }
}
