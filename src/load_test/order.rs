//! The parameters of a load test.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::Duration;

use super::conversation::{KnownNodes, TargetUrl};
use super::protocol::Protocol;
use super::results::FailoverMode;
use super::sources::Sources;
use crate::api::Client;
use crate::mcp::Revision;
use crate::plan::ChosenBy;
use crate::profile::{BalancerKind, Targets};

/// The parameters of a load test.
#[derive(Clone, Debug)]
pub struct Order {
    /// Where clients connect.
    pub target: SocketAddr,
    /// The target as given, `HOST:PORT`: for the Host header.
    pub authority: String,
    /// The path of HTTP requests.
    pub path: String,
    /// The protocol of the clients.
    pub protocol: Protocol,
    /// The revision of MCP that clients request. Only over HTTP it may be one without sessions.
    pub revision: Revision,
    /// The number of clients; at least one.
    pub connections: u32,
    /// How long connections are held once all are made.
    pub hold: Duration,
    /// New connections per second at most; `None` for as many as the target accepts.
    pub rate: Option<f64>,
    /// Messages per second, over all connections.
    pub messages_per_second: f64,
    /// The source addresses of clients.
    pub sources: Sources,
    /// The timeout for one connection to be made and served, and for one answer.
    pub timeout: Duration,
    /// Threads, each with its own descriptor table.
    pub workers: u16,
    /// The cluster behind the target; `None` if the target does not belong to our own cluster.
    pub cluster: Option<Cluster>,
    /// The targets that results are judged by.
    pub targets: Targets,
    /// Whether latency can fail the test.
    pub fail_on_latency: bool,
}

impl Order {
    /// The server that clients connect to.
    pub(super) fn url(&self) -> TargetUrl {
        let nodes = self.cluster.as_ref().map(|cluster| KnownNodes {
            names: cluster.nodes.iter().map(|node| node.name.clone()).collect(),
            cookie: cluster.cookie.clone(),
        });
        TargetUrl {
            protocol: self.protocol,
            authority: self.authority.clone(),
            path: self.path.clone(),
            revision: self.revision,
            nodes,
        }
    }
}

/// The cluster behind the target.
#[derive(Clone, Debug)]
pub struct Cluster {
    /// Its name.
    pub name: String,
    /// Its balancer.
    pub balancer: BalancerKind,
    /// The balancer's name for the backend that serves this protocol.
    pub backend: &'static str,
    /// The nodes that serve this protocol.
    pub nodes: Vec<Member>,
    /// The name of the cookie by which its balancer routes clients over HTTP.
    pub cookie: String,
    /// Nodes that take no new clients, because they are drained, in maintenance or not up.
    pub resting: BTreeSet<String>,
    /// Whether the nodes run on this host.
    pub on_this_host: bool,
    /// Whether clients must return to their node.
    pub sticky: bool,
    /// What decides a new client's node, if the balancer does not deal clients out.
    pub chosen_by: Option<ChosenBy>,
    /// The number of the balancer's processes.
    pub processes: u16,
    /// The client of the supervisor.
    pub supervisor: Client,
    /// The node to fail in the middle of the hold.
    pub failover: Option<(String, FailoverMode)>,
}

/// A node of the cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Its name.
    pub name: String,
    /// Its address for this protocol.
    pub address: SocketAddr,
    /// Its share of the clients, relative to the others.
    pub weight: u16,
}
