//! The data plane behind HAProxy's runtime API.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use futures_util::FutureExt;
use futures_util::future::BoxFuture;

use super::ServeError;
use super::backend::Backend;
use super::client_limits::VisitorFigures;
use super::frontend::Frontend;
use super::inbox::Order as Told;
use super::reload::Reload;
use super::server::{Event, Server, lock};
use super::shared::Plane;
use crate::haproxy_api::server::{
    FrontendState, Order, ProcessFigures, Proxies, Refusal, ServerRef, SessionFigures, Subject, TableEntry,
    TableFigures,
};
use crate::platform::listen::Claim;

/// How long a client that has left stays in its table, in ms: until its rates have decayed.
const QUIET_MS: u64 = 2_000;

/// The data plane, for queries and commands.
#[derive(Debug)]
pub(super) struct Speaker {
    plane: Arc<Plane>,
    reload: Reload,
    start_time: u64,
    pub(super) stopping: AtomicBool,
    pub(super) pulse: Pulse,
}

/// Values that are measured once a second.
#[derive(Debug, Default)]
pub(super) struct Pulse {
    /// Bytes sent in the last second.
    pub(super) bytes_rate: AtomicU64,
    /// Share of idle time, in percent.
    pub(super) idle: AtomicU32,
}

impl Speaker {
    pub(super) fn new(plane: Arc<Plane>, reload: Reload) -> Speaker {
        let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Speaker {
            start_time: since_1970
                .as_secs()
                .saturating_sub(plane.clock.elapsed().as_secs()),
            plane,
            reload,
            stopping: AtomicBool::new(false),
            pulse: Pulse {
                idle: AtomicU32::new(100),
                ..Pulse::default()
            },
        }
    }

    /// Reads the configuration again and applies it.
    ///
    /// # Errors
    /// If it is not valid or its addresses cannot be bound; then nothing changes.
    pub(super) async fn reload(&self) -> Result<(), Refusal> {
        self.reload
            .run(&self.plane)
            .await
            .map_err(|error| Refusal(error.to_string()))
    }

    /// Applies the configuration for the first time.
    pub(super) async fn begin(&self, claims: Vec<(SocketAddr, Claim)>) -> Result<(), ServeError> {
        self.reload.begin(&self.plane, claims).await
    }

    /// Makes the workers stop accepting and end with their last sessions.
    pub(super) async fn drain(&self) {
        for inbox in self.plane.inboxes() {
            inbox.post(Told::Drain);
        }
        self.reload.give_up().await;
    }

    // Private

    fn server(&self, server: &ServerRef) -> Result<(Arc<Backend>, Arc<Server>), Refusal> {
        let found = self.plane.layout().server(&server.backend, &server.server);
        found.ok_or_else(|| Refusal("No such server.".to_owned()))
    }

    fn frontend(&self, name: &str) -> Result<Arc<Frontend>, Refusal> {
        let layout = self.plane.layout();
        let found = layout.frontend(name).cloned();
        found.ok_or_else(|| Refusal("No such frontend.".to_owned()))
    }

    async fn carry_out(&self, order: Order) -> Result<(), Refusal> {
        match order {
            Order::State(at, state) => self.happens(&at, Event::Wanted(state)).await?,
            Order::Health(at, health) => self.happens(&at, Event::Told(health)).await?,
            Order::Weight(at, weight) => self.server(&at)?.1.set_weight(weight),
            Order::Address(at, address) => self.server(&at)?.1.set_address(address),
            Order::ServerMaxconn(at, maxconn) => {
                let (backend, server) = self.server(&at)?;
                server.set_maxconn(maxconn);
                backend.serve_waiting();
            }
            Order::FrontendMaxconn(name, maxconn) => self.frontend(&name)?.set_maxconn(maxconn),
            Order::GlobalMaxconn(maxconn) => self.plane.process.set_maxconn(maxconn),
            Order::Checks(at, on) => lock(&self.server(&at)?.1.check).off = !on,
            Order::EnableFrontend(name) => self.frontend(&name)?.set_state(FrontendState::Open),
            Order::DisableFrontend(name) => self.frontend(&name)?.set_state(FrontendState::Paused),
            Order::ShutdownFrontend(name) => {
                self.frontend(&name)?.set_state(FrontendState::Stopped);
                self.reload
                    .listen(&self.plane)
                    .await
                    .map_err(|error| Refusal(error.to_string()))?;
            }
            Order::ShutdownSession(id) => return self.end(id).await,
            Order::ShutdownSessions(at) => {
                let (_, server) = self.server(&at)?;
                self.plane.cut(&server).done().await;
            }
            Order::ClearCounters { all } => self.clear(all),
            Order::ClearTable { table, keys } => self.forget(&table, &keys),
            Order::Reload => self.reload().await?,
        }
        Ok(())
    }

    async fn happens(&self, at: &ServerRef, event: Event) -> Result<(), Refusal> {
        let (backend, server) = self.server(at)?;
        self.plane.happens(&backend, &server, event, "told").done().await;
        Ok(())
    }

    async fn end(&self, id: u64) -> Result<(), Refusal> {
        for answer in self.plane.ask(|found| Told::End(id, found)) {
            if answer.await == Ok(true) {
                return Ok(());
            }
        }
        Err(Refusal("No such session (use 'show sess').".to_owned()))
    }

    fn clear(&self, all: bool) {
        let layout = self.plane.layout();
        for frontend in &layout.frontends {
            frontend.clear(all);
        }
        for backend in &layout.backends {
            backend.clear(all);
            for server in &backend.pool().servers {
                server.clear(all);
            }
        }
    }

    fn forget(&self, table: &str, keys: &[String]) {
        let Some(backend) = self.plane.layout().backend(table).cloned() else {
            return;
        };
        if let Some(sticky) = &backend.pool().sticky {
            for key in keys.iter().filter_map(|key| key.parse::<IpAddr>().ok()) {
                sticky.forget(key);
            }
        }
    }
}

impl Subject for Speaker {
    fn process(&self) -> ProcessFigures {
        let (plane, layout) = (&self.plane, self.plane.layout());
        let now = plane.clock.now();
        let listeners = layout
            .frontends
            .iter()
            .map(|it| it.route().listen.len())
            .sum::<usize>();
        let listeners = u32::try_from(listeners).unwrap_or(u32::MAX);
        let connections = plane.process.connections.get();
        ProcessFigures {
            node: layout.config.cluster.clone(),
            pid: std::process::id(),
            uptime: plane.clock.elapsed(),
            start_time: self.start_time,
            threads: u32::try_from(plane.inboxes().len()).unwrap_or(u32::MAX),
            nofile: plane.nofile(),
            maxconn: plane.process.maxconn(),
            hard_maxconn: plane.process.configured(),
            connections,
            connections_total: plane.process.total.load(Relaxed),
            connection_rate: plane.process.accepts.get(now),
            connection_rate_max: plane.process.accepts.max(),
            session_rate: plane.process.sessions.get(now),
            session_rate_max: plane.process.sessions.max(),
            bytes_out: sent(plane),
            bytes_out_rate: self.pulse.bytes_rate.load(Relaxed),
            listeners,
            jobs: connections.saturating_add(listeners),
            idle_percent: self.pulse.idle.load(Relaxed),
            stopping: self.stopping.load(Relaxed),
        }
    }

    fn proxies(&self) -> Proxies {
        let layout = self.plane.layout();
        let now = self.plane.clock.now();
        let stopping = self.stopping.load(Relaxed);
        let mut frontends: Vec<_> = layout.frontends.iter().map(|it| it.figures(now)).collect();
        for frontend in frontends.iter_mut().filter(|_| stopping) {
            frontend.state = FrontendState::Stopped;
        }
        Proxies {
            frontends,
            backends: layout.backends.iter().map(|backend| backend.figures()).collect(),
        }
    }

    fn tables(&self) -> Vec<TableFigures> {
        let layout = self.plane.layout();
        let limits = layout.frontends.iter().map(|frontend| TableFigures {
            name: frontend.name.clone(),
            // Exactly as many as may be connected.
            size: self.plane.process.configured().into(),
            used: frontend.visitors.len() as u64,
        });
        let sticky = layout.backends.iter().filter_map(|backend| {
            let table = backend.pool().sticky.clone()?;
            Some(TableFigures {
                name: backend.name.clone(),
                size: table.size(),
                used: table.len() as u64,
            })
        });
        limits.chain(sticky).collect()
    }

    fn entries(&self, table: &str) -> Option<Vec<TableEntry>> {
        let layout = self.plane.layout();
        let now = Instant::now();
        let ms = |left: Duration| u64::try_from(left.as_millis()).unwrap_or(u64::MAX);
        if let Some(frontend) = layout.frontend(table) {
            let entry = |visitor: VisitorFigures| TableEntry {
                key: visitor.client.to_string(),
                uses: visitor.connections,
                expires: QUIET_MS,
                data: vec![
                    ("conn_cur".to_owned(), visitor.connections.into()),
                    ("conn_rate(1000)".to_owned(), visitor.connection_rate.into()),
                    ("gpc0_rate(1000)".to_owned(), visitor.message_rate.into()),
                ],
            };
            return Some(frontend.visitors.entries(now).into_iter().map(entry).collect());
        }
        let sticky = layout.backend(table)?.pool().sticky.clone()?;
        let entry = |(client, server, left): (IpAddr, u32, Duration)| TableEntry {
            key: client.to_string(),
            uses: 0,
            expires: ms(left),
            data: vec![("server_id".to_owned(), server.into())],
        };
        Some(sticky.entries(now).into_iter().map(entry).collect())
    }

    fn sessions(self: Arc<Self>) -> BoxFuture<'static, Vec<SessionFigures>> {
        async move {
            let mut all = Vec::new();
            for worker in self.plane.ask(Told::List) {
                all.extend(worker.await.unwrap_or_default());
            }
            all
        }
        .boxed()
    }

    fn order(self: Arc<Self>, order: Order) -> BoxFuture<'static, Result<(), Refusal>> {
        async move { self.carry_out(order).await }.boxed()
    }
}

/// Bytes sent to clients and servers.
pub(super) fn sent(plane: &Plane) -> u64 {
    let layout = plane.layout();
    layout
        .frontends
        .iter()
        .map(|it| it.bytes.up() + it.bytes.down())
        .sum()
}
