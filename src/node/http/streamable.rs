//! `/mcp`: Streamable HTTP. POST sends a request, GET opens the stream of the server's own
//! messages, DELETE ends the session. Requests of MCP 2026-07-28 and later are
//! [stateless].
//!
//! A session begins with the answer to `initialize`. A client without a session is served too, one
//! message at a time, so that a health check or curl needs no handshake; only GET and DELETE need a
//! session.
//!
//! Specification: <https://modelcontextprotocol.io/specification/2025-11-25/basic/transports>.

use std::sync::Arc;

use hyper::body::Incoming;
use hyper::header::{ALLOW, HeaderMap, HeaderValue};
use hyper::{Method, Request, StatusCode};

use super::Connection;
use super::events;
use super::reply::{HttpReply, Refusal, event_reply, json_reply, not_allowed, refusal};
use super::request::{has_sessions, header, reads_events};
use super::stateless;
use crate::node::answer::{Answer, Asker};
use crate::node::client::Client;
use crate::node::outbox::Outbox;
use crate::node::sessions::{SessionId, Sessions};

/// The header that names a session.
const SESSION: &str = "mcp-session-id";

/// Answers a request for this path.
pub(super) async fn respond(
    connection: &Connection<'_>,
    request: Request<Incoming>,
) -> Result<HttpReply, Refusal> {
    if !has_sessions(request.headers()) {
        return Ok(stateless::respond(connection, request).await);
    }
    match *request.method() {
        Method::POST => post(connection, request).await,
        Method::GET => get(connection, request.headers()),
        Method::DELETE => delete(&connection.shared.sessions, request.headers()),
        _ => Ok(not_allowed("GET, POST, DELETE")),
    }
}

// Private

async fn post(connection: &Connection<'_>, request: Request<Incoming>) -> Result<HttpReply, Refusal> {
    let shared = connection.shared;
    let session = session(&shared.sessions, request.headers())?;
    let streams = reads_events(request.headers());
    let text = connection.text(request).await?;
    if let Some(reply) = stateless::without_header(&text) {
        return Ok(reply);
    }

    let (is_new, client) = match session {
        Some((_, client)) => (false, client),
        None => (true, Client::passing()),
    };
    let aside = Arc::<Outbox>::default();
    let asker = Asker {
        client,
        aside: Arc::clone(&aside),
    };
    Ok(match shared.mcp.answer(&text, &asker) {
        Answer::Nothing => json_reply(StatusCode::ACCEPTED, Vec::new()),
        Answer::Malformed(json) => json_reply(StatusCode::BAD_REQUEST, json),
        Answer::Welcome(json) if is_new => welcome(&shared.sessions, json)?,
        Answer::Now(json) | Answer::Welcome(json) => json_reply(StatusCode::OK, json),
        // A stream gets keep-alives while the answer takes time.
        Answer::Later(json) if streams => event_reply(events::answer(aside.open(Arc::default()), json)),
        Answer::Later(json) => json_reply(StatusCode::OK, json.await),
    })
}

/// The answer that begins a session.
fn welcome(sessions: &Sessions, json: Vec<u8>) -> Result<HttpReply, Refusal> {
    let (id, _client) = sessions
        .open()
        .map_err(|error| refusal(StatusCode::SERVICE_UNAVAILABLE, error))?;
    let mut reply = json_reply(StatusCode::OK, json);
    if let Ok(id) = HeaderValue::from_str(&id.to_string()) {
        reply.headers_mut().insert(SESSION, id);
    }
    Ok(reply)
}

fn get(connection: &Connection<'_>, headers: &HeaderMap) -> Result<HttpReply, Refusal> {
    if !reads_events(headers) {
        let why = "GET needs `Accept: text/event-stream`";
        let mut reply = HttpReply::from(refusal(StatusCode::METHOD_NOT_ALLOWED, why));
        let others = HeaderValue::from_static("POST, DELETE");
        reply.headers_mut().insert(ALLOW, others);
        return Ok(reply);
    }
    let shared = connection.shared;
    let (id, client) = session(&shared.sessions, headers)?.ok_or_else(no_session)?;
    let reader = client.outbox.open(Arc::clone(&connection.bell));
    let sessions = Arc::clone(shared);
    // A session is in use while its stream is open.
    let wanted = move || sessions.sessions.find(id).is_some();
    Ok(event_reply(events::notifications(
        None,
        reader,
        connection.end.clone(),
        wanted,
    )))
}

fn delete(sessions: &Sessions, headers: &HeaderMap) -> Result<HttpReply, Refusal> {
    let (id, _client) = session(sessions, headers)?.ok_or_else(no_session)?;
    sessions.end(id);
    Ok(json_reply(StatusCode::NO_CONTENT, Vec::new()))
}

/// The session that the request names, if it names one.
fn session(sessions: &Sessions, headers: &HeaderMap) -> Result<Option<(SessionId, Arc<Client>)>, Refusal> {
    let Some(id) = header(headers, SESSION) else {
        return Ok(None);
    };
    let found = id
        .parse()
        .ok()
        .and_then(|id| sessions.find(id).map(|client| (id, client)));
    found
        .map(Some)
        .ok_or_else(|| refusal(StatusCode::NOT_FOUND, "no such session: send `initialize` again"))
}

fn no_session() -> Refusal {
    refusal(StatusCode::BAD_REQUEST, "Mcp-Session-Id: missing")
}
