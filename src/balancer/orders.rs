//! Draining by the runtime API, HAProxy's own or a compatible one.
//!
//! The balancing algorithm sends no clients to a server in state `drain`, but HAProxy still sends
//! it the clients that it recognises by cookie, session or address. So the configuration checks two
//! lists of drained nodes whenever it recognises a client, and balances a client again that would
//! be sent to one of them. A list and a state take effect with the very next connection. No table
//! entry has to be removed, so an open connection cannot restore an entry at the wrong moment, and
//! a table that an older process sends to a new one cannot undo a drain. When the node is ready
//! again, its former clients come back to it.
//!
//! Every order can be repeated, to a process that has already carried it out or to a new one.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::path::PathBuf;

use super::overrides::{Expected, Inspection, Override, Setting};
use crate::haproxy_api::{Flag, RuntimeError, ServerHealth, ServerLine, ServerState, Socket};
use crate::profile::Cluster;
use crate::render::{Server, servers};

/// How the nodes of one cluster are drained, made ready and disconnected, in one balancer process
/// at a time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Orders {
    nodes: Vec<Known>,
    lists: Option<Lists>,
}

/// The files of a balancer's lists of drained nodes, and of the list that announces a stop.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Lists {
    pub(super) names: PathBuf,
    pub(super) ids: PathBuf,
    pub(super) stopping: PathBuf,
}

/// The entry that announces a stop.
const STOPPING: &str = "stopping";

/// The names and the id of a node at the balancer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Known {
    name: String,
    id: String,
    pub(super) servers: Vec<Server>,
}

impl Orders {
    /// The orders for a balancer with `lists`; without lists its state `drain` alone must be
    /// sufficient.
    pub(super) fn new(cluster: &Cluster, lists: Option<Lists>) -> Orders {
        let known = |node: &crate::profile::Node| Known {
            name: node.name.clone(),
            id: node.id.to_string(),
            servers: servers(cluster, &node.name),
        };
        Orders {
            nodes: cluster.nodes.iter().map(known).collect(),
            lists,
        }
    }

    /// From now on `node` gets no new connections, and no requests of clients that it served
    /// before. Its open connections stay. Does nothing for a node that does not belong to the
    /// cluster.
    ///
    /// # Errors
    /// When the balancer cannot be reached or refuses; the order may then be half done, and has to
    /// be repeated.
    pub async fn drain(&self, socket: &Socket, node: &str) -> Result<(), RuntimeError> {
        let Some(node) = self.known(node) else {
            return Ok(());
        };
        // The order of state and lists does not matter: a client that arrives in between is
        // recognised, and its node is on the list later.
        for server in node.servers.iter().filter(|server| !server.tracks) {
            socket
                .set_state(server.backend, &server.server, ServerState::Drain)
                .await?;
        }
        if let Some(lists) = &self.lists {
            socket.put_on_list(&lists.ids, &node.id).await?;
            socket.put_on_list(&lists.names, &node.name).await?;
        }
        Ok(())
    }

    /// Undoes a drain of `node` that was ordered with `clusterctl`. Settings that were made
    /// directly at the balancer stay: a process that is seen for the first time may have some.
    ///
    /// # Errors
    /// When the balancer cannot be reached or refuses; the order may then be half done.
    pub async fn undrain(&self, socket: &Socket, node: &str) -> Result<(), RuntimeError> {
        let Some(node) = self.known(node) else {
            return Ok(());
        };
        let is_ours = match &self.lists {
            // The order that drained the node put it on the list.
            Some(lists) => {
                let listed = socket.list(&lists.names).await?;
                listed.is_none_or(|names| names.contains(&node.name))
            }
            None => true,
        };
        if let Some(lists) = &self.lists {
            socket.take_from_list(&lists.ids, &node.id).await?;
            socket.take_from_list(&lists.names, &node.name).await?;
        }
        let lines = socket.servers().await?;
        for server in node.servers.iter().filter(|_| is_ours) {
            let mut lines = lines.iter();
            let line = lines.find(|line| line.backend == server.backend && line.server == server.server);
            if line.is_some_and(|line| line.drain == Flag::Set && line.maintenance != Flag::Set) {
                socket
                    .set_state(server.backend, &server.server, ServerState::Ready)
                    .await?;
            }
        }
        Ok(())
    }

    /// Gives `node` its share of new clients again: settings that were made directly at the
    /// balancer and prevent this are undone, and returned. `before` is the wanted state of the node
    /// so far: a drain by an order does not count as such a setting.
    ///
    /// # Errors
    /// When the balancer cannot be reached or refuses; the order may then be half done. A server
    /// that was deleted cannot be restored, and is left out.
    pub async fn ready(
        &self,
        socket: &Socket,
        node: &str,
        before: Expected,
    ) -> Result<BTreeSet<Override>, RuntimeError> {
        let Some(known) = self.known(node) else {
            return Ok(BTreeSet::new());
        };
        let inspection = Inspection::read(socket).await?;
        let expected = Expected {
            drained: false,
            ..before
        };
        let mut found = self.overrides(&inspection, node, expected);
        if let Some(lists) = &self.lists {
            socket.take_from_list(&lists.ids, &known.id).await?;
            socket.take_from_list(&lists.names, &known.name).await?;
        }
        for server in &known.servers {
            if let Some(line) = inspection.line(server.backend, node) {
                restore(socket, server, line, before.up).await?;
            }
        }
        let is_ordered = |it: &Override| before.drained && it.setting == Setting::Drain;
        found.retain(|it| it.setting != Setting::Deleted && !it.inherited && !is_ordered(it));
        Ok(found)
    }

    /// Ends every connection of this process to `node`. It does not reach connections of a process
    /// that was replaced by a reload and only finishes them:
    /// [`crate::platform::sock_diag::destroy_to`] ends those.
    ///
    /// # Errors
    /// When the balancer cannot be reached or refuses; the order may then be half done, and has to
    /// be repeated.
    pub async fn cut(&self, socket: &Socket, node: &str) -> Result<(), RuntimeError> {
        for server in self.known(node).map_or(&[][..], |node| &node.servers) {
            socket.shutdown_sessions(server.backend, &server.server).await?;
        }
        Ok(())
    }

    /// Makes the clients of an address belong to `node` in the table of a backend's sticky clients.
    /// Their open connections stay. Does nothing for a node that does not belong to the cluster.
    ///
    /// # Errors
    /// When the balancer cannot be reached or refuses, as without such a table.
    pub async fn stick(
        &self,
        socket: &Socket,
        backend: &str,
        client: IpAddr,
        node: &str,
    ) -> Result<(), RuntimeError> {
        match self.known(node) {
            Some(node) => socket.stick(backend, client, &node.id).await,
            None => Ok(()),
        }
    }

    /// Makes `/ready` answer that the cluster stops, or not any more. A balancer without lists reads
    /// that from its files.
    ///
    /// # Errors
    /// When the balancer cannot be reached or refuses.
    pub async fn announce(&self, socket: &Socket, announced: bool) -> Result<(), RuntimeError> {
        match &self.lists {
            Some(lists) if announced => socket.put_on_list(&lists.stopping, STOPPING).await,
            Some(lists) => socket.take_from_list(&lists.stopping, STOPPING).await,
            None => Ok(()),
        }
    }

    // Private

    pub(super) fn known(&self, name: &str) -> Option<&Known> {
        self.nodes.iter().find(|node| node.name == name)
    }
}

// Private

/// Undoes what keeps new connections from a server, according to its `line` from the balancer.
/// Its health is changed only if it is to be up.
async fn restore(socket: &Socket, server: &Server, line: &ServerLine, up: bool) -> Result<(), RuntimeError> {
    let (backend, name) = (server.backend, server.server.as_str());
    // Including servers that track others: a tracking server can be drained by itself.
    socket.set_state(backend, name, ServerState::Ready).await?;
    // Not the node's own weight: servers that a hash distributes clients to have another one.
    if line.weight != line.initial_weight {
        socket.set_weight(backend, name, line.initial_weight).await?;
    }
    if let Some(address) = server.address.filter(|address| line.address != Some(*address)) {
        socket.set_address(backend, name, address).await?;
    }
    if up && (line.is_stopped || line.is_stopping) && !server.tracks {
        socket.set_health(backend, name, ServerHealth::Up).await?;
    }
    Ok(())
}
