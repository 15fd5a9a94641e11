//! Counters that many threads write and few read.
//!
//! What is counted once per connection is shared; what is counted with every read (bytes) has a
//! separate lane for each worker, so that no two workers ever write to the same cache line.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};

use super::rate::Rate;
use crate::haproxy_api::server::{HttpFigures, Traffic};

/// A current value and its maximum.
#[derive(Debug, Default)]
pub(crate) struct Gauge {
    now: AtomicU32,
    max: AtomicU32,
}

/// Bytes in both directions.
#[derive(Debug)]
pub(crate) struct Bytes {
    lanes: Box<[Lane]>,
    /// The count at the last reset.
    before: Lane,
}

/// One worker's own count.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Lane {
    up: AtomicU64,
    down: AtomicU64,
}

/// A rate and its maximum.
#[derive(Debug, Default)]
pub(crate) struct PeakRate {
    rate: Rate,
    max: AtomicU32,
}

/// A mean over about the last 1,024 values, and the maximum.
#[derive(Debug, Default)]
pub(crate) struct Mean {
    /// The mean, times 1,024.
    sum: AtomicU64,
    max: AtomicU32,
}

/// The traffic of a server or a backend, except for bytes.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) queued: Gauge,
    pub(crate) sessions: Gauge,
    pub(crate) total: AtomicU64,
    pub(crate) chosen: AtomicU64,
    pub(crate) connect_errors: AtomicU64,
    pub(crate) server_aborts: AtomicU64,
    pub(crate) client_aborts: AtomicU64,
    pub(crate) retries: AtomicU64,
    pub(crate) redispatches: AtomicU64,
    pub(crate) rate: PeakRate,
    /// When the last session began, in ms of the plane's clock, plus one; 0 means never.
    last: AtomicU64,
    pub(crate) queue_time: Mean,
    pub(crate) connect_time: Mean,
    /// From the end of a request's head to its answer's.
    pub(crate) response_time: Mean,
    pub(crate) total_time: Mean,
}

/// Adds one.
pub(crate) fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Relaxed);
}

impl Gauge {
    /// Adds one; returns the new value.
    pub(crate) fn up(&self) -> u32 {
        let now = self.now.fetch_add(1, Relaxed) + 1;
        if now > self.max.load(Relaxed) {
            self.max.fetch_max(now, Relaxed);
        }
        now
    }

    /// Adds one if the value is below `limit`; this is exact under concurrent calls. The maximum
    /// does not include it until [`Gauge::settled`] is called, because it may be taken back.
    pub(crate) fn up_within(&self, limit: u32) -> bool {
        let one_more = |now: u32| (now < limit).then(|| now + 1);
        self.now.fetch_update(Relaxed, Relaxed, one_more).is_ok()
    }

    /// Includes the current value in the maximum.
    pub(crate) fn settled(&self) {
        let now = self.get();
        if now > self.max() {
            self.max.fetch_max(now, Relaxed);
        }
    }

    /// Subtracts one.
    pub(crate) fn down(&self) {
        self.now.fetch_sub(1, Relaxed);
    }

    pub(crate) fn get(&self) -> u32 {
        self.now.load(Relaxed)
    }

    pub(crate) fn max(&self) -> u32 {
        self.max.load(Relaxed)
    }

    /// Resets the maximum.
    pub(crate) fn forget_max(&self) {
        self.max.store(self.get(), Relaxed);
    }
}

impl Bytes {
    pub(crate) fn new(workers: u16) -> Bytes {
        Bytes {
            lanes: (0..workers).map(|_| Lane::default()).collect(),
            before: Lane::default(),
        }
    }

    /// Adds the bytes that `worker` has moved. Only that worker's thread calls this.
    pub(crate) fn add(&self, worker: u16, up: u64, down: u64) {
        if let Some(lane) = self.lanes.get(usize::from(worker)) {
            // One writer each: no need for an atomic addition.
            lane.up.store(lane.up.load(Relaxed).wrapping_add(up), Relaxed);
            lane.down
                .store(lane.down.load(Relaxed).wrapping_add(down), Relaxed);
        }
    }

    /// Bytes from clients.
    pub(crate) fn up(&self) -> u64 {
        self.sum(|lane| &lane.up)
    }

    /// Bytes to clients.
    pub(crate) fn down(&self) -> u64 {
        self.sum(|lane| &lane.down)
    }

    /// Resets the count.
    pub(crate) fn clear(&self) {
        self.before.up.fetch_add(self.up(), Relaxed);
        self.before.down.fetch_add(self.down(), Relaxed);
    }

    // Private

    fn sum(&self, of: impl Fn(&Lane) -> &AtomicU64) -> u64 {
        let all: u64 = self.lanes.iter().map(|lane| of(lane).load(Relaxed)).sum();
        all.saturating_sub(of(&self.before).load(Relaxed))
    }
}

impl PeakRate {
    /// Counts one event.
    pub(crate) fn tick(&self, now: u64) {
        self.rate.tick(now);
        let rate = self.rate.per_second(now);
        if rate > self.max.load(Relaxed) {
            self.max.fetch_max(rate, Relaxed);
        }
    }

    pub(crate) fn get(&self, now: u64) -> u32 {
        self.rate.per_second(now)
    }

    pub(crate) fn max(&self) -> u32 {
        self.max.load(Relaxed)
    }

    /// Resets the maximum.
    pub(crate) fn forget_max(&self) {
        self.max.store(0, Relaxed);
    }
}

impl Mean {
    const WINDOW: u64 = 1024;

    /// Adds a value. Values that other threads add at the same moment may be lost, which hardly
    /// changes the mean.
    pub(crate) fn add(&self, value: u64) {
        let sum = self.sum.load(Relaxed);
        self.sum
            .store(sum - sum.div_ceil(Self::WINDOW).min(sum) + value, Relaxed);
        let value = u32::try_from(value).unwrap_or(u32::MAX);
        if value > self.max.load(Relaxed) {
            self.max.fetch_max(value, Relaxed);
        }
    }

    pub(crate) fn get(&self) -> u32 {
        u32::try_from(self.sum.load(Relaxed).div_ceil(Self::WINDOW)).unwrap_or(u32::MAX)
    }

    pub(crate) fn max(&self) -> u32 {
        self.max.load(Relaxed)
    }
}

impl Counters {
    /// Counts the begin of a session.
    pub(crate) fn begun(&self, now: u64) {
        self.sessions.up();
        count(&self.total);
        self.rate.tick(now);
        self.last.store(now + 1, Relaxed);
    }

    /// Resets the maxima; if `all`, the sums too.
    pub(crate) fn clear(&self, all: bool) {
        self.queued.forget_max();
        self.sessions.forget_max();
        self.rate.forget_max();
        for mean in [
            &self.queue_time,
            &self.connect_time,
            &self.response_time,
            &self.total_time,
        ] {
            mean.max.store(0, Relaxed);
        }
        if all {
            for counter in [
                &self.total,
                &self.chosen,
                &self.connect_errors,
                &self.server_aborts,
                &self.client_aborts,
                &self.retries,
                &self.redispatches,
            ] {
                counter.store(0, Relaxed);
            }
        }
    }

    /// The figures at `now`, with these bytes, and those of HTTP if it is spoken.
    pub(crate) fn figures(
        &self,
        now: u64,
        (bytes_in, bytes_out): (u64, u64),
        http: Option<HttpFigures>,
    ) -> Traffic {
        let get = |counter: &AtomicU64| counter.load(Relaxed);
        let last = get(&self.last);
        Traffic {
            queued: self.queued.get(),
            queued_max: self.queued.max(),
            sessions: self.sessions.get(),
            sessions_max: self.sessions.max(),
            sessions_total: get(&self.total),
            bytes_in,
            bytes_out,
            connect_errors: get(&self.connect_errors),
            server_aborts: get(&self.server_aborts),
            client_aborts: get(&self.client_aborts),
            retries: get(&self.retries),
            redispatches: get(&self.redispatches),
            chosen: get(&self.chosen),
            session_rate: self.rate.get(now),
            session_rate_max: self.rate.max(),
            last_session: (last > 0).then(|| (now + 1).saturating_sub(last) / 1000),
            queue_time: self.queue_time.get(),
            connect_time: self.connect_time.get(),
            response_time: self.response_time.get(),
            total_time: self.total_time.get(),
            queue_time_max: self.queue_time.max(),
            connect_time_max: self.connect_time.max(),
            response_time_max: self.response_time.max(),
            total_time_max: self.total_time.max(),
            http,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    #[test]
    fn a_limit_holds_for_concurrent_threads() {
        const LIMIT: u32 = 3;
        let (gauge, inside) = (Gauge::default(), AtomicU32::new(0));
        let work = || {
            for _ in 0..10_000 {
                if gauge.up_within(LIMIT) {
                    gauge.settled();
                    assert!(inside.fetch_add(1, Relaxed) < LIMIT);
                    inside.fetch_sub(1, Relaxed);
                    gauge.down();
                }
            }
        };
        thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(work);
            }
        });
        assert_eq!(gauge.get(), 0);
        assert!((1..=LIMIT).contains(&gauge.max()));
    }
}
