//! Counts and limits of the whole process: its clients, and how many it may have.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};

use super::counters::{Gauge, PeakRate, count};

/// The process.
#[derive(Debug)]
pub(crate) struct Process {
    pub(crate) connections: Gauge,
    pub(crate) total: AtomicU64,
    pub(crate) accepts: PeakRate,
    pub(crate) sessions: PeakRate,
    maxconn: AtomicU32,
    configured: AtomicU32,
}

impl Process {
    pub(crate) fn new(maxconn: u32) -> Process {
        Process {
            connections: Gauge::default(),
            total: AtomicU64::new(0),
            accepts: PeakRate::default(),
            sessions: PeakRate::default(),
            maxconn: AtomicU32::new(maxconn),
            configured: AtomicU32::new(maxconn),
        }
    }

    /// Takes a new configuration over.
    pub(crate) fn reconfigure(&self, maxconn: u32) {
        if self.configured.swap(maxconn, Relaxed) != maxconn {
            self.maxconn.store(maxconn, Relaxed);
        }
    }

    /// Connections at most; 0 is as configured, and more than that is not to be had.
    pub(crate) fn set_maxconn(&self, maxconn: u32) {
        let configured = self.configured.load(Relaxed);
        let maxconn = if maxconn == 0 {
            configured
        } else {
            maxconn.min(configured)
        };
        self.maxconn.store(maxconn, Relaxed);
    }

    pub(crate) fn maxconn(&self) -> u32 {
        self.maxconn.load(Relaxed)
    }

    pub(crate) fn configured(&self) -> u32 {
        self.configured.load(Relaxed)
    }

    /// Takes a place for one more, if there is one; for [`Admission`](super::admission::Admission),
    /// which gives it back.
    pub(super) fn reserve(&self) -> bool {
        self.connections.up_within(self.maxconn())
    }

    /// A client was accepted; it may still be refused.
    pub(crate) fn accepted(&self, now: u64) {
        count(&self.total);
        self.accepts.tick(now);
    }

    /// A session begins, in a place that was reserved.
    pub(crate) fn begun(&self, now: u64) {
        self.connections.settled();
        self.sessions.tick(now);
    }

    /// Gives a place back.
    pub(super) fn release(&self) {
        self.connections.down();
    }
}
