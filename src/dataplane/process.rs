//! Counts and limits of the whole process.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};

use super::counters::{Gauge, PeakRate, count};

/// Counts and limits of the process.
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

    /// Applies a new configuration.
    pub(crate) fn reconfigure(&self, maxconn: u32) {
        if self.configured.swap(maxconn, Relaxed) != maxconn {
            self.maxconn.store(maxconn, Relaxed);
        }
    }

    /// Sets the limit of connections; 0 is the configured one, which is also the maximum.
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

    /// Takes a slot, if one is free; for [`Admission`](super::admission::Admission), which returns
    /// it.
    pub(super) fn reserve(&self) -> bool {
        self.connections.up_within(self.maxconn())
    }

    /// Counts an accepted client, which may still be refused.
    pub(crate) fn accepted(&self, now: u64) {
        count(&self.total);
        self.accepts.tick(now);
    }

    /// Counts the begin of a session, in a slot that was reserved.
    pub(crate) fn begun(&self, now: u64) {
        self.connections.settled();
        self.sessions.tick(now);
    }

    /// Returns a slot.
    pub(super) fn release(&self) {
        self.connections.down();
    }
}
