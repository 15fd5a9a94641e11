//! Server-sent events that say when they were sent.

use std::io::Write;
use std::time::{Duration, Instant};

use nix::sys::time::TimeSpec;
use nix::sys::timerfd::{ClockId, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags};

/// Every event has exactly one of these bytes; nothing else in a stream has it.
pub(crate) const EVENT_MARK: u8 = b'{';

/// An event that is sent now, as a chunk. Times count from `clock`.
pub(super) fn event(clock: Instant) -> Vec<u8> {
    let now = clock.elapsed().as_nanos();
    let event = format!(
        "data: {{\"jsonrpc\":\"2.0\",\"method\":\"notifications/message\",\"sent\":\"{now:020}\"}}\n\n"
    );
    let mut chunk = Vec::with_capacity(event.len() + 8);
    // Writing to a vector cannot fail.
    let _written = write!(chunk, "{:x}\r\n{event}\r\n", event.len());
    chunk
}

/// The time at which the first event in `bytes` was sent.
pub(crate) fn sent(bytes: &[u8]) -> Option<Duration> {
    let begins = memchr::memmem::find(bytes, b"\"sent\":\"")? + 8;
    let digits = bytes.get(begins..begins + 20)?;
    let nanoseconds = std::str::from_utf8(digits).ok()?.parse().ok()?;
    Some(Duration::from_nanos(nanoseconds))
}

/// Events at a fixed rate.
pub(super) struct Pace {
    pub(super) timer: TimerFd,
    streams: Vec<usize>,
    begun: Instant,
    interval: Duration,
    count: usize,
    sent: usize,
}

impl Pace {
    /// None yet.
    pub(super) fn new() -> std::io::Result<Pace> {
        Ok(Pace {
            timer: TimerFd::new(ClockId::CLOCK_MONOTONIC, TimerFlags::TFD_NONBLOCK)?,
            streams: Vec::new(),
            begun: Instant::now(),
            interval: Duration::ZERO,
            count: 0,
            sent: 0,
        })
    }

    /// `count` of them, one after each `interval`, to `streams` in turn.
    pub(super) fn begin(
        &mut self,
        streams: Vec<usize>,
        count: usize,
        interval: Duration,
    ) -> std::io::Result<()> {
        let count = if streams.is_empty() { 0 } else { count };
        self.timer.set(
            Expiration::Interval(TimeSpec::from_duration(interval)),
            TimerSetTimeFlags::empty(),
        )?;
        self.streams = streams;
        self.begun = Instant::now();
        self.interval = interval;
        self.count = count;
        self.sent = 0;
        Ok(())
    }

    /// The streams that an event is due for.
    pub(super) fn due(&mut self) -> Vec<usize> {
        // The number of expirations does not matter: the clock decides which events are due.
        let _count = self.timer.wait();
        let mut due = Vec::new();
        while self.sent < self.count && self.begun.elapsed() >= self.next() {
            // Neighbours were opened one after the other: a stride spreads the events.
            due.push(self.streams[self.sent * 7 % self.streams.len()]);
            self.sent += 1;
        }
        if self.sent == self.count {
            // A timer that goes on costs time, not correctness.
            let _stopped = self.timer.unset();
        }
        due
    }

    // Private

    fn next(&self) -> Duration {
        self.interval
            .mul_f64(u32::try_from(self.sent).map_or(f64::MAX, f64::from))
    }
}
