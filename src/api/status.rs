//! Who is up, who holds how many connections, is it even. A contract: fields may be added, none removed or renamed.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::erlang::distribution::Vitals;
use crate::plan::ChosenBy;
use crate::profile::BalancerKind;

/// The cluster at one moment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Status {
    /// The cluster's name.
    pub cluster: String,
    /// Whether it serves.
    pub state: ClusterState,
    /// The balancer; null when the cluster is stopped.
    pub balancer: Option<Balancer>,
    /// The nodes; empty when the cluster is stopped.
    pub nodes: Vec<Node>,
    /// Connections over the nodes.
    pub distribution: Distribution,
    /// What the profile wants and this host or balancer does not give.
    pub warnings: Vec<String>,
}

/// Whether a cluster serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ClusterState {
    /// The balancer runs, and every node is up or was drained by an order.
    Healthy,
    /// Some serve.
    Degraded,
    /// None serves.
    Down,
}

/// The balancer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Balancer {
    /// Which one.
    pub kind: BalancerKind,
    /// What it does.
    pub state: BalancerState,
    /// Its processes.
    pub pids: Vec<u32>,
    /// Restarts since the start of the cluster.
    pub restarts: u32,
    /// Age of its oldest process, in seconds; 0 when none runs.
    pub uptime_seconds: u64,
    /// Where one can connect.
    pub endpoints: Endpoints,
    /// The runtime API of each of its processes.
    pub stats_sockets: Vec<PathBuf>,
    /// What others did to it, besides its servers: a stopped frontend, an edited file, a socket that is gone. Left out when
    /// there is nothing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub overrides: Vec<String>,
    /// What a new client's node is computed from, by listener; those whose clients are dealt out by turns or by load are left out.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub chosen_by: BTreeMap<String, ChosenBy>,
}

/// What a balancer does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BalancerState {
    /// It serves.
    Running,
    /// It comes up, or a new instance takes over.
    Reloading,
    /// It was not started, or stopped by an order.
    Stopped,
    /// It died, and is not running again yet.
    Failed,
}

impl BalancerState {
    /// Whether it takes clients: a reload changes nothing for them.
    #[must_use]
    pub const fn serves(self) -> bool {
        matches!(self, BalancerState::Running | BalancerState::Reloading)
    }
}

/// Addresses that a client on this host can connect to. Listeners that are not there are left out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Endpoints {
    /// The listeners by their key in the profile: `tcp`, `http`, `websocket`, `sse`, `https`, `stats`, `status`.
    #[serde(flatten)]
    pub listeners: BTreeMap<String, SocketAddr>,
    /// The runtime API of the first process.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stats_socket: Option<PathBuf>,
    /// The status page of a balancer without runtime API, in HTTP.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status_socket: Option<PathBuf>,
}

/// One node.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Node {
    /// Its name.
    pub name: String,
    /// What it does.
    pub state: NodeState,
    /// Whether it answers the supervisor's probes, whatever is wanted of it and whatever the balancer does with it.
    #[serde(default)]
    pub answers: bool,
    /// Its process; null when none of ours runs.
    pub pid: Option<u32>,
    /// Whether it is an external node, which this cluster neither starts nor stops: nothing is known of its process. Left
    /// out when it is not.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub external: bool,
    /// The former name of `external`, until version 0.2.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub elsewhere: bool,
    /// Restarts since the start of the cluster.
    pub restarts: u32,
    /// Where it speaks MCP over TCP.
    pub tcp: SocketAddr,
    /// Where it speaks MCP over HTTP.
    pub http: Option<SocketAddr>,
    /// Established connections, counted by the kernel, our own probes left out.
    pub connections: u64,
    /// The same by protocol.
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
    /// How long it has had clients again, in seconds, as long as it holds fewer than the others because it was away. Left out when
    /// not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filling_seconds: Option<u64>,
    /// What a BEAM node says of itself, when it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub erlang: Option<Vitals>,
}

impl Node {
    /// Whether it takes traffic, and has had as much time as others to get connections.
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

/// The strictest of what an operator ordered, what our probes found, and what the balancer does with the node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NodeState {
    /// It answers, and gets its share of new connections.
    Up,
    /// It answers, and gets no connections yet: it failed a short while ago.
    HeldBack,
    /// It does not answer, although it runs, or should.
    Down,
    /// It comes up, or waits for its next start. One that runs elsewhere: it has not answered yet.
    Starting,
    /// It gets no new connections; old ones live.
    Draining,
    /// It gets no new connections, and has none.
    Drained,
    /// It answers, and was taken out at the balancer by other means than an order to this cluster.
    Maintenance,
    /// It was not started, or stopped by an order.
    Stopped,
    /// It died too often and is left alone.
    Failed,
}

impl NodeState {
    /// All there are.
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

    /// Whether it answers, whatever is wanted of it.
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

    /// Its name, as on the wire.
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
    /// On all nodes.
    pub total: u64,
    /// What the plan can hold on this host.
    pub capacity: u64,
    /// Per node that takes traffic.
    pub mean: f64,
    /// What the profile wants per node.
    pub target: u64,
    /// `targets.tolerance` of the mean.
    pub tolerance: u64,
    /// `targets.tolerance`.
    #[serde(default)]
    pub tolerance_percent: f64,
    /// On the node that has the fewest.
    pub min: u64,
    /// On the node that has the most.
    pub max: u64,
    /// `(max - min) / mean`, in percent.
    pub variance_percent: f64,
    /// `targets.variance`, which it has to stay below.
    #[serde(default)]
    pub variance_target_percent: f64,
    /// Population standard deviation.
    pub stddev: f64,
    /// Jain's fairness index.
    pub jain: f64,
    /// Whether that is even.
    pub verdict: Verdict,
}

/// Whether a distribution is even.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// The variance is below `targets.variance`.
    Pass,
    /// It is not.
    Fail,
    /// Under 50 connections per node: too few to judge.
    Idle,
}

impl Verdict {
    /// Connections per node, on average, from which on a distribution is judged: below it, single connections make a variance of
    /// several percent.
    pub const ENOUGH: f64 = 50.0;
}

impl Status {
    /// A cluster that does not run.
    #[must_use]
    pub fn down(cluster: &str) -> Status {
        Status {
            cluster: cluster.to_owned(),
            state: ClusterState::Down,
            balancer: None,
            nodes: Vec::new(),
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
