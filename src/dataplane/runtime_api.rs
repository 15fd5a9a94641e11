//! The data plane behind HAProxy's runtime API.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use futures_util::FutureExt;
use futures_util::future::BoxFuture;

use super::ServeError;
use super::backend::Backend;
use super::client_limits::ClientFigures;
use super::frontend::Frontend;
use super::inbox::Order as WorkerOrder;
use super::reload::Reload;
use super::server::{Event, Server, lock};
use super::shared::Shared;
use crate::haproxy_api::server::{
    FrontendState, Order, ProcessFigures, Proxies, Refusal, ServerRef, SessionFigures, Subject, TableEntry,
    TableFigures,
};
use crate::platform::listen::Claim;

/// How long a client that has left stays in its table, in ms: until its rates have decayed.
const DECAY_MS: u64 = 2_000;

/// The data plane, for queries and commands.
#[derive(Debug)]
pub(super) struct RuntimeApi {
    shared: Arc<Shared>,
    reload: Reload,
    start_time: u64,
    pub(super) stopping: AtomicBool,
    pub(super) last_second: LastSecond,
}

/// Values that are measured once a second.
#[derive(Debug, Default)]
pub(super) struct LastSecond {
    /// Bytes sent in the last second.
    pub(super) bytes_rate: AtomicU64,
    /// Share of idle time, in percent.
    pub(super) idle: AtomicU32,
}

impl RuntimeApi {
    pub(super) fn new(shared: Arc<Shared>, reload: Reload) -> RuntimeApi {
        let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        RuntimeApi {
            start_time: since_1970
                .as_secs()
                .saturating_sub(shared.clock.elapsed().as_secs()),
            shared,
            reload,
            stopping: AtomicBool::new(false),
            last_second: LastSecond {
                idle: AtomicU32::new(100),
                ..LastSecond::default()
            },
        }
    }

    /// Reads the configuration again and applies it.
    ///
    /// # Errors
    /// If it is not valid or its addresses cannot be bound; then nothing changes.
    pub(super) async fn reload(&self) -> Result<(), Refusal> {
        self.reload
            .run(&self.shared)
            .await
            .map_err(|error| Refusal(error.to_string()))
    }

    /// Applies the configuration for the first time.
    pub(super) async fn begin(&self, claims: Vec<(SocketAddr, Claim)>) -> Result<(), ServeError> {
        self.reload.begin(&self.shared, claims).await
    }

    /// Makes the workers stop accepting and end with their last sessions.
    pub(super) async fn drain(&self) {
        for inbox in self.shared.inboxes() {
            inbox.post(WorkerOrder::Drain);
        }
        self.reload.release_addresses().await;
    }

    // Private

    fn server(&self, server: &ServerRef) -> Result<(Arc<Backend>, Arc<Server>), Refusal> {
        let found = self.shared.topology().server(&server.backend, &server.server);
        found.ok_or_else(|| Refusal("No such server.".to_owned()))
    }

    fn frontend(&self, name: &str) -> Result<Arc<Frontend>, Refusal> {
        let topology = self.shared.topology();
        let found = topology.frontend(name).cloned();
        found.ok_or_else(|| Refusal("No such frontend.".to_owned()))
    }

    async fn carry_out(&self, order: Order) -> Result<(), Refusal> {
        match order {
            Order::State(at, state) => self.apply_event(&at, Event::AdminStateSet(state)).await?,
            Order::Health(at, health) => self.apply_event(&at, Event::HealthSet(health)).await?,
            Order::Weight(at, weight) => self.server(&at)?.1.set_weight(weight),
            Order::Address(at, address) => self.server(&at)?.1.set_address(address),
            Order::ServerMaxconn(at, maxconn) => {
                let (backend, server) = self.server(&at)?;
                server.set_maxconn(maxconn);
                backend.serve_waiting();
            }
            Order::FrontendMaxconn(name, maxconn) => self.frontend(&name)?.set_maxconn(maxconn),
            Order::GlobalMaxconn(maxconn) => self.shared.process.set_maxconn(maxconn),
            Order::Checks(at, on) => lock(&self.server(&at)?.1.check).off = !on,
            Order::EnableFrontend(name) => self.frontend(&name)?.set_state(FrontendState::Open),
            Order::DisableFrontend(name) => self.frontend(&name)?.set_state(FrontendState::Paused),
            Order::ShutdownFrontend(name) => {
                self.frontend(&name)?.set_state(FrontendState::Stopped);
                self.reload
                    .listen(&self.shared)
                    .await
                    .map_err(|error| Refusal(error.to_string()))?;
            }
            Order::ShutdownSession(id) => return self.end(id).await,
            Order::ShutdownSessions(at) => {
                let (_, server) = self.server(&at)?;
                self.shared.shutdown_sessions(&server).done().await;
            }
            Order::ClearCounters { all } => self.clear(all),
            Order::ClearTable { table, keys } => self.forget(&table, &keys),
            Order::Reload => self.reload().await?,
        }
        Ok(())
    }

    async fn apply_event(&self, at: &ServerRef, event: Event) -> Result<(), Refusal> {
        let (backend, server) = self.server(at)?;
        self.shared
            .apply_event(&backend, &server, event, "told")
            .done()
            .await;
        Ok(())
    }

    async fn end(&self, id: u64) -> Result<(), Refusal> {
        for answer in self.shared.ask(|found| WorkerOrder::ShutdownSession(id, found)) {
            if answer.await == Ok(true) {
                return Ok(());
            }
        }
        Err(Refusal("No such session (use 'show sess').".to_owned()))
    }

    fn clear(&self, all: bool) {
        let topology = self.shared.topology();
        for frontend in &topology.frontends {
            frontend.clear(all);
        }
        for backend in &topology.backends {
            backend.clear(all);
            for server in &backend.pool().servers {
                server.clear(all);
            }
        }
    }

    fn forget(&self, table: &str, keys: &[String]) {
        let Some(backend) = self.shared.topology().backend(table).cloned() else {
            return;
        };
        if let Some(sticky) = &backend.pool().sticky {
            for key in keys.iter().filter_map(|key| key.parse::<IpAddr>().ok()) {
                sticky.forget(key);
            }
        }
    }
}

impl Subject for RuntimeApi {
    fn process(&self) -> ProcessFigures {
        let (shared, topology) = (&self.shared, self.shared.topology());
        let now = shared.clock.now();
        let listeners = topology
            .frontends
            .iter()
            .map(|it| it.route().listen.len())
            .sum::<usize>();
        let listeners = u32::try_from(listeners).unwrap_or(u32::MAX);
        let connections = shared.process.connections.get();
        ProcessFigures {
            node: topology.config.cluster.clone(),
            pid: std::process::id(),
            uptime: shared.clock.elapsed(),
            start_time: self.start_time,
            threads: u32::try_from(shared.inboxes().len()).unwrap_or(u32::MAX),
            nofile: shared.nofile(),
            maxconn: shared.process.maxconn(),
            hard_maxconn: shared.process.configured(),
            connections,
            connections_total: shared.process.total.load(Relaxed),
            connection_rate: shared.process.accepts.get(now),
            connection_rate_max: shared.process.accepts.max(),
            session_rate: shared.process.sessions.get(now),
            session_rate_max: shared.process.sessions.max(),
            bytes_out: sent(shared),
            bytes_out_rate: self.last_second.bytes_rate.load(Relaxed),
            listeners,
            jobs: connections.saturating_add(listeners),
            idle_percent: self.last_second.idle.load(Relaxed),
            stopping: self.stopping.load(Relaxed),
        }
    }

    fn proxies(&self) -> Proxies {
        let topology = self.shared.topology();
        let now = self.shared.clock.now();
        let stopping = self.stopping.load(Relaxed);
        let mut frontends: Vec<_> = topology.frontends.iter().map(|it| it.figures(now)).collect();
        for frontend in frontends.iter_mut().filter(|_| stopping) {
            frontend.state = FrontendState::Stopped;
        }
        Proxies {
            frontends,
            backends: topology
                .backends
                .iter()
                .map(|backend| backend.figures())
                .collect(),
        }
    }

    fn tables(&self) -> Vec<TableFigures> {
        let topology = self.shared.topology();
        let limits = topology.frontends.iter().map(|frontend| TableFigures {
            name: frontend.name.clone(),
            // Exactly as many as may be connected.
            size: self.shared.process.configured().into(),
            used: frontend.client_limits.len() as u64,
        });
        let sticky = topology.backends.iter().filter_map(|backend| {
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
        let topology = self.shared.topology();
        let now = Instant::now();
        let ms = |left: Duration| u64::try_from(left.as_millis()).unwrap_or(u64::MAX);
        if let Some(frontend) = topology.frontend(table) {
            let entry = |entry: ClientFigures| TableEntry {
                key: entry.client.to_string(),
                uses: entry.connections,
                expires: DECAY_MS,
                data: vec![
                    ("conn_cur".to_owned(), entry.connections.into()),
                    ("conn_rate(1000)".to_owned(), entry.connection_rate.into()),
                    ("gpc0_rate(1000)".to_owned(), entry.message_rate.into()),
                ],
            };
            return Some(
                frontend
                    .client_limits
                    .entries(now)
                    .into_iter()
                    .map(entry)
                    .collect(),
            );
        }
        let sticky = topology.backend(table)?.pool().sticky.clone()?;
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
            for worker in self.shared.ask(WorkerOrder::List) {
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
pub(super) fn sent(shared: &Shared) -> u64 {
    let topology = shared.topology();
    topology
        .frontends
        .iter()
        .map(|it| it.bytes.up() + it.bytes.down())
        .sum()
}
