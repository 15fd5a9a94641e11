//! The data plane's time: milliseconds since it began.

use std::time::{Duration, Instant};

/// A clock that begins at 0.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock(Instant);

impl Clock {
    pub(crate) fn new() -> Clock {
        Clock(Instant::now())
    }

    /// Milliseconds since it began.
    pub(crate) fn now(&self) -> u64 {
        u64::try_from(self.0.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// The time since it began.
    pub(crate) fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }

    /// The same moment on the system's clock.
    pub(crate) fn instant(&self, ms: u64) -> Instant {
        self.0 + Duration::from_millis(ms)
    }

    /// A moment of the system's clock on this one.
    pub(crate) fn at(&self, instant: Instant) -> u64 {
        u64::try_from(instant.saturating_duration_since(self.0).as_millis()).unwrap_or(u64::MAX)
    }
}
