//! The data plane behind HAProxy's runtime API.

use std::net::{IpAddr, SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, join_all};

use super::ServeError;
use super::backend::Backend;
use super::client_limits::ClientFigures;
use super::dynamic_servers;
use super::frontend::Frontend;
use super::inbox::Order as WorkerOrder;
use super::reload::Reload;
use super::server::{Event, Server, lock};
use super::shared::Shared;
use super::sticky_memory::StickyMemory;
use super::stopping::Stopping;
use super::topology::Topology;
use crate::dataplane_config::Dataplane;
use crate::haproxy_api::server::{
    FrontendState, Order, ProcessFigures, Proxies, Refusal, ServerRef, SessionFigures, Subject, TableEntry,
    TableFigures,
};
use crate::platform::listen::Claim;

/// How long a client that has left stays in its table, in ms: until its rates have decayed.
const DECAY_MS: u64 = 2_000;
/// A worker that does not read its orders within this time is stuck.
const TURN_TIMEOUT: Duration = Duration::from_secs(2);

/// The data plane, for queries and commands.
#[derive(Debug)]
pub(super) struct RuntimeApi {
    shared: Arc<Shared>,
    reload: Reload,
    memory: Arc<StickyMemory>,
    start_time: u64,
    pub(super) stopping: AtomicBool,
    /// Whether a signal has announced the end of the process.
    pub(super) announced: AtomicBool,
    pub(super) last_second: LastSecond,
}

/// Values that are measured once a second.
#[derive(Debug, Default)]
pub(super) struct LastSecond {
    /// Bytes sent in the last second.
    pub(super) bytes_rate: AtomicU64,
    /// Bytes of answers before compression in the last second.
    pub(super) compression_in: AtomicU64,
    /// Bytes of answers after compression in the last second.
    pub(super) compression_out: AtomicU64,
    /// Share of idle time, in percent.
    pub(super) idle: AtomicU32,
}

impl RuntimeApi {
    pub(super) fn new(shared: Arc<Shared>, reload: Reload, memory: Arc<StickyMemory>) -> RuntimeApi {
        let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        RuntimeApi {
            start_time: since_1970
                .as_secs()
                .saturating_sub(shared.clock.elapsed().as_secs()),
            shared,
            reload,
            memory,
            stopping: AtomicBool::new(false),
            announced: AtomicBool::new(false),
            last_second: LastSecond {
                idle: AtomicU32::new(100),
                ..LastSecond::default()
            },
        }
    }

    /// Reads the configuration again and applies it.
    ///
    /// # Errors
    /// If it is not valid or its addresses cannot be bound, and after a drain; then nothing changes.
    pub(super) async fn reload(&self) -> Result<(), Refusal> {
        if self.stopping.load(Relaxed) {
            return Err(Refusal("no connection is accepted any more".to_owned()));
        }
        self.reload
            .run(&self.shared)
            .await
            .map_err(|error| Refusal(error.to_string()))
    }

    /// Applies the configuration for the first time.
    pub(super) async fn begin(&self, claims: Vec<(SocketAddr, Claim)>) -> Result<(), ServeError> {
        self.reload.begin(&self.shared, claims).await
    }

    /// Makes the workers stop accepting and end with their last sessions. Returns whether it is the
    /// first time.
    pub(super) async fn drain(&self) -> bool {
        if self.stopping.swap(true, Relaxed) {
            return false;
        }
        for worker in self.shared.ask(WorkerOrder::Drain) {
            // A worker that has ended accepts nothing either.
            let _gone = worker.await;
        }
        self.reload.release_addresses().await;
        let (memory, topology) = (Arc::clone(&self.memory), self.shared.topology());
        if tokio::task::spawn_blocking(move || memory.finish(&topology))
            .await
            .is_err()
        {
            tracing::error!("saving sticky clients has panicked");
        }
        true
    }

    /// The configuration in force.
    pub(super) fn config(&self) -> Dataplane {
        self.shared.topology().config.clone()
    }

    /// Makes the workers close their clients evenly over this time; after a drain.
    pub(super) async fn close_clients(&self, over: Duration) {
        for worker in self.shared.ask(|done| WorkerOrder::Close(over, done)) {
            // A worker that has ended has no clients.
            let _gone = worker.await;
        }
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
            Order::AddServer(at, new) => {
                let add = |topology: &Topology| Ok((None, dynamic_servers::with(topology, &at, &new)?));
                self.change(add).await?;
                tracing::info!(backend = at.backend, server = at.server, address = %new.address, "a server was added");
            }
            Order::DeleteServer(at) => {
                let delete = |topology: &Topology| {
                    let (server, config) = dynamic_servers::without(topology, &at)?;
                    Ok((Some(server), config))
                };
                self.change(delete).await?;
                tracing::info!(backend = at.backend, server = at.server, "a server was removed");
            }
            Order::SetTable { table, key, server } => self.stick(&table, key, server),
            Order::Reload => self.reload().await?,
        }
        Ok(())
    }

    /// Adds servers or removes some.
    async fn change(
        &self,
        change: impl FnOnce(&Topology) -> Result<(Option<Arc<Server>>, Dataplane), Refusal>,
    ) -> Result<(), Refusal> {
        if self.stopping.load(Relaxed) {
            return Err(Refusal("no connection is accepted any more".to_owned()));
        }
        self.reload.change(&self.shared, change).await
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

    fn stick(&self, table: &str, client: IpAddr, server: Option<u32>) {
        let topology = self.shared.topology();
        let backend = topology.backend(table);
        if let Some(sticky) = backend.and_then(|backend| backend.pool().sticky.clone()) {
            sticky.assign(client, Instant::now(), |was| {
                Some((server.or(was).unwrap_or_default(), ()))
            });
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
            requests_total: requests(&topology, shared.process.total.load(Relaxed)),
            connection_rate: shared.process.accepts.get(now),
            connection_rate_max: shared.process.accepts.max(),
            session_rate: shared.process.sessions.get(now),
            session_rate_max: shared.process.sessions.max(),
            bytes_out: sent(shared),
            bytes_out_rate: self.last_second.bytes_rate.load(Relaxed),
            compression_in_rate: self.last_second.compression_in.load(Relaxed),
            compression_out_rate: self.last_second.compression_out.load(Relaxed),
            listeners,
            jobs: connections.saturating_add(listeners),
            dropped_logs: shared.access_log.dropped(),
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

    fn listeners(&self) -> Vec<Arc<TcpListener>> {
        self.reload.listeners()
    }

    fn is_stop_announced(&self) -> bool {
        self.announced.load(Relaxed)
            || Stopping::read(self.shared.topology().config.stopping.as_deref()).announced
    }

    fn is_live(self: Arc<Self>) -> BoxFuture<'static, bool> {
        let turns = join_all(self.shared.ask(WorkerOrder::Turn));
        async { tokio::time::timeout(TURN_TIMEOUT, turns).await.is_ok() }.boxed()
    }

    fn order(self: Arc<Self>, order: Order) -> BoxFuture<'static, Result<(), Refusal>> {
        async move { self.carry_out(order).await }.boxed()
    }
}

/// Requests so far, of which each connection over TCP is one.
fn requests(topology: &Topology, connections: u64) -> u64 {
    let over_http = topology.frontends.iter().filter(|it| it.route().http.is_some());
    over_http.fold(connections, |all, frontend| {
        all.saturating_sub(frontend.all_connections())
            .saturating_add(frontend.http.all_requests())
    })
}

/// Bytes of answers so far that were compressed, before and after that.
pub(super) fn compressed(shared: &Shared) -> (u64, u64) {
    let topology = shared.topology();
    let all = topology.frontends.iter().map(|it| it.http.all_compressed());
    all.fold((0, 0), |(before, after), one| (before + one.0, after + one.1))
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
