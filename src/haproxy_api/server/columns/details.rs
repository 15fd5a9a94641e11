//! Connections, idle ones, the longest times, weights.

use super::{Column, ServerRow, algorithm, column, text};
use crate::haproxy_api::server::figures::HttpFigures;
use crate::haproxy_api::server::metric::Kind::{Counter, Gauge, Seconds};
use crate::haproxy_api::server::metric::Owner::{Backend, Frontend, Server};
use crate::haproxy_api::server::state;
use crate::haproxy_api::server::value::Value::{self, Absent, U32, U64};

#[rustfmt::skip]
pub(super) static DETAILS: &[Column] = &[
    column("mode", "CGS", "'mode' setting (tcp/http/health/cli)")
        .frontend(|it| mode(it.http.as_ref()))
        .server(|it| mode(it.server.traffic.http.as_ref()))
        .backend(|it| mode(it.backend.traffic.http.as_ref())),
    column("algo", "CGS", "Backend's load balancing algorithm, shown only if show-legends is set, or at levels oper/admin for the CLI")
        .backend(algorithm),
    column("conn_rate", "MRP", "Number of new connections accepted over the last second on the frontend for this worker process")
        .frontend(|it| U32(it.connection_rate)),
    column("conn_rate_max", "MMP", "Highest value of connections per second observed since the worker process started")
        .metric("connections_rate_max", Gauge, &[Frontend])
        .frontend(|it| U32(it.connection_rate_max)),
    column("conn_tot", "MCP", "Total number of new connections accepted on this frontend since the worker process started")
        .metric("connections_total", Counter, &[Frontend])
        .frontend(|it| U64(it.connections_total)),
    column("intercepted", "MCP", "Total number of HTTP requests intercepted on the frontend (redirects/stats/services) since the worker process started")
        .http_metric("intercepted_requests_total", Counter, &[Frontend])
        .frontend(|it| it.http.as_ref().map_or(Absent, |http| U64(http.intercepted_requests))),
    column("dcon", "MCP", "Total number of incoming connections blocked on a listener/frontend by a tcp-request connection rule since the worker process started")
        .metric("denied_connections_total", Counter, &[Frontend])
        .frontend(|it| U64(it.denied_connections)),
    column("dses", "MCP", "Total number of incoming sessions blocked on a listener/frontend by a tcp-request connection rule since the worker process started")
        .metric("denied_sessions_total", Counter, &[Frontend])
        .frontend(|_| U64(0)),
    column("wrew", "MCP", "Total number of failed HTTP header rewrites since the worker process started")
        .metric("failed_header_rewriting_total", Counter, &[Frontend, Server, Backend])
        .frontend(|_| U64(0))
        .server(|_| U64(0))
        .backend(|_| U64(0)),
    column("connect", "MCP", "Total number of outgoing connection attempts on this backend/server since the worker process started")
        .metric("connection_attempts_total", Counter, &[Server, Backend])
        .server(|it| U64(it.server.traffic.connects()))
        .backend(|it| U64(it.backend.traffic.connects())),
    column("reuse", "MCP", "Total number of reused connection on this backend/server since the worker process started")
        .metric("connection_reuses_total", Counter, &[Server, Backend])
        .server(|it| U64(it.server.traffic.http.as_ref().map_or(0, |http| http.reuses)))
        .backend(|it| U64(it.backend.traffic.http.as_ref().map_or(0, |http| http.reuses))),
    column("cache_lookups", "MCP", "Total number of HTTP requests looked up in the cache on this frontend/backend since the worker process started")
        .http_metric("http_cache_lookups_total", Counter, &[Frontend, Backend])
        .frontend(|it| it.http.as_ref().map_or(Absent, |_| U64(0)))
        .backend(|it| it.backend.traffic.http.as_ref().map_or(Absent, |_| U64(0))),
    column("cache_hits", "MCP", "Total number of HTTP requests not found in the cache on this frontend/backend since the worker process started")
        .http_metric("http_cache_hits_total", Counter, &[Frontend, Backend])
        .frontend(|it| it.http.as_ref().map_or(Absent, |_| U64(0)))
        .backend(|it| it.backend.traffic.http.as_ref().map_or(Absent, |_| U64(0))),
    column("srv_icur", "MGP", "Current number of idle connections available for reuse on this server")
        .metric("idle_connections_current", Gauge, &[Server])
        .server(|it| U32(idle(it))),
    column("src_ilim", "MGP", "Limit on the number of available idle connections on this server (server 'pool_max_conn' directive)")
        .metric("idle_connections_limit", Gauge, &[Server]),
    column("qtime_max", "MMP", "Maximum observed time spent in the queue, in milliseconds (backend/server)")
        .metric("max_queue_time_seconds", Seconds, &[Server, Backend])
        .helped("Maximum observed time spent in the queue")
        .server(|it| U32(it.server.traffic.queue_time_max))
        .backend(|it| U32(it.backend.traffic.queue_time_max)),
    column("ctime_max", "MMP", "Maximum observed time spent waiting for a connection to complete, in milliseconds (backend/server)")
        .metric("max_connect_time_seconds", Seconds, &[Server, Backend])
        .helped("Maximum observed time spent waiting for a connection to complete")
        .server(|it| U32(it.server.traffic.connect_time_max))
        .backend(|it| U32(it.backend.traffic.connect_time_max)),
    column("rtime_max", "MMP", "Maximum observed time spent waiting for a server response, in milliseconds (backend/server)")
        .metric("max_response_time_seconds", Seconds, &[Server, Backend])
        .helped("Maximum observed time spent waiting for a server response")
        .server(|it| U32(it.server.traffic.response_time_max))
        .backend(|it| U32(it.backend.traffic.response_time_max)),
    column("ttime_max", "MMP", "Maximum observed total request+response time (request+queue+connect+response+processing), in milliseconds (backend/server)")
        .metric("max_total_time_seconds", Seconds, &[Server, Backend])
        .helped("Maximum observed total request+response time (request+queue+connect+response+processing)")
        .server(|it| U32(it.server.traffic.total_time_max))
        .backend(|it| U32(it.backend.traffic.total_time_max)),
    column("eint", "MCP", "Total number of internal errors since process started")
        .metric("internal_errors_total", Counter, &[Frontend, Server, Backend])
        .frontend(|_| U64(0))
        .server(|_| U64(0))
        .backend(|_| U64(0)),
    column("idle_conn_cur", "MGP", "Current number of unsafe idle connections")
        .metric("unsafe_idle_connections_current", Gauge, &[Server])
        .server(|_| U32(0)),
    column("safe_conn_cur", "MGP", "Current number of safe idle connections")
        .metric("safe_idle_connections_current", Gauge, &[Server])
        .server(|it| U32(idle(it))),
    column("used_conn_cur", "MGP", "Current number of connections in use")
        .metric("used_connections_current", Gauge, &[Server])
        .server(|it| U32(used(it))),
    column("need_conn_est", "MGP", "Estimated needed number of connections")
        .metric("need_connections_current", Gauge, &[Server])
        .server(|it| U32(used(it))),
    column("uweight", "MaP", "Server's user weight, or sum of active servers' user weights for a backend")
        .metric("uweight", Gauge, &[Server, Backend])
        .server(|it| U32(it.server.user_weight.into()))
        .backend(|it| U32(state::user_weight(it.backend))),
    column("agg_server_status", "MGP", "Backend's aggregated gauge of servers' status")
        .metric("agg_server_status", Gauge, &[Backend])
        .backend(|_| U32(0)),
    column("agg_server_check_status", "MGP", "Backend's aggregated gauge of servers' state check status")
        .metric("agg_server_check_status", Gauge, &[Backend])
        .backend(|_| U32(0)),
    column("agg_check_status", "MGP", "Backend's aggregated gauge of servers' state check status")
        .metric("agg_check_status", Gauge, &[Backend])
        .backend(|_| U32(0)),
];

// Private

fn mode(http: Option<&HttpFigures>) -> Value {
    text(if http.is_some() { "http" } else { "tcp" })
}

/// Idle connections. A TCP connection is never kept for the next client.
fn idle(row: &ServerRow<'_>) -> u32 {
    let http = row.server.traffic.http.as_ref();
    http.map_or(0, HttpFigures::all_idle_connections)
}

/// Connections that carry a request. HAProxy counts those over HTTP only.
fn used(row: &ServerRow<'_>) -> u32 {
    let traffic = &row.server.traffic;
    traffic.http.as_ref().map_or(0, |_| traffic.sessions)
}
