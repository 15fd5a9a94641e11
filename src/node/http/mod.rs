//! MCP over HTTP, on three paths, and `GET /health`, `/ready` and `/live`.
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

use hyper::body::{Body, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::upgrade::OnUpgrade;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::json;
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;

use super::outbox::Bell;
use super::websocket;
use super::worker::Shared;
use crate::http_server::{self, Answer, Client, ClientStream};
use reply::{HttpBody, HttpReply, Refusal, json_reply, not_allowed, refusal};

/// The timeout between two requests. It is longer than balancers keep idle connections to servers,
/// so that the balancers close them and no request meets a closing connection.
const IDLE_TIMEOUT: Duration = Duration::from_secs(75);
/// hyper's buffer per connection, in bytes; it bounds a request's header.
const BUFFER: usize = 64 * 1024;

/// One connection, as its request handlers see it.
struct Connection<'a> {
    shared: &'a Arc<Shared>,
    client: Arc<Client>,
    /// Whether the connection is over the node's limit, and only gets an error.
    full: bool,
    /// Ends it when a stream on it is not read.
    bell: Arc<Bell>,
    /// Cancelled when it has to end because the node does: a stream on it ends, too.
    end: CancellationToken,
    /// The WebSocket that the connection becomes after the answer, if any.
    upgrade: Mutex<Option<OnUpgrade>>,
    /// The handshake of that WebSocket. It is one long request, so that its connection is never seen
    /// idle and keeps its slot.
    handshake: Mutex<Option<http_server::Request>>,
}

/// Serves one connection until the client closes it or the node shuts down. A request in progress
/// is answered.
pub(super) async fn serve(shared: &Arc<Shared>, stream: TcpStream) {
    let slot = shared.slots.take();
    let full = slot.is_none();
    let Some(slot) = slot.or_else(|| shared.slots.take_beyond()) else {
        return;
    };
    let connection = Connection {
        shared,
        client: Client::new(slot, IDLE_TIMEOUT),
        full,
        bell: Arc::default(),
        end: CancellationToken::new(),
        upgrade: Mutex::default(),
        handshake: Mutex::default(),
    };
    // Boxed, so that a WebSocket, which may last, does not hold the memory of the HTTP connection.
    Box::pin(connection.serve(stream)).await;
    if let Some(upgrade) = connection.upgrade()
        && let Ok(upgraded) = upgrade.await
        && let Ok(parts) = upgraded.downcast::<TokioIo<ClientStream<TcpStream>>>()
        && let Ok(stream) = parts.io.into_inner().into_inner()
    {
        websocket::serve(shared, stream, parts.read_buf.to_vec()).await;
    }
}

// Private

impl Connection<'_> {
    /// Answers requests until there are no more.
    async fn serve(&self, stream: TcpStream) {
        let service = service_fn(|request| async { Ok::<_, Infallible>(self.respond(request).await) });
        let mut connection = http1::Builder::new()
            .max_buf_size(BUFFER)
            .keep_alive(!self.full)
            .serve_connection(TokioIo::new(self.client.watch(stream)), service)
            .with_upgrades();
        // An error means that the client is gone or does not speak HTTP; hyper has answered it.
        tokio::select! {
            biased;
            _ended = &mut connection => return,
            () = self.client.must_end() => return,
            () = self.bell.cut() => return,
            () = self.shared.ending.turn() => {}
        }
        self.end.cancel();
        std::pin::Pin::new(&mut connection).graceful_shutdown();
        let _ended = connection.await;
    }

    async fn respond(&self, incoming: Request<Incoming>) -> Response<Answer<HttpBody>> {
        let request = self.client.request();
        self.shared.faults.wait().await;
        let reply = self.answer(incoming).await.unwrap_or_else(HttpReply::from);
        if reply.status() == StatusCode::SWITCHING_PROTOCOLS {
            *self.handshake.lock().unwrap_or_else(PoisonError::into_inner) = Some(request);
            return reply.map(Answer::of_lasting_request);
        }
        reply.map(|body| Answer::new(body, request))
    }

    async fn answer(&self, request: Request<Incoming>) -> Result<HttpReply, Refusal> {
        if request.body().is_end_stream() {
            self.keep_slot()?;
        }
        request::check_origin(request.headers(), &self.shared.allowed_origins)?;
        match request.uri().path() {
            "/health" | "/ready" | "/live" if !matches!(*request.method(), Method::GET | Method::HEAD) => {
                Ok(not_allowed("GET, HEAD"))
            }
            "/health" => Ok(self.health("ok", StatusCode::OK)),
            "/ready" => Ok(self.ready()),
            "/live" => Ok(self.live().await),
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

    /// The body of a request that is served next.
    async fn text(&self, request: Request<Incoming>) -> Result<Vec<u8>, Refusal> {
        let text = request::text(request).await?;
        self.keep_slot()?;
        Ok(text)
    }

    fn keep_slot(&self) -> Result<(), Refusal> {
        if self.client.keep_slot() {
            return Ok(());
        }
        Err(refusal(StatusCode::SERVICE_UNAVAILABLE, "too many connections"))
    }

    fn health(&self, word: &str, status: StatusCode) -> HttpReply {
        let health = json!({
            "status": word,
            "node": self.shared.mcp.name(),
            "pid": std::process::id(),
            "connections": self.shared.slots.taken(),
        });
        json_reply(status, health.to_string())
    }

    /// Whether new clients should come here.
    fn ready(&self) -> HttpReply {
        let no = StatusCode::SERVICE_UNAVAILABLE;
        match () {
            () if self.shared.ending.is_announced() => self.health("stopping", no),
            () if self.full => self.health("full", no),
            () => self.health("up", StatusCode::OK),
        }
    }

    /// Whether the process does its work.
    async fn live(&self) -> HttpReply {
        let (word, status) = if self.shared.turns.all_answer().await {
            ("live", StatusCode::OK)
        } else {
            ("stuck", StatusCode::SERVICE_UNAVAILABLE)
        };
        json_reply(status, json!({"status": word}).to_string())
    }

    /// The connection becomes a WebSocket after the answer.
    fn will_upgrade(&self, upgrade: OnUpgrade) {
        *self.upgrade.lock().unwrap_or_else(PoisonError::into_inner) = Some(upgrade);
    }

    fn upgrade(&self) -> Option<OnUpgrade> {
        self.upgrade.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}
