//! Counters of HTTP: requests, answers by class, compression, connections to servers.
//!
//! What is counted once per request has a lane for each worker, so that no two workers ever write
//! to the same cache line; what is rare is shared.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};

use super::counters::count;
use super::rate::Rate;
use crate::haproxy_api::server::{CompressionFigures, HttpFigures};

/// The HTTP traffic of a frontend, a backend or a server.
///
/// | when | frontend | backend | server |
/// | --- | --- | --- | --- |
/// | the head of a request was read, valid or not | `request` | | |
/// | its backend is known | | `request` | |
/// | its server is known | | | `request` |
/// | a connection is begun, or an idle one is taken | | `connecting`, `reused` | `connecting`, `reused` |
/// | a valid final answer of the server was read | | | `response` |
/// | the client got an answer | `response` | `response` | |
/// | the request is over | `finished` | `finished` | `finished` |
///
/// As in HAProxy, an answer of the balancer itself (502..) counts at the frontend and, if there is
/// one, at the backend, but not at the server. Of several answers to a request only the final one
/// counts; 101 is final.
#[derive(Debug)]
pub(crate) struct HttpCounters {
    lanes: Box<[Lane]>,
    /// The sums at the last reset.
    before: Lane,
    rate_max: AtomicU32,
    denied: AtomicU64,
    intercepted: AtomicU64,
    invalid_requests: AtomicU64,
    invalid_responses: AtomicU64,
}

/// One worker's own counts.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Lane {
    counters: [AtomicU64; COUNTERS],
    rate: Rate,
    /// Requests that are not over.
    open: AtomicU64,
    /// Idle connections that the worker keeps.
    idle: AtomicU64,
}

/// A counter of a lane.
#[derive(Clone, Copy, Debug)]
enum Counter {
    Status1xx,
    Status2xx,
    Status3xx,
    Status4xx,
    Status5xx,
    OtherStatus,
    Requests,
    Connects,
    Reuses,
    CompressionIn,
    CompressionOut,
    CompressionBypassed,
    CompressedResponses,
}

const COUNTERS: usize = Counter::CompressedResponses as usize + 1;

/// A worker passes its own number; no other thread may pass it.
impl HttpCounters {
    pub(crate) fn new(workers: u16) -> HttpCounters {
        HttpCounters {
            lanes: (0..workers).map(|_| Lane::default()).collect(),
            before: Lane::default(),
            rate_max: AtomicU32::new(0),
            denied: AtomicU64::new(0),
            intercepted: AtomicU64::new(0),
            invalid_requests: AtomicU64::new(0),
            invalid_responses: AtomicU64::new(0),
        }
    }

    /// Counts the begin of a request at `now`. [`HttpCounters::finished`] is its end.
    pub(crate) fn request(&self, worker: u16, now: u64) {
        self.add(worker, Counter::Requests, 1);
        if let Some(lane) = self.lane(worker) {
            lane.rate.tick(now);
            lane.open.store(get(&lane.open) + 1, Relaxed);
        }
    }

    /// Counts the end of a request.
    pub(crate) fn finished(&self, worker: u16) {
        if let Some(lane) = self.lane(worker) {
            lane.open.store(get(&lane.open).saturating_sub(1), Relaxed);
        }
    }

    /// Counts a final answer.
    pub(crate) fn response(&self, worker: u16, status: u16) {
        let counter = match status / 100 {
            1 => Counter::Status1xx,
            2 => Counter::Status2xx,
            3 => Counter::Status3xx,
            4 => Counter::Status4xx,
            5 => Counter::Status5xx,
            _ => Counter::OtherStatus,
        };
        self.add(worker, counter, 1);
    }

    /// Counts a connection attempt to a server.
    pub(crate) fn connecting(&self, worker: u16) {
        self.add(worker, Counter::Connects, 1);
    }

    /// Counts a request that is sent on an idle connection.
    pub(crate) fn reused(&self, worker: u16) {
        self.add(worker, Counter::Reuses, 1);
    }

    /// Sets the number of idle connections that the worker keeps.
    pub(crate) fn set_idle(&self, worker: u16, connections: usize) {
        if let Some(lane) = self.lane(worker) {
            lane.idle.store(connections as u64, Relaxed);
        }
    }

    /// Counts an answer that is compressed.
    pub(crate) fn compressed_response(&self, worker: u16) {
        self.add(worker, Counter::CompressedResponses, 1);
    }

    /// Counts bytes of compressed answers: from the server, and to the client.
    pub(crate) fn compressed(&self, worker: u16, bytes_in: u64, bytes_out: u64) {
        self.add(worker, Counter::CompressionIn, bytes_in);
        self.add(worker, Counter::CompressionOut, bytes_out);
    }

    /// Counts bytes of an answer that is not compressed because of a limit.
    pub(crate) fn bypassed_compression(&self, worker: u16, bytes: u64) {
        self.add(worker, Counter::CompressionBypassed, bytes);
    }

    /// Counts a request that a rule denies: 404, 413, 429 (`dreq`).
    pub(crate) fn denied(&self) {
        count(&self.denied);
    }

    /// Counts a request that the balancer answers by a rule that does not deny it (`intercepted`):
    /// 400 for an ambiguous path.
    pub(crate) fn intercepted(&self) {
        count(&self.intercepted);
    }

    /// Counts a request that is not valid, or whose head does not arrive (`ereq`).
    pub(crate) fn invalid_request(&self) {
        count(&self.invalid_requests);
    }

    /// Counts an answer that is not valid, or that does not arrive: 502, 504 (`eresp`).
    pub(crate) fn invalid_response(&self) {
        count(&self.invalid_responses);
    }

    /// All requests so far, also those before the last reset.
    pub(crate) fn all_requests(&self) -> u64 {
        self.total(|lane| lane.get(Counter::Requests))
    }

    /// All bytes before and after compression so far, also those before the last reset.
    pub(crate) fn all_compressed(&self) -> (u64, u64) {
        (
            self.total(|lane| lane.get(Counter::CompressionIn)),
            self.total(|lane| lane.get(Counter::CompressionOut)),
        )
    }

    /// Includes the current rate in its maximum. To be called once a second: a rate shows all
    /// events of a period, which is as long.
    pub(crate) fn settle_rate(&self, now: u64) {
        self.rate_max.fetch_max(self.rate(now), Relaxed);
    }

    /// Resets the maximum; if `all`, the sums too.
    pub(crate) fn clear(&self, all: bool) {
        self.rate_max.store(0, Relaxed);
        if !all {
            return;
        }
        // Each lane has its own writer, so lanes are not reset.
        for (at, before) in self.before.counters.iter().enumerate() {
            before.store(self.total(|lane| get(&lane.counters[at])), Relaxed);
        }
        for counter in [
            &self.denied,
            &self.intercepted,
            &self.invalid_requests,
            &self.invalid_responses,
        ] {
            counter.store(0, Relaxed);
        }
    }

    /// The figures for the runtime API.
    pub(crate) fn figures(&self, now: u64) -> HttpFigures {
        self.settle_rate(now);
        HttpFigures {
            requests: self.sum(Counter::Requests),
            request_rate: self.rate(now),
            request_rate_max: self.rate_max.load(Relaxed),
            open_requests: self.total(|lane| get(&lane.open)),
            responses: [
                Counter::Status1xx,
                Counter::Status2xx,
                Counter::Status3xx,
                Counter::Status4xx,
                Counter::Status5xx,
                Counter::OtherStatus,
            ]
            .map(|counter| self.sum(counter)),
            denied_requests: get(&self.denied),
            intercepted_requests: get(&self.intercepted),
            invalid_requests: get(&self.invalid_requests),
            invalid_responses: get(&self.invalid_responses),
            connects: self.sum(Counter::Connects),
            reuses: self.sum(Counter::Reuses),
            idle_connections: self.lanes.iter().map(|lane| narrow(get(&lane.idle))).collect(),
            compression: CompressionFigures {
                bytes_in: self.sum(Counter::CompressionIn),
                bytes_out: self.sum(Counter::CompressionOut),
                bytes_bypassed: self.sum(Counter::CompressionBypassed),
                responses: self.sum(Counter::CompressedResponses),
            },
        }
    }

    // Private

    fn lane(&self, worker: u16) -> Option<&Lane> {
        self.lanes.get(usize::from(worker))
    }

    fn add(&self, worker: u16, counter: Counter, number: u64) {
        if let Some(lane) = self.lane(worker) {
            // One writer each: no need for an atomic addition.
            let counter = &lane.counters[counter as usize];
            counter.store(get(counter).wrapping_add(number), Relaxed);
        }
    }

    fn rate(&self, now: u64) -> u32 {
        let rates = self.lanes.iter().map(|lane| lane.rate.per_second(now));
        rates.fold(0, u32::saturating_add)
    }

    /// The sum of all lanes since the start.
    fn total(&self, of: impl Fn(&Lane) -> u64) -> u64 {
        self.lanes.iter().map(of).sum()
    }

    /// The sum of all lanes since the last reset.
    fn sum(&self, counter: Counter) -> u64 {
        self.total(|lane| lane.get(counter))
            .saturating_sub(self.before.get(counter))
    }
}

impl Lane {
    fn get(&self, counter: Counter) -> u64 {
        get(&self.counters[counter as usize])
    }
}

// Private

fn get(counter: &AtomicU64) -> u64 {
    counter.load(Relaxed)
}

fn narrow(number: u64) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lane_fills_its_cache_lines() {
        assert_eq!(size_of::<Lane>(), 128);
    }

    #[test]
    fn workers_counts_are_added_up() {
        let counters = HttpCounters::new(2);
        for (worker, status) in [
            (0, 101),
            (0, 204),
            (1, 200),
            (1, 302),
            (1, 404),
            (0, 502),
            (0, 700),
        ] {
            counters.request(worker, 5_000);
            counters.response(worker, status);
        }
        counters.finished(1);
        counters.connecting(0);
        counters.reused(1);
        counters.set_idle(0, 3);
        counters.set_idle(1, 4);
        counters.compressed(1, 100, 10);
        counters.compressed_response(1);
        let figures = counters.figures(5_000);
        assert_eq!(figures.responses, [1, 2, 1, 1, 1, 1]);
        assert_eq!((figures.requests, figures.open_requests), (7, 6));
        assert_eq!((figures.request_rate, figures.request_rate_max), (7, 7));
        assert_eq!((figures.connects, figures.reuses), (1, 1));
        assert_eq!(figures.idle_connections, [3, 4]);
        assert_eq!(
            figures.compression,
            CompressionFigures {
                bytes_in: 100,
                bytes_out: 10,
                bytes_bypassed: 0,
                responses: 1
            }
        );
    }

    #[test]
    fn a_reset_keeps_what_is_current() {
        let counters = HttpCounters::new(1);
        counters.request(0, 5_000);
        counters.response(0, 200);
        counters.denied();
        counters.set_idle(0, 1);
        counters.compressed(0, 100, 10);
        counters.clear(false);
        let figures = counters.figures(9_000);
        assert_eq!((figures.requests, figures.request_rate_max), (1, 0));
        counters.clear(true);
        counters.request(0, 9_000);
        let figures = counters.figures(9_000);
        assert_eq!((figures.requests, figures.open_requests), (1, 2));
        assert_eq!((figures.responses, figures.denied_requests), ([0; 6], 0));
        assert_eq!((figures.idle_connections, counters.all_requests()), (vec![1], 2));
        assert_eq!(counters.all_compressed(), (100, 10));
    }

    #[test]
    fn a_number_that_is_not_a_workers_is_ignored() {
        let counters = HttpCounters::new(1);
        counters.request(1, 0);
        counters.finished(1);
        counters.finished(0);
        let none = HttpFigures {
            idle_connections: vec![0],
            ..HttpFigures::default()
        };
        assert_eq!(counters.figures(0), none);
    }
}
