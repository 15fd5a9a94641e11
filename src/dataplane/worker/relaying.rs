//! Moves the bytes of sessions.

use std::time::Instant;

use super::session::{Phase, Session, Why};
use super::{About, SAYS_OR_TAKES, Worker};
use crate::dataplane::relay::{Outlook, Side, Step};

/// Idle time, in ms, after which a close by the server is unexpected and not the normal end of an
/// exchange.
const CALM_MS: u64 = 10;

impl Worker {
    /// Moves the available bytes of a session with both ends.
    pub(super) fn go_on(&mut self, mut session: Box<Session>) {
        let was_left = session.relay.is_left_by_server();
        let was_calm = session.moved + CALM_MS <= self.now;
        if !session.done.prompt {
            be_prompt(&mut session);
        }
        let (step, again_at) = self.relay(&mut session);
        if !matches!(session.phase, Phase::Relaying { .. }) {
            return self.places.put(session);
        }
        if let Some(at) = again_at {
            session.frontend().held(session.client_ip());
            let at = self.plane.clock.at(at).max(self.now + 1);
            self.timers.arm(session.index, at);
        }
        let is_left = session.relay.is_left_by_server() && !was_left;
        if let Some(lease) = session.lease()
            && was_calm
            && (is_left || matches!(step, Step::Broken(Side::Server, _)))
        {
            lease.server().broke_off(self.now);
        }
        match step {
            Step::Waits | Step::Held => self.places.put(session),
            Step::More => {
                if !session.in_line {
                    session.in_line = true;
                    self.line.push(session.index);
                }
                self.places.put(session);
            }
            Step::Done => self.end(session, Why::Finished),
            // The server accepted and closed the connection before any byte moved: another one may
            // take the client.
            Step::Broken(Side::Server, kind) if session.relay.is_untouched() => {
                self.failed(session, &kind.into());
            }
            Step::Broken(Side::Server, _) => self.end(session, Why::Server),
            Step::Broken(Side::Client, _) => self.end(session, Why::Client),
        }
    }

    /// Moves the available bytes, and counts them.
    pub(super) fn relay(&mut self, session: &mut Session) -> (Step, Option<Instant>) {
        let outcome = session.pass_on(&mut self.buffer, self.plane.clock.instant(self.now));
        let moved = (session.relay.bytes_up(), session.relay.bytes_down());
        let (up, down) = (moved.0 - session.counted.0, moved.1 - session.counted.1);
        if up + down > 0
            && let Some(lease) = session.lease()
        {
            lease.server().bytes.add(self.number, up, down);
            session.frontend().bytes.add(self.number, up, down);
            session.counted = moved;
            session.moved = self.now;
        }
        self.ask_who_is_full(session);
        outcome
    }

    // Private

    /// Registers for writability of an end that does not take more. The registration reports at
    /// once if it already does.
    fn ask_who_is_full(&mut self, session: &mut Session) {
        let registry = self.poll.registry();
        let mut outcome = Ok(());
        if !session.relay.client.writable && !session.done.client_asked {
            session.done.client_asked = true;
            let about = About::Session(session.index, Side::Client);
            outcome = registry.reregister(&mut session.client, about.into(), SAYS_OR_TAKES);
        }
        if let Phase::Relaying { server, .. } = &mut session.phase
            && !session.relay.server.writable
            && !session.done.server_asked
        {
            session.done.server_asked = true;
            let about = About::Session(session.index, Side::Server);
            outcome = outcome.and(registry.reregister(server, about.into(), SAYS_OR_TAKES));
        }
        if let Err(error) = outcome {
            self.complain("cannot watch a connection", &error);
        }
    }
}

/// Switches Nagle's delay off towards the server when the client sends more than it sent before the
/// server was connected; most clients do not.
fn be_prompt(session: &mut Session) {
    let client = &session.relay.client;
    if client.readable
        && client.outlook == Outlook::Open
        && let Some(server) = session.phase.server()
    {
        session.done.prompt = true;
        // This fails only on a broken connection, and the next use reports that.
        let _set = server.set_nodelay(true);
    }
}
