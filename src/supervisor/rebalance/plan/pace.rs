//! How many connections are closed in each second.

use std::time::Duration;

/// How many connections are closed in each second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::supervisor) struct Pace {
    /// The closes that are planned in all.
    pub(in crate::supervisor) total: u64,
    /// The time over which they are distributed.
    pub(in crate::supervisor) over: Duration,
}

impl Pace {
    /// The most closes in a second: a little more than the mean, because a part of each second is
    /// spent on reading the connections.
    pub(in crate::supervisor) fn per_second(self) -> u64 {
        let closing = self.over.as_millis().max(1) * 9;
        let most = (u128::from(self.total) * 10_000).div_ceil(closing);
        u64::try_from(most).unwrap_or(u64::MAX).max(1)
    }

    /// The time between two closes.
    pub(in crate::supervisor) fn spacing(self) -> Duration {
        Duration::from_secs(1) / u32::try_from(self.per_second()).unwrap_or(u32::MAX)
    }

    /// The most closes in all: more than planned, where clients came back to other nodes than
    /// expected.
    pub(in crate::supervisor) fn most(self) -> u64 {
        self.total + self.total / 2 + self.per_second()
    }

    /// The closes that are due in the second that begins after this time, of which so many were
    /// `closed` before. Nothing above the plan is due while clients are `returning`.
    pub(in crate::supervisor) fn due(self, elapsed: Duration, closed: u64, returning: u64) -> u64 {
        let until = elapsed + Duration::from_secs(1);
        let by_then = if until <= self.over {
            let by_then = u128::from(self.total) * until.as_millis() / self.over.as_millis().max(1);
            u64::try_from(by_then).unwrap_or(u64::MAX)
        } else if returning > 0 {
            self.total
        } else {
            self.most()
        };
        by_then.saturating_sub(closed).min(self.per_second())
    }
}
