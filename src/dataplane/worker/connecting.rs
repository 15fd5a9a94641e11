//! From a client to a server: assigns one, connects, and on failure assigns another.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use mio::Interest;
use mio::net::TcpStream;

use super::session::{EndReason, Phase, Session};
use super::{EventSource, READABLE, READABLE_OR_WRITABLE, Worker};
use crate::dataplane::backend::{Assigned, Lease, Waiter};
use crate::dataplane::counters::count;
use crate::dataplane::relay::{InputState, Side, Step};
use crate::platform;

/// The most connection attempts for one client; HAProxy's `retries 3`.
pub(super) const MAX_CONNECTS: u8 = 4;
/// Time until a client is retried after all servers have failed, in ms. HAProxy waits a second; a
/// restarted node is back sooner.
pub(super) const RETRY_AFTER_MS: u64 = 300;

/// How long a possibly dying server must stay connected, in ms.
pub(super) const VERIFY_MS: u64 = 20;
/// Age at which a session counts as long-lived, in ms.
const SETTLED_AGE_MS: u64 = 10_000;

impl Worker {
    /// Finds a server for a session without one.
    pub(super) fn assign(&mut self, mut session: Box<Session>) {
        let waiter = || Waiter {
            worker: self.shared.inbox(self.number).clone(),
            index: session.index,
            serial: session.serial,
            client: session.client_ip().into(),
            server: None,
            since: self.now,
        };
        let backend = Arc::clone(&session.backend);
        match backend.assign(session.client_ip().into(), None, &session.tried, waiter) {
            Assigned::Server(lease) => self.connect(session, lease),
            Assigned::Wait => {
                session.phase = Phase::Waiting;
                self.timers
                    .arm(session.index, self.now + self.topology.times.queue);
                self.places.put(session.index, session);
            }
            Assigned::Nothing if session.tried.is_empty() => self.end(session, EndReason::NoServer),
            Assigned::Nothing => {
                session.phase = Phase::Pausing;
                self.timers.arm(session.index, self.now + RETRY_AFTER_MS);
                self.places.put(session.index, session);
            }
        }
    }

    /// Begins a connection attempt.
    pub(super) fn connect(&mut self, mut session: Box<Session>, lease: Lease) {
        session.attempts += 1;
        // If the client has already sent bytes, this saves a round trip.
        session.relay.client.readable = true;
        if let (Step::Broken(..), _) = self.relay(&mut session) {
            return self.end(session, EndReason::Client);
        }
        let eager = session.relay.has_pending() && !lease.server().is_suspect(self.now);
        let target = lease.server().address();
        let failures = usize::from(session.attempts - 1);
        let source = self
            .topology
            .source(self.number, session.serial, failures, target.ip());
        match platform::connect::begin(target, source, eager) {
            Ok(server) => {
                session.phase = Phase::Connecting {
                    server: TcpStream::from_std(server),
                    lease,
                    since: self.now,
                };
                session.done.nodelay = !eager;
                if eager {
                    self.try_at_once(session);
                } else {
                    self.wait_for_answer(session);
                }
            }
            Err(error) if platform::connect::is_ours(&error) => {
                self.warn_throttled("cannot connect to a server", &error);
                // Another source address may work. If not, the cause may be this server only.
                if failures > 0 {
                    session.tried.push(lease.server().id);
                }
                drop(lease);
                self.reassign(session);
            }
            Err(error) => {
                session.tried.push(lease.server().id);
                self.count_failure(&session, &lease, &error);
                drop(lease);
                self.reassign(session);
            }
        }
    }

    /// Handles the result of the connection attempt; `closed` if the server may have refused.
    pub(super) fn answered(&mut self, session: Box<Session>, closed: bool) {
        let Phase::Connecting { server, lease, .. } = &session.phase else {
            return self.places.put(session.index, session);
        };
        let suspect = lease.server().is_suspect(self.now);
        let error = if closed {
            server.take_error().unwrap_or_else(Some)
        } else {
            None
        };
        match error {
            Some(error) => self.failed(session, &error),
            None if suspect => self.verify_connection(session),
            None if session.relay.server.writable => self.connected(session),
            None => self.places.put(session.index, session),
        }
    }

    /// Handles a failure of the session's server, or of the one that it was to get.
    pub(super) fn failed(&mut self, mut session: Box<Session>, error: &io::Error) {
        if let Phase::Connecting { lease, .. } | Phase::Relaying { lease, .. } =
            std::mem::replace(&mut session.phase, Phase::New)
        {
            session.tried.push(lease.server().id);
            session.relay.restart();
            session.done.server_writability = false;
            self.count_failure(&session, &lease, error);
        }
        self.reassign(session);
    }

    // Private

    /// Sends the client's bytes without waiting for an event: a server on this host has accepted by
    /// now.
    fn try_at_once(&mut self, mut session: Box<Session>) {
        session.relay.server.writable = true;
        match self.relay(&mut session).0 {
            _ if !session.relay.has_pending() => match self.watch_server(&mut session, READABLE) {
                Ok(()) => self.connected(session),
                Err(error) => self.failed(session, &error),
            },
            Step::Waits | Step::Held => {
                session.relay.server.writable = false;
                self.wait_for_answer(session);
            }
            Step::Broken(Side::Client, _) => self.end(session, EndReason::Client),
            Step::More | Step::Done | Step::Broken(Side::Server, _) => {
                self.failed(session, &io::ErrorKind::ConnectionRefused.into());
            }
        }
    }

    /// Waits until the server has answered, or the time is over.
    fn wait_for_answer(&mut self, mut session: Box<Session>) {
        if let Err(error) = self.watch_server(&mut session, READABLE_OR_WRITABLE) {
            return self.failed(session, &error);
        }
        session.done.server_writability = true;
        self.timers
            .arm(session.index, self.now + self.topology.times.connect);
        self.places.put(session.index, session);
    }

    fn watch_server(&self, session: &mut Session, interest: Interest) -> io::Result<()> {
        let event_source = EventSource::Session(session.index, Side::Server);
        match session.phase.server_mut() {
            Some(server) => self
                .poll
                .registry()
                .register(server, event_source.into(), interest),
            None => Ok(()),
        }
    }

    /// A possibly dying server has accepted: it gets no bytes before it has stayed connected for a
    /// moment, so that another server can take the client otherwise.
    fn verify_connection(&mut self, session: Box<Session>) {
        if session.relay.server.input != InputState::Open {
            return self.failed(session, &io::ErrorKind::ConnectionReset.into());
        }
        if session.relay.server.writable {
            self.timers.arm(session.index, self.now + VERIFY_MS);
        }
        self.places.put(session.index, session);
    }

    /// Handles that the server has accepted.
    pub(super) fn connected(&mut self, mut session: Box<Session>) {
        if let Phase::Connecting { server, lease, since } = std::mem::replace(&mut session.phase, Phase::New)
        {
            lease.server().connected();
            let took = self.now.saturating_sub(since);
            lease.server().counters.connect_time.add(took);
            session.backend.counters.connect_time.add(took);
            session.last_active = self.now;
            session.phase = Phase::Relaying { server, lease };
        }
        session.relay.reopen();
        let settled = self.now + SETTLED_AGE_MS;
        self.timers
            .arm(session.index, settled.min(self.session_deadline(&session)));
        self.resume(session);
    }

    fn reassign(&mut self, mut session: Box<Session>) {
        session.phase = Phase::New;
        self.timers.disarm(session.index);
        if session.attempts >= MAX_CONNECTS {
            return self.end(session, EndReason::NoServer);
        }
        count(&session.backend.counters.redispatches);
        self.assign(session);
    }

    /// Counts a failure, and ejects the server when it exceeds the limit.
    fn count_failure(&mut self, session: &Session, lease: &Lease, error: &io::Error) {
        let server = lease.server();
        server.counters.connect_errors.fetch_add(1, Relaxed);
        session.backend.counters.connect_errors.fetch_add(1, Relaxed);
        count(&server.counters.redispatches);
        if server.failed(session.backend.pool().config.eject_after) {
            self.shared.eject(&session.backend, server, error);
        }
    }
}
