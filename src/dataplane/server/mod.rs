//! One server of a backend: its address, its state, its load.

mod state;

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU16, AtomicU32, AtomicU64, Ordering::Relaxed, Ordering::SeqCst};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use arc_swap::ArcSwap;

use super::backend::Pool;
use super::balance::Candidate;
use super::clock::Clock;
use super::counters::{Bytes, Counters, count};
use super::http_counters::HttpCounters;
use crate::dataplane_config::{DataplaneCheck, DataplaneServer};
use crate::haproxy_api::ServerState;
use crate::haproxy_api::server::{CheckFigures, ServerFigures, TrackedFigures};
use crate::probe::Rules;

pub(crate) use state::{Event, State};

/// How long an unexpected disconnect puts a server in doubt, in ms.
const SUSPECT_MS: u64 = 20;
/// The number of parts of a weight unit, so that slow starts are smooth.
const PARTS_PER_WEIGHT: u32 = 256;

/// A server. Choosing a server reads atomics; changing one goes through its state.
#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) name: String,
    pub(crate) id: u32,
    pub(crate) counters: Counters,
    pub(crate) bytes: Bytes,
    pub(crate) http: HttpCounters,
    pub(crate) check: Mutex<LastCheck>,
    config: ArcSwap<DataplaneServer>,
    address: Mutex<SocketAddr>,
    weight: AtomicU16,
    maxconn: AtomicU32,
    state: Mutex<State>,
    /// Whether `state` allows new clients.
    serves: AtomicBool,
    /// When its slow start began, in ms of the clock; 0 means long ago.
    started: AtomicU64,
    /// How long a slow start takes, in ms.
    slowstart: AtomicU64,
    /// Clients that were assigned and have not left: `maxconn` limits this number.
    taken: AtomicU32,
    /// Connection failures in a row.
    failures: AtomicU16,
    /// Answers with a server error in a row.
    errors: AtomicU16,
    /// How often answers with a server error have ejected it.
    ejections: AtomicU64,
    /// When it last broke a connection, in ms of the clock; 0 means never.
    last_abort: AtomicU64,
}

/// The result of the last check.
#[derive(Clone, Debug, Default)]
pub(crate) struct LastCheck {
    /// Whether the checks are disabled.
    pub(crate) off: bool,
    pub(crate) status: &'static str,
    pub(crate) code: Option<u16>,
    pub(crate) duration: Option<u64>,
    pub(crate) detail: String,
    /// Failed checks while it was up.
    pub(crate) failed: u64,
}

/// A change of state, which is logged and has consequences.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Change {
    pub(crate) was: State,
    pub(crate) is: State,
}

impl Server {
    pub(crate) fn new(config: DataplaneServer, wanted: ServerState, workers: u16, now: Instant) -> Server {
        let state = State::new(wanted, now);
        Server {
            name: config.name.clone(),
            id: config.id,
            counters: Counters::default(),
            bytes: Bytes::new(workers),
            http: HttpCounters::new(workers),
            check: Mutex::new(LastCheck {
                off: config.added.is_some(),
                ..LastCheck::default()
            }),
            address: Mutex::new(config.address),
            weight: AtomicU16::new(config.weight),
            maxconn: AtomicU32::new(config.maxconn),
            serves: AtomicBool::new(state.serves()),
            state: Mutex::new(state),
            config: ArcSwap::from_pointee(config),
            started: AtomicU64::new(0),
            slowstart: AtomicU64::new(0),
            taken: AtomicU32::new(0),
            failures: AtomicU16::new(0),
            errors: AtomicU16::new(0),
            ejections: AtomicU64::new(0),
            last_abort: AtomicU64::new(0),
        }
    }

    /// Applies a new configuration. Values that were set by commands stay, unless the configuration
    /// changes exactly these values.
    pub(crate) fn reconfigure(&self, config: &DataplaneServer) {
        let old = self.config.swap(std::sync::Arc::new(config.clone()));
        if old.address != config.address {
            self.set_address(config.address);
        }
        if old.weight != config.weight {
            self.set_weight(config.weight);
        }
        if old.maxconn != config.maxconn {
            self.set_maxconn(config.maxconn);
        }
    }

    /// Makes a server that the runtime API has added one of the configuration file: it leaves
    /// maintenance, and its checks are enabled.
    pub(crate) fn become_configured(&self, clock: &Clock) {
        lock(&self.check).off = false;
        if self.state().admin().maint {
            let _has_no_clients = self.apply_event(Event::AdminStateSet(ServerState::Ready), clock);
        }
    }

    /// The configured values.
    pub(crate) fn config(&self) -> std::sync::Arc<DataplaneServer> {
        self.config.load_full()
    }

    pub(crate) fn address(&self) -> SocketAddr {
        *lock(&self.address)
    }

    pub(crate) fn set_address(&self, address: SocketAddr) {
        *lock(&self.address) = address;
    }

    pub(crate) fn set_weight(&self, weight: u16) {
        self.weight.store(weight.min(256), Relaxed);
    }

    pub(crate) fn set_maxconn(&self, maxconn: u32) {
        self.maxconn.store(maxconn, SeqCst);
    }

    pub(crate) fn set_slowstart(&self, ms: u64) {
        self.slowstart.store(ms, Relaxed);
    }

    /// Its current state.
    pub(crate) fn state(&self) -> State {
        *lock(&self.state)
    }

    /// Applies `event`; returns the change, if there is one.
    pub(crate) fn apply_event(&self, event: Event, clock: &Clock) -> Option<Change> {
        self.change_state(|| event, clock)
    }

    /// Takes the state of `tracked`, or no other's any more; returns the change, if there is one.
    pub(crate) fn follow(&self, tracked: Option<&Server>, clock: &Clock) -> Option<Change> {
        // Read under the lock of this server's state: after two changes of the other, the one that
        // comes last here has seen both.
        let event = || Event::Tracked(tracked.map(|tracked| tracked.state().for_trackers()));
        self.change_state(event, clock)
    }

    /// Whether it gets new clients.
    pub(crate) fn serves(&self) -> bool {
        self.serves.load(SeqCst) && self.weight.load(Relaxed) > 0
    }

    /// Whether it gets requests of clients that belong to it. As in HAProxy, a weight of 0 keeps only
    /// other clients away.
    pub(crate) fn keeps_clients(&self) -> bool {
        self.serves.load(SeqCst)
    }

    /// The candidate for algorithms at `now`.
    pub(crate) fn candidate(&self, now: u64) -> Candidate {
        Candidate {
            weight: if self.serves() { self.parts(now) } else { 0 },
            sessions: self.taken.load(Relaxed),
            id: self.id,
        }
    }

    /// Whether it has room for one more client.
    pub(crate) fn has_room(&self) -> bool {
        let maxconn = self.maxconn.load(SeqCst);
        maxconn == 0 || self.taken.load(SeqCst) < maxconn
    }

    /// Whether it has clients, or clients wait for it.
    pub(crate) fn has_clients(&self) -> bool {
        self.taken.load(SeqCst) > 0 || self.counters.queued.get() > 0
    }

    /// Takes one more client. Only under its backend's lock, after [`Server::has_room`].
    pub(crate) fn take(&self) {
        self.taken.fetch_add(1, SeqCst);
    }

    /// Removes one client.
    pub(crate) fn give_back(&self) {
        self.taken.fetch_sub(1, SeqCst);
    }

    /// Records a successful connection to it.
    pub(crate) fn connected(&self) {
        // Read first: a store would take the cache line from the other workers with every
        // connection.
        if self.failures.load(Relaxed) != 0 {
            self.failures.store(0, Relaxed);
        }
    }

    /// Records that the server broke a connection unexpectedly at `now`.
    pub(crate) fn aborted(&self, now: u64) {
        self.last_abort.store(now.max(1), Relaxed);
    }

    /// Whether it may be dying: a process that is killed closes its connections one after the
    /// other, and for some milliseconds others are still accepted, to be closed next.
    pub(crate) fn is_suspect(&self, now: u64) -> bool {
        let last_abort = self.last_abort.load(Relaxed);
        last_abort != 0 && now.saturating_sub(last_abort) <= SUSPECT_MS
    }

    /// Makes the next failed connection, or the next server error, the one that reaches its limit.
    pub(crate) fn set_probation(&self, failures: u16, errors: Option<u16>) {
        self.failures.store(failures.saturating_sub(1), Relaxed);
        self.errors.store(errors.unwrap_or(0).saturating_sub(1), Relaxed);
    }

    /// Counts a failed connection; whether that makes `limit` in a row, and the server is up.
    pub(crate) fn failed(&self, limit: u16) -> bool {
        let failures = self.failures.fetch_add(1, Relaxed).saturating_add(1);
        limit > 0 && failures >= limit && self.serves.load(SeqCst)
    }

    /// Counts an answer; whether that makes `limit` server errors in a row, and the server is up. As
    /// in HAProxy, 501 and 505 are not errors of the server: the request asked for them.
    pub(crate) fn answered(&self, status: u16, limit: u16) -> bool {
        if !(500..=599).contains(&status) || matches!(status, 501 | 505) {
            // Read first: a store would take the cache line from the other workers with every
            // request.
            if self.errors.load(Relaxed) != 0 {
                self.errors.store(0, Relaxed);
            }
            return false;
        }
        let errors = self.errors.fetch_add(1, Relaxed).saturating_add(1);
        let ejects = limit > 0 && errors >= limit && self.serves.load(SeqCst);
        if ejects {
            self.errors.store(0, Relaxed);
            count(&self.ejections);
        }
        ejects
    }

    /// Resets the maxima; if `all`, the sums too.
    pub(crate) fn clear(&self, all: bool) {
        self.counters.clear(all);
        self.http.clear(all);
        if all {
            self.bytes.clear();
            self.ejections.store(0, Relaxed);
            lock(&self.state).forget_times_down();
            lock(&self.check).failed = 0;
        }
    }

    /// The figures for the runtime API, as a server of `pool`.
    pub(crate) fn figures(&self, pool: &Pool, clock: &Clock) -> ServerFigures {
        let (now, state) = (clock.now(), self.state());
        let instant = Instant::now();
        let user_weight = self.weight.load(Relaxed);
        let parts = self.parts(now);
        let full = u32::from(user_weight) * PARTS_PER_WEIGHT;
        ServerFigures {
            name: self.name.clone(),
            id: self.id,
            address: Some(self.address()),
            cookie: pool.cookie().map(|_| self.name.clone()),
            health: state.health(),
            admin: state.admin(),
            initial_weight: self.config.load().weight,
            user_weight,
            weight: u16::try_from(parts.div_ceil(PARTS_PER_WEIGHT)).unwrap_or(user_weight),
            throttle: (state.serves() && parts < full)
                .then(|| u8::try_from(u64::from(parts) * 100 / u64::from(full)).unwrap_or(100)),
            maxconn: self.maxconn.load(Relaxed),
            traffic: self.counters.figures(
                now,
                (self.bytes.up(), self.bytes.down()),
                pool.is_http().then(|| self.http.figures(now)),
            ),
            last_change: state.since(instant).as_secs(),
            downtime: state.downtime(instant).as_secs(),
            times_down: state.times_down(),
            check: self.check_figures(pool),
            tracked: pool
                .tracked_by(&self.name)
                .map(|(backend, tracked)| TrackedFigures {
                    name: format!("{}/{}", backend.name, tracked.name),
                    check: tracked.check_figures(&backend.pool()),
                }),
            ejections: pool.config.eject_errors.map(|_| self.ejections.load(Relaxed)),
            reported_state: None,
        }
    }

    // Private

    fn check_figures(&self, pool: &Pool) -> Option<CheckFigures> {
        let (check, last) = (pool.check_of(self)?, lock(&self.check).clone());
        Some(CheckFigures {
            enabled: !last.off,
            status: last.status,
            code: last.code,
            duration: last.duration,
            detail: last.detail,
            health: self.state().health_count(rules(check)),
            rise: check.rise,
            fall: check.fall,
            failed: last.failed,
        })
    }

    fn change_state(&self, event: impl FnOnce() -> Event, clock: &Clock) -> Option<Change> {
        let mut state = lock(&self.state);
        let was = *state;
        let is = was.after(event(), Instant::now());
        *state = is;
        if is.serves() && !was.holds() {
            self.started.store(clock.now().max(1), Relaxed);
        }
        if is.serves() {
            self.failures.store(0, Relaxed);
            // A good check says nothing about other answers.
            if !was.serves() {
                self.errors.store(0, Relaxed);
            }
        }
        self.serves.store(is.serves(), SeqCst);
        (was.word() != is.word()).then_some(Change { was, is })
    }

    /// Its weight in parts, reduced during a slow start.
    fn parts(&self, now: u64) -> u32 {
        let full = u32::from(self.weight.load(Relaxed)) * PARTS_PER_WEIGHT;
        let (began, takes) = (self.started.load(Relaxed), self.slowstart.load(Relaxed));
        let elapsed = now.saturating_sub(began);
        if began == 0 || elapsed >= takes || full == 0 {
            return full;
        }
        u32::try_from(u64::from(full) * elapsed / takes)
            .unwrap_or(full)
            .max(1)
    }
}

/// The limits for checks to change the health.
pub(crate) const fn rules(check: DataplaneCheck) -> Rules {
    Rules {
        rise: check.rise,
        fall: check.fall,
    }
}

/// Locks and ignores poisoning: all changes under these locks are plain assignments, which cannot
/// be half done.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataplane_config::DataplaneQuestion;
    use crate::haproxy_api::ServerHealth;

    fn server() -> Server {
        let config = DataplaneServer {
            name: "a".to_owned(),
            id: 1,
            address: SocketAddr::from(([127, 0, 0, 1], 1)),
            weight: 1,
            maxconn: 0,
            question: DataplaneQuestion::Http,
            check_address: None,
            check_path: DataplaneServer::default_check_path(),
            added: None,
        };
        Server::new(config, ServerState::Ready, 1, Instant::now())
    }

    #[test]
    fn only_server_errors_in_a_row_eject() {
        let server = server();
        for status in [500, 502, 200, 503, 504, 404, 500, 599, 501, 500, 500, 101] {
            assert!(!server.answered(status, 3), "{status}");
        }
        let ejected = [500, 502, 503, 503].map(|status| server.answered(status, 3));
        assert_eq!(ejected, [false, false, true, false]);
        assert!(!server.answered(500, 0));
    }

    #[test]
    fn good_checks_do_not_end_a_run_of_errors_and_a_return_does() {
        let (server, clock) = (server(), Clock::new());
        assert!(!server.answered(500, 2));
        server.apply_event(Event::HealthSet(ServerHealth::Up), &clock);
        assert!(server.answered(500, 2));
        // A server that is not up is not ejected again.
        server.apply_event(Event::Ejected, &clock);
        assert_eq!([500, 500].map(|status| server.answered(status, 2)), [false; 2]);
        server.apply_event(Event::Readmitted, &clock);
        assert_eq!([500, 500].map(|status| server.answered(status, 2)), [false, true]);
        server.set_probation(1, Some(2));
        assert!(server.answered(500, 2));
    }
}
