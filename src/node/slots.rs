//! Slots for connections: a limit over all workers. At the limit, idle HTTP connections give way;
//! event streams, `WebSocket` connections and those over TCP do not.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::base::telemetry::Throttle;
use crate::platform::listen::{self, Slot};

/// Time between two log lines about refused connections.
const LOG_INTERVAL: Duration = Duration::from_secs(10);
/// Slots beyond the limit.
const EXTRA_SLOTS: usize = 64;

/// The slots of one node.
#[derive(Clone, Debug)]
pub(super) struct Slots(Arc<State>);

#[derive(Debug)]
struct State {
    max: u32,
    slots: listen::Slots,
    extra: listen::Slots,
    total: AtomicU64,
    refused: AtomicU64,
    log: Mutex<Throttle>,
}

impl Slots {
    /// `max` slots of the node `name`.
    pub(super) fn new(name: &str, max: u32) -> Slots {
        Slots(Arc::new(State {
            max,
            slots: listen::Slots::new(name, usize::try_from(max).unwrap_or(usize::MAX)),
            extra: listen::Slots::new(format!("health checks of {name}"), EXTRA_SLOTS),
            total: AtomicU64::new(0),
            refused: AtomicU64::new(0),
            log: Mutex::new(Throttle::new(LOG_INTERVAL)),
        }))
    }

    /// A slot, if one is free or another connection gives way. If not, that is counted and, at
    /// times, logged.
    pub(super) fn take(&self) -> Option<Slot> {
        let state = &self.0;
        let slot = state.slots.take();
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

    /// A slot beyond the limit, for a client that only checks whether the node is alive: a full
    /// node is alive.
    pub(super) fn take_beyond(&self) -> Option<Slot> {
        self.0.extra.take()
    }

    /// The number of connections now.
    pub(super) fn taken(&self) -> usize {
        self.0.slots.taken() + self.0.extra.taken()
    }

    /// Connections that had a slot since the start.
    pub(super) fn total(&self) -> u64 {
        self.0.total.load(Ordering::Relaxed)
    }

    /// Connections that were refused since the start.
    pub(super) fn refused(&self) -> u64 {
        self.0.refused.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slot_is_free_again_when_its_connection_ends() {
        let slots = Slots::new("erlmcp1", 2);
        let first = slots.take().unwrap();
        let _second = slots.take().unwrap();
        assert!(slots.take().is_none());
        drop(first);
        assert!(slots.take().is_some());
        assert_eq!((slots.total(), slots.refused()), (3, 1));
    }

    #[test]
    fn a_full_node_has_a_few_slots_for_checks() {
        let slots = Slots::new("erlmcp1", 1);
        let _guest = slots.take().unwrap();
        let asking: Vec<_> = std::iter::from_fn(|| slots.take_beyond()).collect();
        assert_eq!((asking.len(), slots.taken()), (64, 65));
        drop(asking);
        assert_eq!(slots.taken(), 1);
    }
}
