//! The configuration in force: frontends, backends, and process-wide settings. It is replaced as a
//! whole; parts with the same names live on.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::backend::{Backend, Pool};
use super::clock::Clock;
use super::frontend::{Frontend, Route};
use super::server::{Event, Server};
use super::sticky::StickyTable;
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
        let backends: Vec<Arc<Backend>> = config
            .backends
            .iter()
            .zip(backend_ids)
            .map(|(described, id)| {
                let known = old.and_then(|old| old.backend(&described.name));
                backend(described, id, known, &config, out_of_service, clock)
            })
            .collect();
        let frontends = config
            .frontends
            .iter()
            .zip(frontend_ids)
            .filter_map(|(described, id)| {
                let known = old.and_then(|old| old.frontend(&described.name));
                let serves = backends
                    .iter()
                    .find(|backend| backend.name == described.backend)?;
                Some(frontend(described, id, known, serves, &config))
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
    config: &Dataplane,
) -> Arc<Frontend> {
    let route = Route {
        listen: described.listen.clone(),
        backend: Arc::clone(backend),
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

fn backend(
    described: &DataplaneBackend,
    id: u32,
    known: Option<&Arc<Backend>>,
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
            known.reconfigure(server);
            Arc::clone(known)
        } else {
            let wanted = if out_of_service.drained.contains(&server.name) {
                ServerState::Drain
            } else {
                ServerState::Ready
            };
            let new = Server::new(server.clone(), wanted, config.workers, Instant::now());
            if out_of_service.down.contains(&server.name) {
                // It has no sessions that would have to end.
                let _change = new.apply_event(Event::HealthSet(ServerHealth::Down), clock);
            }
            Arc::new(new)
        };
        let slowstart = described.slowstart.duration().as_millis();
        made.set_slowstart(u64::try_from(slowstart).unwrap_or(u64::MAX));
        made
    };
    let servers: Vec<Arc<Server>> = described.servers.iter().map(server).collect();
    let sticky = described
        .sticky
        .map(|table| sticky(table, before.as_deref(), &servers));
    let pool = Pool {
        servers,
        sticky,
        config: described.clone(),
    };
    // As in HAProxy: a tenth of the possible connections.
    let fullconn = (config.maxconn / 10).max(1);
    match known {
        Some(known) => {
            known.reconfigure(pool, fullconn);
            Arc::clone(known)
        }
        None => Arc::new(Backend::new(id, pool, fullconn, *clock)),
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
