//! A timer that wakes a poller to the microsecond: the poller's own timeouts are whole
//! milliseconds, which is longer than an answer takes.

use std::io;
use std::os::fd::{AsFd, AsRawFd};
use std::time::Duration;

use mio::unix::SourceFd;
use mio::{Interest, Registry};
use nix::sys::timerfd::{ClockId, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags};

use super::token::EventSource;

/// A timer of a poller.
#[derive(Debug)]
pub(super) struct Alarm {
    timer: TimerFd,
    /// When it expires, in microseconds since the test began; `None` if it is not set.
    at: Option<u64>,
}

impl Alarm {
    /// A timer that wakes the poller of `registry`.
    pub(super) fn new(registry: &Registry) -> io::Result<Alarm> {
        let flags = TimerFlags::TFD_NONBLOCK | TimerFlags::TFD_CLOEXEC;
        let timer = TimerFd::new(ClockId::CLOCK_MONOTONIC, flags)?;
        let fd = timer.as_fd().as_raw_fd();
        registry.register(&mut SourceFd(&fd), EventSource::Alarm.into(), Interest::READABLE)?;
        Ok(Alarm { timer, at: None })
    }

    /// Sets it to expire at `at`; `now` is before that. A timer that is set to `at` already is left
    /// alone.
    pub(super) fn set(&mut self, at: Option<u64>, now: u64) -> io::Result<()> {
        if self.at == at {
            return Ok(());
        }
        self.at = at;
        let Some(at) = at else {
            return Ok(self.timer.unset()?);
        };
        // A duration of zero would stop it.
        let ahead = Duration::from_micros(at.saturating_sub(now).max(1));
        let once = Expiration::OneShot(ahead.into());
        Ok(self.timer.set(once, TimerSetTimeFlags::empty())?)
    }

    /// Records that it has expired.
    pub(super) fn expired(&mut self) {
        self.at = None;
    }
}
