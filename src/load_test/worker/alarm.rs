//! A clock that wakes a poller to the microsecond: its own time-outs are whole milliseconds, which
//! is more than an answer takes.

use std::io;
use std::os::fd::{AsFd, AsRawFd};
use std::time::Duration;

use mio::unix::SourceFd;
use mio::{Interest, Registry};
use nix::sys::timerfd::{ClockId, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags};

use super::token::About;

/// An alarm.
#[derive(Debug)]
pub(super) struct Alarm {
    timer: TimerFd,
    /// When it goes off, in microseconds since the test began; `None` when it does not.
    at: Option<u64>,
}

impl Alarm {
    /// One that wakes whoever waits in the poller of `registry`.
    pub(super) fn new(registry: &Registry) -> io::Result<Alarm> {
        let flags = TimerFlags::TFD_NONBLOCK | TimerFlags::TFD_CLOEXEC;
        let timer = TimerFd::new(ClockId::CLOCK_MONOTONIC, flags)?;
        let fd = timer.as_fd().as_raw_fd();
        registry.register(&mut SourceFd(&fd), About::Alarm.into(), Interest::READABLE)?;
        Ok(Alarm { timer, at: None })
    }

    /// Goes off at `at`, as `now` it is earlier. One that is set for then already is left alone.
    pub(super) fn set(&mut self, at: Option<u64>, now: u64) -> io::Result<()> {
        if self.at == at {
            return Ok(());
        }
        self.at = at;
        let Some(at) = at else {
            return Ok(self.timer.unset()?);
        };
        // No time at all would stop it.
        let ahead = Duration::from_micros(at.saturating_sub(now).max(1));
        let once = Expiration::OneShot(ahead.into());
        Ok(self.timer.set(once, TimerSetTimeFlags::empty())?)
    }

    /// It went off.
    pub(super) fn went_off(&mut self) {
        self.at = None;
    }
}
