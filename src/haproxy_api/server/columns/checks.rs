//! Rates, checks, HTTP, times and addresses.

use super::{Column, address, column, last_session, name, text};
use crate::haproxy_api::server::figures::{CompressionFigures, HttpFigures};
use crate::haproxy_api::server::metric::Kind::{Counter, Gauge, Seconds};
use crate::haproxy_api::server::metric::Owner::{Backend, Frontend, Server};
use crate::haproxy_api::server::state;
use crate::haproxy_api::server::value::Value::{self, Absent, U32, U64};

#[rustfmt::skip]
pub(super) static CHECKS: &[Column] = &[
    column("check_status", "MOP", "Status report of the server's latest health check, prefixed with '*' if a check is currently in progress")
        .metric("check_status", Gauge, &[Server])
        .helped("Status of last health check, per state label value.")
        .server(|it| it.checked(|check| text(state::check_word(check)))),
    column("check_code", "MOP", "HTTP/SMTP/LDAP status code reported by the latest server health check")
        .metric("check_code", Gauge, &[Server])
        .helped("layer5-7 code, if available of the last health check.")
        .server(|it| it.checked(|check| check.code.map_or(Absent, |code| U32(code.into())))),
    column("check_duration", "MDP", "Total duration of the latest server health check, in milliseconds")
        .metric("check_duration_seconds", Seconds, &[Server])
        .helped("Total duration of the latest server health check, in seconds.")
        .server(|it| it.checked(|check| check.duration.map_or(Absent, U64))),
    column("hrsp_1xx", "MCP", "Total number of HTTP responses with status 100-199 returned by this object since the worker process started")
        .http_metric("http_responses_total", Counter, &[Frontend, Server, Backend])
        .coded("1xx")
        .http(|http| U64(http.responses[0])),
    column("hrsp_2xx", "MCP", "Total number of HTTP responses with status 200-299 returned by this object since the worker process started")
        .http_metric("http_responses_total", Counter, &[Frontend, Server, Backend])
        .coded("2xx")
        .http(|http| U64(http.responses[1])),
    column("hrsp_3xx", "MCP", "Total number of HTTP responses with status 300-399 returned by this object since the worker process started")
        .http_metric("http_responses_total", Counter, &[Frontend, Server, Backend])
        .coded("3xx")
        .http(|http| U64(http.responses[2])),
    column("hrsp_4xx", "MCP", "Total number of HTTP responses with status 400-499 returned by this object since the worker process started")
        .http_metric("http_responses_total", Counter, &[Frontend, Server, Backend])
        .coded("4xx")
        .http(|http| U64(http.responses[3])),
    column("hrsp_5xx", "MCP", "Total number of HTTP responses with status 500-599 returned by this object since the worker process started")
        .http_metric("http_responses_total", Counter, &[Frontend, Server, Backend])
        .coded("5xx")
        .http(|http| U64(http.responses[4])),
    column("hrsp_other", "MCP", "Total number of HTTP responses with status <100, >599 returned by this object since the worker process started (error -1 included)")
        .http_metric("http_responses_total", Counter, &[Frontend, Server, Backend])
        .coded("other")
        .http(|http| U64(http.responses[5])),
    column("hanafail", "MCP", "Total number of failed checks caused by an 'on-error' directive after an 'observe' condition matched")
        .server(|it| it.server.ejections.map_or(Absent, U64)),
    column("req_rate", "MRP", "Number of HTTP requests processed over the last second on this object")
        .frontend(|it| U32(it.http.as_ref().map_or(0, |http| http.request_rate))),
    column("req_rate_max", "MMP", "Highest value of http requests observed since the worker process started")
        .http_metric("http_requests_rate_max", Gauge, &[Frontend])
        .frontend(|it| U32(it.http.as_ref().map_or(0, |http| http.request_rate_max))),
    column("req_tot", "MCP", "Total number of HTTP requests processed by this object since the worker process started")
        .http_metric("http_requests_total", Counter, &[Frontend, Backend])
        .http(|http| U64(http.requests))
        .frontend(|it| U64(it.http.as_ref().map_or(0, |http| http.requests))),
    column("cli_abrt", "MCP", "Total number of requests or connections aborted by the client since the worker process started")
        .metric("client_aborts_total", Counter, &[Server, Backend])
        .server(|it| U64(it.server.traffic.client_aborts))
        .backend(|it| U64(it.backend.traffic.client_aborts)),
    column("srv_abrt", "MCP", "Total number of requests or connections aborted by the server since the worker process started")
        .metric("server_aborts_total", Counter, &[Server, Backend])
        .server(|it| U64(it.server.traffic.server_aborts))
        .backend(|it| U64(it.backend.traffic.server_aborts)),
    column("comp_in", "MCP", "Total number of bytes submitted to the HTTP compressor for this object since the worker process started")
        .http_metric("http_comp_bytes_in_total", Counter, &[Frontend, Backend])
        .frontend(|it| compression(it.http.as_ref(), |it| it.bytes_in))
        .backend(|it| compression(it.backend.traffic.http.as_ref(), |it| it.bytes_in)),
    column("comp_out", "MCP", "Total number of bytes emitted by the HTTP compressor for this object since the worker process started")
        .http_metric("http_comp_bytes_out_total", Counter, &[Frontend, Backend])
        .frontend(|it| compression(it.http.as_ref(), |it| it.bytes_out))
        .backend(|it| compression(it.backend.traffic.http.as_ref(), |it| it.bytes_out)),
    column("comp_byp", "MCP", "Total number of bytes that bypassed HTTP compression for this object since the worker process started (CPU/memory/bandwidth limitation)")
        .http_metric("http_comp_bytes_bypassed_total", Counter, &[Frontend, Backend])
        .frontend(|it| compression(it.http.as_ref(), |it| it.bytes_bypassed))
        .backend(|it| compression(it.backend.traffic.http.as_ref(), |it| it.bytes_bypassed)),
    column("comp_rsp", "MCP", "Total number of HTTP responses that were compressed for this object since the worker process started")
        .http_metric("http_comp_responses_total", Counter, &[Frontend, Backend])
        .frontend(|it| compression(it.http.as_ref(), |it| it.responses))
        .backend(|it| compression(it.backend.traffic.http.as_ref(), |it| it.responses)),
    column("lastsess", "MAP", "How long ago some traffic was seen on this object on this worker process, in seconds")
        .metric("last_session_seconds", Gauge, &[Server, Backend])
        .server(|it| last_session(&it.server.traffic))
        .backend(|it| last_session(&it.backend.traffic)),
    column("last_chk", "MOP", "Short description of the latest health check report for this server (see also check_desc)")
        .server(|it| it.checked(|check| name(&check.detail))),
    column("last_agt", "MGP", "Short description of the latest agent check report for this server (see also agent_desc)"),
    column("qtime", "MaP", "Time spent in the queue, in milliseconds, averaged over the 1024 last requests (backend/server)")
        .metric("queue_time_average_seconds", Seconds, &[Server, Backend])
        .helped("Avg. queue time for last 1024 successful connections.")
        .server(|it| U32(it.server.traffic.queue_time))
        .backend(|it| U32(it.backend.traffic.queue_time)),
    column("ctime", "MaP", "Time spent waiting for a connection to complete, in milliseconds, averaged over the 1024 last requests (backend/server)")
        .metric("connect_time_average_seconds", Seconds, &[Server, Backend])
        .helped("Avg. connect time for last 1024 successful connections.")
        .server(|it| U32(it.server.traffic.connect_time))
        .backend(|it| U32(it.backend.traffic.connect_time)),
    column("rtime", "MaP", "Time spent waiting for a server response, in milliseconds, averaged over the 1024 last requests (backend/server)")
        .metric("response_time_average_seconds", Seconds, &[Server, Backend])
        .helped("Avg. response time for last 1024 successful connections.")
        .server(|it| U32(it.server.traffic.response_time))
        .backend(|it| U32(it.backend.traffic.response_time)),
    column("ttime", "MaP", "Total request+response time (request+queue+connect+response+processing), in milliseconds, averaged over the 1024 last requests (backend/server)")
        .metric("total_time_average_seconds", Seconds, &[Server, Backend])
        .helped("Avg. total time for last 1024 successful connections.")
        .server(|it| U32(it.server.traffic.total_time))
        .backend(|it| U32(it.backend.traffic.total_time)),
    column("agent_status", "MGP", "Status report of the server's latest agent check, prefixed with '*' if a check is currently in progress"),
    column("agent_code", "MGP", "Status code reported by the latest server agent check"),
    column("agent_duration", "MGP", "Total duration of the latest server agent check, in milliseconds"),
    column("check_desc", "MOP", "Textual description of the latest health check report for this server")
        .server(|it| it.checked(|check| text(state::check_sentence(check)))),
    column("agent_desc", "MGP", "Textual description of the latest agent check report for this server"),
    column("check_rise", "CGS", "Number of successful health checks before declaring a server UP (server 'rise' setting)")
        .server(|it| it.checked(|check| U32(check.rise.into()))),
    column("check_fall", "CGS", "Number of failed health checks before declaring a server DOWN (server 'fall' setting)")
        .server(|it| it.checked(|check| U32(check.fall.into()))),
    column("check_health", "CGS", "Current server health check level (0..fall-1=DOWN, fall..rise-1=UP)")
        .server(|it| it.checked(|check| U32(check.health))),
    column("agent_rise", "MGP", "Number of successful agent checks before declaring a server UP (server 'rise' setting)"),
    column("agent_fall", "MGP", "Number of failed agent checks before declaring a server DOWN (server 'fall' setting)"),
    column("agent_health", "MGP", "Current server agent check level (0..fall-1=DOWN, fall..rise-1=UP)"),
    column("addr", "CGS", "Server's address:port, shown only if show-legends is set, or at levels oper/admin for the CLI")
        .server(address),
    column("cookie", "CNS", "Backend's cookie name or Server's cookie value, shown only if show-legends is set, or at levels oper/admin for the CLI")
        .server(|it| legend(it.legends, it.server.cookie.as_deref()))
        .backend(|it| legend(it.legends, it.backend.cookie.as_deref())),
];

// Private

fn compression(http: Option<&HttpFigures>, figure: fn(&CompressionFigures) -> u64) -> Value {
    U64(http.map_or(0, |http| figure(&http.compression)))
}

/// A text that may be shown only with legends.
fn legend(legends: bool, shown: Option<&str>) -> Value {
    shown.filter(|_| legends).map_or(Absent, name)
}
