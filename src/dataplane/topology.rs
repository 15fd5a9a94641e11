//! The configuration in force: frontends, backends, and process-wide settings. It is replaced as a
//! whole; parts with the same names live on.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::backend::{Backend, Pool};
use super::clock::Clock;
use super::frontend::{Frontend, HttpRoute, Route};
use super::http::rules::{Forwarding, NodeAddresses, Routes};
use super::http::{HeadLimits, Limits, MAX_HEADERS};
use super::server::{Event, Server};
use super::sticky::StickyTable;
use crate::base::units::Size;
use crate::dataplane_config::{Dataplane, DataplaneBackend, DataplaneFrontend};
use crate::haproxy_api::{ServerHealth, ServerState};
use crate::profile::Table;

/// HAProxy numbers frontends and backends together, and keeps 1 for itself.
const FIRST_ID: u32 = 2;

/// The configuration in force.
#[derive(Debug)]
pub(crate) struct Topology {
    pub(crate) config: Dataplane,
    pub(crate) frontends: Vec<Arc<Frontend>>,
    pub(crate) backends: Vec<Arc<Backend>>,
    pub(crate) times: Times,
    /// Limits of HTTP messages.
    pub(crate) http_limits: Limits,
}

/// The names of servers that do not begin up and ready.
#[derive(Clone, Debug, Default)]
pub(crate) struct OutOfService {
    pub(crate) drained: BTreeSet<String>,
    pub(crate) down: BTreeSet<String>,
}

/// Timeouts, in ms.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Times {
    pub(crate) connect: u64,
    /// The idle time after which a session ends.
    pub(crate) idle: u64,
    pub(crate) queue: u64,
    /// Of a client, between the bytes of a request's body.
    pub(crate) client: u64,
    /// Of a server, before and within an answer of known length.
    pub(crate) server: u64,
    /// For the whole head of a request.
    pub(crate) http_request: u64,
    /// Between two requests of a client.
    pub(crate) keep_alive: u64,
    /// Between two requests to a server.
    pub(crate) node_keep_alive: u64,
    /// Silence of a stream.
    pub(crate) tunnel: u64,
    /// Age at which clients' connections end.
    pub(crate) max_age: Option<u64>,
}

impl Topology {
    /// The layout of `config`, with the parts of `old` that it keeps.
    pub(crate) fn new(
        config: Dataplane,
        old: Option<&Topology>,
        out_of_service: &OutOfService,
        clock: &Clock,
    ) -> Topology {
        let (frontend_ids, backend_ids) = ids(&config, old);
        let backends = backends(&config, &backend_ids, |described, id, tracks| {
            let known = old.and_then(|old| old.backend(&described.name));
            backend(described, id, known, tracks, &config, out_of_service, clock)
        });
        let frontends = config
            .frontends
            .iter()
            .zip(frontend_ids)
            .filter_map(|(described, id)| {
                let known = old.and_then(|old| old.frontend(&described.name));
                let serves = backends
                    .iter()
                    .find(|backend| backend.name == described.backend)?;
                Some(frontend(described, id, known, serves, &backends, &config))
            })
            .collect();
        let ms = |duration: Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        let timeouts = config.timeouts;
        Topology {
            times: Times {
                connect: ms(timeouts.connect.duration()),
                // Bytes that one side sends are activity of the other, too.
                idle: ms(timeouts.client.duration().min(timeouts.server.duration())),
                queue: ms(timeouts.queue.duration()),
                client: ms(timeouts.client.duration()),
                server: ms(timeouts.server.duration()),
                http_request: ms(timeouts.http_request.duration()),
                keep_alive: ms(timeouts.keep_alive.duration()),
                node_keep_alive: ms(timeouts.node_keep_alive.duration()),
                tunnel: ms(timeouts.tunnel.duration()),
                max_age: timeouts.max_age.map(|max_age| ms(max_age.duration())),
            },
            http_limits: Limits {
                head: HeadLimits {
                    bytes: usize::try_from(config.http.head.bytes()).unwrap_or(usize::MAX),
                    lines: MAX_HEADERS,
                },
                body: config.http.body.map(Size::bytes),
            },
            frontends,
            backends,
            config,
        }
    }

    /// The frontend called `name`.
    pub(crate) fn frontend(&self, name: &str) -> Option<&Arc<Frontend>> {
        self.frontends.iter().find(|frontend| frontend.name == name)
    }

    /// The backend called `name`.
    pub(crate) fn backend(&self, name: &str) -> Option<&Arc<Backend>> {
        self.backends.iter().find(|backend| backend.name == name)
    }

    /// The servers that track the server `server` of `backend`, and their backends.
    pub(crate) fn trackers(&self, backend: &Arc<Backend>, server: &str) -> Vec<(Arc<Backend>, Arc<Server>)> {
        let tracker = |other: &Arc<Backend>| {
            let pool = other.pool();
            let tracked = pool.tracks.as_ref()?;
            let server = pool.named(server).filter(|_| Arc::ptr_eq(tracked, backend))?;
            Some((Arc::clone(other), Arc::clone(server)))
        };
        self.backends.iter().filter_map(tracker).collect()
    }

    /// The server `server` of the backend `backend`.
    pub(crate) fn server(&self, backend: &str, server: &str) -> Option<(Arc<Backend>, Arc<Server>)> {
        let backend = self.backend(backend)?;
        let server = Arc::clone(backend.pool().named(server)?);
        Some((Arc::clone(backend), server))
    }

    /// The address from which `worker` makes its connection number `serial`, when several are
    /// configured. Each worker has its own part of them while there are enough, so that workers do
    /// not compete for ports. After `failures`, which the address may have caused, it is another
    /// one.
    pub(crate) fn source(&self, worker: u16, serial: u64, failures: usize, to: IpAddr) -> Option<IpAddr> {
        let sources = &self.config.sources;
        let workers = usize::from(self.config.workers.max(1));
        let share = (sources.len() / workers).max(1);
        let turn = usize::try_from(serial).unwrap_or(0) % share;
        let source = *sources.get((usize::from(worker) * share + turn + failures) % sources.len().max(1))?;
        (source.is_ipv4() == to.is_ipv4()).then_some(source)
    }
}

// Private

/// Numbers of frontends and of backends. Those that stay keep their number, at any position: a new
/// one in front must not cost the others their connections, sticky clients and counters.
fn ids(config: &Dataplane, old: Option<&Topology>) -> (Vec<u32>, Vec<u32>) {
    let frontend = |it: &DataplaneFrontend| old?.frontend(&it.name).map(|known| known.id);
    let backend = |it: &DataplaneBackend| old?.backend(&it.name).map(|known| known.id);
    let frontends: Vec<Option<u32>> = config.frontends.iter().map(frontend).collect();
    let backends: Vec<Option<u32>> = config.backends.iter().map(backend).collect();
    let kept: BTreeSet<u32> = frontends.iter().chain(&backends).flatten().copied().collect();
    let mut free = (FIRST_ID..).filter(|id| !kept.contains(id));
    let mut all = |ids: Vec<Option<u32>>| -> Vec<u32> {
        ids.into_iter()
            .filter_map(|id| id.or_else(|| free.next()))
            .collect()
    };
    (all(frontends), all(backends))
}

fn frontend(
    described: &DataplaneFrontend,
    id: u32,
    known: Option<&Arc<Frontend>>,
    backend: &Arc<Backend>,
    backends: &[Arc<Backend>],
    config: &Dataplane,
) -> Arc<Frontend> {
    let named = |name: &str| backends.iter().find(|backend| backend.name == name).cloned();
    let http = described.http.as_ref().and_then(|routes| {
        Some(HttpRoute {
            routes: Routes::new(routes),
            forwarding: Forwarding::new(&config.http.trusted),
            websocket: named(&routes.websocket)?,
            sse: named(&routes.sse)?,
            nodes: NodeAddresses::new(backend.pool().servers.iter().map(|server| server.address())),
        })
    });
    let route = Route {
        listen: described.listen.clone(),
        backend: Arc::clone(backend),
        http,
    };
    let maxconn = if described.maxconn == 0 {
        config.maxconn
    } else {
        described.maxconn
    };
    let limits = described.limits.clone();
    match known {
        Some(known) => {
            known.reconfigure(route, maxconn, limits);
            Arc::clone(known)
        }
        None => Arc::new(Frontend::new(
            &described.name,
            id,
            route,
            maxconn,
            limits,
            config.workers,
        )),
    }
}

/// All backends, in their order. Those that track others are built after these.
fn backends(
    config: &Dataplane,
    ids: &[u32],
    build: impl Fn(&DataplaneBackend, u32, Option<&Arc<Backend>>) -> Arc<Backend>,
) -> Vec<Arc<Backend>> {
    let mut finished: BTreeMap<usize, Arc<Backend>> = BTreeMap::new();
    for is_tracker in [false, true] {
        for (at, (described, id)) in config.backends.iter().zip(ids).enumerate() {
            if described.track.is_some() == is_tracker {
                let tracked = |name: &String| finished.values().find(|it| it.name == *name);
                let backend = build(described, *id, described.track.as_ref().and_then(tracked));
                finished.insert(at, backend);
            }
        }
    }
    finished.into_values().collect()
}

fn backend(
    described: &DataplaneBackend,
    id: u32,
    known: Option<&Arc<Backend>>,
    tracks: Option<&Arc<Backend>>,
    config: &Dataplane,
    out_of_service: &OutOfService,
    clock: &Clock,
) -> Arc<Backend> {
    let before = known.map(|known| known.pool());
    let server = |server: &crate::dataplane_config::DataplaneServer| {
        let known = before
            .as_ref()
            .and_then(|pool| pool.named(&server.name))
            .filter(|it| it.id == server.id);
        let made = if let Some(known) = known {
            let was_added = known.config().added.is_some();
            known.reconfigure(server);
            if was_added && server.added.is_none() {
                known.become_configured(clock);
            }
            Arc::clone(known)
        } else {
            let is_in = |names: &BTreeSet<String>| tracks.is_none() && names.contains(&server.name);
            let wanted = match server.added {
                Some(added) if !added.ready => ServerState::Maint,
                None if is_in(&out_of_service.drained) => ServerState::Drain,
                Some(_) | None => ServerState::Ready,
            };
            let new = Server::new(server.clone(), wanted, config.workers, Instant::now());
            // It has no sessions that would have to end.
            let _change = match tracks.and_then(|it| it.pool().named(&server.name).cloned()) {
                Some(tracked) => new.follow(Some(&tracked), clock),
                None if is_in(&out_of_service.down) => {
                    new.apply_event(Event::HealthSet(ServerHealth::Down), clock)
                }
                None => None,
            };
            Arc::new(new)
        };
        let slowstart = described.slowstart.duration().as_millis();
        made.set_slowstart(u64::try_from(slowstart).unwrap_or(u64::MAX));
        made
    };
    let servers: Vec<Arc<Server>> = described.servers.iter().map(server).collect();
    let sticky = described
        .sticky
        .map(|table| sticky(table, before.as_deref().map(Arc::as_ref), &servers));
    let pool = Pool {
        servers,
        sticky,
        tracks: tracks.cloned(),
        config: described.clone(),
    };
    // As in HAProxy: a tenth of the possible connections.
    let fullconn = (config.maxconn / 10).max(1);
    match known {
        Some(known) => {
            known.reconfigure(pool, fullconn);
            Arc::clone(known)
        }
        None => Arc::new(Backend::new(id, pool, fullconn, config.workers, *clock)),
    }
}

/// The existing table, or a new one with the same entries, without clients of removed servers.
fn sticky(table: Table, before: Option<&Pool>, servers: &[Arc<Server>]) -> Arc<StickyTable> {
    let fresh = || Arc::new(StickyTable::new(table.size.get(), table.expire.duration()));
    let Some((before, old)) = before.and_then(|pool| Some((pool, pool.sticky.clone()?))) else {
        return fresh();
    };
    old.forget_servers(|id| match before.server(id) {
        Some(server) => !servers.iter().any(|it| Arc::ptr_eq(it, server)),
        None => true,
    });
    if before.config.sticky == Some(table) {
        return old;
    }
    let new = fresh();
    let now = Instant::now();
    new.import(old.entries(now), now);
    new
}
