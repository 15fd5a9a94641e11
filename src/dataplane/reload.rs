//! Applies a new configuration without a new process; existing connections are not affected.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Weak};

use tokio::sync::Mutex;

use super::ServeError;
use super::backend::Backend;
use super::checks;
use super::inbox::Order;
use super::server::Server;
use super::shared::Shared;
use super::topology::{OutOfService, Topology};
use crate::dataplane_config::Dataplane;
use crate::haproxy_api::server::FrontendState;
use crate::platform::listen::Claim;

/// Applies configurations, one at a time.
#[derive(Debug)]
pub(super) struct Reload {
    path: PathBuf,
    state: Mutex<ReloadState>,
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
    pub(super) fn new(path: &Path) -> Reload {
        Reload {
            path: path.to_owned(),
            state: Mutex::default(),
        }
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
        let config = Dataplane {
            workers: old.config.workers,
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
        let added = claims(&config, &state.claims)?;
        state.claims.extend(added);
        let out_of_service = out_of_service(&config);
        let topology = Topology::new(config, Some(&old), &out_of_service, &shared.clock);
        // As in a new process: frontends that were stopped by the runtime API are open again.
        for frontend in &topology.frontends {
            frontend.set_state(FrontendState::Open);
        }
        shared.set_topology(Arc::new(topology));
        activate(shared, &mut state).await?;
        tracing::info!(config = %self.path.display(), "the configuration was read again");
        Ok(())
    }

    /// Applies the configuration for the first time.
    pub(super) async fn begin(
        &self,
        shared: &Arc<Shared>,
        first: Vec<(SocketAddr, Claim)>,
    ) -> Result<(), ServeError> {
        let mut state = self.state.lock().await;
        state.claims.extend(first);
        activate(shared, &mut state).await
    }

    /// Makes workers listen on the addresses of open frontends.
    pub(super) async fn listen(&self, shared: &Arc<Shared>) -> Result<(), ServeError> {
        activate(shared, &mut *self.state.lock().await).await
    }

    /// Releases the addresses, so that another process can bind them.
    pub(super) async fn release_addresses(&self) {
        self.state.lock().await.claims.clear();
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

/// Binds those addresses of `config` that are not yet bound.
pub(super) fn claims(
    config: &Dataplane,
    state: &BTreeMap<SocketAddr, Claim>,
) -> Result<Vec<(SocketAddr, Claim)>, ServeError> {
    let addresses = config.frontends.iter().flat_map(|frontend| &frontend.listen);
    addresses
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

/// Sends the layout to the workers, and starts the checks of new servers.
async fn activate(shared: &Arc<Shared>, state: &mut ReloadState) -> Result<(), ServeError> {
    let topology = shared.topology();
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

fn check(shared: &Arc<Shared>, backend: &Arc<Backend>, server: &Arc<Server>) {
    tokio::spawn(checks::run(
        Arc::clone(shared),
        Arc::clone(backend),
        Arc::clone(server),
    ));
}
