//! The status of a cluster: its nodes, their connections, and whether these are even. A contract:
//! fields may be added, but not removed or renamed.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::Rollout;
use crate::erlang::distribution::Vitals;
use crate::plan::ChosenBy;
use crate::profile::BalancerKind;

/// The cluster at one moment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Status {
    /// The cluster's name.
    pub cluster: String,
    /// The version of the supervisor; empty when the cluster is stopped, and when an older
    /// supervisor does not report it.
    #[serde(default)]
    pub version: String,
    /// Whether it serves.
    pub state: ClusterState,
    /// The balancer; null when the cluster is stopped.
    pub balancer: Option<Balancer>,
    /// The nodes; empty when the cluster is stopped.
    pub nodes: Vec<Node>,
    /// The rollout that goes on or has stopped; null when none does.
    #[serde(default)]
    pub rollout: Option<Rollout>,
    /// Connections over the nodes.
    pub distribution: Distribution,
    /// Settings of the profile that this host or balancer does not provide.
    pub warnings: Vec<String>,
}

/// Whether a cluster serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ClusterState {
    /// The balancer runs, and every node is up or was drained by an order.
    Healthy,
    /// Some nodes serve, or the balancer is in trouble.
    Degraded,
    /// No node serves.
    Down,
}

/// The balancer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Balancer {
    /// The kind of balancer.
    pub kind: BalancerKind,
    /// The version that its binary reports; empty when an older supervisor does not report it.
    #[serde(default)]
    pub version: String,
    /// Its state.
    pub state: BalancerState,
    /// The kind of balancer that takes over from this one. Left out when none does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub switching_to: Option<BalancerKind>,
    /// Its processes, the former ones after those that accept connections.
    pub pids: Vec<u32>,
    /// The former processes: they accept no connections, and end with their last one. Left out
    /// when there are none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub former: Vec<FormerBalancer>,
    /// Restarts since the start of the cluster.
    pub restarts: u32,
    /// Age of its oldest process, in seconds; 0 when none runs.
    pub uptime_seconds: u64,
    /// The addresses for clients.
    pub endpoints: Endpoints,
    /// The runtime API socket of each of its processes.
    pub stats_sockets: Vec<PathBuf>,
    /// Changes that others made to it, except to its servers: a stopped frontend, an edited file, a
    /// missing socket. Left out when there are none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub overrides: Vec<String>,
    /// What a new client's node is computed from, by listener. Listeners that distribute clients by
    /// turns or by load are left out.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub chosen_by: BTreeMap<String, ChosenBy>,
}

/// A balancer process that accepts no connections any more, and ends with its last one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FormerBalancer {
    /// The kind of balancer.
    pub kind: BalancerKind,
    /// The process.
    pub pid: u32,
    /// Its established connections with clients; null while they are not known.
    #[serde(default)]
    pub connections: Option<u64>,
}

/// The state of a balancer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BalancerState {
    /// It serves.
    Running,
    /// It is starting, or a new instance takes over.
    Reloading,
    /// It was not started, or stopped by an order.
    Stopped,
    /// It died, and is not running again yet.
    Failed,
}

impl BalancerState {
    /// Whether it takes clients: also during a reload.
    #[must_use]
    pub const fn serves(self) -> bool {
        matches!(self, BalancerState::Running | BalancerState::Reloading)
    }
}

/// Addresses that a client on this host can connect to. Missing listeners are left out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Endpoints {
    /// The listeners by their key in the profile: `tcp`, `http`, `websocket`, `sse`, `https`,
    /// `stats`, `status`.
    #[serde(flatten)]
    pub listeners: BTreeMap<String, SocketAddr>,
    /// The path at which each of the HTTP listeners serves MCP, by the listener's key.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub paths: BTreeMap<String, String>,
    /// The runtime API socket of the first process.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stats_socket: Option<PathBuf>,
    /// The socket of the status page, in HTTP, of a balancer without a runtime API.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status_socket: Option<PathBuf>,
}

/// One node.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Node {
    /// Its name.
    pub name: String,
    /// Its state.
    pub state: NodeState,
    /// Whether it answers the supervisor's probes, whatever was ordered and whatever the balancer
    /// does with it.
    #[serde(default)]
    pub answers: bool,
    /// Its process; null when this cluster runs none.
    pub pid: Option<u32>,
    /// Whether it is an external node, which this cluster neither starts nor stops: nothing is
    /// known of its process. Left out when it is not.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub external: bool,
    /// The former name of `external`, until version 0.2.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub elsewhere: bool,
    /// Restarts since the start of the cluster.
    pub restarts: u32,
    /// The address of its MCP over TCP.
    pub tcp: Option<SocketAddr>,
    /// The address of its MCP over HTTP.
    pub http: Option<SocketAddr>,
    /// The revisions of MCP that it has shown to serve, oldest first; empty while they are not known.
    #[serde(default)]
    pub eras: Vec<String>,
    /// What it answers instead of MCP, if it does so; left out otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mcp_problem: Option<String>,
    /// Established connections, counted by the kernel, without the supervisor's own probes.
    pub connections: u64,
    /// The established connections by protocol.
    pub connections_by: ConnectionsBy,
    /// Resident memory in bytes.
    pub memory_bytes: u64,
    /// Processor time over the last seconds, in percent of one processor.
    pub cpu_percent: f64,
    /// Age of its process, in seconds.
    pub uptime_seconds: u64,
    /// Why it is not up, when that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// How long it has had clients again, in seconds, while it holds fewer than the others because
    /// it was away. Left out otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filling_seconds: Option<u64>,
    /// Statistics that a BEAM node reports; left out when there are none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub erlang: Option<Vitals>,
}

impl Node {
    /// Whether it takes traffic, and has had as much time as the others to get connections.
    #[must_use]
    pub fn is_comparable(&self) -> bool {
        self.state == NodeState::Up && self.filling_seconds.is_none()
    }
}

/// Connections by protocol.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConnectionsBy {
    /// On the TCP port.
    pub tcp: u64,
    /// On the HTTP port.
    pub http: u64,
}

/// The strictest of the operator's order, the result of the supervisor's probes, and the balancer's
/// treatment of the node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NodeState {
    /// It answers, and gets its share of new connections.
    Up,
    /// It answers but gets no connections yet: it failed a short while ago.
    HeldBack,
    /// It does not answer, although it runs, or should run.
    Down,
    /// It is starting, or waits for its next start. For an external node: it has not answered yet.
    Starting,
    /// It gets no new connections; old ones stay.
    Draining,
    /// It gets no new connections, and has none.
    Drained,
    /// It answers, but was taken out at the balancer by other means than an order to this cluster.
    Maintenance,
    /// It was not started, or stopped by an order.
    Stopped,
    /// It died too often and is left alone.
    Failed,
}

impl NodeState {
    /// All states.
    pub const ALL: [NodeState; 9] = [
        NodeState::Up,
        NodeState::HeldBack,
        NodeState::Down,
        NodeState::Starting,
        NodeState::Draining,
        NodeState::Drained,
        NodeState::Maintenance,
        NodeState::Stopped,
        NodeState::Failed,
    ];

    /// Whether it answers, whatever was ordered.
    #[must_use]
    pub const fn answers(self) -> bool {
        matches!(
            self,
            NodeState::Up
                | NodeState::HeldBack
                | NodeState::Draining
                | NodeState::Drained
                | NodeState::Maintenance
        )
    }

    /// Its name in the API.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            NodeState::Up => "up",
            NodeState::HeldBack => "held-back",
            NodeState::Down => "down",
            NodeState::Starting => "starting",
            NodeState::Draining => "draining",
            NodeState::Drained => "drained",
            NodeState::Maintenance => "maintenance",
            NodeState::Stopped => "stopped",
            NodeState::Failed => "failed",
        }
    }
}

/// Connections over the nodes that take traffic.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Distribution {
    /// Connections on all nodes.
    pub total: u64,
    /// What the plan can hold on this host.
    pub capacity: u64,
    /// Connections per node that takes traffic.
    pub mean: f64,
    /// The profile's target per node.
    pub target: u64,
    /// `targets.tolerance` of the mean.
    pub tolerance: u64,
    /// `targets.tolerance`.
    #[serde(default)]
    pub tolerance_percent: f64,
    /// Connections on the node that has the fewest.
    pub min: u64,
    /// Connections on the node that has the most.
    pub max: u64,
    /// `(max - min) / mean`, in percent.
    pub variance_percent: f64,
    /// `targets.variance`, below which the variance has to stay.
    #[serde(default)]
    pub variance_target_percent: f64,
    /// Population standard deviation.
    pub stddev: f64,
    /// Jain's fairness index.
    pub jain: f64,
    /// Whether the distribution is even.
    pub verdict: Verdict,
}

/// Whether a distribution is even.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// The variance is below `targets.variance`.
    Pass,
    /// The variance is not below `targets.variance`.
    Fail,
    /// Under 50 connections per node: too few to judge.
    Idle,
}

impl Verdict {
    /// Average connections per node that a distribution needs to be judged: below it, single
    /// connections make a variance of several percent.
    pub const ENOUGH: f64 = 50.0;
}

impl Status {
    /// The status of a cluster that does not run.
    #[must_use]
    pub fn down(cluster: &str) -> Status {
        Status {
            cluster: cluster.to_owned(),
            version: String::new(),
            state: ClusterState::Down,
            balancer: None,
            nodes: Vec::new(),
            rollout: None,
            distribution: Distribution {
                total: 0,
                capacity: 0,
                mean: 0.0,
                target: 0,
                tolerance: 0,
                tolerance_percent: 0.0,
                min: 0,
                max: 0,
                variance_percent: 0.0,
                variance_target_percent: 0.0,
                stddev: 0.0,
                jain: 0.0,
                verdict: Verdict::Idle,
            },
            warnings: Vec::new(),
        }
    }
}
