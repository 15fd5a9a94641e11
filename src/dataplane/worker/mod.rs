//! A worker: one thread that carries connections, waits for events of all of them, and shares no
//! data per byte.

mod accepting;
mod connecting;
mod ending;
mod gate;
mod listener;
mod orders;
mod relaying;
mod session;
mod session_slab;
mod token;

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use mio::event::Event;
use mio::{Events, Interest, Poll};
use socket2::SockRef;

use super::inbox::Order;
use super::relay::{Outlook, Side};
use super::shared::Plane;
use super::topology::Layout;
use crate::base::telemetry::Throttle;
use crate::workers::{Desk, Table, Wheel};

use listener::Listener;
use session::{Phase, Session, Why};
use session_slab::Places;
pub(super) use token::About;

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
    plane: Arc<Plane>,
    desk: Desk<Order>,
    poll: Poll,
    layout: Arc<Layout>,
    listeners: Vec<Option<Listener>>,
    /// When to try listeners again that had no room.
    accept_at: Option<u64>,
    places: Places,
    /// How many sessions its descriptor table has room for.
    room: usize,
    timers: Wheel,
    /// Sessions that have more to do and let others run first.
    line: Vec<u32>,
    buffer: Box<[u8]>,
    /// The time of this turn, in ms of the clock.
    now: u64,
    serial: u64,
    /// The worker accepts no more clients, and ends with the last session.
    draining: bool,
    trouble: Throttle,
}

impl Worker {
    /// A worker without listeners, which it gets by an order.
    pub(super) fn new(number: u16, table: Table, poll: Poll, plane: Arc<Plane>) -> Worker {
        let now = plane.clock.now();
        Worker {
            number,
            desk: plane.inbox(number).desk(),
            layout: plane.layout(),
            room: plane.room(table),
            plane,
            poll,
            listeners: Vec::new(),
            accept_at: None,
            places: Places::default(),
            timers: Wheel::new(now),
            line: Vec::new(),
            buffer: vec![0; BUFFER].into_boxed_slice(),
            now,
            serial: 0,
            draining: false,
            trouble: Throttle::new(LOG_INTERVAL),
        }
    }

    /// Runs until the order to end.
    pub(super) fn run(mut self) -> io::Result<()> {
        let mut events = Events::with_capacity(EVENTS);
        let mut expired = Vec::new();
        loop {
            match self.poll.poll(&mut events, self.patience()) {
                Err(error) if error.kind() != io::ErrorKind::Interrupted => return Err(error),
                _ => {}
            }
            self.now = self.plane.clock.now();
            for event in &events {
                self.attend(event);
            }
            for index in std::mem::take(&mut self.line) {
                if let Some(mut session) = self.places.take(index) {
                    session.in_line = false;
                    self.go_on(session);
                }
            }
            self.timers.expire(self.now, &mut expired);
            for index in expired.drain(..) {
                self.overdue(index);
            }
            self.accept_again();
            self.places.all_read();
            if self.draining && self.places.count() == 0 {
                return Ok(());
            }
        }
    }

    // Private

    /// How long the worker may wait for events; `None` is without limit.
    fn patience(&self) -> Option<Duration> {
        if !self.line.is_empty() {
            return Some(Duration::ZERO);
        }
        let next = [self.timers.next(), self.accept_at].into_iter().flatten().min()?;
        // The clock counts whole ms, and is read after the wait: without one more ms, the worker
        // would wake again in the same ms.
        Some(Duration::from_millis(
            next.saturating_sub(self.plane.clock.now()) + 1,
        ))
    }

    fn attend(&mut self, event: &Event) {
        match About::from(event.token()) {
            About::Session(index, side) => {
                if let Some(session) = self.places.take(index) {
                    self.heard(session, side, event);
                }
            }
            About::Listener(index) => self.accept(index),
            About::Inbox => self.read_orders(),
        }
    }

    /// Handles an event at one end of a session.
    fn heard(&mut self, mut session: Box<Session>, side: Side, event: &Event) {
        let readiness = session.relay.readiness(side);
        readiness.readable |= event.is_readable() || event.is_read_closed() || event.is_error();
        readiness.writable |= event.is_writable();
        let outlook = match event {
            event if event.is_error() => Outlook::Failed,
            event if event.is_read_closed() => Outlook::Ending,
            _ => Outlook::Open,
        };
        readiness.outlook = readiness.outlook.max(outlook);
        match (&session.phase, side) {
            (Phase::Relaying { .. }, _) => self.go_on(session),
            (Phase::Connecting { .. }, Side::Server) => {
                let closed = event.is_error() || event.is_write_closed();
                self.answered(session, closed);
            }
            // A client may have half-closed before it is answered, and still be connected.
            (_, Side::Client) if event.is_error() || event.is_write_closed() => {
                self.end(session, Why::Client);
            }
            _ => self.places.put(session),
        }
    }

    /// Handles the expired timer of a session's phase.
    fn overdue(&mut self, index: u32) {
        let Some(mut session) = self.places.take(index) else {
            return;
        };
        match &session.phase {
            Phase::Relaying { server, .. } => {
                // Set only for sessions that live this long: most do not, and would pay a system
                // call for it. A failure does no harm.
                let _set = SockRef::from(server).set_keepalive(true);
                session.relay.reopen();
                let deadline = session.moved + self.layout.times.idle;
                if self.now >= deadline {
                    return self.end(session, Why::TooLong);
                }
                self.timers.arm(index, deadline);
                self.go_on(session);
            }
            // It has proved to be alive.
            Phase::Connecting { .. } if session.relay.server.writable => self.connected(session),
            Phase::Connecting { .. } => self.failed(session, &io::ErrorKind::TimedOut.into()),
            Phase::Pausing => {
                session.tried.clear();
                self.assign(session);
            }
            Phase::Waiting | Phase::New => self.end(session, Why::TooLong),
        }
    }

    fn complain(&mut self, what: &str, error: &io::Error) {
        if let Some(times) = self.trouble.after(Instant::now()) {
            tracing::warn!(worker = self.number, times, %error, "{what}");
        }
    }
}

/// The first interest of an end: readability. Writability matters only after a write was short.
const SAYS: Interest = Interest::READABLE;
/// The interest after the first short write: reducing it again would cost a call each time.
const SAYS_OR_TAKES: Interest = Interest::READABLE.add(Interest::WRITABLE);
