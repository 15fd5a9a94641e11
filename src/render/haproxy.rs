//! `haproxy.cfg`.

use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::time::Duration;

use serde::Serialize;

use crate::base::units::Period;
use crate::plan::Plan;
use crate::platform::{Instance, RunDir};
use crate::profile::{Cluster, PathKind, Timeouts};

use super::build::HaproxyBuild;
use super::errors::{self, ErrorView};
use super::forwarded;
use super::paths::{self, PathRuleView};
use super::per_ip::PerIpView;
use super::pool::{BackendView, Pool};
use super::templates::{RenderError, Templates};

/// HAProxy's timers have 31 bits of milliseconds; longer periods are refused.
const MAX_TIMER: Duration = Duration::from_hours(24 * 24);
/// What a buffer needs besides a head of the largest size: HAProxy keeps 1 kB of it for headers that
/// rules add, and stores a head with some bytes more for each header.
const BUFFER_OVERHEAD: u64 = 4096;

/// The name of the TCP listener.
pub(super) const TCP_FRONTEND: &str = "mcp_frontend_tcp";
/// The name of the listener of MCP over HTTP and HTTPS.
pub(super) const HTTP_FRONTEND: &str = "mcp_frontend_http";
/// The name of the listener of `WebSockets` only.
pub(super) const WEBSOCKET_FRONTEND: &str = "mcp_frontend_websocket";
/// The name of the listener of event streams only.
pub(super) const SSE_FRONTEND: &str = "mcp_frontend_sse";

/// Renders the configuration of the instance with this `index`, running in `run_dir`, for a binary
/// with the features in `build`.
///
/// # Errors
/// When a template override cannot be read, parsed or filled.
pub fn haproxy(
    cluster: &Cluster,
    plan: &Plan,
    index: usize,
    build: &HaproxyBuild,
    run_dir: &RunDir,
    templates: &Templates,
) -> Result<String, RenderError> {
    let view = View::new(cluster, plan, index, build, run_dir);
    templates.render("haproxy.cfg.tera", &view)
}

/// The period, limited to what HAProxy accepts.
pub(super) fn timer(period: Period) -> Period {
    Period::from(period.duration().min(MAX_TIMER))
}

// Private

/// Everything that the template prints.
#[derive(Debug, Serialize)]
struct View {
    cluster: String,
    /// The number of this process, if there are several.
    shard: Option<ShardView>,
    /// The socket from which it gets its listeners.
    listeners: String,
    node_count: usize,
    maxconn: u32,
    threads: u16,
    /// Bytes of a buffer, which has to hold a whole head.
    bufsize: u64,
    run_dir: RunDirView,
    timeouts: Timeouts,
    /// The errors that HAProxy itself answers with.
    errors: Vec<ErrorView>,
    health: HealthView,
    tls: bool,
    /// The address of the statistics page; `None` for one of several processes.
    stats: Option<String>,
    prometheus: bool,
    status: Option<StatusView>,
    paths: PathsView,
    body: Option<BodyView>,
    max_age: Option<MaxAgeView>,
    forwarded: ForwardedView,
    frontends: Vec<FrontendView>,
    backends: Vec<BackendView>,
}

/// The age at which a client's connection ends with the next answer, in seconds.
#[derive(Debug, Serialize)]
struct MaxAgeView {
    /// The highest age.
    seconds: u64,
    /// It is this much less at most, by chance.
    jitter: u64,
}

/// One of several processes that share the listeners.
#[derive(Debug, Serialize)]
struct ShardView {
    number: u16,
    of: u16,
}

/// HAProxy's files in the run directory.
#[derive(Debug, Serialize)]
struct RunDirView {
    socket: String,
    state: String,
    peers: String,
}

/// The `default-server` settings of health checks.
#[derive(Debug, Serialize)]
struct HealthView {
    inter: Period,
    /// The interval of checks while the state is about to change.
    fastinter: Period,
    rise: u16,
    fall: u16,
}

/// The pages about the whole cluster: `/health`, `/ready` and `/live`.
#[derive(Debug, Serialize)]
struct StatusView {
    bind: String,
    /// The list that is empty unless it is announced that the cluster stops.
    stopping: String,
    /// The backend whose servers are counted.
    backend: &'static str,
}

/// How paths are matched.
#[derive(Debug, Serialize)]
struct PathsView {
    /// A pattern for refused paths, and the answer to them.
    refused: &'static str,
    refused_json: &'static str,
    rules: Vec<PathRuleView>,
}

/// The limit of a request's body.
#[derive(Debug, Serialize)]
struct BodyView {
    bytes: u64,
    /// The answers to a larger body, and to one of unknown length.
    too_large: &'static str,
    without_length: &'static str,
}

/// The `X-Forwarded-*` headers.
#[derive(Debug, Serialize)]
struct ForwardedView {
    /// Networks of proxies that are believed; for each line some of them.
    trusted: Vec<String>,
    /// The headers that only those may send.
    headers: Vec<&'static str>,
    /// Headers that never pass.
    never: Vec<String>,
}

/// A `frontend` section for clients.
#[derive(Debug, Serialize)]
struct FrontendView {
    title: &'static str,
    name: &'static str,
    mode: &'static str,
    binds: Vec<String>,
    timeout_client: Option<Period>,
    limits: Option<PerIpView>,
    tls: bool,
    /// The only kind of paths that it serves; else the path decides on the backend.
    only: Option<&'static str>,
    backend: &'static str,
}

impl View {
    fn new(cluster: &Cluster, plan: &Plan, index: usize, build: &HaproxyBuild, run_dir: &RunDir) -> View {
        let pools = Pool::all(cluster);
        let instance = plan.balancer.instance(index);
        let frontends = frontends(cluster, plan, index, run_dir, &pools);
        View {
            cluster: cluster.name.clone(),
            shard: match instance {
                Instance::Only => None,
                Instance::Numbered(number) => Some(ShardView {
                    number,
                    of: plan.balancer.instances,
                }),
            },
            listeners: word(&run_dir.haproxy_listeners_socket(instance)),
            node_count: cluster.nodes.len(),
            maxconn: plan.balancer.maxconn,
            threads: plan.balancer.threads,
            bufsize: cluster.limits.head.bytes() + BUFFER_OVERHEAD,
            run_dir: RunDirView {
                socket: word(&run_dir.haproxy_socket(instance)),
                state: word(&run_dir.haproxy_state(instance)),
                peers: word(&run_dir.haproxy_peers_socket(instance)),
            },
            timeouts: timers(cluster.timeouts, cluster.health.timeout),
            errors: ErrorView::all(),
            health: HealthView {
                inter: timer(cluster.health.interval),
                fastinter: timer(cluster.health.fast_interval()),
                rise: cluster.health.rise,
                fall: cluster.health.fall,
            },
            tls: frontends.iter().any(|frontend| frontend.tls),
            stats: cluster
                .listen
                .stats
                .filter(|_| instance == Instance::Only)
                .map(bind),
            prometheus: build.prometheus,
            status: cluster.listen.status.and_then(|at| {
                Some(StatusView {
                    bind: bind(at),
                    stopping: word(&run_dir.haproxy_stopping()),
                    backend: pools.first()?.name(),
                })
            }),
            paths: PathsView {
                refused: paths::REFUSED,
                refused_json: paths::REFUSED_JSON,
                rules: paths::rules(&cluster.routing.paths),
            },
            body: cluster.limits.body.map(|body| BodyView {
                bytes: body.bytes(),
                too_large: errors::BODY_TOO_LARGE_JSON,
                without_length: errors::WITHOUT_LENGTH_JSON,
            }),
            max_age: cluster.routing.max_age.map(MaxAgeView::new),
            forwarded: ForwardedView {
                trusted: forwarded::networks(&cluster.listen.trusted),
                headers: [&forwarded::SET[..], &forwarded::PASSED].concat(),
                never: forwarded::with_underscores(),
            },
            backends: pools
                .iter()
                .map(|pool| pool.view(cluster, plan, index, build, run_dir))
                .collect(),
            frontends,
        }
    }
}

impl MaxAgeView {
    /// HAProxy's clock counts seconds, and the chance is below its argument.
    fn new(max_age: Period) -> MaxAgeView {
        let seconds = timer(max_age).duration().as_secs().max(1);
        MaxAgeView {
            seconds,
            jitter: seconds / 10 + 1,
        }
    }
}

/// The frontends of HAProxy's own pages. With several processes there are none: their statistics
/// are merged, and no single process has a page with all of them.
#[must_use]
pub fn pages(cluster: &Cluster, plan: &Plan) -> Vec<&'static str> {
    let statistics = cluster.listen.stats.filter(|_| plan.balancer.instances == 1);
    let pages = [
        statistics.map(|_| "stats"),
        cluster.listen.status.map(|_| "mcp_status"),
    ];
    pages.into_iter().flatten().collect()
}

fn frontends(
    cluster: &Cluster,
    plan: &Plan,
    index: usize,
    run_dir: &RunDir,
    pools: &[Pool],
) -> Vec<FrontendView> {
    let listen = &cluster.listen;
    // Each `bind` line takes one of the sockets of its address.
    let sockets = usize::from(plan.balancer.members(index).max(1));
    let binds = |port: Option<u16>| -> Vec<String> {
        let at = |port| {
            plan.addresses
                .iter()
                .flat_map(move |ip: &IpAddr| vec![bind(SocketAddr::new(*ip, port)); sockets])
        };
        port.into_iter().flat_map(at).collect()
    };
    let secure: Vec<String> = binds(listen.https.filter(|_| cluster.tls.is_some()))
        .into_iter()
        .map(|bind| format!("{bind} ssl crt {} alpn h2,http/1.1", word(&run_dir.certificate())))
        .collect();
    let tls = !secure.is_empty();
    let tunnel = timer(cluster.timeouts.tunnel);
    let http = |title, name, only: Option<PathKind>, pool: Pool| FrontendView {
        title,
        name,
        mode: "http",
        binds: Vec::new(),
        timeout_client: None,
        limits: PerIpView::new(cluster, true),
        tls: false,
        only: only.map(PathKind::name),
        backend: pool.name(),
    };
    let all = [
        FrontendView {
            title: "MCP over TCP. HAProxy sees only bytes here, so the messages of a connection are not limited.",
            binds: binds(listen.tcp),
            mode: "tcp",
            limits: PerIpView::new(cluster, false),
            ..http("", TCP_FRONTEND, None, Pool::Tcp)
        },
        FrontendView {
            binds: [binds(listen.http), secure].concat(),
            tls,
            ..http(
                "MCP over HTTP: WebSockets, event streams and other requests each go to their own backend.",
                HTTP_FRONTEND,
                None,
                Pool::Http,
            )
        },
        FrontendView {
            binds: binds(listen.websocket),
            ..http(
                "WebSockets only.",
                WEBSOCKET_FRONTEND,
                Some(PathKind::WebSocket),
                Pool::WebSocket,
            )
        },
        FrontendView {
            binds: binds(listen.sse),
            timeout_client: Some(tunnel),
            ..http(
                "Event streams only.",
                SSE_FRONTEND,
                Some(PathKind::Sse),
                Pool::Sse,
            )
        },
    ];
    let served = |frontend: &FrontendView| pools.iter().any(|pool| pool.name() == frontend.backend);
    all.into_iter()
        .filter(|frontend| !frontend.binds.is_empty() && served(frontend))
        .collect()
}

/// An address to listen on. IPv6 sockets accept only IPv6, so that `0.0.0.0` and `::` do not
/// collide.
fn bind(at: SocketAddr) -> String {
    match at {
        SocketAddr::V4(_) => at.to_string(),
        SocketAddr::V6(_) => format!("{at} v6only"),
    }
}

/// A path as one word of the configuration.
pub(super) fn word(path: &Path) -> String {
    let mut word = String::new();
    for c in path.display().to_string().chars() {
        if matches!(c, ' ' | '\\' | '#' | '\'' | '"') {
            word.push('\\');
        }
        word.push(c);
    }
    word
}

fn timers(timeouts: Timeouts, health: Period) -> Timeouts {
    let Timeouts {
        connect,
        client,
        server,
        queue,
        check,
        http_request,
        keep_alive,
        node_keep_alive,
        tunnel,
    } = timeouts;
    Timeouts {
        connect: timer(connect),
        client: timer(client),
        server: timer(server),
        queue: timer(queue),
        check: timer(check.min(health)),
        http_request: timer(http_request),
        keep_alive: timer(keep_alive),
        node_keep_alive: timer(node_keep_alive),
        tunnel: timer(tunnel),
    }
}
