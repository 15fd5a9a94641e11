//! The listeners for HTTP, and their paths.

use std::net::{IpAddr, SocketAddr};

use serde::Serialize;

use super::build::NginxBuild;
use super::limits::RateView;
use super::upstream::{Members, kind};
use super::{PoolView, TimeoutsView};
use crate::base::units::Period;
use crate::plan::Plan;
use crate::profile::Sticky;
use crate::render::pool::Pool;

/// The accept queue that each worker requests; the kernel limits it to `net.core.somaxconn`. nginx
/// sets it for an inherited listener, too, so it must not be shorter than what that has already.
const BACKLOG: u32 = 65_535;

/// A `server` block for clients.
#[derive(Clone, Debug, Serialize)]
pub(super) struct ServerView {
    title: &'static str,
    /// The parameters of its `listen` directives.
    binds: Vec<String>,
    secure: bool,
    rate: Option<RateView>,
    /// The variable with the name of the location for a request.
    location: &'static str,
    locations: Vec<LocationView>,
}

/// A `location` block that passes requests on.
#[derive(Clone, Debug, Serialize)]
#[expect(clippy::struct_excessive_bools, reason = "a template reads each of them")]
struct LocationView {
    at: &'static str,
    /// The upstream that gets the requests.
    upstream: String,
    /// The longest silence of a node, if that is not the `timeouts.server` of requests.
    silence: Option<Period>,
    /// Whether clients can be silent for as long.
    tunnel: bool,
    upgrade: bool,
    compress: bool,
    cookie: bool,
    sessions: bool,
}

impl ServerView {
    pub(super) const fn is_secure(&self) -> bool {
        self.secure
    }
}

/// The parameters of `listen` for `port` on each of our addresses. Each worker has its own
/// listener, so that the kernel spreads clients evenly. A full worker then holds up only the
/// clients on its own listener.
pub(super) fn binds(plan: &Plan, port: Option<u16>) -> Vec<String> {
    let at = |port| {
        plan.addresses.iter().map(move |ip: &IpAddr| {
            let only = if ip.is_ipv6() { " ipv6only=on" } else { "" };
            format!("{}{only} reuseport backlog={BACKLOG}", SocketAddr::new(*ip, port))
        })
    };
    port.into_iter().flat_map(at).collect()
}

/// The `server` blocks that the profile requests and that have a pool behind them.
pub(super) fn servers(
    members: Members<'_>,
    build: &NginxBuild,
    timeouts: &TimeoutsView,
    pools: &[PoolView],
) -> Vec<ServerView> {
    let Members { cluster, plan, .. } = members;
    let listen = &cluster.listen;
    let location = |at, pool: Pool| LocationView {
        at,
        upstream: pools
            .iter()
            .find(|view| view.kind == kind(pool))
            .map(|view| view.upstream.clone())
            .unwrap_or_default(),
        silence: matches!(pool, Pool::WebSocket | Pool::Sse).then_some(timeouts.tunnel),
        tunnel: matches!(pool, Pool::WebSocket | Pool::Sse),
        upgrade: pool == Pool::WebSocket,
        compress: pool == Pool::Http,
        cookie: pool.followed(cluster).contains(&Sticky::Cookie),
        sessions: pool.names_sessions(cluster),
    };
    // The answer can be a stream; an answer that is not must not get a shorter timeout.
    let may_be_a_stream = LocationView {
        silence: Some(timeouts.tunnel.max(timeouts.server)),
        ..location("@http_stream", Pool::Http)
    };
    let secure: Vec<String> = binds(plan, listen.https.filter(|_| cluster.tls.is_some()))
        .into_iter()
        .map(|bind| {
            let http2 = if build.http2 && !build.has_http2_directive() {
                " http2"
            } else {
                ""
            };
            format!("{bind} ssl{http2}")
        })
        .collect();
    let all = [
        ServerView {
            title: "MCP over HTTP: WebSockets, event streams and other requests are distinguished.",
            secure: !secure.is_empty(),
            binds: [binds(plan, listen.http), secure].concat(),
            rate: RateView::new(cluster, Pool::Http),
            location: "mcp_passed",
            locations: vec![
                location("@http", Pool::Http),
                may_be_a_stream,
                location("@websocket", Pool::WebSocket),
                location("@sse", Pool::Sse),
            ],
        },
        ServerView {
            title: "WebSockets only.",
            secure: false,
            binds: binds(plan, listen.websocket),
            rate: RateView::new(cluster, Pool::WebSocket),
            location: "mcp_only_websocket",
            locations: vec![location("@websocket", Pool::WebSocket)],
        },
        ServerView {
            title: "Event streams only.",
            secure: false,
            binds: binds(plan, listen.sse),
            rate: RateView::new(cluster, Pool::Sse),
            location: "mcp_only_sse",
            locations: vec![location("@sse", Pool::Sse)],
        },
    ];
    let is_served = |server: &ServerView| !server.binds.is_empty() && !pools.is_empty();
    all.into_iter().filter(is_served).collect()
}
