//! `nginx.conf`.
//!
//! nginx has no runtime API and no active checks: the file lists which nodes are away, and is
//! written again with every change. So it is kept readable: a person who reads it at night sees the
//! cluster in its current state.

mod affinity;
mod build;
mod computed_nodes;
mod installation;
mod limits;
mod quoting;
mod routes;
mod server;
mod split_clients;
mod upstream;

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use serde::Serialize;

pub use build::NginxBuild;
pub use computed_nodes::ComputedNodes;
pub use installation::{NginxInstallation, StreamModule};

use self::affinity::{HomeView, MapView, SplitView};
use self::limits::LimitsView;
use self::quoting::{literal, quoted, seconds};
use self::routes::{ForwardedView, PathsView};
use self::server::{ServerView, binds};
use self::upstream::{Members, UpstreamView};
use super::errors::{BODY_TOO_LARGE_JSON, ErrorsView};
use super::pool::{COMPRESSED, Pool};
use super::redirects;
use super::revision::WITHOUT_SESSIONS;
use super::templates::{RenderError, Templates};
use crate::base::units::{Period, Size};
use crate::plan::{ChosenBy, Plan};
use crate::platform::RunDir;
use crate::profile::{Cluster, Node, Sticky, Timeouts};

/// The name of the access log, which records the outcome of requests and connections.
pub const NGINX_ACCESS_LOG: &str = "nginx-access";

/// Descriptors of a worker that are not connections: logs, pipes to the master and to other
/// workers, epoll.
const OWN: u64 = 64;
/// The longest timer; a longer one has no use.
const MAX_TIMER: Duration = Duration::from_hours(24 * 24);

/// Where nginx has its files.
#[derive(Clone, Copy, Debug)]
pub struct NginxPlace<'a> {
    /// The run directory of its cluster.
    pub run_dir: &'a RunDir,
    /// The number in the names of its pid file and its socket: a former nginx may still have some.
    pub generation: u32,
}

/// Renders `nginx.conf` for the binary that is `installed`, running in this `place`; the nodes in
/// `away` get no new clients. With `announced`, `/ready` answers that the cluster stops.
///
/// # Errors
/// When a template override cannot be read, parsed or filled.
pub fn nginx(
    cluster: &Cluster,
    plan: &Plan,
    installed: &NginxInstallation,
    place: NginxPlace<'_>,
    templates: &Templates,
    away: &BTreeSet<String>,
    announced: bool,
) -> Result<String, RenderError> {
    let members = Members { cluster, plan, away };
    let view = View::new(members, installed, place, announced);
    templates.render("nginx.conf.tera", &view)
}

/// What decides which node a new client of a listener gets from nginx, by the listener's key in the
/// profile; `None` where nginx distributes clients one by one.
#[must_use]
pub fn chosen_by_nginx(cluster: &Cluster, listener: &str) -> Option<ChosenBy> {
    affinity::chosen_by(Pool::behind(listener), cluster)
}

// Private

/// Everything that the template prints.
#[derive(Debug, Serialize)]
struct View {
    cluster: String,
    version: String,
    user: Option<String>,
    /// The file of the module that balances TCP.
    stream_module: Option<String>,
    workers: u16,
    nofile: u64,
    worker_connections: u64,
    run_dir: RunDirView,
    /// Protocols of upstream servers that we do not use, but whose directories must exist
    /// nevertheless.
    gateways: Vec<&'static str>,
    timeouts: TimeoutsView,
    status: StatusView,
    away: Vec<String>,
    /// The source addresses of connections to nodes.
    sources: Option<SplitView>,
    stream: Option<StreamView>,
    http: HttpView,
}

/// nginx's files in the run directory.
#[derive(Debug, Serialize)]
struct RunDirView {
    pid: String,
    socket: String,
    access_log: String,
    temp: String,
    certificate: String,
}

#[derive(Debug, Serialize)]
struct TimeoutsView {
    connect: Period,
    /// The longest silence of a client, or of a node, on a TCP connection.
    tcp: Period,
    client: Period,
    server: Period,
    http_request: Period,
    keep_alive: Period,
    /// The age at which a client's connection ends with the next answer.
    max_age: Option<Period>,
    node_keep_alive: Period,
    tunnel: Period,
}

/// The pages about the whole cluster: `/health`, `/ready` and `/live`.
#[derive(Debug, Serialize)]
struct StatusView {
    bind: Option<String>,
    code: u16,
    word: &'static str,
    /// Whether it is announced that the cluster stops.
    stopping: bool,
    nodes_up: usize,
    nodes: usize,
}

/// MCP over TCP.
#[derive(Debug, Serialize)]
struct StreamView {
    binds: Vec<String>,
    limits: Option<LimitsView>,
    pool: PoolView,
    half_close: bool,
}

/// MCP over HTTP.
#[derive(Debug, Serialize)]
struct HttpView {
    /// The errors that nginx itself answers with.
    errors: ErrorsView,
    /// Bytes of a buffer, which has to hold a whole head.
    head: u64,
    /// Bytes of a request's body; 0 means no limit.
    body: u64,
    /// The answer to a larger body.
    too_large: &'static str,
    paths: PathsView,
    forwarded: ForwardedView,
    /// What nodes can call themselves in a redirect.
    authorities: Vec<String>,
    limits: Option<LimitsView>,
    /// The cookie that names the client's node.
    cookie: Option<CookieView>,
    /// How sessions are routed to their nodes by the node's name in their ids; `None` if they are
    /// not.
    sessions: Option<SessionsView>,
    /// The node that has answered.
    served: Option<MapView>,
    compress: String,
    pools: Vec<PoolView>,
    servers: Vec<ServerView>,
    tls: bool,
    /// Whether HTTP/2 is a directive; else it is a parameter of `listen`.
    http2: bool,
}

#[derive(Debug, Serialize)]
struct CookieView {
    name: String,
    home: MapView,
}

#[derive(Debug, Serialize)]
struct SessionsView {
    home: MapView,
    /// A pattern for session ids that contain the name of one of our nodes.
    named: String,
    /// A pattern for revisions of MCP without sessions.
    without: String,
}

/// One kind of traffic.
#[derive(Debug, Serialize)]
struct PoolView {
    title: &'static str,
    kind: &'static str,
    home: HomeView,
    upstreams: Vec<UpstreamView>,
    /// The upstream that serves a client: a variable, or the upstream of the whole cluster.
    upstream: String,
}

impl View {
    fn new(
        members: Members<'_>,
        installed: &NginxInstallation,
        place: NginxPlace<'_>,
        announced: bool,
    ) -> View {
        let NginxPlace { run_dir, generation } = place;
        let Members { cluster, plan, away } = members;
        let build = &installed.build;
        let balancer = &plan.balancer;
        let listeners = plan.bound(cluster).len() as u64 + 2;
        let own = OWN + (listeners + 1) * u64::from(balancer.threads);
        let nodes_up = members.serving().count();
        let pools = Pool::all(cluster);
        let timeouts = TimeoutsView {
            max_age: cluster
                .routing
                .max_age
                .map(timer)
                .filter(|_| build.has_keepalive_time()),
            ..TimeoutsView::new(cluster.timeouts)
        };
        View {
            cluster: cluster.name.clone(),
            version: build.version.clone(),
            user: installed.user.clone(),
            stream_module: match &installed.stream {
                StreamModule::Loaded(path) if pools.contains(&Pool::Tcp) => Some(quoted(path)),
                _ => None,
            },
            workers: balancer.threads,
            nofile: balancer.nofile,
            worker_connections: balancer.nofile.saturating_sub(own).max(listeners + 16),
            run_dir: RunDirView {
                pid: quoted(&run_dir.nginx_pid(generation)),
                socket: quoted(Path::new(&format!(
                    "unix:{}",
                    run_dir.nginx_socket(generation).display()
                ))),
                access_log: quoted(&run_dir.log(NGINX_ACCESS_LOG)),
                temp: quoted(&run_dir.nginx_temp()),
                certificate: quoted(&run_dir.certificate()),
            },
            gateways: build.gateways.clone(),
            http: HttpView::new(members, build, &timeouts, &pools),
            timeouts,
            status: StatusView {
                bind: cluster.listen.status.map(|at| at.to_string()),
                code: if nodes_up == 0 { 503 } else { 200 },
                word: if nodes_up == 0 { "down" } else { "up" },
                stopping: announced,
                nodes_up,
                nodes: cluster.nodes.len(),
            },
            away: cluster
                .nodes
                .iter()
                .filter(|node| away.contains(&node.name))
                .map(|node| node.name.clone())
                .collect(),
            sources: affinity::sources(&balancer.sources),
            stream: pools.contains(&Pool::Tcp).then(|| StreamView {
                binds: binds(plan, cluster.listen.tcp),
                limits: LimitsView::new(cluster, false),
                pool: PoolView::new(Pool::Tcp, members),
                half_close: build.has_half_close(),
            }),
        }
    }
}

impl TimeoutsView {
    fn new(timeouts: Timeouts) -> TimeoutsView {
        TimeoutsView {
            connect: timer(timeouts.connect),
            tcp: timer(timeouts.client.min(timeouts.server)),
            client: timer(timeouts.client),
            server: timer(timeouts.server),
            http_request: timer(timeouts.http_request),
            keep_alive: seconds(timer(timeouts.keep_alive).duration()),
            max_age: None,
            node_keep_alive: timer(timeouts.node_keep_alive),
            tunnel: timer(timeouts.tunnel),
        }
    }
}

impl HttpView {
    fn new(members: Members<'_>, build: &NginxBuild, timeouts: &TimeoutsView, pools: &[Pool]) -> HttpView {
        let cluster = members.cluster;
        let pools: Vec<Pool> = pools.iter().copied().filter(|pool| *pool != Pool::Tcp).collect();
        let is_followed = |what| pools.iter().any(|pool| pool.followed(cluster).contains(&what));
        let cookie = is_followed(Sticky::Cookie).then(|| CookieView {
            name: cluster.routing.cookie.clone(),
            home: affinity::named(members.serving(), "$http_cookie", "mcp_cookie_home", |node| {
                affinity::cookie_of(&cluster.routing.cookie, node)
            }),
        });
        let sessions = pools
            .iter()
            .any(|pool| pool.names_sessions(cluster))
            .then(|| SessionsView {
                home: affinity::named(
                    members.serving(),
                    "$mcp_session_asked",
                    "mcp_session_home",
                    |node| session("[!-~]+", &literal(&node.name)),
                ),
                named: affinity::quote(&session_of_any(&cluster.nodes)),
                without: affinity::quote(&format!("~{WITHOUT_SESSIONS}")),
            });
        let served = (cookie.is_some() || sessions.is_some()).then(|| {
            affinity::named(cluster.nodes.iter(), "$upstream_addr", "mcp_served", |node| {
                let address = node.http.map(|address| address.to_string()).unwrap_or_default();
                format!("~(?:^| ){}$", literal(&address))
            })
        });
        let views: Vec<PoolView> = pools.iter().map(|pool| PoolView::new(*pool, members)).collect();
        let servers = server::servers(members, build, timeouts, &views);
        HttpView {
            errors: ErrorsView::new(),
            head: cluster.limits.head.bytes(),
            body: cluster.limits.body.map_or(0, Size::bytes),
            too_large: BODY_TOO_LARGE_JSON,
            paths: PathsView::new(&cluster.routing.paths),
            forwarded: ForwardedView::new(cluster),
            authorities: redirects::authorities(cluster),
            limits: LimitsView::new(cluster, true).filter(|_| !pools.is_empty()),
            cookie,
            sessions,
            served,
            // nginx always compresses HTML, and warns if HTML is in the list.
            compress: COMPRESSED.replace(" text/html", ""),
            pools: views,
            tls: servers.iter().any(ServerView::is_secure),
            http2: build.http2 && build.has_http2_directive(),
            servers,
        }
    }
}

impl PoolView {
    fn new(pool: Pool, members: Members<'_>) -> PoolView {
        let kind = upstream::kind(pool);
        let home = affinity::home(pool, members);
        let their_own = !home.is_empty();
        PoolView {
            title: match pool {
                Pool::Tcp => "Nodes by TCP: one JSON-RPC message per line.",
                Pool::Http => "Nodes by HTTP: requests and their answers.",
                Pool::WebSocket => "Nodes by HTTP: WebSockets, which stay open for long.",
                Pool::Sse => "Nodes by HTTP: event streams, which stay open for long.",
            },
            kind,
            upstreams: upstream::upstreams(pool, members, their_own),
            upstream: if their_own {
                format!("$mcp_{kind}_upstream")
            } else {
                upstream::whole(pool)
            },
            home,
        }
    }
}

/// The period, limited to what nginx accepts.
fn timer(period: Period) -> Period {
    Period::from(period.duration().clamp(Duration::from_millis(1), MAX_TIMER))
}

/// A pattern for `ID~NAME`, where `id` and `name` are patterns. Newer versions of nginx join a
/// header that was sent twice by `, `; the first one counts, as in older versions. An id contains
/// no blanks.
fn session(id: &str, name: &str) -> String {
    format!("~^{id}~{name}(?:, .*)?$")
}

/// A pattern for session ids that contain the name of any of `nodes`.
fn session_of_any(nodes: &[Node]) -> String {
    let names: Vec<String> = nodes.iter().map(|node| literal(&node.name)).collect();
    session("(?<mcp_session_id>[!-~]+)", &format!("(?:{})", names.join("|")))
}
