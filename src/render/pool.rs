//! The backends: the nodes as servers of HAProxy, once per kind of traffic.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use serde::Serialize;

use crate::base::units::Period;
use crate::mcp::{DISCOVER, DISCOVER_HEADERS, PING};
use crate::plan::{BalancerPlan, ChosenBy, Plan};
use crate::platform::RunDir;
use crate::probe::{Question, Service};
use crate::profile::{Cluster, HashKey, Listeners, Node, Route, Sticky};

use super::build::HaproxyBuild;
use super::haproxy::{HTTP_FRONTEND, SSE_FRONTEND, TCP_FRONTEND, WEBSOCKET_FRONTEND, timer};
use super::paths::escaped;
use super::{redirects, streams};

/// Never `text/event-stream`: a compressor would hold events back.
pub(super) const COMPRESSED: &str =
    "application/json text/plain text/html text/css text/csv text/xml text/markdown text/javascript";

/// The greatest weight of a server in HAProxy.
const MAX_WEIGHT: u16 = 256;

/// A server of a backend that must be updated when a node's health changes. Backends that track
/// another backend's servers follow by themselves, and reject such updates.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HealthTarget {
    /// The backend.
    pub backend: &'static str,
    /// The server: the node's name.
    pub server: String,
}

/// A server of a backend.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server {
    /// The backend.
    pub backend: &'static str,
    /// The server: the node's name.
    pub server: String,
    /// Its address, if the node belongs to the cluster.
    pub address: Option<SocketAddr>,
    /// Its weight in HAProxy's configuration.
    pub weight: u16,
    /// Whether it tracks another backend's server of the same name, in its health and in its
    /// administrative state.
    pub tracks: bool,
}

/// The servers of a node in all backends, the tracked ones first.
#[must_use]
pub fn servers(cluster: &Cluster, node: &str) -> Vec<Server> {
    let mut servers: Vec<Server> = Pool::all(cluster)
        .into_iter()
        .map(|pool| Server {
            backend: pool.name(),
            server: node.to_owned(),
            address: cluster.node(node).and_then(|node| pool.address(node)),
            weight: cluster.node(node).map_or(0, |node| pool.weight(cluster, node)),
            tracks: pool.tracked().is_some(),
        })
        .collect();
    servers.sort_by_key(|server| server.tracks);
    servers
}

/// One kind of traffic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pool {
    /// MCP over TCP.
    Tcp,
    /// MCP over HTTP.
    Http,
    /// `WebSockets`.
    WebSocket,
    /// Event streams.
    Sse,
}

/// A `backend` section.
#[derive(Clone, Debug, Serialize)]
pub(super) struct BackendView {
    title: &'static str,
    name: &'static str,
    mode: &'static str,
    algorithm: &'static str,
    /// Whether the algorithm hashes, so that the kind of hash matters.
    hashed: bool,
    /// The longest silence of a stream.
    tunnel: Option<Period>,
    /// The source address of its connections to nodes; the kernel's choice when there is none.
    source: Option<IpAddr>,
    sticky: Vec<String>,
    /// The lines that let streams pass among other answers.
    streams: Vec<String>,
    /// The lines that keep redirects at the balancer.
    redirects: Vec<String>,
    compress: Option<&'static str>,
    check: Vec<String>,
    servers: Vec<ServerView>,
}

/// A `server` line. Names and addresses are padded, so that columns align.
#[derive(Clone, Debug, Serialize)]
struct ServerView {
    name: String,
    address: String,
    options: String,
}

/// The host in the checks' requests. Servers that protect themselves against DNS rebinding accept it.
const CHECK_HOST: &str = "localhost";

/// The servers that must be updated when a node's health changes.
#[must_use]
pub fn health_targets(cluster: &Cluster, node: &str) -> Vec<HealthTarget> {
    servers(cluster, node)
        .into_iter()
        .filter(|server| !server.tracks)
        .map(|Server { backend, server, .. }| HealthTarget { backend, server })
        .collect()
}

/// The time in which a server that is up again gets back to its full share.
pub(super) const SLOWSTART: Duration = Duration::from_secs(10);

/// The name of the backend behind a listener, by the listener's key in the profile.
#[must_use]
pub fn backend_behind(listener: &str) -> &'static str {
    Pool::behind(listener).name()
}

/// What decides which node a new client of a listener gets from HAProxy; `None` where one process
/// distributes clients one by one.
#[must_use]
pub fn chosen_by_haproxy(cluster: &Cluster, plan: &Plan, listener: &str) -> Option<ChosenBy> {
    let hashes = hash_key(cluster, listener);
    let by_process = || (plan.balancer.instances > 1).then_some(ChosenBy::Process);
    hashes.map(ChosenBy::from).or_else(by_process)
}

/// What the algorithm computes the node of a listener's client from, by the listener's key in the
/// profile; `None` where it distributes clients by turns or by load.
#[must_use]
pub fn hash_key(cluster: &Cluster, listener: &str) -> Option<HashKey> {
    Pool::behind(listener).route(cluster).algorithm.facts().hashes
}

/// Whether a listener's clients stick to nodes by their addresses, by the listener's key in the
/// profile.
#[must_use]
pub fn sticks_by_address(cluster: &Cluster, listener: &str) -> bool {
    Pool::behind(listener).followed(cluster).contains(&Sticky::Source)
}

/// The name of the frontend behind a listener, by the listener's key in the profile.
#[must_use]
pub fn frontend_behind(listener: &str) -> &'static str {
    match listener {
        "tcp" => TCP_FRONTEND,
        "websocket" => WEBSOCKET_FRONTEND,
        "sse" => SSE_FRONTEND,
        _ => HTTP_FRONTEND,
    }
}

impl Pool {
    /// The pool behind a listener, by the listener's key in the profile.
    pub(super) fn behind(listener: &str) -> Pool {
        match listener {
            "tcp" => Pool::Tcp,
            "websocket" => Pool::WebSocket,
            "sse" => Pool::Sse,
            _ => Pool::Http,
        }
    }

    /// The pools that the cluster's listeners need.
    pub(super) fn all(cluster: &Cluster) -> Vec<Pool> {
        let mut pools = Vec::new();
        if cluster.listen.tcp.is_some() {
            pools.push(Pool::Tcp);
        }
        let Listeners {
            http,
            https,
            websocket,
            sse,
            ..
        } = cluster.listen;
        if cluster.has_http() && [http, https, websocket, sse].iter().any(Option::is_some) {
            pools.extend([Pool::Http, Pool::WebSocket, Pool::Sse]);
        }
        pools
    }

    /// The backend's name; it is the one in the reference document.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Pool::Tcp => "mcp_cluster_tcp",
            Pool::Http => "mcp_http_backend",
            Pool::WebSocket => "mcp_websocket_backend",
            Pool::Sse => "mcp_sse_backend",
        }
    }

    /// The section of this backend.
    pub(super) fn view(
        self,
        cluster: &Cluster,
        plan: &Plan,
        index: usize,
        build: &HaproxyBuild,
        run_dir: &RunDir,
    ) -> BackendView {
        let algorithm = self.route(cluster).algorithm;
        BackendView {
            title: match self {
                Pool::Tcp => "Nodes by TCP: one JSON-RPC message per line.",
                Pool::Http => "Nodes by HTTP: requests and their answers.",
                Pool::WebSocket => "Nodes by HTTP: WebSockets, which stay open for long.",
                Pool::Sse => "Nodes by HTTP: event streams, which stay open for long and are never buffered.",
            },
            name: self.name(),
            mode: if self == Pool::Tcp { "tcp" } else { "http" },
            algorithm: algorithm.name(),
            hashed: algorithm.facts().hashes.is_some(),
            tunnel: matches!(self, Pool::WebSocket | Pool::Sse).then(|| timer(cluster.timeouts.tunnel)),
            source: self.source(plan, index),
            sticky: self.sticky(cluster, run_dir),
            streams: if self == Pool::Http {
                streams::rules(cluster.timeouts, build)
            } else {
                Vec::new()
            },
            redirects: if self == Pool::Tcp {
                Vec::new()
            } else {
                redirects::rules(cluster)
            },
            compress: (self == Pool::Http).then_some(COMPRESSED),
            check: self.check(cluster),
            servers: self.servers(cluster, plan, index),
        }
    }

    // Private

    pub(super) const fn route(self, cluster: &Cluster) -> Route {
        match self {
            Pool::Tcp => cluster.routing.tcp,
            Pool::Http => cluster.routing.http,
            Pool::WebSocket => cluster.routing.websocket,
            Pool::Sse => cluster.routing.sse,
        }
    }

    /// The pool whose checks also determine the health of this one's servers.
    pub(super) const fn tracked(self) -> Option<Pool> {
        match self {
            Pool::Tcp | Pool::Http => None,
            Pool::WebSocket | Pool::Sse => Some(Pool::Http),
        }
    }

    fn check(self, cluster: &Cluster) -> Vec<String> {
        if self.tracked().is_some() {
            return Vec::new();
        }
        match self.question(cluster) {
            Some(Question::Mcp) => vec![
                "# One JSON-RPC line is sent and one expected: a hung process accepts connections, too."
                    .to_owned(),
                "option tcp-check".to_owned(),
                format!("tcp-check send '{PING}'"),
                "tcp-check send-binary 0a".to_owned(),
                "tcp-check expect string '\"jsonrpc\"'".to_owned(),
            ],
            Some(Question::Get(path)) => vec![
                "option httpchk".to_owned(),
                format!(
                    "http-check send meth GET uri {} ver HTTP/1.1 hdr Host {CHECK_HOST}",
                    escaped(&path)
                ),
                "http-check expect status 200-299".to_owned(),
            ],
            // `Either` is not known yet: every node that answers one of the two passes this check.
            Some(Question::Discover(path) | Question::Either { mcp: path, .. }) => discover(&path),
            Some(Question::Tcp) | None => Vec::new(),
        }
    }

    /// The kind of this pool's checks, the same for all nodes.
    fn question(self, cluster: &Cluster) -> Option<Question> {
        Some(self.asked(cluster, cluster.nodes.first()?)?.1)
    }

    /// The address and the kind of the checks of a node.
    pub(super) fn asked(self, cluster: &Cluster, node: &Node) -> Option<(SocketAddr, Question)> {
        let service = match self {
            Pool::Tcp => Service::Tcp,
            Pool::Http | Pool::WebSocket | Pool::Sse => Service::Http,
        };
        Question::for_node(cluster, service, node)
    }

    /// The source address: one of several instances has one address for all of its backends, a
    /// single instance has one for each backend.
    fn source(self, plan: &Plan, index: usize) -> Option<IpAddr> {
        let BalancerPlan {
            instances, sources, ..
        } = &plan.balancer;
        let which = if *instances == 1 { self as usize } else { index };
        sources.get(which).copied()
    }

    /// The servers, in a different order in each instance: otherwise the first client of every
    /// instance would get the same node.
    fn servers(self, cluster: &Cluster, plan: &Plan, index: usize) -> Vec<ServerView> {
        let mut rows: Vec<_> = cluster
            .nodes
            .iter()
            .filter_map(|node| Some((node, self.address(node)?)))
            .collect();
        let first = index % rows.len().max(1);
        rows.rotate_left(first);
        let width = |lengths: &mut dyn Iterator<Item = usize>| lengths.max().unwrap_or_default();
        let name_width = width(&mut rows.iter().map(|(node, _)| node.name.len()));
        let address_width = width(&mut rows.iter().map(|(_, address)| address.to_string().len()));
        rows.into_iter()
            .map(|(node, address)| ServerView {
                name: format!("{:name_width$}", node.name),
                address: format!("{:address_width$}", address.to_string()),
                options: self.options(cluster, plan, node, address),
            })
            .collect()
    }

    /// The node's weight as a server. On the ring of a consistent hash a server has 16 points for
    /// each unit of its weight, and shares are the more even the more points there are: with four
    /// servers they differ by 9.6 % at weight 100, and by 2.6 % at 256.
    fn weight(self, cluster: &Cluster, node: &Node) -> u16 {
        if self.route(cluster).algorithm.facts().hashes.is_none() {
            return node.weight;
        }
        let heaviest = cluster
            .nodes
            .iter()
            .map(|node| node.weight)
            .max()
            .unwrap_or(0)
            .max(1);
        let scaled = u32::from(node.weight) * u32::from(MAX_WEIGHT) / u32::from(heaviest);
        u16::try_from(scaled)
            .unwrap_or(MAX_WEIGHT)
            .max(node.weight.min(1))
    }

    pub(super) const fn address(self, node: &Node) -> Option<SocketAddr> {
        match self {
            Pool::Tcp => node.tcp,
            _ => node.http,
        }
    }

    fn options(self, cluster: &Cluster, plan: &Plan, node: &Node, address: SocketAddr) -> String {
        let maxconn = plan.balancer.share(node.maxconn.min(plan.nodes.maxconn));
        let mut options = vec![format!(
            "id {} weight {} maxconn {maxconn}",
            node.id,
            self.weight(cluster, node)
        )];
        if self.followed(cluster).contains(&Sticky::Cookie) {
            options.push(format!("cookie {}", node.name));
        }
        if self.followed(cluster).is_empty() {
            options.push(format!("slowstart {}", Period::from(SLOWSTART)));
        }
        if let Some(pool) = self.tracked() {
            options.push(format!("track {}/{}", pool.name(), node.name));
        } else {
            options.push("check".to_owned());
            if let Some(errors) = cluster.health.eject.filter(|_| self == Pool::Http) {
                options.push(format!("observe layer7 error-limit {errors} on-error mark-down"));
            }
            let asked = self.asked(cluster, node).map(|(asked, _)| asked);
            if let Some(asked) = asked.filter(|asked| *asked != address) {
                options.push(format!("port {}", asked.port()));
            }
        }
        options.join(" ")
    }
}

// Private

/// The lines of a check by MCP's `server/discover` at `path`.
fn discover(path: &str) -> Vec<String> {
    let headers = DISCOVER_HEADERS.map(|(name, value)| format!(" hdr {name} '{value}'"));
    let headers = headers.concat();
    vec![
        "# Any answer below 500 is a sign of life: the server may want a token, a session, or another"
            .to_owned(),
        "# revision. The session id keeps a server from making a session for each check.".to_owned(),
        "option httpchk".to_owned(),
        format!(
            "http-check send meth POST uri {} ver HTTP/1.1 hdr Host {CHECK_HOST}{headers} body '{DISCOVER}'",
            escaped(path)
        ),
        "http-check expect rstatus ^[234][0-9][0-9]$".to_owned(),
    ]
}
