//! How often a child was restarted, and how long the next restart waits.

use std::time::{Duration, Instant};

use crate::profile::Restart;

/// Restarts of one child.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::supervisor) struct Restarts {
    /// Since the start of the cluster.
    pub(in crate::supervisor) total: u32,
    /// Since it last ran without a failure for `forget_after`.
    in_a_row: u32,
}

impl Restarts {
    /// Restarts counted by an earlier supervisor.
    pub(in crate::supervisor) fn counted(total: u32) -> Restarts {
        Restarts { total, in_a_row: 0 }
    }

    /// The child has died; `up` is the time since when it had been answering, if it ever did.
    /// Returns when it is to be started again, or `None` to give up.
    pub(in crate::supervisor) fn next(
        &mut self,
        up: Option<Instant>,
        now: Instant,
        policy: &Restart,
    ) -> Option<Instant> {
        if up.is_some_and(|up| now.saturating_duration_since(up) >= policy.forget_after.duration()) {
            self.in_a_row = 0;
        }
        if self.in_a_row >= policy.give_up_after {
            return None;
        }
        let wait = backoff(self.in_a_row, policy);
        self.in_a_row += 1;
        self.total += 1;
        Some(now + wait)
    }

    /// An operator started it: earlier deaths no longer count.
    pub(in crate::supervisor) fn forget(&mut self) {
        self.in_a_row = 0;
    }
}

/// The wait before restart number `nth` in a row, counted from 0: doubled each time, within the
/// policy's range.
fn backoff(nth: u32, policy: &Restart) -> Duration {
    let (from, to) = (policy.backoff.from.duration(), policy.backoff.to.duration());
    from.saturating_mul(1u32.checked_shl(nth).unwrap_or(u32::MAX))
        .clamp(from, to)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn policy() -> Restart {
        Restart {
            backoff: "100ms..30s".parse().unwrap(),
            give_up_after: 10,
            forget_after: "60s".parse().unwrap(),
            hung_after: "30s".parse().unwrap(),
        }
    }

    #[test]
    fn waits_double_up_to_the_limit_and_end_in_giving_up() {
        let (mut restarts, now) = (Restarts::default(), Instant::now());
        let waits: Vec<_> = std::iter::from_fn(|| restarts.next(None, now, &policy()))
            .map(|at| at.duration_since(now).as_millis())
            .collect();
        assert_eq!(
            waits,
            [100, 200, 400, 800, 1_600, 3_200, 6_400, 12_800, 25_600, 30_000]
        );
        assert_eq!(restarts.total, 10);
    }

    #[test]
    fn a_minute_without_deaths_resets_the_count() {
        let (mut restarts, now) = (Restarts::default(), Instant::now());
        for _ in 0..10 {
            restarts.next(None, now, &policy());
        }
        let later = now + Duration::from_mins(1);
        assert_eq!(
            restarts.next(Some(now), later, &policy()),
            Some(later + Duration::from_millis(100))
        );
    }

    proptest! {
        #[test]
        fn the_wait_stays_within_its_range(nth: u32) {
            let wait = backoff(nth, &policy());
            prop_assert!((100..=30_000).contains(&wait.as_millis()));
        }
    }
}
