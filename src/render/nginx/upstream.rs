//! The upstreams: one with all nodes, and one for each node with its own clients.

use std::collections::BTreeSet;
use std::net::SocketAddr;

use serde::Serialize;

use crate::plan::Plan;
use crate::profile::{Cluster, Node};
use crate::render::pool::Pool;

/// How many other nodes serve a node's clients while it is dead and nginx does not know it yet.
const BACKUPS: usize = 3;

/// An `upstream` block. Its zone is shared by all workers, so that they count together.
#[derive(Clone, Debug, Serialize)]
pub(super) struct UpstreamView {
    name: String,
    zone: String,
    /// How one of its servers is chosen; `None` for round robin, which has no directive.
    method: Option<String>,
    servers: Vec<ServerView>,
}

/// A `server` line.
#[derive(Clone, Debug, Serialize)]
struct ServerView {
    /// Padded, so that columns align.
    address: String,
    options: String,
    /// The node's name.
    node: String,
}

/// The nodes with their current state.
#[derive(Clone, Copy, Debug)]
pub(super) struct Members<'a> {
    pub(super) cluster: &'a Cluster,
    pub(super) plan: &'a Plan,
    /// Names of the nodes that get no new clients.
    pub(super) away: &'a BTreeSet<String>,
}

impl Members<'_> {
    /// The nodes that get clients.
    pub(super) fn serving(&self) -> impl Iterator<Item = &Node> {
        let nodes = self.cluster.nodes.iter();
        nodes.filter(|node| node.weight > 0 && !self.away.contains(&node.name))
    }
}

/// The name of the upstream with all nodes.
pub(super) fn whole(pool: Pool) -> String {
    format!("erlmcp_{}_cluster", kind(pool))
}

/// The name of the kind of traffic, in identifiers and in the access log.
pub(super) const fn kind(pool: Pool) -> &'static str {
    match pool {
        Pool::Tcp => "tcp",
        Pool::Http => "http",
        Pool::WebSocket => "websocket",
        Pool::Sse => "sse",
    }
}

/// The upstreams of one kind of traffic: that of the whole cluster and, if clients have `their_own`
/// node, one for each serving node.
pub(super) fn upstreams(pool: Pool, members: Members<'_>, their_own: bool) -> Vec<UpstreamView> {
    let cluster = members.cluster;
    let all: Vec<(&Node, String)> = cluster
        .nodes
        .iter()
        .map(|node| (node, options(pool, node, members)))
        .collect();
    let view = |name: String, method, servers: Vec<(&Node, String)>| {
        let addresses: Vec<_> = servers
            .iter()
            .filter_map(|(node, _)| pool.address(node))
            .map(|address: SocketAddr| address.to_string())
            .collect();
        let width = addresses.iter().map(String::len).max().unwrap_or(0);
        UpstreamView {
            zone: format!("{name} {}k", 64 + 2 * servers.len()),
            name,
            method,
            servers: servers
                .into_iter()
                .zip(addresses)
                .map(|((node, options), address)| ServerView {
                    address: format!("{address:width$}"),
                    options,
                    node: node.name.clone(),
                })
                .collect(),
        }
    };
    let method = pool.route(cluster).algorithm.facts().nginx;
    let mut views = vec![view(whole(pool), method.map(str::to_owned), all)];
    if their_own {
        let serving: Vec<&Node> = members.serving().collect();
        for (index, node) in serving.iter().enumerate() {
            let others = (1..serving.len()).map(|distance| serving[(index + distance) % serving.len()]);
            let backups = others
                .take(BACKUPS)
                .map(|node| (node, format!("{} backup", options(pool, node, members))));
            let servers = [(*node, options(pool, node, members))]
                .into_iter()
                .chain(backups)
                .collect();
            views.push(view(
                format!("erlmcp_{}_to_{}", kind(pool), node.name),
                None,
                servers,
            ));
        }
    }
    views
}

// Private

fn options(pool: Pool, node: &Node, members: Members<'_>) -> String {
    let Members { cluster, plan, away } = members;
    let health = &cluster.health;
    let fails = match pool {
        Pool::Tcp => format!(
            "max_fails={} fail_timeout={}",
            health.fall,
            super::quoting::seconds(health.interval.duration())
        ),
        // nginx would also count failures that do not concern the node: an answer with a header
        // that is too long, or a single connection that the node closes. Sessions would move to
        // nodes that do not know them, and finally no node would serve. The supervisor's probes
        // decide instead.
        Pool::Http | Pool::WebSocket | Pool::Sse => "max_fails=0".to_owned(),
    };
    let mut options = format!(
        "weight={} max_conns={} {fails}",
        node.weight.max(1),
        node.maxconn.min(plan.nodes.maxconn),
    );
    if node.weight == 0 || away.contains(&node.name) {
        options.push_str(" down");
    }
    options
}
