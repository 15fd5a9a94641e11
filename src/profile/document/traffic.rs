//! The keys about clients: where they connect, how they are distributed, limits and timeouts.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::base::units::{Count, Network, Period, Size, whole};
use crate::profile::algorithm::Algorithm;
use crate::profile::paths::Paths;

/// Where clients connect, the same for every balancer.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::profile) struct Listen {
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
pub(in crate::profile) struct Tls {
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
