//! `/mcp/ws`: how an HTTP connection becomes a WebSocket (RFC 6455, section 4).

use bytes::Bytes;
use http_body_util::{Either, Full};
use hyper::body::Incoming;
use hyper::header::{HeaderValue, SEC_WEBSOCKET_PROTOCOL, SEC_WEBSOCKET_VERSION, UPGRADE};
use hyper::{Method, Request, StatusCode};
use tokio_tungstenite::tungstenite::handshake::server::create_response_with_body;

use super::Connection;
use super::reply::{HttpReply, Refusal, not_allowed, refusal};
use super::request::{check_version, header};

/// The subprotocol that MCP's SDKs ask for.
const SUBPROTOCOL: &str = "mcp";

/// Answers a request for this path.
pub(super) fn respond(
    connection: &Connection<'_>,
    mut request: Request<Incoming>,
) -> Result<HttpReply, Refusal> {
    check_version(request.headers())?;
    if request.method() != Method::GET {
        return Ok(not_allowed("GET"));
    }
    let Ok(mut reply) = create_response_with_body(&request, || Either::Left(Full::new(Bytes::new()))) else {
        return Ok(upgrade_required());
    };
    // Clients that offer subprotocols give up when none is chosen; those that offer none must not
    // get one.
    let offered = header(request.headers(), SEC_WEBSOCKET_PROTOCOL.as_str()).unwrap_or_default();
    if offered.split(',').any(|name| name.trim() == SUBPROTOCOL) {
        let chosen = HeaderValue::from_static(SUBPROTOCOL);
        reply.headers_mut().insert(SEC_WEBSOCKET_PROTOCOL, chosen);
    }
    connection.keep_slot()?;
    connection.will_upgrade(hyper::upgrade::on(&mut request));
    Ok(reply)
}

// Private

fn upgrade_required() -> HttpReply {
    let mut reply = HttpReply::from(refusal(
        StatusCode::UPGRADE_REQUIRED,
        "only WebSocket handshakes here",
    ));
    let headers = reply.headers_mut();
    headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
    reply
}
