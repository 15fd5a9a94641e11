//! Requests of MCP 2026-07-28 to `/mcp`: each is a POST of its own, without a session. Its headers
//! repeat what a balancer needs of the body, so both have to agree. A client that closes the
//! connection cancels its request.
//!
//! Specification: <https://modelcontextprotocol.io/specification/2026-07-28/basic/transports/streamable-http>.

use std::borrow::Cow;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hyper::body::Incoming;
use hyper::header::HeaderMap;
use hyper::{Method, Request, StatusCode};

use super::Connection;
use super::events;
use super::reply::{HttpReply, allowing, event_reply, json_reply, refusal};
use super::request::{PROTOCOL_VERSION, header, reads_events};
use crate::mcp::{
    self, CallParams, Code, Message, PROTOCOL_VERSION_KEY, RequestMeta, Response, Revision, RpcError,
    StatelessParams,
};
use crate::node::answer::Asker;
use crate::node::stateless::Stateless;

/// The header that repeats the method.
const METHOD: &str = "mcp-method";
/// The header that repeats the name of the tool.
const NAME: &str = "mcp-name";
/// The longest revision that an error repeats, in bytes.
const MAX_REVISION: usize = 100;

/// Answers a request that names a revision without sessions, or an unknown one.
pub(super) async fn respond(connection: &Connection<'_>, request: Request<Incoming>) -> HttpReply {
    if request.method() != Method::POST {
        let why = "only POST here: this revision of MCP has no sessions";
        let reply = refusal(StatusCode::METHOD_NOT_ALLOWED, why).without_id();
        return allowing("POST", reply);
    }
    let headers = request.headers().clone();
    match connection.text(request).await {
        Ok(text) => post(connection, &headers, &text).await,
        Err(refusal) => refusal.without_id(),
    }
}

/// The refusal of a request whose body names a revision without sessions while its headers do not: a
/// balancer, which reads only headers, may have routed it wrongly.
pub(super) fn without_header(text: &[u8]) -> Option<HttpReply> {
    memchr::memmem::find(text, PROTOCOL_VERSION_KEY.as_bytes())?;
    let Ok(Message::Request(request)) = Message::parse(text) else {
        return None;
    };
    let params: StatelessParams<'_> = request.params.read().ok()?;
    let has_sessions = Revision::named(params.revision()?).is_some_and(Revision::has_sessions);
    let error = mismatch("MCP-Protocol-Version", "not the revision in the body");
    (!has_sessions).then(|| bad_request(&Response::error(request.id, error)))
}

// Private

async fn post(connection: &Connection<'_>, headers: &HeaderMap, text: &[u8]) -> HttpReply {
    let request = match Message::parse(text) {
        Ok(Message::Request(request)) => request,
        // Closing the connection cancels a request, so no notification means anything here.
        Ok(Message::Notification { .. }) => return json_reply(StatusCode::ACCEPTED, Vec::new()),
        Ok(Message::Response) => {
            let why = RpcError::new(Code::InvalidRequest, "invalid request: a response");
            return bad_request(&Response::error_without_id(why));
        }
        Err(refusal) => return bad_request(&refusal.without_null_id()),
    };
    if request.id.is_null() {
        let why = RpcError::new(Code::InvalidRequest, "invalid request: id: null");
        return bad_request(&Response::error_without_id(why));
    }
    let meta = match check(headers, &request) {
        Ok(meta) => meta,
        Err(error) => return bad_request(&Response::error(request.id, error)),
    };
    let asker = Asker::of_request(&meta);
    let mut aside = asker.aside.open(Arc::default());
    let shared = connection.shared;
    match shared.mcp.answer_stateless(request, &asker) {
        Stateless::Now(response) => {
            let messages: Vec<_> = std::iter::from_fn(|| aside.take()).collect();
            if messages.is_empty() || !reads_events(headers) {
                json_reply(status(&response), response.to_json())
            } else {
                event_reply(events::all(
                    messages.into_iter().chain([response.to_json().into()]),
                ))
            }
        }
        Stateless::Later(response) => {
            let json = Box::pin(async { response.await.to_json() });
            if reads_events(headers) {
                event_reply(events::answer(aside, json))
            } else {
                json_reply(StatusCode::OK, json.await)
            }
        }
        Stateless::Subscription { acknowledgement, end } => event_reply(events::subscription(
            &acknowledgement,
            &end,
            connection.end.clone(),
        )),
    }
}

/// Checks that headers and body agree, and that the node supports the revision. Returns the
/// metadata.
fn check<'a>(headers: &HeaderMap, request: &mcp::Request<'a>) -> Result<RequestMeta<'a>, RpcError> {
    let named = required(headers, PROTOCOL_VERSION, "MCP-Protocol-Version")?;
    let params: StatelessParams<'_> = request.params.read()?;
    if params.revision().is_some_and(|revision| revision != named) {
        return Err(mismatch("MCP-Protocol-Version", "not the revision in the body"));
    }
    if Revision::named(named).is_none_or(Revision::has_sessions) {
        let named = named.get(..MAX_REVISION).unwrap_or(named);
        return Err(RpcError::unsupported_revision(named));
    }
    let meta = params.meta()?;
    if required(headers, METHOD, "Mcp-Method")? != request.method {
        return Err(mismatch("Mcp-Method", "not the method in the body"));
    }
    if request.method == "tools/call" {
        let CallParams { name, .. } = request.params.read()?;
        let named = required(headers, NAME, "Mcp-Name")?;
        let decoded = decoded(named).ok_or_else(|| mismatch("Mcp-Name", "invalid Base64"))?;
        if decoded != name {
            return Err(mismatch("Mcp-Name", "not the name in the body"));
        }
    }
    Ok(meta)
}

/// The value of a header that has to be there once.
fn required<'a>(headers: &'a HeaderMap, name: &'static str, shown: &str) -> Result<&'a str, RpcError> {
    if headers.get_all(name).iter().nth(1).is_some() {
        return Err(mismatch(shown, "more than one"));
    }
    header(headers, name).ok_or_else(|| mismatch(shown, "missing"))
}

/// The text that a header's value stands for: `=?base64?..?=` has what a header cannot hold.
fn decoded(value: &str) -> Option<Cow<'_, str>> {
    let encoded = value
        .strip_prefix("=?base64?")
        .and_then(|rest| rest.strip_suffix("?="));
    match encoded {
        None => Some(value.into()),
        Some(encoded) => String::from_utf8(STANDARD.decode(encoded).ok()?)
            .ok()
            .map(Cow::from),
    }
}

fn mismatch(header: &str, why: &str) -> RpcError {
    RpcError::new(Code::HeaderMismatch, format!("{header}: {why}"))
}

fn bad_request(response: &Response) -> HttpReply {
    json_reply(StatusCode::BAD_REQUEST, response.to_json())
}

/// The HTTP status of a response.
fn status(response: &Response) -> StatusCode {
    let code = response.failure().map(|error| error.code);
    if code == Some(i64::from(Code::MethodNotFound as i32)) {
        StatusCode::NOT_FOUND
    } else {
        StatusCode::OK
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_may_be_encoded() {
        for (value, name) in [
            ("whoami", Some("whoami")),
            ("=?base64?SGVsbG8sIOS4lueVjA==?=", Some("Hello, 世界")),
            ("=?base64?PT9iYXNlNjQ/bGl0ZXJhbD89?=", Some("=?base64?literal?=")),
            ("=?base64??=", Some("")),
            ("=?base64?SGVsbG8", Some("=?base64?SGVsbG8")),
            ("=?BASE64?SGVsbG8=?=", Some("=?BASE64?SGVsbG8=?=")),
            ("=?base64?SGVsbG8?=", None),
            ("=?base64?SGVs*G8=?=", None),
            ("=?base64?/w==?=", None),
        ] {
            assert_eq!(decoded(value).as_deref(), name, "{value}");
        }
    }
}
