//! Accepting while there is room. Without room, clients wait in the kernel's queue, and none is
//! dropped.

use std::io;
use std::sync::Arc;

use mio::net::TcpStream;

use super::listener::Accepted;
use super::session::{Done, Phase, Session};
use super::{EventSource, READABLE, Worker};
use crate::dataplane::admission::Admission;
use crate::dataplane::lines::Lines;
use crate::dataplane::relay::{Relay, Side};

/// Clients accepted before other events get their turn.
const MAX_ACCEPTS_PER_TURN: usize = 64;
/// Time until a listener without room is tried again, in ms.
const RETRY_AFTER_MS: u64 = 20;

impl Worker {
    /// Handles an event of a listener: clients are waiting.
    pub(super) fn accept(&mut self, index: u32) {
        if let Some(Some(listener)) = self.listeners.get_mut(index as usize) {
            listener.ready = true;
            self.accept_batch(index);
        }
    }

    /// Tries listeners again that had no room, or too many clients at once.
    pub(super) fn accept_again(&mut self) {
        if self.accept_at.is_none_or(|at| self.now < at) {
            return;
        }
        self.accept_at = None;
        // Each time another one is the first: with room for few clients, none gets all of it.
        let count = self.listeners.len();
        self.first_listener += 1;
        for nth in 0..count {
            let index = (self.first_listener + nth) % count;
            let is_ready = |listener: &super::Listener| listener.ready;
            if self.listeners[index].as_ref().is_some_and(is_ready) {
                self.accept_batch(u32::try_from(index).unwrap_or(u32::MAX));
            }
        }
    }

    // Private

    fn accept_batch(&mut self, index: u32) {
        for _ in 0..MAX_ACCEPTS_PER_TURN {
            let count = self.count();
            let Some(Some(listener)) = self.listeners.get_mut(index as usize) else {
                return;
            };
            if count >= self.room {
                return self.accept_later(RETRY_AFTER_MS);
            }
            let Some(admission) = Admission::take(&self.shared.process, &listener.frontend) else {
                return self.accept_later(RETRY_AFTER_MS);
            };
            match listener.accept() {
                Accepted::Client(stream, from) => self.start_session(admission, stream, from),
                Accepted::Gone => {}
                Accepted::Empty => return,
                Accepted::Full(error) => {
                    self.warn_throttled("cannot accept: clients wait", &error);
                    return self.accept_later(RETRY_AFTER_MS);
                }
            }
        }
        self.accept_later(0);
    }

    fn accept_later(&mut self, after: u64) {
        let at = self.now + after;
        self.accept_at = Some(self.accept_at.map_or(at, |before| before.min(at)));
    }

    /// Handles an accepted client. A refused one is closed, and its slot is free again.
    fn start_session(&mut self, admission: Admission, stream: TcpStream, from: std::net::SocketAddr) {
        let frontend = admission.frontend();
        let ip = from.ip().to_canonical();
        self.shared.process.accepted(self.now);
        let Ok(client_lease) = frontend.enter(ip, self.now, &self.shared.clock) else {
            return;
        };
        self.shared.process.begun(self.now);
        let route = frontend.route();
        if route.http.is_some() {
            return self.start_client(admission, client_lease, stream, from);
        }
        let backend = Arc::clone(&route.backend);
        backend.counters.begun(self.now);
        self.serial += 1;
        let mut session = Box::new(Session {
            index: self.places.vacant(),
            serial: self.serial,
            admission,
            backend,
            from,
            client: stream,
            client_lease,
            phase: Phase::New,
            relay: Relay::default(),
            lines: Lines::default(),
            began: self.now,
            last_active: self.now,
            counted: (0, 0),
            tried: Vec::new(),
            attempts: 0,
            awaits_answer: false,
            is_runnable: false,
            done: Done::default(),
        });
        session.relay.client.writable = true;
        if let Err(error) = self.watch(&mut session) {
            self.warn_throttled("cannot watch a client", &error);
            return self.end(session, super::EndReason::NoServer);
        }
        self.assign(session);
    }

    fn watch(&mut self, session: &mut Session) -> io::Result<()> {
        let event_source = EventSource::Session(session.index, Side::Client);
        self.poll
            .registry()
            .register(&mut session.client, event_source.into(), READABLE)
    }
}
