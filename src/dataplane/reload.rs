//! Applies a new configuration without a new process; existing connections are not affected.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Weak};

use arc_swap::ArcSwap;
use tokio::sync::Mutex;

use super::ServeError;
use super::access_log::LogFile;
use super::backend::Backend;
use super::checks;
use super::inbox::Order;
use super::parent_sockets::{ParentSockets, of_frontends, of_pages};
use super::server::Server;
use super::shared::Shared;
use super::topology::{OutOfService, Topology};
use crate::dataplane_config::Dataplane;
use crate::haproxy_api::server::{FrontendState, Refusal};
use crate::platform::listen::Claim;

/// Applies configurations, one at a time.
#[derive(Debug)]
pub(super) struct Reload {
    path: PathBuf,
    state: Mutex<ReloadState>,
    /// Of open frontends and of the pages; none without a parent that hands them over.
    sockets: ArcSwap<ParentSockets>,
}

/// The state besides that of the workers.
#[derive(Debug, Default)]
struct ReloadState {
    /// The addresses that this process has bound.
    claims: BTreeMap<SocketAddr, Claim>,
    /// Servers that are checked.
    checked: Vec<Weak<Server>>,
}

impl Reload {
    pub(super) fn new(path: &Path, sockets: ParentSockets) -> Reload {
        Reload {
            path: path.to_owned(),
            state: Mutex::default(),
            sockets: ArcSwap::from_pointee(sockets),
        }
    }

    /// The listeners that another process can take over.
    pub(super) fn listeners(&self) -> Vec<Arc<TcpListener>> {
        self.sockets.load().listeners()
    }

    /// Reads the configuration again and applies it, completely or not at all.
    pub(super) async fn run(&self, shared: &Arc<Shared>) -> Result<(), ServeError> {
        let mut state = self.state.lock().await;
        let old = shared.topology();
        let config = read(&self.path)?;
        if config.workers != old.config.workers {
            tracing::warn!(
                workers = old.config.workers,
                wanted = config.workers,
                "the number of workers stays as it is until the next start"
            );
        }
        if config.listeners != old.config.listeners {
            tracing::warn!("the new value of `listeners` applies at the next start");
        }
        let config = Dataplane {
            workers: old.config.workers,
            listeners: old.config.listeners.clone(),
            ..config
        };
        for (what, now, then) in [
            ("stats", old.config.stats, config.stats),
            ("status", old.config.status, config.status),
        ] {
            if now != then {
                tracing::warn!("the new address of `{what}` applies at the next start");
            }
        }
        let log = access_log(&config)?;
        let added = claims(&config, &state.claims)?;
        if let Some(parent) = &config.listeners {
            let sockets = ParentSockets::take(parent, of_frontends(&config)).await?;
            // Those of former frontends are closed once the workers have closed theirs.
            self.sockets
                .store(Arc::new(sockets.with_former(&self.sockets.load())));
        }
        state.claims.extend(added);
        let out_of_service = out_of_service(&config);
        let topology = Topology::new(config, Some(&old), &out_of_service, &shared.clock);
        // As in a new process: frontends that were stopped by the runtime API are open again.
        for frontend in &topology.frontends {
            frontend.set_state(FrontendState::Open);
        }
        shared.access_log.write_to(log).await?;
        shared.set_topology(Arc::new(topology));
        self.activate(shared, &mut state).await?;
        shared.note_availability();
        tracing::info!(config = %self.path.display(), "the configuration was read again");
        Ok(())
    }

    /// Adds servers to the configuration in force, or removes some: `change` returns it, and the server
    /// that it removes. What commands have set stays.
    pub(super) async fn change(
        &self,
        shared: &Arc<Shared>,
        change: impl FnOnce(&Topology) -> Result<(Option<Arc<Server>>, Dataplane), Refusal>,
    ) -> Result<(), Refusal> {
        let mut state = self.state.lock().await;
        let old = shared.topology();
        let (removed, config) = change(&old)?;
        let limits: Vec<u32> = old.frontends.iter().map(|frontend| frontend.maxconn()).collect();
        let topology = Topology::new(config, Some(&old), &OutOfService::default(), &shared.clock);
        for (frontend, maxconn) in topology.frontends.iter().zip(limits) {
            frontend.set_maxconn(maxconn);
        }
        shared.set_topology(Arc::new(topology));
        let activated = self.activate(shared, &mut state).await;
        shared.note_availability();
        if let Some(server) = removed {
            // Closes the idle connections to it.
            shared.shutdown_sessions(&server).done().await;
        }
        activated.map_err(|error| Refusal(error.to_string()))
    }

    /// Applies the configuration for the first time.
    pub(super) async fn begin(
        &self,
        shared: &Arc<Shared>,
        first: Vec<(SocketAddr, Claim)>,
    ) -> Result<(), ServeError> {
        let mut state = self.state.lock().await;
        state.claims.extend(first);
        self.activate(shared, &mut state).await
    }

    /// Makes workers listen on the addresses of open frontends.
    pub(super) async fn listen(&self, shared: &Arc<Shared>) -> Result<(), ServeError> {
        self.activate(shared, &mut *self.state.lock().await).await
    }

    /// Releases the addresses, so that another process can bind them, and closes the copies of the
    /// parent's sockets.
    pub(super) async fn release_addresses(&self) {
        let mut state = self.state.lock().await;
        state.claims.clear();
        self.sockets.store(Arc::default());
    }

    // Private

    /// Sends the layout to the workers, and starts the checks of new servers.
    async fn activate(&self, shared: &Arc<Shared>, state: &mut ReloadState) -> Result<(), ServeError> {
        let topology = shared.topology();
        shared.follow_tracked();
        shared.set_members(self.sockets.load().members());
        let mut outcome = Ok(());
        for answer in shared.ask(|done| Order::Topology(Arc::clone(&topology), done)) {
            if let Ok(Err(source)) = answer.await {
                outcome = Err(ServeError::Listen(source));
            }
        }
        let wanted: BTreeSet<SocketAddr> = topology
            .frontends
            .iter()
            .filter(|frontend| frontend.state() != FrontendState::Stopped)
            .flat_map(|frontend| frontend.route().listen.clone())
            .collect();
        state.claims.retain(|address, _| wanted.contains(address));
        let used = &wanted | &of_pages(&topology.config);
        self.sockets.store(Arc::new(self.sockets.load().only(&used)));
        state.checked.retain(|server| server.strong_count() > 0);
        for backend in &topology.backends {
            for server in &backend.pool().servers {
                let known = |it: &Weak<Server>| it.ptr_eq(&Arc::downgrade(server));
                if !state.checked.iter().any(known) {
                    state.checked.push(Arc::downgrade(server));
                    check(shared, backend, server);
                }
            }
        }
        outcome
    }
}

/// The configuration in the file at `path`.
pub(super) fn read(path: &Path) -> Result<Dataplane, ServeError> {
    let text = std::fs::read_to_string(path).map_err(|source| ServeError::Read {
        path: path.to_owned(),
        source,
    })?;
    Dataplane::parse(&text).map_err(|source| ServeError::Config {
        path: path.to_owned(),
        source,
    })
}

/// Binds those addresses of `config` that are not yet bound; none if the parent has bound them.
pub(super) fn claims(
    config: &Dataplane,
    state: &BTreeMap<SocketAddr, Claim>,
) -> Result<Vec<(SocketAddr, Claim)>, ServeError> {
    let addresses = config.frontends.iter().flat_map(|frontend| &frontend.listen);
    addresses
        .filter(|_| config.listeners.is_none())
        .filter(|address| !state.contains_key(*address))
        .map(|address| match Claim::new(*address) {
            Ok(claim) => Ok((*address, claim)),
            Err(source) => Err(ServeError::Bind {
                address: *address,
                source,
            }),
        })
        .collect()
}

/// The sockets of all addresses of `config`, if its parent hands them over.
pub(super) async fn parent_sockets(config: &Dataplane) -> Result<ParentSockets, ServeError> {
    match &config.listeners {
        Some(parent) => ParentSockets::take(parent, &of_frontends(config) | &of_pages(config)).await,
        None => Ok(ParentSockets::default()),
    }
}

/// Opens the access log of `config`, if it has one.
pub(super) fn access_log(config: &Dataplane) -> Result<Option<LogFile>, ServeError> {
    Ok(config.http.access_log.as_deref().map(LogFile::open).transpose()?)
}

/// The servers that begin drained, and those that begin down.
pub(super) fn out_of_service(config: &Dataplane) -> OutOfService {
    OutOfService {
        drained: names(config.drained.as_deref(), "drained"),
        down: names(config.down.as_deref(), "down"),
    }
}

// Private

/// The names of servers, one per line; an empty set if there is no file.
fn names(path: Option<&Path>, what: &str) -> BTreeSet<String> {
    let Some(path) = path else {
        return BTreeSet::new();
    };
    match std::fs::read_to_string(path) {
        Ok(text) => text
            .lines()
            .map(|line| line.split('#').next().unwrap_or_default().trim().to_owned())
            .filter(|name| !name.is_empty())
            .collect(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => BTreeSet::new(),
        Err(error) => {
            tracing::error!(path = %path.display(), %error, "cannot read the list of servers that are {what}: an empty list is used");
            BTreeSet::new()
        }
    }
}

fn check(shared: &Arc<Shared>, backend: &Arc<Backend>, server: &Arc<Server>) {
    tokio::spawn(checks::run(
        Arc::clone(shared),
        Arc::clone(backend),
        Arc::clone(server),
    ));
}
