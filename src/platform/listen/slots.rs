//! A limit on the connections of a server that idle connections cannot use up: at the limit, the
//! one that has been idle longest gives its slot to a new connection.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

use crate::base::telemetry::Throttle;

/// Time between two log lines about slots that are given away.
const LOG_INTERVAL: Duration = Duration::from_secs(10);

/// The slots of one server. Clones share them, also with other threads.
#[derive(Clone, Debug)]
pub struct Slots(Arc<Shared>);

/// The slot of one connection, free again when dropped. The connection is busy until it is
/// [idle](Slot::set_idle) for the first time.
#[derive(Debug)]
pub struct Slot {
    slots: Slots,
    holder: Arc<Holder>,
}

#[derive(Debug)]
struct Shared {
    /// What the server is called in the log.
    server: String,
    limit: usize,
    /// Locked before any holder.
    state: Mutex<State>,
    /// A slot is free, or a connection is idle.
    available: Notify,
    /// A new connection waits for a slot.
    is_wanted: AtomicBool,
}

#[derive(Debug)]
struct State {
    taken: usize,
    /// The connections that may be idle, by the time since which they were when they were queued.
    /// Whether they still are is checked when a slot is needed: so a connection that alternates
    /// between busy and idle changes nothing here.
    queue: BTreeMap<Position, Arc<Holder>>,
    /// Connections that were ever queued; it distinguishes those that became idle at the same time.
    queued: u64,
    log: Throttle,
}

type Position = (Instant, u64);

/// A connection, as its server's slots see it.
#[derive(Debug, Default)]
struct Holder {
    usage: Mutex<Usage>,
    given_away: Notify,
}

#[derive(Debug, Default)]
struct Usage {
    /// `None` while the connection is busy.
    idle_since: Option<Instant>,
    /// Its place in the queue.
    position: Option<Position>,
    /// Whether it was ever busy after it was idle.
    was_busy: bool,
    is_given_away: bool,
}

impl Slots {
    /// `limit` slots of a server that the log calls `server`.
    pub fn new(server: impl Into<String>, limit: usize) -> Slots {
        Slots(Arc::new(Shared {
            server: server.into(),
            limit,
            state: Mutex::new(State {
                taken: 0,
                queue: BTreeMap::new(),
                queued: 0,
                log: Throttle::new(LOG_INTERVAL),
            }),
            available: Notify::new(),
            is_wanted: AtomicBool::new(false),
        }))
    }

    /// A free slot, or else the slot of the connection that has been idle longest. `None` when all
    /// connections are busy.
    pub fn take(&self) -> Option<Slot> {
        let mut state = lock(&self.0.state);
        if state.taken < self.0.limit {
            state.taken += 1;
        } else {
            state.give_away()?;
            if let Some(times) = state.log.after(std::time::Instant::now()) {
                let Shared { server, limit, .. } = &*self.0;
                tracing::warn!(
                    limit,
                    times,
                    "{server}: all connections are in use; those that have been idle longest are closed"
                );
            }
        }
        Some(Slot {
            slots: self.clone(),
            holder: Arc::default(),
        })
    }

    /// A slot as by [`take`](Slots::take), as soon as there is one. Meanwhile, each connection may
    /// complete what it is busy with, but begin nothing more.
    pub async fn wait(&self) -> Slot {
        loop {
            let slot = self.take();
            self.0.is_wanted.store(slot.is_none(), Relaxed);
            if let Some(slot) = slot {
                return slot;
            }
            self.0.available.notified().await;
        }
    }

    /// The number of slots in use.
    #[must_use]
    pub fn taken(&self) -> usize {
        lock(&self.0.state).taken
    }
}

impl Slot {
    /// The connection has waited for its client since then. It may lose its slot.
    pub fn set_idle(&self, since: Instant) {
        let mut usage = lock(&self.holder.usage);
        usage.idle_since = Some(since);
        let is_queued = usage.position.is_some();
        drop(usage);
        if !is_queued {
            self.queue();
        }
        self.slots.0.available.notify_one();
    }

    /// The connection works for its client, and keeps its slot. Returns false if it must be closed
    /// instead, because another connection has the slot already or waits for it.
    #[must_use]
    pub fn set_busy(&self) -> bool {
        let mut usage = lock(&self.holder.usage);
        if usage.is_given_away {
            return false;
        }
        // A client that sends its next request early would otherwise never be seen idle.
        if usage.was_busy && self.slots.0.is_wanted.load(Relaxed) {
            self.holder.given_away.notify_one();
            return false;
        }
        usage.idle_since = None;
        usage.was_busy = true;
        true
    }

    /// Waits until the slot is needed for another connection. This one has to be closed.
    pub async fn given_away(&self) {
        self.holder.given_away.notified().await;
    }

    // Private

    fn queue(&self) {
        let mut state = lock(&self.slots.0.state);
        let mut usage = lock(&self.holder.usage);
        if let Some(since) = usage.idle_since
            && !usage.is_given_away
        {
            usage.position = Some(state.queue(since, Arc::clone(&self.holder)));
        }
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut state = lock(&self.slots.0.state);
        let usage = lock(&self.holder.usage);
        if let Some(position) = usage.position {
            state.queue.remove(&position);
        }
        if !usage.is_given_away {
            state.taken -= 1;
            self.slots.0.available.notify_one();
        }
    }
}

impl State {
    fn queue(&mut self, since: Instant, holder: Arc<Holder>) -> Position {
        let position = (since, self.queued);
        self.queued += 1;
        self.queue.insert(position, holder);
        position
    }

    /// Takes the slot of the connection that has been idle longest.
    fn give_away(&mut self) -> Option<()> {
        while let Some(((since, _), holder)) = self.queue.pop_first() {
            let mut usage = lock(&holder.usage);
            usage.position = None;
            match usage.idle_since {
                // Busy: it is queued again when it is idle.
                None => {}
                // It was busy in between.
                Some(later) if later > since => {
                    usage.position = Some(self.queue(later, Arc::clone(&holder)));
                }
                Some(_) => {
                    usage.is_given_away = true;
                    holder.given_away.notify_one();
                    return Some(());
                }
            }
        }
        None
    }
}

// Private

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    fn is_given_away(slot: &Slot) -> bool {
        slot.given_away().now_or_never().is_some()
    }

    /// Moments that are apart.
    fn times<const N: usize>() -> [Instant; N] {
        let now = Instant::now();
        std::array::from_fn(|number| now + Duration::from_secs(number as u64))
    }

    #[test]
    fn a_slot_is_free_again_when_its_connection_ends() {
        let slots = Slots::new("x", 2);
        let first = slots.take().unwrap();
        let _second = slots.take().unwrap();
        assert!(slots.take().is_none(), "both are busy");
        drop(first);
        let _third = slots.take().unwrap();
        assert_eq!(slots.taken(), 2);
    }

    #[test]
    fn the_connection_that_has_been_idle_longest_gives_way() {
        let slots = Slots::new("x", 3);
        let [early, middle, late] = times();
        let [first, second, third] = [(); 3].map(|()| slots.take().unwrap());
        second.set_idle(early);
        first.set_idle(middle);
        third.set_idle(middle);
        // The oldest one has served a request since.
        assert!(second.set_busy());
        second.set_idle(late);
        for slot in [&first, &third, &second] {
            assert!(!is_given_away(slot));
            std::mem::forget(slots.take().unwrap());
            assert!(is_given_away(slot));
            assert!(!slot.set_busy(), "too late");
        }
        assert!(slots.take().is_none());
        drop((first, second, third));
        assert_eq!(slots.taken(), 3, "their slots are in use");
    }

    #[test]
    fn busy_connections_keep_their_slots() {
        let slots = Slots::new("x", 1);
        let only = slots.take().unwrap();
        only.set_idle(Instant::now());
        assert!(only.set_busy());
        assert!(slots.take().is_none() && !is_given_away(&only));
        // It was forgotten as a candidate, and is one again.
        only.set_idle(Instant::now());
        assert!(slots.take().is_some() && is_given_away(&only));
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_waits_while_all_are_busy() {
        for is_closed in [true, false] {
            let slots = Slots::new("x", 1);
            let only = slots.take().unwrap();
            let waiting = tokio::spawn({
                let slots = slots.clone();
                async move { drop(slots.wait().await) }
            });
            tokio::time::sleep(Duration::from_secs(1)).await;
            assert!(!waiting.is_finished());
            if is_closed {
                drop(only);
            } else {
                only.set_idle(Instant::now());
            }
            waiting.await.unwrap();
        }
    }

    #[tokio::test]
    async fn a_busy_connection_begins_nothing_more_while_another_waits() {
        let slots = Slots::new("x", 1);
        let only = slots.take().unwrap();
        only.set_idle(Instant::now());
        assert!(only.set_busy());
        let mut waiting = std::pin::pin!(slots.wait());
        assert!(waiting.as_mut().now_or_never().is_none());
        only.set_idle(Instant::now());
        assert!(!only.set_busy() && is_given_away(&only));
    }

    #[test]
    fn closed_connections_leave_the_queue() {
        let slots = Slots::new("x", 2);
        for _ in 0..10 {
            let slot = slots.take().unwrap();
            slot.set_idle(Instant::now());
        }
        let state = lock(&slots.0.state);
        assert_eq!((state.taken, state.queue.len()), (0, 0));
    }
}
