//! A backend: chooses the server for each client, and queues the clients that must wait for one.
//!
//! Every choice is made under one lock per backend, once per connection, so that the algorithms are
//! exact over all threads. A client's stickiness is looked up before, under its own entry's lock:
//! the order of locks is table, backend, inbox.

mod former;
mod lease;
mod queue;
#[cfg(test)]
pub(crate) mod tests;
mod used_ids;

use std::sync::atomic::{AtomicU32, Ordering::Relaxed, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use arc_swap::{ArcSwap, Guard};

use super::balance::{Balance, Candidate, ClientKey};
use super::clock::Clock;
use super::counters::Counters;
use super::http_counters::HttpCounters;
use super::server::{Server, lock};
use super::sticky::StickyTable;
use crate::dataplane_config::{DataplaneBackend, DataplaneCheck};
use crate::haproxy_api::server::BackendFigures;

use former::FormerServers;
pub(crate) use lease::Lease;
use queue::Queue;
pub(crate) use queue::{Notify, Waiter};
use used_ids::UsedIds;

/// A group of servers.
#[derive(Debug)]
pub(crate) struct Backend {
    pub(crate) name: String,
    pub(crate) id: u32,
    pub(crate) counters: Counters,
    pub(crate) http: HttpCounters,
    clock: Clock,
    pool: ArcSwap<Pool>,
    choice: Mutex<Choice>,
    /// Length of the queue, readable without the lock.
    waiting: AtomicU32,
    availability: Mutex<Availability>,
    /// HAProxy's `fullconn`, only for display.
    fullconn: AtomicU32,
    former: Mutex<FormerServers>,
    used_ids: Mutex<UsedIds>,
}

/// The configured part of a backend; replaced as a whole.
#[derive(Debug)]
pub(crate) struct Pool {
    pub(crate) config: DataplaneBackend,
    pub(crate) servers: Vec<Arc<Server>>,
    pub(crate) sticky: Option<Arc<StickyTable>>,
    /// The backend whose servers of the same names decide on the health and the state of these.
    pub(crate) tracks: Option<Arc<Backend>>,
}

/// The data that the lock guards.
#[derive(Debug)]
struct Choice {
    balance: Balance,
    queue: Queue,
    /// A buffer that is reused for each choice.
    candidates: Vec<Candidate>,
}

/// Whether any server is up, and since when.
#[derive(Debug)]
struct Availability {
    up: bool,
    since: Instant,
    down: Duration,
    times_down: u64,
}

/// The result of a request for a server.
#[derive(Debug)]
pub(crate) enum Assigned {
    /// A server.
    Server(Lease),
    /// A place in the queue.
    Wait,
    /// No server is up, or the queue is full.
    Nothing,
}

impl Pool {
    /// The server with number `id`.
    pub(crate) fn server(&self, id: u32) -> Option<&Arc<Server>> {
        self.servers.iter().find(|server| server.id == id)
    }

    /// The server called `name`.
    pub(crate) fn named(&self, name: &str) -> Option<&Arc<Server>> {
        self.servers.iter().find(|server| server.name == name)
    }

    /// Whether `server` is one of its servers.
    pub(crate) fn has(&self, server: &Arc<Server>) -> bool {
        self.servers.iter().any(|it| Arc::ptr_eq(it, server))
    }

    /// How `server` is checked; `None` if it tracks another one or is not checked.
    pub(crate) fn check_of(&self, server: &Server) -> Option<DataplaneCheck> {
        match server.config().added {
            Some(added) => added.check.filter(|_| self.tracked_by(&server.name).is_none()),
            None => self.config.check.filter(|_| self.tracks.is_none()),
        }
    }

    /// The server that a server called `name` tracks, and its backend.
    pub(crate) fn tracked_by(&self, name: &str) -> Option<(&Arc<Backend>, Arc<Server>)> {
        let backend = self.tracks.as_ref()?;
        Some((backend, Arc::clone(backend.pool().named(name)?)))
    }

    /// Whether its servers speak HTTP.
    pub(crate) const fn is_http(&self) -> bool {
        self.config.http.is_some()
    }

    /// The name of the cookie that names a client's server.
    pub(crate) fn cookie(&self) -> Option<&str> {
        self.config.http.as_ref()?.cookie.as_deref()
    }
}

impl Backend {
    pub(crate) fn new(id: u32, pool: Pool, fullconn: u32, workers: u16, clock: Clock) -> Backend {
        let mut used_ids = UsedIds::default();
        used_ids.add(&pool.servers);
        Backend {
            name: pool.config.name.clone(),
            id,
            counters: Counters::default(),
            http: HttpCounters::new(workers),
            clock,
            choice: Mutex::new(Choice {
                balance: Balance::new(pool.config.algorithm),
                queue: Queue::default(),
                candidates: Vec::new(),
            }),
            waiting: AtomicU32::new(0),
            availability: Mutex::new(Availability {
                up: true,
                since: Instant::now(),
                down: Duration::ZERO,
                times_down: 0,
            }),
            fullconn: AtomicU32::new(fullconn),
            former: Mutex::default(),
            used_ids: Mutex::new(used_ids),
            pool: ArcSwap::from_pointee(pool),
        }
    }

    /// Applies a new configuration.
    pub(crate) fn reconfigure(self: &Arc<Self>, pool: Pool, fullconn: u32) {
        if self.pool().config.algorithm != pool.config.algorithm {
            lock(&self.choice).balance = Balance::new(pool.config.algorithm);
        }
        self.fullconn.store(fullconn, Relaxed);
        lock(&self.used_ids).add(&pool.servers);
        lock(&self.former).add(&self.pool().servers, &pool.servers);
        self.pool.store(Arc::new(pool));
        self.serve_waiting();
    }

    /// The servers and their configuration. A guard counts no reference, which all workers would share.
    pub(crate) fn pool(&self) -> Guard<Arc<Pool>> {
        self.pool.load()
    }

    /// The lowest id that none of its servers has had.
    pub(crate) fn next_id(&self) -> Option<u32> {
        lock(&self.used_ids).next()
    }

    /// The server that has or had `id`, if its name is not `name`.
    pub(crate) fn id_of_other(&self, id: u32, name: &str) -> Option<String> {
        lock(&self.used_ids).other(id, name).map(str::to_owned)
    }

    /// A server for `client`, except `tried`: the `preferred` one if it serves. When no
    /// server has room, `waiter` is queued.
    pub(crate) fn assign(
        self: &Arc<Self>,
        client: ClientKey,
        preferred: Option<u32>,
        tried: &[u32],
        waiter: impl FnOnce() -> Waiter,
    ) -> Assigned {
        let pool = self.pool.load();
        let serving = |id: Option<u32>| {
            let server = id.and_then(|id| pool.server(id));
            server.filter(|server| server.serves() && !tried.contains(&server.id))
        };
        let preferred = preferred.and_then(|id| pool.server(id));
        let preferred = preferred.filter(|server| server.keeps_clients() && !tried.contains(&server.id));
        if let Some(server) = preferred {
            let assigned = self.take(server, waiter);
            if matches!(assigned, Assigned::Wait) {
                self.serve_waiting();
            }
            return assigned;
        }
        let mut waiter = Some(waiter);
        let mut assigned = Assigned::Nothing;
        let mut choose = |known: Option<u32>| {
            let known = serving(known);
            let waiter = waiter.take()?;
            assigned = match known {
                Some(server) => self.take(server, waiter),
                None => self.pick(&pool, client, tried, waiter),
            };
            match &assigned {
                Assigned::Server(lease) => Some(lease.server().id),
                Assigned::Wait => known.map(|server| server.id),
                Assigned::Nothing => None,
            }
        };
        match &pool.sticky {
            Some(table) => {
                table.assign(client.address, Instant::now(), |known| {
                    choose(known).map(|id| (id, ()))
                });
            }
            None => {
                choose(None);
            }
        }
        if matches!(assigned, Assigned::Wait) {
            // A place may have become free before the queue was visible. This cannot run earlier,
            // because the client's entry was locked.
            self.serve_waiting();
        }
        assigned
    }

    /// Removes the waiter from the queue; returns whether it was queued.
    pub(crate) fn remove_waiter(&self, worker: u16, serial: u64) -> bool {
        let mut choice = lock(&self.choice);
        let waiter = choice.queue.remove(worker, serial);
        self.waiting.store(choice.queue.len(), SeqCst);
        if let Some(waiter) = &waiter {
            self.dequeued(waiter);
        }
        waiter.is_some()
    }

    /// Gives free places to waiting clients.
    pub(crate) fn serve_waiting(self: &Arc<Self>) {
        while self.waiting.load(SeqCst) > 0 {
            let pool = self.pool.load();
            let mut choice = lock(&self.choice);
            let Some((at, server)) = choice.servable(&pool, self.clock.now()) else {
                return;
            };
            let Some(waiter) = choice.queue.take(at) else {
                return;
            };
            self.waiting.store(choice.queue.len(), SeqCst);
            self.dequeued(&waiter);
            let lease = Lease::new(Arc::clone(self), Arc::clone(server), &self.clock);
            drop(choice);
            if let Some(table) = &pool.sticky {
                table.assign(waiter.client.address, Instant::now(), |_| Some((server.id, ())));
            }
            waiter.served(lease);
        }
    }

    /// Notes whether any server is up, after one has changed.
    pub(crate) fn update_availability(&self) -> Option<bool> {
        let up = self
            .pool
            .load()
            .servers
            .iter()
            .any(|server| server.state().holds());
        let mut availability = lock(&self.availability);
        if availability.up == up {
            return None;
        }
        let now = Instant::now();
        let lasted = now.saturating_duration_since(availability.since);
        if up {
            availability.down += lasted;
        } else {
            availability.times_down += 1;
        }
        availability.up = up;
        availability.since = now;
        Some(up)
    }

    /// Resets the maxima; if `all`, the sums too.
    pub(crate) fn clear(&self, all: bool) {
        self.counters.clear(all);
        self.http.clear(all);
        if all {
            lock(&self.availability).times_down = 0;
            lock(&self.former).clear();
        }
    }

    /// The figures for the runtime API.
    pub(crate) fn figures(&self) -> BackendFigures {
        let (pool, now) = (self.pool(), self.clock.now());
        let availability = lock(&self.availability);
        let since = Instant::now().saturating_duration_since(availability.since);
        let down = if availability.up {
            availability.down
        } else {
            availability.down + since
        };
        let (former_up, former_down) = lock(&self.former).bytes();
        let sum = |of: fn(&Server) -> u64| pool.servers.iter().map(|server| of(server)).sum::<u64>();
        BackendFigures {
            name: self.name.clone(),
            id: self.id,
            algorithm: pool.config.algorithm,
            cookie: pool.cookie().map(str::to_owned),
            traffic: self.counters.figures(
                now,
                (
                    former_up + sum(|server| server.bytes.up()),
                    former_down + sum(|server| server.bytes.down()),
                ),
                pool.is_http().then(|| self.http.figures(now)),
            ),
            sessions_limit: self.fullconn.load(Relaxed),
            last_change: since.as_secs(),
            downtime: down.as_secs(),
            times_down: availability.times_down,
            servers: pool
                .servers
                .iter()
                .map(|server| server.figures(&pool, &self.clock))
                .collect(),
        }
    }

    // Private

    /// A place at `server`, or in its queue. A new client never overtakes a waiting one.
    fn take(self: &Arc<Self>, server: &Arc<Server>, waiter: impl FnOnce() -> Waiter) -> Assigned {
        let mut choice = lock(&self.choice);
        if choice.queue.len() == 0 && server.has_room() {
            return self.assigned(server);
        }
        let limit = self.pool.load().config.queue;
        self.enqueue(&mut choice, limit, waiter, Some(server))
    }

    /// A place at the server that the algorithm chooses, or before all of them.
    fn pick(
        self: &Arc<Self>,
        pool: &Pool,
        client: ClientKey,
        tried: &[u32],
        waiter: impl FnOnce() -> Waiter,
    ) -> Assigned {
        let mut choice = lock(&self.choice);
        if choice.queue.len() == 0
            && let Some(server) = choice.choose(pool, client, tried, self.clock.now())
        {
            return self.assigned(server);
        }
        let serves = |server: &Arc<Server>| server.serves() && !tried.contains(&server.id);
        if !pool.servers.iter().any(serves) {
            return Assigned::Nothing;
        }
        self.enqueue(&mut choice, pool.config.queue, waiter, None)
    }

    fn assigned(self: &Arc<Self>, server: &Arc<Server>) -> Assigned {
        Assigned::Server(Lease::new(Arc::clone(self), Arc::clone(server), &self.clock))
    }

    /// Adds one client to the queue, if it has room.
    fn enqueue(
        &self,
        choice: &mut Choice,
        limit: u32,
        waiter: impl FnOnce() -> Waiter,
        server: Option<&Arc<Server>>,
    ) -> Assigned {
        if choice.queue.len() >= limit {
            return Assigned::Nothing;
        }
        let mut waiter = waiter();
        waiter.server = server.cloned();
        self.counters.queued.up();
        if let Some(server) = server {
            server.counters.queued.up();
        }
        choice.queue.put(waiter);
        self.waiting.store(choice.queue.len(), SeqCst);
        Assigned::Wait
    }

    fn dequeued(&self, waiter: &Waiter) {
        self.counters.queued.down();
        if let Some(server) = &waiter.server {
            server.counters.queued.down();
        }
        self.counters
            .queue_time
            .add(self.clock.now().saturating_sub(waiter.since));
    }
}

impl Choice {
    /// The algorithm's choice among the servers that serve, have room and are not in `tried`.
    fn choose<'a>(
        &mut self,
        pool: &'a Pool,
        client: ClientKey,
        tried: &[u32],
        now: u64,
    ) -> Option<&'a Arc<Server>> {
        self.candidates.clear();
        self.candidates.extend(pool.servers.iter().map(|server| {
            let mut candidate = server.candidate(now);
            if tried.contains(&server.id) || !server.has_room() {
                candidate.weight = 0;
            }
            candidate
        }));
        let chosen = self.balance.pick(&self.candidates, client)?;
        pool.servers.get(chosen)
    }

    /// The first waiting client that can be served, and its server. A client that waits for a
    /// server that no longer serves gets another one.
    fn servable<'a>(&mut self, pool: &'a Pool, now: u64) -> Option<(usize, &'a Arc<Server>)> {
        let mut all_full = false;
        for at in 0..usize::try_from(self.queue.len()).unwrap_or(usize::MAX) {
            let (client, server) = self.queue.at(at)?;
            let own = server.as_ref().and_then(|server| pool.server(server.id));
            match own.filter(|server| server.serves()) {
                Some(server) if server.has_room() => return Some((at, server)),
                // When no server has room for one client, none has room for another.
                None if !all_full => match self.choose(pool, client, &[], now) {
                    Some(server) => return Some((at, server)),
                    None => all_full = true,
                },
                Some(_) | None => {}
            }
        }
        None
    }
}
