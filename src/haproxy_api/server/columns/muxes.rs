//! HTTP/1, and what this data plane does not speak: TLS and HTTP/2.

use super::{Column, column};
use crate::haproxy_api::server::figures::{HttpFigures, Traffic};
use crate::haproxy_api::server::value::Value::{self, U64};

#[rustfmt::skip]
pub(super) static MUXES: &[Column] = &[
    column("ssl_sess", "MCP", "Total number of ssl sessions established")
        .frontend(|_| U64(0))
        .server(|_| U64(0))
        .backend(|_| U64(0)),
    column("ssl_reused_sess", "MCP", "Total number of ssl sessions reused")
        .frontend(|_| U64(0))
        .server(|_| U64(0))
        .backend(|_| U64(0)),
    column("ssl_failed_handshake", "MCP", "Total number of failed handshake")
        .frontend(|_| U64(0))
        .server(|_| U64(0))
        .backend(|_| U64(0)),
    column("h2_headers_rcvd", "MCP", "Total number of received HEADERS frames")
        .frontend(|_| U64(0))
        .backend(|_| U64(0)),
    column("h2_data_rcvd", "MCP", "Total number of received DATA frames")
        .frontend(|_| U64(0))
        .backend(|_| U64(0)),
    column("h2_settings_rcvd", "MCP", "Total number of received SETTINGS frames")
        .frontend(|_| U64(0))
        .backend(|_| U64(0)),
    column("h2_rst_stream_rcvd", "MCP", "Total number of received RST_STREAM frames")
        .frontend(|_| U64(0))
        .backend(|_| U64(0)),
    column("h2_goaway_rcvd", "MCP", "Total number of received GOAWAY frames")
        .frontend(|_| U64(0))
        .backend(|_| U64(0)),
    column("h2_detected_conn_protocol_errors", "MCP", "Total number of connection protocol errors")
        .frontend(|_| U64(0))
        .backend(|_| U64(0)),
    column("h2_detected_strm_protocol_errors", "MCP", "Total number of stream protocol errors")
        .frontend(|_| U64(0))
        .backend(|_| U64(0)),
    column("h2_rst_stream_resp", "MCP", "Total number of RST_STREAM sent on detected error")
        .frontend(|_| U64(0))
        .backend(|_| U64(0)),
    column("h2_goaway_resp", "MCP", "Total number of GOAWAY sent on detected error")
        .frontend(|_| U64(0))
        .backend(|_| U64(0)),
    column("h2_open_connections", "MGP", "Count of currently open connections")
        .frontend(|_| U64(0))
        .backend(|_| U64(0)),
    column("h2_backend_open_streams", "MGP", "Count of currently open streams")
        .frontend(|_| U64(0))
        .backend(|_| U64(0)),
    column("h2_total_connections", "MCP", "Total number of connections")
        .frontend(|_| U64(0))
        .backend(|_| U64(0)),
    column("h2_backend_total_streams", "MCP", "Total number of streams")
        .frontend(|_| U64(0))
        .backend(|_| U64(0)),
    column("h1_open_connections", "MGP", "Count of currently open connections")
        .frontend(|it| http(it.http.as_ref(), |_| it.sessions.into()))
        .backend(|it| http(it.backend.traffic.http.as_ref(), |http| connections(http, &it.backend.traffic))),
    column("h1_open_streams", "MGP", "Count of currently open streams")
        .frontend(|it| http(it.http.as_ref(), |http| http.open_requests))
        .backend(|it| http(it.backend.traffic.http.as_ref(), |http| http.open_requests)),
    column("h1_total_connections", "MCP", "Total number of connections")
        .frontend(|it| http(it.http.as_ref(), |_| it.connections_total))
        .backend(|it| http(it.backend.traffic.http.as_ref(), |http| http.connects)),
    column("h1_total_streams", "MCP", "Total number of streams")
        .frontend(|it| http(it.http.as_ref(), |http| http.requests))
        .backend(|it| http(it.backend.traffic.http.as_ref(), |http| http.requests)),
    column("h1_bytes_in", "MCP", "Total number of bytes received")
        .frontend(|it| http(it.http.as_ref(), |_| it.bytes_in))
        .backend(|it| http(it.backend.traffic.http.as_ref(), |_| it.backend.traffic.bytes_out)),
    column("h1_bytes_out", "MCP", "Total number of bytes send")
        .frontend(|it| http(it.http.as_ref(), |_| it.bytes_out))
        .backend(|it| http(it.backend.traffic.http.as_ref(), |_| it.backend.traffic.bytes_in)),
    column("h1_spliced_bytes_in", "MCP", "Total number of bytes received using kernel splicing")
        .frontend(|_| U64(0))
        .backend(|_| U64(0)),
    column("h1_spliced_bytes_out", "MCP", "Total number of bytes sendusing kernel splicing")
        .frontend(|_| U64(0))
        .backend(|_| U64(0)),
];

// Private

/// 0 for a proxy that relays bytes.
fn http(http: Option<&HttpFigures>, figure: impl FnOnce(&HttpFigures) -> u64) -> Value {
    U64(http.map_or(0, figure))
}

/// Connections to servers, idle or not.
fn connections(http: &HttpFigures, traffic: &Traffic) -> u64 {
    u64::from(http.all_idle_connections()) + u64::from(traffic.sessions)
}
