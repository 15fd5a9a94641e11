//! Moves the bytes of sessions.

use std::time::Instant;

use super::session::{EndReason, Phase, Session};
use super::{EventSource, READABLE_OR_WRITABLE, Worker};
use crate::dataplane::relay::{InputState, Side, Step};

/// Idle time, in ms, after which a close by the server is unexpected and not the normal end of an
/// exchange.
const UNEXPECTED_CLOSE_IDLE_MS: u64 = 10;

impl Worker {
    /// Moves the available bytes of a session with both ends.
    pub(super) fn resume(&mut self, mut session: Box<Session>) {
        let was_left = session.relay.is_left_by_server();
        let was_idle = session.last_active + UNEXPECTED_CLOSE_IDLE_MS <= self.now;
        if !session.done.nodelay {
            disable_nagle(&mut session);
        }
        let (step, again_at) = self.relay(&mut session);
        if !matches!(session.phase, Phase::Relaying { .. }) {
            return self.places.put(session.index, session);
        }
        if let Some(at) = again_at {
            session.frontend().held(session.client_ip());
            let at = self.shared.clock.at(at).max(self.now + 1);
            self.timers.arm(session.index, at);
        }
        let is_left = session.relay.is_left_by_server() && !was_left;
        if let Some(lease) = session.lease()
            && was_idle
            && (is_left || matches!(step, Step::Broken(Side::Server, _)))
        {
            lease.server().aborted(self.now);
        }
        match step {
            Step::Waits | Step::Held => self.places.put(session.index, session),
            Step::More => {
                if !session.is_runnable {
                    session.is_runnable = true;
                    self.runnable.push(session.index);
                }
                self.places.put(session.index, session);
            }
            Step::Done => self.end(session, EndReason::Finished),
            // The server accepted and closed the connection before any byte moved: another one may
            // take the client.
            Step::Broken(Side::Server, kind) if session.relay.is_untouched() => {
                self.failed(session, &kind.into());
            }
            Step::Broken(Side::Server, _) => self.end(session, EndReason::Server),
            Step::Broken(Side::Client, _) => self.end(session, EndReason::Client),
        }
    }

    /// Moves the available bytes, and counts them.
    pub(super) fn relay(&mut self, session: &mut Session) -> (Step, Option<Instant>) {
        let outcome = session.transfer(&mut self.buffer, self.shared.clock.instant(self.now));
        let moved = (session.relay.bytes_up(), session.relay.bytes_down());
        let (up, down) = (moved.0 - session.counted.0, moved.1 - session.counted.1);
        if up + down > 0
            && let Some(lease) = session.lease()
        {
            lease.server().bytes.add(self.number, up, down);
            session.frontend().bytes.add(self.number, up, down);
            session.counted = moved;
            session.awaits_answer = up > 0;
            session.last_active = self.now;
        }
        self.watch_writability(session);
        outcome
    }

    // Private

    /// Registers for writability of an end that does not take more. The registration reports at
    /// once if it already does.
    fn watch_writability(&mut self, session: &mut Session) {
        let registry = self.poll.registry();
        let mut outcome = Ok(());
        if !session.relay.client.writable && !session.done.client_writability {
            session.done.client_writability = true;
            let event_source = EventSource::Session(session.index, Side::Client);
            outcome = registry.reregister(&mut session.client, event_source.into(), READABLE_OR_WRITABLE);
        }
        if let Phase::Relaying { server, .. } = &mut session.phase
            && !session.relay.server.writable
            && !session.done.server_writability
        {
            session.done.server_writability = true;
            let event_source = EventSource::Session(session.index, Side::Server);
            outcome = outcome.and(registry.reregister(server, event_source.into(), READABLE_OR_WRITABLE));
        }
        if let Err(error) = outcome {
            self.warn_throttled("cannot watch a connection", &error);
        }
    }
}

/// Switches Nagle's delay off towards the server when the client sends more than it sent before the
/// server was connected; most clients do not.
fn disable_nagle(session: &mut Session) {
    let client = &session.relay.client;
    if client.readable
        && client.input == InputState::Open
        && let Some(server) = session.phase.server()
    {
        session.done.nodelay = true;
        // This fails only on a broken connection, and the next use reports that.
        let _set = server.set_nodelay(true);
    }
}
