//! Accepting while there is room. Without room, clients wait in the kernel's queue, and none is
//! dropped.

use std::io;
use std::sync::Arc;

use mio::net::TcpStream;

use super::listener::Accepted;
use super::session::{Done, Phase, Session};
use super::{About, SAYS, Worker};
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
            self.accept_some(index);
        }
    }

    /// Tries listeners again that had no room, or too many clients at once.
    pub(super) fn accept_again(&mut self) {
        if self.accept_at.is_none_or(|at| self.now < at) {
            return;
        }
        self.accept_at = None;
        for index in 0..u32::try_from(self.listeners.len()).unwrap_or(u32::MAX) {
            let ready = |listener: &super::Listener| listener.ready;
            if self
                .listeners
                .get(index as usize)
                .and_then(Option::as_ref)
                .is_some_and(ready)
            {
                self.accept_some(index);
            }
        }
    }

    // Private

    fn accept_some(&mut self, index: u32) {
        for _ in 0..MAX_ACCEPTS_PER_TURN {
            let Some(Some(listener)) = self.listeners.get_mut(index as usize) else {
                return;
            };
            if self.places.count() >= self.room {
                return self.look_again(RETRY_AFTER_MS);
            }
            let Some(admission) = Admission::take(&self.plane.process, &listener.frontend) else {
                return self.look_again(RETRY_AFTER_MS);
            };
            match listener.accept() {
                Accepted::Client(stream, from) => self.welcome(admission, stream, from),
                Accepted::Gone => {}
                Accepted::Nobody => return,
                Accepted::Full(error) => {
                    self.complain("cannot accept: clients wait", &error);
                    return self.look_again(RETRY_AFTER_MS);
                }
            }
        }
        self.look_again(0);
    }

    fn look_again(&mut self, after: u64) {
        let at = self.now + after;
        self.accept_at = Some(self.accept_at.map_or(at, |before| before.min(at)));
    }

    /// Handles an accepted client. A refused one is closed, and its slot is free again.
    fn welcome(&mut self, admission: Admission, stream: TcpStream, from: std::net::SocketAddr) {
        let frontend = admission.frontend();
        let ip = from.ip().to_canonical();
        self.plane.process.accepted(self.now);
        let Ok(visit) = frontend.enter(ip, self.now, &self.plane.clock) else {
            return;
        };
        self.plane.process.begun(self.now);
        let backend = Arc::clone(&frontend.route().backend);
        backend.tally.begun(self.now);
        self.serial += 1;
        let mut session = Box::new(Session {
            index: self.places.vacant(),
            serial: self.serial,
            admission,
            backend,
            from,
            client: stream,
            visit,
            phase: Phase::New,
            relay: Relay::default(),
            lines: Lines::default(),
            began: self.now,
            moved: self.now,
            counted: (0, 0),
            tried: Vec::new(),
            attempts: 0,
            in_line: false,
            done: Done::default(),
        });
        session.relay.client.writable = true;
        if let Err(error) = self.watch(&mut session) {
            self.complain("cannot watch a client", &error);
            return self.end(session, super::Why::NoServer);
        }
        self.assign(session);
    }

    fn watch(&mut self, session: &mut Session) -> io::Result<()> {
        let about = About::Session(session.index, Side::Client);
        self.poll
            .registry()
            .register(&mut session.client, about.into(), SAYS)
    }
}
