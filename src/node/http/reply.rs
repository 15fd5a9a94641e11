//! HTTP responses.

use std::fmt;

use bytes::Bytes;
use http_body_util::{Either, Full, StreamBody};
use hyper::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use hyper::{Response, StatusCode};

use super::events::Events;
use crate::mcp::{self, Code, GatewayError, Id, RpcError};

/// A whole text, or a stream of events.
pub(super) type HttpBody = Either<Full<Bytes>, StreamBody<Events>>;
/// A response with either.
pub(super) type HttpReply = Response<HttpBody>;

/// The reason why a request does not reach MCP.
#[derive(Debug)]
pub(super) struct Refusal {
    status: StatusCode,
    why: String,
}

/// A refusal.
pub(super) fn refusal(status: StatusCode, why: impl fmt::Display) -> Refusal {
    Refusal {
        status,
        why: format!("{why}"),
    }
}

/// A response with a JSON body, or with an empty one.
pub(super) fn json_reply(status: StatusCode, json: impl Into<Bytes>) -> HttpReply {
    let json = json.into();
    let empty = json.is_empty();
    let mut reply = Response::new(Either::Left(Full::new(json)));
    *reply.status_mut() = status;
    if !empty {
        let json = HeaderValue::from_static("application/json");
        reply.headers_mut().insert(CONTENT_TYPE, json);
    }
    reply
}

/// A response that is a stream of events: proxies must not cache or change it.
pub(super) fn event_reply(events: Events) -> HttpReply {
    let mut reply = Response::new(Either::Right(StreamBody::new(events)));
    let headers = reply.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache, no-transform"));
    // nginx buffers whole responses unless this header forbids it.
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    reply
}

/// The method is not allowed for this path.
pub(super) fn not_allowed(methods: &'static str) -> HttpReply {
    let why = format_args!("only {methods} here");
    allowing(methods, refusal(StatusCode::METHOD_NOT_ALLOWED, why).into())
}

/// `reply` with the methods that are allowed.
pub(super) fn allowing(methods: &'static str, mut reply: HttpReply) -> HttpReply {
    reply
        .headers_mut()
        .insert(ALLOW, HeaderValue::from_static(methods));
    reply
}

impl Refusal {
    /// The response without an id, as MCP 2026-07-28 has it.
    pub(super) fn without_id(self) -> HttpReply {
        self.reply(mcp::Response::error_without_id)
    }

    // Private

    fn reply(self, response: impl Fn(RpcError) -> mcp::Response) -> HttpReply {
        let Refusal { status, why } = self;
        let code = match status {
            StatusCode::SERVICE_UNAVAILABLE => Code::Unavailable,
            StatusCode::NOT_FOUND => Code::NoSession,
            _ => Code::InvalidRequest,
        };
        let mut reply = json_reply(status, response(RpcError::new(code, why)).to_json());
        let seconds = GatewayError::ALL
            .into_iter()
            .find(|error| error.status() == status.as_u16())
            .and_then(GatewayError::retry_after);
        if let Some(seconds) = seconds {
            let seconds = HeaderValue::from(u16::from(seconds));
            reply.headers_mut().insert(RETRY_AFTER, seconds);
        }
        reply
    }
}

impl From<Refusal> for HttpReply {
    fn from(refusal: Refusal) -> HttpReply {
        refusal.reply(|error| mcp::Response::error(Id::null(), error))
    }
}
