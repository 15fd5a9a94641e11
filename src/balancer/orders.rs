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

use std::path::PathBuf;

use crate::profile::Cluster;
use crate::render::{Server, servers};
use crate::runtime::{RuntimeError, ServerState, Socket};

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
struct Known {
    name: String,
    id: String,
    servers: Vec<Server>,
}

impl Orders {
    /// For a balancer that looks at `lists`; without, its state `drain` alone must be enough.
    pub(super) fn new(cluster: &Cluster, lists: Option<Lists>) -> Orders {
        let known = |node: &crate::profile::Node| Known {
            name: node.name.clone(),
            id: node.number.to_string(),
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

    /// `node` takes its share again.
    ///
    /// # Errors
    /// As with [`Orders::drain`].
    pub async fn ready(&self, socket: &Socket, node: &str) -> Result<(), RuntimeError> {
        let Some(node) = self.known(node) else {
            return Ok(());
        };
        if let Some(lists) = &self.lists {
            socket.take_from_list(&lists.ids, &node.id).await?;
            socket.take_from_list(&lists.names, &node.name).await?;
        }
        // Servers that track others, too: somebody at the socket may have drained one of them by itself.
        for server in &node.servers {
            socket
                .set_state(server.backend, &server.server, ServerState::Ready)
                .await?;
        }
        Ok(())
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

    fn known(&self, name: &str) -> Option<&Known> {
        self.nodes.iter().find(|node| node.name == name)
    }
}
