//! Places for connections: a limit over all workers.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::base::telemetry::Throttle;

/// Time between two log lines about refused connections.
const LOG_INTERVAL: Duration = Duration::from_secs(10);
/// Places beyond the limit.
const EXTRA_SLOTS: u32 = 64;

/// The places of one node.
#[derive(Clone, Debug)]
pub(super) struct Slots(Arc<State>);

/// A connection's place, free again when dropped.
#[derive(Debug)]
pub(super) struct Slot(Arc<State>);

#[derive(Debug)]
struct State {
    max: u32,
    taken: AtomicU32,
    total: AtomicU64,
    refused: AtomicU64,
    log: Mutex<Throttle>,
}

impl Slots {
    /// `max` places.
    pub(super) fn new(max: u32) -> Slots {
        Slots(Arc::new(State {
            max,
            taken: AtomicU32::new(0),
            total: AtomicU64::new(0),
            refused: AtomicU64::new(0),
            log: Mutex::new(Throttle::new(LOG_INTERVAL)),
        }))
    }

    /// A place, if one is free. If not, that is counted and, at times, logged.
    pub(super) fn take(&self) -> Option<Slot> {
        let state = &self.0;
        let slot = self.take_below(state.max);
        if slot.is_some() {
            state.total.fetch_add(1, Ordering::Relaxed);
            return slot;
        }
        state.refused.fetch_add(1, Ordering::Relaxed);
        let reported = state
            .log
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .after(Instant::now());
        if let Some(times) = reported {
            tracing::warn!(
                max_connections = state.max,
                times,
                "connections are refused: the node is full"
            );
        }
        None
    }

    /// A place beyond the limit, for a client that only checks whether the node is alive: a full
    /// node is alive.
    pub(super) fn take_beyond(&self) -> Option<Slot> {
        self.take_below(self.0.max.saturating_add(EXTRA_SLOTS))
    }

    /// The number of connections now.
    pub(super) fn taken(&self) -> u32 {
        self.0.taken.load(Ordering::Relaxed)
    }

    /// Connections that had a place since the start.
    pub(super) fn total(&self) -> u64 {
        self.0.total.load(Ordering::Relaxed)
    }

    /// Connections that were refused since the start.
    pub(super) fn refused(&self) -> u64 {
        self.0.refused.load(Ordering::Relaxed)
    }

    // Private

    fn take_below(&self, max: u32) -> Option<Slot> {
        let more = |taken: u32| (taken < max).then_some(taken + 1);
        // A plain count; no other data depends on it, so no ordering is needed.
        let taken = self
            .0
            .taken
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, more);
        taken.is_ok().then(|| Slot(Arc::clone(&self.0)))
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.0.taken.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slot_is_free_again_when_its_connection_ends() {
        let slots = Slots::new(2);
        let first = slots.take().unwrap();
        let _second = slots.take().unwrap();
        assert!(slots.take().is_none());
        drop(first);
        assert!(slots.take().is_some());
        assert_eq!((slots.total(), slots.refused()), (3, 1));
    }

    #[test]
    fn a_full_node_has_a_few_places_for_checks() {
        let slots = Slots::new(1);
        let _guest = slots.take().unwrap();
        let asking: Vec<_> = std::iter::from_fn(|| slots.take_beyond()).collect();
        assert_eq!((asking.len(), slots.taken()), (64, 65));
        drop(asking);
        assert_eq!(slots.taken(), 1);
    }
}
