//! `/mcp/sse`: the HTTP transport of MCP 2024-11-05. GET opens a stream of events; the first one
//! contains the URL for POST, and all answers follow as later ones.
//!
//! Specification: <https://modelcontextprotocol.io/specification/2024-11-05/basic/transports>.

use std::sync::Arc;

use hyper::body::Incoming;
use hyper::{Method, Request, StatusCode};

use super::Connection;
use super::events::{self, event};
use super::reply::{HttpReply, Refusal, event_reply, json_reply, not_allowed, refusal};
use super::request::check_version;
use crate::node::answer::{Answer, Asker};
use crate::node::sessions::SessionId;
use crate::node::worker::Shared;

/// The most requests of one session without an answer.
const MAX_RUNNING: usize = 64;

/// Answers a request for this path.
pub(super) async fn respond(
    connection: &Connection<'_>,
    request: Request<Incoming>,
) -> Result<HttpReply, Refusal> {
    check_version(request.headers())?;
    match *request.method() {
        Method::GET => get(connection),
        Method::POST => post(connection, request).await,
        _ => Ok(not_allowed("GET, POST")),
    }
}

// Private

/// A session that ends with its stream.
struct Streaming {
    shared: Arc<Shared>,
    id: SessionId,
}

impl Streaming {
    /// Whether it is still wanted. The check counts as use.
    fn is_wanted(&self) -> bool {
        self.shared.streams.find(self.id).is_some()
    }
}

impl Drop for Streaming {
    fn drop(&mut self) {
        self.shared.streams.end(self.id);
    }
}

fn get(connection: &Connection<'_>) -> Result<HttpReply, Refusal> {
    let shared = connection.shared;
    let (id, client) = shared
        .streams
        .open()
        .map_err(|error| refusal(StatusCode::SERVICE_UNAVAILABLE, error))?;
    let streaming = Streaming {
        shared: Arc::clone(shared),
        id,
    };
    // The same path, so that balancers that route by path need no further rule.
    let endpoint = event("endpoint", format!("/mcp/sse?sessionId={id}").as_bytes());
    let reader = client.outbox.open(Arc::clone(&connection.bell));
    let wanted = move || streaming.is_wanted();
    Ok(event_reply(events::notifications(
        Some(endpoint),
        reader,
        connection.end.clone(),
        wanted,
    )))
}

async fn post(connection: &Connection<'_>, request: Request<Incoming>) -> Result<HttpReply, Refusal> {
    let shared = connection.shared;
    let query = request.uri().query().unwrap_or_default();
    let id = query
        .split('&')
        .find_map(|pair| pair.strip_prefix("sessionId="))
        .ok_or_else(|| refusal(StatusCode::BAD_REQUEST, "sessionId: missing"))?;
    let client = id
        .parse()
        .ok()
        .and_then(|id| shared.streams.find(id))
        .ok_or_else(|| refusal(StatusCode::NOT_FOUND, "no such session: its stream has ended"))?;
    if client.running() >= MAX_RUNNING {
        return Err(refusal(
            StatusCode::SERVICE_UNAVAILABLE,
            "too many requests at the same time",
        ));
    }
    let text = connection.text(request).await?;
    match shared.mcp.answer(&text, &Asker::alone(Arc::clone(&client))) {
        Answer::Nothing => {}
        Answer::Malformed(json) => return Ok(json_reply(StatusCode::BAD_REQUEST, json)),
        Answer::Now(json) | Answer::Welcome(json) => {
            client.outbox.put(json);
        }
        // Ends early if the session does: that cancels its requests.
        Answer::Later(json) => {
            tokio::spawn(async move { client.outbox.put(json.await) });
        }
    }
    Ok(json_reply(StatusCode::ACCEPTED, Vec::new()))
}
