//! A profile as it is written: the shape of the YAML, before its values are checked.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::algorithm::Algorithm;
use super::balancer_kind::BalancerKind;
use super::member::Member;
use super::paths::Paths;
use super::rollout::Rollout;
use crate::base::secret::Secret;
use crate::base::units::{Count, Network, Percent, Period, PeriodRange, Size, whole};

/// A whole profile.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Document {
    /// Name of the cluster, and of its run directory.
    pub cluster: String,
    /// The balancer that `start` runs by default.
    pub balancer: BalancerKind,
    /// The cluster's members.
    pub nodes: Nodes,
    /// The addresses that clients connect to.
    pub listen: Listen,
    /// How connections are spread.
    pub routing: Routing,
    /// Limits per client address and for the whole cluster.
    pub limits: Limits,
    /// The balancer's health checks.
    pub health: HealthCheck,
    /// The timeouts.
    pub timeouts: Timeouts,
    /// How nodes are replaced while the cluster runs.
    pub rollout: Rollout,
    /// The certificate for the HTTPS listener.
    pub tls: Option<Tls>,
    /// The file to which the built-in balancer logs each request over HTTP.
    pub access_log: Option<PathBuf>,
    /// The values that count as good.
    pub targets: Targets,
    /// Programs with a given path.
    pub binaries: Binaries,
}

/// The kind of the nodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Runtime {
    /// The MCP node inside this binary.
    Embedded,
    /// A BEAM node.
    Erlang,
    /// Any program.
    Command,
    /// Nodes that run elsewhere and are never spawned.
    External,
}

impl Runtime {
    /// The Debian packages that its nodes need, as far as they are known.
    #[must_use]
    pub const fn packages(self) -> Option<&'static str> {
        match self {
            Runtime::Erlang => Some("erlang-base"),
            Runtime::Embedded | Runtime::Command | Runtime::External => None,
        }
    }
}

/// The cluster's members.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Nodes {
    /// The kind of the nodes.
    pub runtime: Runtime,
    /// How many nodes, where `members` lists none.
    #[serde(deserialize_with = "whole")]
    #[schemars(with = "Count")]
    pub count: u16,
    /// Name of a node, where `members` lists none; `{n}` counts from 1.
    pub name: String,
    /// Address that the nodes listen on.
    pub address: IpAddr,
    /// TCP port of the first node, the other nodes get the next ones; null for nodes that serve MCP
    /// over HTTP alone.
    pub tcp_port: Option<u16>,
    /// HTTP port of the first node, the other nodes get the next ones; null for nodes without HTTP.
    pub http_port: Option<u16>,
    /// Connections that one node should hold.
    #[serde(deserialize_with = "whole")]
    #[schemars(with = "Count")]
    pub target: u32,
    /// Connections that one node can hold.
    #[serde(deserialize_with = "whole")]
    #[schemars(with = "Count")]
    pub maxconn: u32,
    /// Share of the load relative to the other nodes, 0 to 256.
    #[serde(deserialize_with = "whole")]
    #[schemars(with = "Count")]
    pub weight: u16,
    /// What happens when a node dies.
    pub restart: Restart,
    /// The program of runtime `command`, and its arguments.
    pub command: Option<Vec<String>>,
    /// Variables of a node's environment, by name.
    pub environment: BTreeMap<String, Secret>,
    /// A file with more such variables, in lines `KEY=VALUE`.
    pub environment_file: Option<PathBuf>,
    /// The directory in which a program runs.
    pub directory: Option<PathBuf>,
    /// A checkout or release of erlmcp that runtime `command` runs instead of a program.
    pub path: Option<PathBuf>,
    /// The Erlang expressions by which such a node begins to serve.
    pub eval: String,
    /// A configuration of Erlang applications for such nodes, laid over ours: its values win.
    pub config: Option<PathBuf>,
    /// The nodes by name, instead of `count` and `name`; runtime `external` needs them.
    pub members: Vec<Member>,
    /// How BEAM nodes run.
    pub erlang: Erlang,
}

/// How the nodes of runtime `erlang` run.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Erlang {
    /// Distribution port of the first node, on loopback; the other nodes get the next ones.
    pub distribution_port: u16,
    /// How long schedulers look for work before they sleep.
    pub busy_wait: BusyWait,
    /// Minor garbage collections of a process before a full one.
    #[serde(deserialize_with = "whole")]
    #[schemars(with = "Count")]
    pub fullsweep_after: u16,
    /// Silence of a client after which its process hibernates.
    pub idle_after: Period,
    /// More arguments of `erl`.
    pub arguments: Vec<String>,
}

/// How long a scheduler of the BEAM looks for work before it sleeps: `erl +sbwt`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum BusyWait {
    /// Not at all: best where nodes share processors.
    None,
    /// Very shortly.
    VeryShort,
    /// Shortly.
    Short,
    /// OTP's default.
    Medium,
    /// Long.
    Long,
    /// Very long.
    VeryLong,
}

impl BusyWait {
    /// The value of the flag of `erl`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            BusyWait::None => "none",
            BusyWait::VeryShort => "very_short",
            BusyWait::Short => "short",
            BusyWait::Medium => "medium",
            BusyWait::Long => "long",
            BusyWait::VeryLong => "very_long",
        }
    }
}

impl Document {
    /// Whether all nodes serve MCP over TCP. Otherwise the TCP listener is left out.
    pub(super) fn has_tcp(&self) -> bool {
        match self.nodes.runtime {
            Runtime::External => self.nodes.members.iter().all(|member| member.tcp_port.is_some()),
            _ => self.nodes.tcp_port.is_some(),
        }
    }

    /// Whether every node supports HTTP; if not, there are no HTTP listeners.
    pub(super) fn has_http(&self) -> bool {
        match self.nodes.runtime {
            Runtime::External => self.nodes.members.iter().all(|member| member.http_port.is_some()),
            _ => self.nodes.http_port.is_some(),
        }
    }

    /// The HTTPS port: with a certificate it has a default.
    pub(super) fn https(&self) -> Option<u16> {
        self.listen.https.or(self.tls.as_ref().map(|_| 8443))
    }
}

impl Nodes {
    /// Whether the nodes are known to be Erlang nodes.
    pub(super) fn are_beam(&self) -> bool {
        match self.runtime {
            Runtime::Erlang => true,
            Runtime::Command => self.path.is_some(),
            Runtime::Embedded | Runtime::External => false,
        }
    }

    /// The name of node `number`, counted from 1.
    pub(super) fn name_of(&self, number: u16) -> String {
        self.name.replace("{n}", &number.to_string())
    }

    /// How many nodes there are. A host name that was not resolved counts as one.
    pub(super) fn total(&self) -> u64 {
        match self.members.as_slice() {
            [] if self.runtime != Runtime::External => u64::from(self.count),
            members => members.iter().map(|member| member.nodes().len() as u64).sum(),
        }
    }

    /// The number and the name of each node that this cluster starts.
    pub(super) fn numbered(&self) -> Vec<(u16, String)> {
        if self.members.is_empty() {
            let counted = 1..=self.count;
            return counted.map(|number| (number, self.name_of(number))).collect();
        }
        let listed = (1..=u16::MAX).zip(&self.members);
        listed
            .map(|(position, member)| (member.n.unwrap_or(position), member.name.clone()))
            .collect()
    }
}

/// What happens when a node dies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Restart {
    /// Wait before a restart, doubled each time.
    pub backoff: PeriodRange,
    /// Restarts in a row before giving up.
    #[serde(deserialize_with = "whole")]
    #[schemars(with = "Count")]
    pub give_up_after: u32,
    /// Time without a restart after which the count starts again.
    pub forget_after: Period,
    /// Time without an answer after which a node is killed.
    pub hung_after: Period,
}

/// Where clients connect, the same for every balancer.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Listen {
    /// Addresses of the client listeners.
    pub address: Vec<IpAddr>,
    /// MCP over TCP.
    pub tcp: Option<u16>,
    /// MCP over HTTP, by path.
    pub http: Option<u16>,
    /// The paths in `routing.paths.websocket` only.
    pub websocket: Option<u16>,
    /// The paths in `routing.paths.sse` only.
    pub sse: Option<u16>,
    /// HTTPS; 8443 when `tls` is set.
    pub https: Option<u16>,
    /// Networks of proxies whose `X-Forwarded-*` headers are believed, and to which limits per
    /// client address do not apply.
    pub trusted: BTreeSet<Network>,
    /// The balancer's own statistics page.
    pub stats: Option<SocketAddr>,
    /// `/health`, `/ready` and `/live` of the whole cluster.
    pub status: Option<SocketAddr>,
    /// The supervisor, read-only.
    pub observe: Option<SocketAddr>,
}

/// How connections are spread, per kind of traffic.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Routing {
    /// The paths of the HTTP listeners; others get 404.
    pub paths: Paths,
    /// MCP over TCP.
    pub tcp: Route,
    /// MCP over HTTP.
    pub http: Route,
    /// `WebSockets`.
    pub websocket: Route,
    /// Event streams.
    pub sse: Route,
    /// The table of sticky clients.
    pub table: Table,
    /// Name of the cookie that names a client's node.
    pub cookie: String,
    /// Age at which a client's connection ends as soon as nothing is under way on it, up to 10 %
    /// earlier; not by age when null. `WebSockets` and event streams stay.
    pub max_age: Option<Period>,
}

/// How one kind of traffic is spread.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Route {
    /// Which node a new client gets.
    pub algorithm: Algorithm,
    /// How a known client is routed back to its node.
    pub sticky: Sticky,
}

impl HealthCheck {
    /// Time between two checks while the state is about to change.
    #[must_use]
    pub fn fast_interval(&self) -> Period {
        self.interval.min(Period::from(Duration::from_secs(1)))
    }
}

/// How a known client is routed back to its node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Sticky {
    /// Not at all.
    None,
    /// By its address. Over HTTP its MCP session comes first.
    Source,
    /// By a cookie that the balancer sets; its MCP session comes first; HTTP only.
    Cookie,
    /// By its MCP session: the balancer adds the node's name to the `Mcp-Session-Id` that the node
    /// gave; HTTP only.
    McpSession,
}

/// The table of sticky clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Table {
    /// The most entries; the oldest are removed first.
    pub size: Count,
    /// Time after a client's last connection until its entry is removed.
    pub expire: Period,
}

/// Limits per client address and for the whole cluster.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// Connections through the balancer.
    #[serde(deserialize_with = "whole")]
    #[schemars(with = "Count")]
    pub maxconn: u32,
    /// The head of one request or answer over HTTP: its first line and its headers.
    pub head: Size,
    /// The body of one request over HTTP; null: no limit.
    pub body: Option<Size>,
    /// Limits of one client address.
    pub per_ip: PerIp,
}

/// Limits of one client address; IPv6 clients are counted by /64. 0 means no limit.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PerIp {
    /// Connections at the same time.
    #[serde(deserialize_with = "whole")]
    #[schemars(with = "Count")]
    pub connections: u32,
    /// New connections per second.
    #[serde(deserialize_with = "whole")]
    #[schemars(with = "Count")]
    pub connection_rate: u32,
    /// HTTP requests or JSON-RPC lines per second.
    #[serde(deserialize_with = "whole")]
    #[schemars(with = "Count")]
    pub message_rate: u32,
    /// Networks without these limits.
    pub exempt: BTreeSet<Network>,
}

/// The balancer's health checks.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HealthCheck {
    /// The kind of check.
    pub kind: HealthKind,
    /// The path that a healthy node answers with a 2xx.
    pub path: String,
    /// Time between two checks.
    pub interval: Period,
    /// Time limit for an answer.
    pub timeout: Period,
    /// Good answers in a row until a node is up.
    #[serde(deserialize_with = "whole")]
    #[schemars(with = "Count")]
    pub rise: u16,
    /// Bad answers in a row until a node is down.
    #[serde(deserialize_with = "whole")]
    #[schemars(with = "Count")]
    pub fall: u16,
    /// Answers to clients with a status of 500 or more in a row until a node is down; null: they do
    /// not count. HTTP only.
    pub eject: Option<u16>,
}

/// The kind of a health check.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum HealthKind {
    /// `mcp` on TCP ports. On HTTP ports `http` where every node answers `health.path`, which is
    /// found out at the start, else `mcp`.
    Auto,
    /// A connection is enough; a hung node passes.
    Tcp,
    /// On TCP ports, a JSON-RPC line must be answered by a JSON-RPC line. On HTTP ports, a `POST` of
    /// MCP's `server/discover` must be answered with any status below 500.
    Mcp,
    /// `GET` of `health.path` must be answered by a 2xx; nodes without HTTP are checked with `mcp`.
    Http,
}

/// The timeouts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Timeouts {
    /// For the balancer to connect to a node.
    pub connect: Period,
    /// Silence of a client.
    pub client: Period,
    /// Silence of a node.
    pub server: Period,
    /// Waiting for a node with fewer connections than its maxconn.
    pub queue: Period,
    /// For the answer to a check.
    pub check: Period,
    /// For a client's whole request header.
    pub http_request: Period,
    /// Between two requests of one client.
    pub keep_alive: Period,
    /// Between two requests on one connection to a node.
    pub node_keep_alive: Period,
    /// Silence of a WebSocket, or of an answer that is a stream.
    pub tunnel: Period,
}

/// The certificate for the HTTPS listener.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Tls {
    /// PEM file of the certificate chain.
    #[serde(default)]
    pub certificate: Option<PathBuf>,
    /// PEM file of its private key.
    #[serde(default)]
    pub key: Option<PathBuf>,
    /// Make a pair instead.
    #[serde(default)]
    pub self_signed: bool,
}

/// The values that count as good.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Targets {
    /// A node's distance from the mean.
    pub tolerance: Percent,
    /// Distance from the mean that raises an alert.
    pub band: Percent,
    /// `(max - min) / mean` of connections per node.
    pub variance: Percent,
    /// `(max - min) / mean` of the nodes' p99 latencies.
    pub latency_variance: Percent,
    /// Latency that 99 of 100 probes must not exceed.
    pub p99: Period,
    /// Time from a node's death until its clients are on other nodes.
    pub failover: Period,
    /// A failover that takes longer raises an alert.
    pub failover_alert: Period,
}

/// Programs with a given path; the others are searched for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Binaries {
    /// HAProxy.
    pub haproxy: Option<PathBuf>,
    /// nginx.
    pub nginx: Option<PathBuf>,
    /// Erlang.
    pub erl: Option<PathBuf>,
}

impl Binaries {
    /// The binary of a balancer, if the profile names it.
    #[must_use]
    pub fn of(&self, kind: BalancerKind) -> Option<&PathBuf> {
        match kind {
            BalancerKind::Haproxy => self.haproxy.as_ref(),
            BalancerKind::Nginx => self.nginx.as_ref(),
            BalancerKind::Builtin => None,
        }
    }

    /// Each path with its key in the profile.
    pub(super) fn paths(&mut self) -> [(&'static str, &mut Option<PathBuf>); 3] {
        [
            ("binaries.haproxy", &mut self.haproxy),
            ("binaries.nginx", &mut self.nginx),
            ("binaries.erl", &mut self.erl),
        ]
    }
}
