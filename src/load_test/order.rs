//! What a load test is to do.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::Duration;

use super::protocol::Protocol;
use super::results::FailoverMode;
use super::sources::Sources;
use crate::api::Client;
use crate::plan::ChosenBy;
use crate::profile::{BalancerKind, Targets};

/// What a load test is to do.
#[derive(Clone, Debug)]
pub struct Order {
    /// Where clients connect.
    pub target: SocketAddr,
    /// The target as it was named, `HOST:PORT`: for the Host header.
    pub authority: String,
    /// Where HTTP requests go.
    pub path: String,
    /// What clients speak.
    pub protocol: Protocol,
    /// How many there are; at least one.
    pub connections: u32,
    /// How long connections are held once all are made.
    pub hold: Duration,
    /// New connections per second at most; `None` for as many as the target accepts.
    pub rate: Option<f64>,
    /// Messages per second, over all connections.
    pub messages_per_second: f64,
    /// Where clients connect from.
    pub sources: Sources,
    /// For one connection to be made and served, and for one answer.
    pub patience: Duration,
    /// Threads, each with its own descriptor table.
    pub workers: u16,
    /// The cluster behind the target; `None` for one that is none of ours.
    pub cluster: Option<Cluster>,
    /// What is called good.
    pub targets: Targets,
    /// Whether latency counts.
    pub fail_on_latency: bool,
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
    /// Those of them that take no clients, because somebody has wanted that, or they are not up.
    pub resting: BTreeSet<String>,
    /// Whether the nodes run on this host.
    pub on_this_host: bool,
    /// Whether clients are to come back to their node.
    pub sticky: bool,
    /// What a new client's node is computed from, where the balancer does not deal clients out.
    pub chosen_by: Option<ChosenBy>,
    /// Processes of the balancer.
    pub processes: u16,
    /// The supervisor.
    pub supervisor: Client,
    /// The node that is to fail in the middle of the hold.
    pub failover: Option<(String, FailoverMode)>,
}

/// A node of the cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Its name.
    pub name: String,
    /// Where it is connected to for this protocol.
    pub address: SocketAddr,
    /// Its share of the clients, relative to the others.
    pub weight: u16,
}
