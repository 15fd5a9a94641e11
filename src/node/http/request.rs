//! Checks of an HTTP request before MCP handles it.

use std::time::Duration;

use http_body_util::BodyExt;
use hyper::body::{Body, Incoming};
use hyper::header::{ACCEPT, CONTENT_TYPE, EXPECT, HeaderMap, ORIGIN};
use hyper::{Request, StatusCode};

use super::reply::{Refusal, refusal};
use crate::mcp::{self, MAX_MESSAGE, Revision};
use crate::node::origin::may_ask;

/// The header with the revision of MCP.
pub(super) const PROTOCOL_VERSION: &str = "mcp-protocol-version";
/// The timeout for a request's body.
const BODY_TIMEOUT: Duration = Duration::from_secs(30);
/// How much of a body that is too large is read, in bytes, so that its sender can read the reason.
const MAX_DISCARD: usize = 4 * MAX_MESSAGE;

/// Whether pages of the request's origin may send requests.
pub(super) fn check_origin(headers: &HeaderMap, allowed: &[String]) -> Result<(), Refusal> {
    if header(headers, ORIGIN.as_str()).is_some_and(|origin| !may_ask(origin, allowed)) {
        return Err(refusal(
            StatusCode::FORBIDDEN,
            "requests from this origin are not allowed",
        ));
    }
    Ok(())
}

/// Checks that the request's version, if it names one, is one with sessions.
pub(super) fn check_version(headers: &HeaderMap) -> Result<(), Refusal> {
    if has_sessions(headers) {
        return Ok(());
    }
    Err(refusal(
        StatusCode::BAD_REQUEST,
        "MCP-Protocol-Version: unsupported version",
    ))
}

/// Whether the request belongs to a revision of MCP with sessions. One that names no revision does.
/// The header's presence shows nothing: clients send it since 2025-06-18.
pub(super) fn has_sessions(headers: &HeaderMap) -> bool {
    header(headers, PROTOCOL_VERSION)
        .is_none_or(|name| Revision::named(name).is_some_and(Revision::has_sessions))
}

/// A header as text: `None` if it is missing, empty if it is not text.
pub(super) fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).map(|value| value.to_str().unwrap_or_default())
}

/// Whether the client accepts streams of events.
pub(super) fn reads_events(headers: &HeaderMap) -> bool {
    headers
        .get_all(ACCEPT)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|range| is_media_type(range, "text/event-stream"))
}

/// The body, which must be JSON and not too large.
pub(super) async fn text(request: Request<Incoming>) -> Result<Vec<u8>, Refusal> {
    let media_type = header(request.headers(), CONTENT_TYPE.as_str()).unwrap_or_default();
    if !is_media_type(media_type, "application/json") {
        return Err(refusal(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "Content-Type: not application/json",
        ));
    }
    tokio::time::timeout(BODY_TIMEOUT, read(request))
        .await
        .map_err(|_| refusal(StatusCode::REQUEST_TIMEOUT, "the body did not arrive in time"))?
}

// Private

fn is_media_type(text: &str, media_type: &str) -> bool {
    let text = text.split(';').next().unwrap_or_default().trim();
    text.eq_ignore_ascii_case(media_type)
}

async fn read(request: Request<Incoming>) -> Result<Vec<u8>, Refusal> {
    let too_large = || refusal(StatusCode::PAYLOAD_TOO_LARGE, mcp::TooLong);
    let waits = request.headers().contains_key(EXPECT);
    let mut body = request.into_body();
    let announced = usize::try_from(body.size_hint().lower()).unwrap_or(usize::MAX);
    if announced > MAX_DISCARD || (waits && announced > MAX_MESSAGE) {
        return Err(too_large());
    }
    let mut text = Vec::new();
    let mut length = 0;
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| refusal(StatusCode::BAD_REQUEST, error))?;
        let Some(data) = frame.data_ref() else { continue };
        length += data.len();
        if length > MAX_DISCARD {
            break;
        }
        if length > MAX_MESSAGE {
            text = Vec::new();
        } else {
            text.extend_from_slice(data);
        }
    }
    if length > MAX_MESSAGE {
        return Err(too_large());
    }
    Ok(text)
}
