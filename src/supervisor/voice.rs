//! Tells one balancer instance which nodes are well, in order, until it has heard.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use tokio::sync::watch;

use crate::runtime::{ServerHealth, Socket};

/// A balancer that did not take an order is told again after this.
const AGAIN: Duration = Duration::from_millis(250);

/// Which nodes are well, by name.
pub(super) type Opinion = BTreeMap<String, bool>;

/// Keeps the instance behind `socket` at our opinion of each node; `servers` are the (backend, server) pairs that a
/// node is known by. Told first is what is down: a balancer believes that everything is well until told otherwise.
/// Ends when nobody has an opinion any more.
pub(super) async fn tell(
    socket: PathBuf,
    servers: BTreeMap<String, Vec<(String, String)>>,
    mut opinion: watch::Receiver<Opinion>,
) {
    let socket = Socket::new(socket);
    let mut told = Opinion::new();
    loop {
        let wanted = opinion.borrow_and_update().clone();
        let mut heard = true;
        let mut changes: Vec<(&String, &bool)> = wanted
            .iter()
            .filter(|(node, well)| told.get(*node) != Some(*well))
            .collect();
        changes.sort_by_key(|(_, well)| **well);
        let mut done = Vec::new();
        for (node, well) in changes {
            let health = if *well {
                ServerHealth::Up
            } else {
                ServerHealth::Down
            };
            match set(&socket, servers.get(node), health).await {
                Ok(()) => done.push((node.clone(), *well)),
                Err(error) => {
                    heard = false;
                    tracing::warn!(server = node, health = ?health, "the balancer was not told: {error}");
                }
            }
        }
        told.extend(done);
        let still_wanted = if heard {
            opinion.changed().await
        } else {
            tokio::time::timeout(AGAIN, opinion.changed())
                .await
                .unwrap_or(Ok(()))
        };
        if still_wanted.is_err() {
            return;
        }
    }
}

// Private

async fn set(
    socket: &Socket,
    servers: Option<&Vec<(String, String)>>,
    health: ServerHealth,
) -> Result<(), crate::runtime::RuntimeError> {
    for (backend, server) in servers.into_iter().flatten() {
        socket.set_health(backend, server, health).await?;
    }
    Ok(())
}
