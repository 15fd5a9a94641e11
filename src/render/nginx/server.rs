//! The listeners for HTTP, and what is at which path.

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

/// Waiting clients that the kernel keeps for each worker; it takes `net.core.somaxconn` at most.
const BACKLOG: u32 = 4096;

/// A `server` block for clients.
#[derive(Clone, Debug, Serialize)]
pub(super) struct ServerView {
    title: &'static str,
    /// What `listen` is told.
    binds: Vec<String>,
    secure: bool,
    rate: Option<RateView>,
    /// Whether path and headers decide what kind of traffic it is.
    by_path: bool,
    locations: Vec<LocationView>,
}

/// A `location` block that passes requests on.
#[derive(Clone, Debug, Serialize)]
#[expect(clippy::struct_excessive_bools, reason = "a template asks for each of them")]
struct LocationView {
    at: &'static str,
    /// Where it is passed.
    upstream: String,
    /// Silence of a node, where that is not the `timeouts.server` of requests.
    silence: Option<Period>,
    /// Whether its clients may be silent for as long.
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

/// What `listen` is told for `port` on every address of ours. Each worker has a listener of its own, so that the kernel deals clients
/// out evenly, and one that is full keeps nobody waiting who could go elsewhere.
pub(super) fn binds(plan: &Plan, port: Option<u16>) -> Vec<String> {
    let at = |port| {
        plan.addresses.iter().map(move |ip: &IpAddr| {
            let only = if ip.is_ipv6() { " ipv6only=on" } else { "" };
            format!("{}{only} reuseport backlog={BACKLOG}", SocketAddr::new(*ip, port))
        })
    };
    port.into_iter().flat_map(at).collect()
}

/// Those that the profile wants, as far as there is a pool behind them.
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
    // Its answer may be a stream; one that is not must not get less time.
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
            title: "MCP over HTTP: WebSockets and event streams are told from requests.",
            secure: !secure.is_empty(),
            binds: [binds(plan, listen.http), secure].concat(),
            rate: RateView::new(cluster, Pool::Http),
            by_path: true,
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
            by_path: false,
            locations: vec![location("= /mcp/ws", Pool::WebSocket)],
        },
        ServerView {
            title: "Event streams only.",
            secure: false,
            binds: binds(plan, listen.sse),
            rate: RateView::new(cluster, Pool::Sse),
            by_path: false,
            locations: vec![location("= /mcp/sse", Pool::Sse)],
        },
    ];
    let is_served = |server: &ServerView| !server.binds.is_empty() && !pools.is_empty();
    all.into_iter().filter(is_served).collect()
}
