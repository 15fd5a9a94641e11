//! A worker: one thread that carries connections, waits for events of all of them, and shares no
//! data per byte.

mod accepting;
mod aging;
mod closing;
mod connecting;
mod ending;
mod gate;
mod http;
mod listener;
mod listening;
mod orders;
mod relaying;
mod session;
mod slab;
mod token;

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use mio::event::Event;
use mio::{Events, Interest, Poll};
use socket2::SockRef;

use super::inbox::Order;
use super::relay::{InputState, Side};
use super::shared::Shared;
use super::topology::Topology;
use crate::base::telemetry::Throttle;
use crate::workers::{InboxReader, Table, Wheel};

use closing::Closing;
use http::Http;
use listener::Listener;
use session::{EndReason, Phase, Session};
use slab::Slab;
pub(super) use token::EventSource;

/// Buffer for one read. It is large for the sake of throughput: there is one per worker, not per
/// connection.
const BUFFER: usize = 256 * 1024;
/// The most events of one poll.
const EVENTS: usize = 512;
/// Time between two log lines about the same problem.
const LOG_INTERVAL: Duration = Duration::from_secs(10);

/// A worker.
pub(super) struct Worker {
    number: u16,
    shared: Arc<Shared>,
    inbox: InboxReader<Order>,
    poll: Poll,
    topology: Arc<Topology>,
    listeners: Vec<Option<Listener>>,
    /// When to try listeners again that had no room.
    accept_at: Option<u64>,
    /// The listener that was tried first the last time.
    first_listener: usize,
    places: Slab<Session>,
    http: Http,
    /// How many sessions its descriptor table has room for.
    room: usize,
    timers: Wheel,
    /// Sessions that have more to do and let others run first.
    runnable: Vec<u32>,
    buffer: Box<[u8]>,
    /// The time of this turn, in ms of the clock.
    now: u64,
    serial: u64,
    /// The worker accepts no more clients, and ends with the last session.
    draining: bool,
    /// The clients that are being closed.
    closing: Option<Closing>,
    warnings: Throttle,
}

impl Worker {
    /// A worker without listeners, which it gets by an order.
    pub(super) fn new(number: u16, table: Table, poll: Poll, shared: Arc<Shared>) -> Worker {
        let now = shared.clock.now();
        Worker {
            number,
            inbox: shared.inbox(number).reader(),
            topology: shared.topology(),
            room: shared.room(table),
            shared,
            poll,
            listeners: Vec::new(),
            accept_at: None,
            first_listener: 0,
            places: Slab::default(),
            http: Http::new(number, now),
            timers: Wheel::new(now),
            runnable: Vec::new(),
            buffer: vec![0; BUFFER].into_boxed_slice(),
            now,
            serial: 0,
            draining: false,
            closing: None,
            warnings: Throttle::new(LOG_INTERVAL),
        }
    }

    /// Runs until the order to end.
    pub(super) fn run(mut self) -> io::Result<()> {
        let mut events = Events::with_capacity(EVENTS);
        let mut expired = Vec::new();
        loop {
            match self.poll.poll(&mut events, self.poll_timeout()) {
                Err(error) if error.kind() != io::ErrorKind::Interrupted => return Err(error),
                _ => {}
            }
            self.now = self.shared.clock.now();
            for event in &events {
                if let EventSource::Server(index) = EventSource::from(event.token()) {
                    self.http.note_idle(index, event);
                }
            }
            for event in &events {
                self.handle_event(event);
            }
            for index in std::mem::take(&mut self.runnable) {
                if let Some(mut session) = self.places.take(index) {
                    session.is_runnable = false;
                    self.resume(session);
                }
            }
            for index in std::mem::take(&mut self.http.runnable) {
                self.continue_client(index);
            }
            self.timers.expire(self.now, &mut expired);
            for index in expired.drain(..) {
                self.handle_timer(index);
            }
            self.http.timers.expire(self.now, &mut expired);
            for index in expired.drain(..) {
                self.client_timer(index);
            }
            self.close_due();
            self.sweep_idle_connections();
            self.accept_again();
            self.places.all_read();
            self.http.all_read();
            self.hand_over_log();
            if self.draining && self.count() == 0 {
                return Ok(());
            }
        }
    }

    // Private

    /// The number of clients.
    const fn count(&self) -> usize {
        self.places.count() + self.http.clients.count()
    }

    /// How long the worker may wait for events; `None` is without limit.
    fn poll_timeout(&self) -> Option<Duration> {
        if !self.runnable.is_empty() || !self.http.runnable.is_empty() {
            return Some(Duration::ZERO);
        }
        let closes_at = self.closing.as_ref().and_then(|it| it.wakes_at(self.now));
        let next = [self.timers.next(), self.http.next(), self.accept_at, closes_at]
            .into_iter()
            .flatten()
            .min()?;
        // The clock counts whole ms, and is read after the wait: without one more ms, the worker
        // would wake again in the same ms.
        Some(Duration::from_millis(
            next.saturating_sub(self.shared.clock.now()) + 1,
        ))
    }

    fn handle_event(&mut self, event: &Event) {
        match EventSource::from(event.token()) {
            EventSource::Session(index, side) => {
                if let Some(session) = self.places.take(index) {
                    self.handle_session_event(session, side, event);
                }
            }
            EventSource::Client(index) => self.client_event(index, event),
            EventSource::Server(index) => self.server_event(index, event),
            EventSource::Listener(index) => self.accept(index),
            EventSource::Inbox => self.read_orders(),
        }
    }

    /// Handles an event at one end of a session.
    fn handle_session_event(&mut self, mut session: Box<Session>, side: Side, event: &Event) {
        let readiness = session.relay.readiness(side);
        readiness.readable |= event.is_readable() || event.is_read_closed() || event.is_error();
        readiness.writable |= event.is_writable();
        let input = match event {
            event if event.is_error() => InputState::Failed,
            event if event.is_read_closed() => InputState::Ending,
            _ => InputState::Open,
        };
        readiness.input = readiness.input.max(input);
        match (&session.phase, side) {
            (Phase::Relaying { .. }, _) => self.resume(session),
            (Phase::Connecting { .. }, Side::Server) => {
                let closed = event.is_error() || event.is_write_closed();
                self.answered(session, closed);
            }
            // A client may have half-closed before it is answered, and still be connected.
            (_, Side::Client) if event.is_error() || event.is_write_closed() => {
                self.end(session, EndReason::Client);
            }
            _ => self.places.put(session.index, session),
        }
    }

    /// Handles the expired timer of a session's phase.
    fn handle_timer(&mut self, index: u32) {
        let Some(mut session) = self.places.take(index) else {
            return;
        };
        match &session.phase {
            Phase::Relaying { server, .. } => {
                // Set only for sessions that live this long: most do not, and would pay a system
                // call for it. A failure does no harm.
                let _set = SockRef::from(server).set_keepalive(true);
                session.relay.reopen();
                if self.now >= session.last_active + self.topology.times.idle {
                    return self.end(session, EndReason::TooLong);
                }
                if self.is_old(session.began, session.serial) {
                    return self.close_old_session(session);
                }
                self.timers.arm(index, self.session_deadline(&session));
                self.resume(session);
            }
            // It has proved to be alive.
            Phase::Connecting { .. } if session.relay.server.writable => self.connected(session),
            Phase::Connecting { .. } => self.failed(session, &io::ErrorKind::TimedOut.into()),
            Phase::Pausing => {
                session.tried.clear();
                self.assign(session);
            }
            Phase::Waiting | Phase::New => self.end(session, EndReason::TooLong),
        }
    }

    fn warn_throttled(&mut self, what: &str, error: &io::Error) {
        if let Some(times) = self.warnings.after(Instant::now()) {
            tracing::warn!(worker = self.number, times, %error, "{what}");
        }
    }
}

/// The first interest of an end: readability. Writability matters only after a write was short.
const READABLE: Interest = Interest::READABLE;
/// The interest after the first short write: reducing it again would cost a call each time.
const READABLE_OR_WRITABLE: Interest = Interest::READABLE.add(Interest::WRITABLE);
