//! Draining by the runtime API, HAProxy's own or one like it.
//!
//! A server in state `drain` is given nothing by the balancing algorithm, but HAProxy keeps sending it whom it knows:
//! by cookie, by session, by address. So the configuration looks at two lists of drained nodes whenever it recognises a
//! client, and balances those anew whom it would send to one of them. A list and a state take effect with the very next
//! connection; nothing that is remembered has to be forgotten, so there is no moment in which a connection on its way
//! could make it be remembered again, and no table that an older process teaches a new one can undo a drain. When the
//! node is ready again, clients that were away come back to it.
//!
//! Every order may be given again, to a process that has followed it before or that knows nothing yet.

use std::collections::BTreeSet;
use std::path::PathBuf;

use super::overrides::{Expected, Inspection, Override, Setting};
use crate::haproxy_api::{Flag, RuntimeError, ServerHealth, ServerLine, ServerState, Socket};
use crate::profile::Cluster;
use crate::render::{Server, servers};

/// How the nodes of one cluster are drained, made ready and cut, in one balancer process at a time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Orders {
    nodes: Vec<Known>,
    lists: Option<Lists>,
}

/// The files of a balancer's lists of drained nodes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Lists {
    pub(super) names: PathBuf,
    pub(super) ids: PathBuf,
}

/// What a node is known by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Known {
    name: String,
    id: String,
    weight: u16,
    pub(super) servers: Vec<Server>,
}

impl Orders {
    /// For a balancer that looks at `lists`; without, its state `drain` alone must be enough.
    pub(super) fn new(cluster: &Cluster, lists: Option<Lists>) -> Orders {
        let known = |node: &crate::profile::Node| Known {
            name: node.name.clone(),
            id: node.number.to_string(),
            weight: node.weight,
            servers: servers(cluster, &node.name),
        };
        Orders {
            nodes: cluster.nodes.iter().map(known).collect(),
            lists,
        }
    }

    /// From now on `node` gets no new connection, and no request of a client that it served before. What it has, it
    /// keeps. Nothing is done for a node that is not the cluster's.
    ///
    /// # Errors
    /// When the balancer cannot be told or refuses; then part of it may be done, and it is to be given again.
    pub async fn drain(&self, socket: &Socket, node: &str) -> Result<(), RuntimeError> {
        let Some(node) = self.known(node) else {
            return Ok(());
        };
        // State first or lists first makes no difference: who slips in between is recognised, and then listed.
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

    /// Undoes a drain of `node` that an order to this cluster began. What others set at the balancer stays as it is: a process
    /// that is met for the first time may carry that.
    ///
    /// # Errors
    /// When the balancer cannot be asked or refuses; then part of it may be done.
    pub async fn undrain(&self, socket: &Socket, node: &str) -> Result<(), RuntimeError> {
        let Some(node) = self.known(node) else {
            return Ok(());
        };
        let is_ours = match &self.lists {
            // The order that drained it put it on the list.
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

    /// `node` takes its share again: what others set at the balancer and stands in the way is taken back, and returned. `before` is
    /// what was wanted of the node so far: a drain by an order is not counted.
    ///
    /// # Errors
    /// When the balancer cannot be asked or refuses; then part of it may be done. A server that was deleted cannot be brought
    /// back, and is left out.
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
                known.restore(socket, server, line, before.up).await?;
            }
        }
        let is_ordered = |it: &Override| before.drained && it.setting == Setting::Drain;
        found.retain(|it| it.setting != Setting::Deleted && !it.inherited && !is_ordered(it));
        Ok(found)
    }

    /// Ends every connection that this process has to `node`. Those of a process that was replaced by a reload and only
    /// finishes its connections are out of its reach: [`crate::platform::sock_diag::destroy_to`] ends them.
    ///
    /// # Errors
    /// As with [`Orders::drain`].
    pub async fn cut(&self, socket: &Socket, node: &str) -> Result<(), RuntimeError> {
        for server in self.known(node).map_or(&[][..], |node| &node.servers) {
            socket.shutdown_sessions(server.backend, &server.server).await?;
        }
        Ok(())
    }

    // Private

    pub(super) fn known(&self, name: &str) -> Option<&Known> {
        self.nodes.iter().find(|node| node.name == name)
    }
}

impl Known {
    /// Takes back what keeps new connections from a server, of which the balancer says `line`. Its health only where it is to be
    /// up.
    async fn restore(
        &self,
        socket: &Socket,
        server: &Server,
        line: &ServerLine,
        up: bool,
    ) -> Result<(), RuntimeError> {
        let (backend, name) = (server.backend, server.server.as_str());
        // Servers that track others, too: one may have been drained by itself.
        socket.set_state(backend, name, ServerState::Ready).await?;
        if line.weight != u32::from(self.weight) {
            socket.set_weight(backend, name, self.weight.into()).await?;
        }
        if let Some(address) = server.address.filter(|address| line.address != Some(*address)) {
            socket.set_address(backend, name, address).await?;
        }
        if up && (line.is_stopped || line.is_stopping) && !server.tracks {
            socket.set_health(backend, name, ServerHealth::Up).await?;
        }
        Ok(())
    }
}
