//! A consistent cluster: the type guarantees that names are unique, ports do not collide, and
//! numbers are valid.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::balancer_kind::BalancerKind;
use super::document::{Binaries, Erlang, HealthCheck, Limits, Restart, Routing, Runtime, Targets, Timeouts};
use super::node_id::NodeId;
use super::placeholders::{Part, parts};
use super::rollout::Rollout;
use crate::base::secret::Secret;
use crate::base::units::Network;

/// A cluster, as a profile describes it.
#[derive(Clone, Debug, Serialize)]
pub struct Cluster {
    /// Its name.
    pub name: String,
    /// The balancer that `start` runs by default.
    pub balancer: BalancerKind,
    /// The kind of its nodes.
    pub runtime: Runtime,
    /// The program of runtime `command`, and its arguments, with their placeholders.
    pub command: Vec<String>,
    /// Variables of a node's environment, with their placeholders; only of runtime `command`.
    pub environment: BTreeMap<String, Secret>,
    /// A file with more such variables.
    pub environment_file: Option<PathBuf>,
    /// The directory in which the program of runtime `command` runs, with its placeholders.
    pub directory: Option<String>,
    /// How the nodes of runtime `erlang` run.
    pub erlang: Erlang,
    /// The erlmcp that runtime `command` runs instead of a program.
    pub erlmcp: Option<Erlmcp>,
    /// Its nodes; at least one.
    pub nodes: Vec<Node>,
    /// What happens when a node dies.
    pub restart: Restart,
    /// The addresses that clients connect to.
    pub listen: Listeners,
    /// How connections are spread.
    pub routing: Routing,
    /// Limits per client address and for the whole cluster.
    pub limits: Limits,
    /// The balancer's health checks.
    pub health: HealthCheck,
    /// What the checks over HTTP send.
    pub http_check: HttpCheck,
    /// The timeouts.
    pub timeouts: Timeouts,
    /// How nodes are replaced while the cluster runs.
    pub rollout: Rollout,
    /// The certificate for the HTTPS listener.
    pub tls: Option<Certificate>,
    /// The file to which the built-in balancer logs each request over HTTP.
    pub access_log: Option<PathBuf>,
    /// The values that count as good.
    pub targets: Targets,
    /// Programs with a given path.
    pub binaries: Binaries,
}

/// What the health checks over HTTP send.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum HttpCheck {
    /// `GET` of `health.path`, which must be answered with a 2xx.
    Get,
    /// `POST` of MCP's `server/discover`; any status below 500 is a sign of life.
    Mcp,
    /// Not known yet: `Get`, and `Mcp` where the path is not served.
    Either,
}

/// The erlmcp that the nodes run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Erlmcp {
    /// A checkout or release.
    pub path: PathBuf,
    /// The Erlang expressions by which a node begins to serve, with their placeholders.
    pub eval: String,
    /// A configuration of Erlang applications.
    pub config: Option<PathBuf>,
}

/// One member of a cluster.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Node {
    /// Its id, which no other node of the cluster ever has.
    pub id: NodeId,
    /// Its name, unique in the cluster.
    pub name: String,
    /// Its number, from 1: the `{n}` of its name and of its command.
    pub number: u16,
    /// The host address of its ports.
    pub address: IpAddr,
    /// MCP over TCP; `None` for a node that serves MCP over HTTP alone.
    pub tcp: Option<SocketAddr>,
    /// MCP over HTTP. A node has at least one of the two.
    pub http: Option<SocketAddr>,
    /// The address at which other BEAM nodes connect to it, if it is one of our own.
    pub distribution: Option<SocketAddr>,
    /// Its share of the load, relative to the other nodes.
    pub weight: u16,
    /// Connections that it should hold.
    pub target: u32,
    /// Connections that it can hold.
    pub maxconn: u32,
}

/// The addresses that clients connect to. Listeners that this cluster cannot serve are `None`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Listeners {
    /// Addresses of the client listeners; at least one.
    pub addresses: Vec<IpAddr>,
    /// MCP over TCP.
    pub tcp: Option<u16>,
    /// MCP over HTTP, by path.
    pub http: Option<u16>,
    /// The paths in `routing.paths.websocket` only.
    pub websocket: Option<u16>,
    /// The paths in `routing.paths.sse` only.
    pub sse: Option<u16>,
    /// MCP over HTTPS.
    pub https: Option<u16>,
    /// Networks of proxies whose `X-Forwarded-*` headers are believed.
    pub trusted: BTreeSet<Network>,
    /// The ports of listeners that the profile has and the balancer does not serve.
    pub unserved: Vec<u16>,
    /// The balancer's own statistics page.
    pub stats: Option<SocketAddr>,
    /// `/health`, `/ready` and `/live` of the whole cluster.
    pub status: Option<SocketAddr>,
    /// The supervisor, read-only.
    pub observe: Option<SocketAddr>,
}

/// The certificate of the HTTPS listener.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub enum Certificate {
    /// The user's own PEM files.
    Files {
        /// The certificate chain.
        certificate: PathBuf,
        /// Its private key.
        key: PathBuf,
    },
    /// Our own pair, made when the cluster starts and removed when it stops.
    SelfSigned,
}

impl Cluster {
    /// This cluster behind a balancer of `kind`, which need not serve every listener: those that it
    /// does not serve become `None`.
    #[must_use]
    pub fn behind(mut self, kind: BalancerKind) -> Cluster {
        let Listeners {
            https,
            unserved,
            stats,
            ..
        } = &mut self.listen;
        if !kind.facts().serves_https {
            unserved.extend(https.take());
        }
        if !kind.facts().counts_servers {
            *stats = None;
        }
        self
    }

    /// The path at which the nodes serve MCP over HTTP: the first one that the profile lists, in a
    /// profile without any the first one for event streams.
    #[must_use]
    pub fn mcp_path(&self) -> &str {
        let paths = &self.routing.paths;
        let mut all = paths.mcp.iter().chain(&paths.sse).chain(&paths.other);
        all.next().map_or("/", String::as_str)
    }

    /// The path at which a listener serves MCP over HTTP, by the listener's key in the profile: the
    /// first one that the profile lists. `None` for other listeners, and for one without a path.
    #[must_use]
    pub fn path_behind(&self, listener: &str) -> Option<&str> {
        let paths = &self.routing.paths;
        let list = match listener {
            "http" | "https" => &paths.mcp,
            "websocket" => &paths.websocket,
            "sse" => &paths.sse,
            _ => return None,
        };
        list.first().map(String::as_str)
    }

    /// The node called `name`.
    #[must_use]
    pub fn node(&self, name: &str) -> Option<&Node> {
        self.nodes.iter().find(|node| node.name == name)
    }

    /// The node with this id.
    #[must_use]
    pub fn by_id(&self, id: NodeId) -> Option<&Node> {
        self.nodes.iter().find(|node| node.id == id)
    }

    /// The ids of its nodes, in their order.
    pub fn ids(&self) -> impl Iterator<Item = NodeId> {
        self.nodes.iter().map(|node| node.id)
    }

    /// Whether all nodes serve MCP over TCP. Otherwise the TCP listener is left out.
    #[must_use]
    pub fn has_tcp(&self) -> bool {
        self.nodes.iter().all(|node| node.tcp.is_some())
    }

    /// Whether its nodes support HTTP; if not, there are no HTTP listeners.
    #[must_use]
    pub fn has_http(&self) -> bool {
        self.nodes.iter().all(|node| node.http.is_some())
    }
}

impl Node {
    /// The addresses at which clients' connections reach it, TCP first; at least one.
    pub fn addresses(&self) -> impl Iterator<Item = SocketAddr> + use<> {
        self.tcp.into_iter().chain(self.http)
    }

    /// Fills the placeholders of a command's argument: `{name}`, `{n}`, `{address}`, `{tcp_port}`,
    /// `{http_port}`. Other text in braces is kept.
    #[must_use]
    pub fn fill(&self, argument: &str) -> String {
        let port =
            |address: Option<SocketAddr>| address.map_or(String::new(), |address| address.port().to_string());
        let value = |name: &str| match name {
            "name" => self.name.clone(),
            "n" => self.number.to_string(),
            "address" => self.address.to_string(),
            "tcp_port" => port(self.tcp),
            "http_port" => port(self.http),
            other => format!("{{{other}}}"),
        };
        let fill = |part| match part {
            Part::Text(text) => text.to_owned(),
            Part::Placeholder(name) => value(name),
        };
        parts(argument).into_iter().map(fill).collect()
    }
}

impl Listeners {
    /// Every client listener: its key in the profile and its port.
    pub fn ports(&self) -> impl Iterator<Item = (&'static str, u16)> {
        [
            ("tcp", self.tcp),
            ("http", self.http),
            ("websocket", self.websocket),
            ("sse", self.sse),
            ("https", self.https),
        ]
        .into_iter()
        .filter_map(|(key, port)| Some((key, port?)))
    }

    /// Every listener of the balancer on a fixed address: its key in the profile and its address.
    pub fn pages(&self) -> impl Iterator<Item = (&'static str, SocketAddr)> {
        [("stats", self.stats), ("status", self.status)]
            .into_iter()
            .filter_map(|(key, at)| Some((key, at?)))
    }

    /// An address at which a client on this host reaches `port`.
    #[must_use]
    pub fn reachable(&self, port: u16) -> SocketAddr {
        let first = self
            .addresses
            .iter()
            .find(|ip| ip.is_ipv4())
            .or(self.addresses.first());
        let ip = match first {
            Some(IpAddr::V6(ip)) if ip.is_unspecified() => IpAddr::V6(std::net::Ipv6Addr::LOCALHOST),
            Some(ip) if !ip.is_unspecified() => *ip,
            _ => IpAddr::V4(std::net::Ipv4Addr::LOCALHOST),
        };
        SocketAddr::new(ip, port)
    }
}
