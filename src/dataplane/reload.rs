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
use super::shared::Plane;
use super::topology::{Away, Layout};
use crate::dataplane_config::Dataplane;
use crate::haproxy_api::server::FrontendState;
use crate::platform::listen::Claim;

/// Applies configurations, one at a time.
#[derive(Debug)]
pub(super) struct Reload {
    path: PathBuf,
    held: Mutex<Held>,
}

/// The state besides that of the workers.
#[derive(Debug, Default)]
struct Held {
    /// The addresses that this process has bound.
    claims: BTreeMap<SocketAddr, Claim>,
    /// Servers that are checked.
    checked: Vec<Weak<Server>>,
}

impl Reload {
    pub(super) fn new(path: &Path) -> Reload {
        Reload {
            path: path.to_owned(),
            held: Mutex::default(),
        }
    }

    /// Reads the configuration again and applies it, completely or not at all.
    pub(super) async fn run(&self, plane: &Arc<Plane>) -> Result<(), ServeError> {
        let mut held = self.held.lock().await;
        let old = plane.layout();
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
        let added = claims(&config, &held.claims)?;
        held.claims.extend(added);
        let away = away(&config);
        let layout = Layout::new(config, Some(&old), &away, &plane.clock);
        // As in a new process: frontends that were stopped by the runtime API are open again.
        for frontend in &layout.frontends {
            frontend.set_state(FrontendState::Open);
        }
        plane.set_layout(Arc::new(layout));
        in_force(plane, &mut held).await?;
        tracing::info!(config = %self.path.display(), "the configuration was read again");
        Ok(())
    }

    /// Applies the configuration for the first time.
    pub(super) async fn begin(
        &self,
        plane: &Arc<Plane>,
        first: Vec<(SocketAddr, Claim)>,
    ) -> Result<(), ServeError> {
        let mut held = self.held.lock().await;
        held.claims.extend(first);
        in_force(plane, &mut held).await
    }

    /// Makes workers listen on the addresses of open frontends.
    pub(super) async fn listen(&self, plane: &Arc<Plane>) -> Result<(), ServeError> {
        in_force(plane, &mut *self.held.lock().await).await
    }

    /// Releases the addresses, so that another process can bind them.
    pub(super) async fn give_up(&self) {
        self.held.lock().await.claims.clear();
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
    held: &BTreeMap<SocketAddr, Claim>,
) -> Result<Vec<(SocketAddr, Claim)>, ServeError> {
    let addresses = config.frontends.iter().flat_map(|frontend| &frontend.listen);
    addresses
        .filter(|address| !held.contains_key(*address))
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
pub(super) fn away(config: &Dataplane) -> Away {
    Away {
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
async fn in_force(plane: &Arc<Plane>, held: &mut Held) -> Result<(), ServeError> {
    let layout = plane.layout();
    let mut outcome = Ok(());
    for answer in plane.ask(|done| Order::Layout(Arc::clone(&layout), done)) {
        if let Ok(Err(source)) = answer.await {
            outcome = Err(ServeError::Listen(source));
        }
    }
    let wanted: BTreeSet<SocketAddr> = layout
        .frontends
        .iter()
        .filter(|frontend| frontend.state() != FrontendState::Stopped)
        .flat_map(|frontend| frontend.route().listen.clone())
        .collect();
    held.claims.retain(|address, _| wanted.contains(address));
    held.checked.retain(|server| server.strong_count() > 0);
    for backend in &layout.backends {
        for server in &backend.pool().servers {
            let known = |it: &Weak<Server>| it.ptr_eq(&Arc::downgrade(server));
            if !held.checked.iter().any(known) {
                held.checked.push(Arc::downgrade(server));
                check(plane, backend, server);
            }
        }
    }
    outcome
}

fn check(plane: &Arc<Plane>, backend: &Arc<Backend>, server: &Arc<Server>) {
    tokio::spawn(checks::run(
        Arc::clone(plane),
        Arc::clone(backend),
        Arc::clone(server),
    ));
}
