//! Ends connections that are older than `max_age`, at moments when nothing is under way, so that
//! clients connect again and are balanced again. Those that began together end apart.
//!
//! Over HTTP the next answer closes the connection, and one between two requests is closed after a
//! moment of silence. A session over TCP is closed after a moment of silence, if the last byte was
//! the server's: after a client's byte, an answer may be under way. Streams and upgraded connections
//! are not closed.

use super::Worker;
use super::session::{EndReason, Phase, Session};
use crate::dataplane::topology::Topology;

/// Silence after which a connection is taken for idle, in ms.
const IDLE_MS: u64 = 1_000;
/// The part of the age by which connections differ.
const JITTER: u64 = 10;

impl Worker {
    /// When a connection that began at `began` is closed if nothing happens after `active`, in ms of
    /// the clock; `None` if that does not depend on its age.
    pub(super) fn closes_at(&self, began: u64, serial: u64, active: u64) -> Option<u64> {
        let max_age = self.topology.times.max_age?;
        let end = began.saturating_add(age_of(max_age, serial));
        Some(end.max(active.saturating_add(IDLE_MS)))
    }

    /// Whether a connection has reached its age.
    pub(super) fn is_old(&self, began: u64, serial: u64) -> bool {
        let max_age = self.topology.times.max_age;
        max_age.is_some_and(|max_age| self.now.saturating_sub(began) >= age_of(max_age, serial))
    }

    /// When a session with both ends needs its timer next.
    pub(super) fn session_deadline(&self, session: &Session) -> u64 {
        let silent_at = session.last_active.saturating_add(self.topology.times.idle);
        match self.closes_at(session.began, session.serial, session.last_active) {
            // It may wait for an answer: another look follows.
            Some(at) => silent_at.min(at.max(self.now + IDLE_MS)),
            None => silent_at,
        }
    }

    /// Closes a session that has reached its age, unless something is under way. What has arrived
    /// meanwhile is passed on first.
    pub(super) fn close_old_session(&mut self, mut session: Box<Session>) {
        let (index, serial) = (session.index, session.serial);
        session.relay.client.readable = true;
        session.relay.server.readable = true;
        self.timers.arm(index, self.session_deadline(&session));
        self.resume(session);
        match self.places.take(index) {
            Some(session) if session.serial == serial && self.is_idle(&session) => {
                self.end(session, EndReason::Finished);
            }
            Some(session) => self.places.put(index, session),
            None => {}
        }
    }

    /// Makes all connections take notice of another `max_age`.
    pub(super) fn apply_max_age(&mut self, topology: &Topology) {
        if self.topology.times.max_age == topology.times.max_age {
            return;
        }
        for session in self.places.iter() {
            if matches!(session.phase, Phase::Relaying { .. }) {
                self.timers.arm(session.index, self.now);
            }
        }
        self.arm_all_clients();
    }

    // Private

    fn is_idle(&self, session: &Session) -> bool {
        matches!(session.phase, Phase::Relaying { .. })
            && session.last_active + IDLE_MS <= self.now
            && !session.awaits_answer
            && !session.is_runnable
            && session.relay.is_at_rest()
    }
}

// Private

/// The age at which the connection with number `serial` ends, in ms: up to a tenth less than
/// `max_age`.
fn age_of(max_age: u64, serial: u64) -> u64 {
    /// By the golden ratio, numbers that follow each other are spread evenly.
    const RATIO: u64 = 0x9E37_79B9_7F4A_7C15;
    let share = u128::from(serial.wrapping_mul(RATIO));
    let less = (share * u128::from(max_age / JITTER)) >> u64::BITS;
    max_age.saturating_sub(u64::try_from(less).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_that_began_together_end_apart_and_not_later() {
        let mut ages: Vec<u64> = (1..=100).map(|serial| age_of(100_000, serial)).collect();
        ages.sort_unstable();
        assert!(ages[0] > 90_000 && ages[99] <= 100_000, "{ages:?}");
        // Evenly: 100 of them over 10 s leave no gap of 300 ms.
        assert!(ages.windows(2).all(|pair| pair[1] - pair[0] < 300), "{ages:?}");
        assert_eq!(age_of(5, 1), 5);
    }
}
