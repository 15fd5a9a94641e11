//! MCP over HTTP, on three paths, and `GET /health`.
//!
//! | path | protocol |
//! | --- | --- |
//! | `/mcp` | [Streamable HTTP](streamable) with sessions, of MCP 2025-03-26 to 2025-11-25, and [without](stateless), from 2026-07-28 on |
//! | `/mcp/sse` | [HTTP with SSE](sse), of MCP 2024-11-05 |
//! | `/mcp/ws` | [WebSocket](upgrade), which clients and servers agree on without a specification |

mod events;
mod reply;
mod request;
mod sse;
mod stateless;
mod streamable;
mod upgrade;

use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::upgrade::OnUpgrade;
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use serde_json::json;
use tokio::net::TcpStream;

use super::outbox::Bell;
use super::websocket;
use super::worker::Shared;
use reply::{HttpReply, Refusal, json_reply, not_allowed, refusal};

/// Time for a request's header, and between two requests. It is longer than balancers keep idle
/// connections to servers, so that the balancers close them and no request meets a closing
/// connection.
const HEADER_TIMEOUT: Duration = Duration::from_secs(75);
/// hyper's buffer per connection, in bytes; it bounds a request's header.
const BUFFER: usize = 64 * 1024;

/// One connection, as its request handlers see it.
struct Connection<'a> {
    shared: &'a Arc<Shared>,
    /// Whether the connection is over the node's limit, and only gets an error.
    full: bool,
    /// Ends it when a stream on it is not read.
    bell: Arc<Bell>,
    /// The WebSocket that the connection becomes after the answer, if any.
    upgrade: Mutex<Option<OnUpgrade>>,
}

/// Serves one connection until the client closes it or the node shuts down. A request in progress
/// is answered.
pub(super) async fn serve(shared: &Arc<Shared>, stream: TcpStream) {
    let slot = shared.slots.take();
    let full = slot.is_none();
    let Some(_slot) = slot.or_else(|| shared.slots.take_beyond()) else {
        return;
    };
    let connection = Connection {
        shared,
        full,
        bell: Arc::default(),
        upgrade: Mutex::default(),
    };
    // Boxed, so that a WebSocket, which may last, does not hold the memory of the HTTP connection.
    Box::pin(connection.serve(stream)).await;
    if let Some(upgrade) = connection.upgrade()
        && let Ok(upgraded) = upgrade.await
        && let Ok(parts) = upgraded.downcast::<TokioIo<TcpStream>>()
    {
        websocket::serve(shared, parts.io.into_inner(), parts.read_buf.to_vec()).await;
    }
}

// Private

impl Connection<'_> {
    /// Answers requests until there are no more.
    async fn serve(&self, stream: TcpStream) {
        let service = service_fn(|request| async { Ok::<_, Infallible>(self.respond(request).await) });
        let mut connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEADER_TIMEOUT)
            .max_buf_size(BUFFER)
            .keep_alive(!self.full)
            .serve_connection(TokioIo::new(stream), service)
            .with_upgrades();
        // An error means that the client is gone or does not speak HTTP; hyper has answered it.
        tokio::select! {
            _ended = &mut connection => return,
            () = self.bell.cut() => return,
            () = self.shared.shutdown.cancelled() => {}
        }
        std::pin::Pin::new(&mut connection).graceful_shutdown();
        let _ended = connection.await;
    }

    async fn respond(&self, request: Request<Incoming>) -> HttpReply {
        self.shared.faults.wait().await;
        self.answer(request).await.unwrap_or_else(HttpReply::from)
    }

    async fn answer(&self, request: Request<Incoming>) -> Result<HttpReply, Refusal> {
        request::check_origin(request.headers(), &self.shared.allowed_origins)?;
        match request.uri().path() {
            "/health" => Ok(match *request.method() {
                Method::GET | Method::HEAD => self.health(),
                _ => not_allowed("GET, HEAD"),
            }),
            "/mcp" | "/mcp/sse" | "/mcp/ws" if self.full => {
                Err(refusal(StatusCode::SERVICE_UNAVAILABLE, "too many connections"))
            }
            "/mcp" => streamable::respond(self, request).await,
            "/mcp/sse" => sse::respond(self, request).await,
            "/mcp/ws" => upgrade::respond(self, request),
            path => {
                let error = format!("no such path: {}", path.chars().take(100).collect::<String>());
                let error = json!({"error": error}).to_string();
                Ok(json_reply(StatusCode::NOT_FOUND, error))
            }
        }
    }

    fn health(&self) -> HttpReply {
        let health = json!({
            "status": "ok",
            "node": self.shared.mcp.name(),
            "pid": std::process::id(),
            "connections": self.shared.slots.taken(),
        });
        json_reply(StatusCode::OK, health.to_string())
    }

    /// The connection becomes a WebSocket after the answer.
    fn will_upgrade(&self, upgrade: OnUpgrade) {
        *self.upgrade.lock().unwrap_or_else(PoisonError::into_inner) = Some(upgrade);
    }

    fn upgrade(&self) -> Option<OnUpgrade> {
        self.upgrade.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}
