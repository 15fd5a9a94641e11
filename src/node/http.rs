//! MCP over HTTP: `POST /mcp`, answered by JSON; and `GET /health`.

use std::convert::Infallible;
use std::fmt;
use std::pin::pin;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::{Body, Incoming};
use hyper::header::{ALLOW, CONTENT_TYPE, EXPECT, HeaderValue, ORIGIN};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use serde_json::json;
use tokio::net::TcpStream;

use super::answer::Answer;
use super::origin::may_ask;
use super::worker::Shared;
use crate::mcp::{self, Code, Id, MAX_MESSAGE, RpcError, Version};

/// Time for a request's header, and between two requests. Longer than balancers keep idle connections to servers, so
/// that they close them and none is closed under a request.
const HEADER: Duration = Duration::from_secs(75);
/// Time for a request's body.
const BODY: Duration = Duration::from_secs(30);
/// hyper's buffer per connection, in bytes; it bounds a request's header.
const BUFFER: usize = 64 * 1024;
/// What is read of a body that is too large, in bytes, so that its sender gets to read why.
const MAX_DISCARD: usize = 4 * MAX_MESSAGE;

type HttpReply = Response<Full<Bytes>>;

/// Why a request never gets to MCP.
struct Refusal {
    status: StatusCode,
    why: String,
}

/// Serves one connection to its end: the client's, or the one that is ordered. A request in progress is answered.
pub(super) async fn serve(shared: &Shared, stream: TcpStream) {
    let place = shared.places.take();
    let full = place.is_none();
    let Some(_place) = place.or_else(|| shared.places.take_beyond()) else {
        return;
    };
    let service =
        service_fn(|request| async move { Ok::<_, Infallible>(respond(shared, request, full).await) });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER)
        .max_buf_size(BUFFER)
        .keep_alive(!full)
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = pin!(connection);
    // Errors are clients that are gone or speak no HTTP; hyper has told them.
    tokio::select! {
        _ended = connection.as_mut() => return,
        () = shared.shutdown.ordered() => connection.as_mut().graceful_shutdown(),
    }
    let _ended = connection.await;
}

// Private

async fn respond(shared: &Shared, request: Request<Incoming>, full: bool) -> HttpReply {
    match (request.uri().path(), request.method()) {
        ("/health", &Method::GET | &Method::HEAD) => health(shared),
        ("/health", _) => not_allowed("GET, HEAD"),
        ("/mcp", _) if full => refusal(StatusCode::SERVICE_UNAVAILABLE, "too many connections").into(),
        ("/mcp", &Method::POST) => post(shared, request).await.unwrap_or_else(HttpReply::from),
        ("/mcp", _) => not_allowed("POST"),
        (path, _) => {
            let error = format!("nothing is at {}", path.chars().take(100).collect::<String>());
            reply(StatusCode::NOT_FOUND, json!({"error": error}).to_string())
        }
    }
}

fn health(shared: &Shared) -> HttpReply {
    let health = json!({
        "status": "ok",
        "node": shared.mcp.name(),
        "pid": std::process::id(),
        "connections": shared.places.taken(),
    });
    reply(StatusCode::OK, health.to_string())
}

async fn post(shared: &Shared, request: Request<Incoming>) -> Result<HttpReply, Refusal> {
    acceptable(shared, &request)?;
    let text = tokio::time::timeout(BODY, read(request))
        .await
        .map_err(|_| refusal(StatusCode::REQUEST_TIMEOUT, "the body did not come in time"))??;
    Ok(match shared.mcp.answer(&text) {
        Answer::Nothing => reply(StatusCode::ACCEPTED, Bytes::new()),
        Answer::Malformed(json) => reply(StatusCode::BAD_REQUEST, json),
        Answer::Now(json) => reply(StatusCode::OK, json),
        Answer::Later(json) => reply(StatusCode::OK, json.await),
    })
}

/// Whether the header allows the body to be looked at.
fn acceptable(shared: &Shared, request: &Request<Incoming>) -> Result<(), Refusal> {
    let header = |name: &str| {
        request
            .headers()
            .get(name)
            .map(|value| value.to_str().unwrap_or_default())
    };
    if header(ORIGIN.as_str()).is_some_and(|origin| !may_ask(origin, &shared.allowed_origins)) {
        return Err(refusal(StatusCode::FORBIDDEN, "pages of this origin may not ask"));
    }
    if header("mcp-protocol-version").is_some_and(|version| Version::named(version).is_none()) {
        return Err(refusal(
            StatusCode::BAD_REQUEST,
            "MCP-Protocol-Version: not a version that is spoken here",
        ));
    }
    let media_type = header(CONTENT_TYPE.as_str()).unwrap_or_default();
    let media_type = media_type.split(';').next().unwrap_or_default().trim();
    if !media_type.eq_ignore_ascii_case("application/json") {
        return Err(refusal(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "Content-Type: not application/json",
        ));
    }
    Ok(())
}

/// Reads the body, unless it is too large.
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

fn not_allowed(methods: &'static str) -> HttpReply {
    let refusal = refusal(
        StatusCode::METHOD_NOT_ALLOWED,
        format_args!("only {methods} here"),
    );
    let mut reply = HttpReply::from(refusal);
    reply
        .headers_mut()
        .insert(ALLOW, HeaderValue::from_static(methods));
    reply
}

fn refusal(status: StatusCode, why: impl fmt::Display) -> Refusal {
    Refusal {
        status,
        why: format!("{why}"),
    }
}

impl From<Refusal> for HttpReply {
    fn from(Refusal { status, why }: Refusal) -> HttpReply {
        let code = match status {
            StatusCode::SERVICE_UNAVAILABLE => Code::Overloaded,
            _ => Code::InvalidRequest,
        };
        reply(
            status,
            mcp::Response::error(Id::null(), RpcError::new(code, why)).to_json(),
        )
    }
}

fn reply(status: StatusCode, json: impl Into<Bytes>) -> HttpReply {
    let json = json.into();
    let empty = json.is_empty();
    let mut reply = Response::new(Full::new(json));
    *reply.status_mut() = status;
    if !empty {
        let json = HeaderValue::from_static("application/json");
        reply.headers_mut().insert(CONTENT_TYPE, json);
    }
    reply
}
