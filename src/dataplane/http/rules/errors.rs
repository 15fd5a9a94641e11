//! Answers of the balancer itself.

use std::io::Write as _;
use std::sync::LazyLock;

use super::routes::Refusal;
use super::to_client::{ClientConnection, write_connection};
use crate::mcp::GatewayError;
use crate::render::errors::BODY_TOO_LARGE_JSON;
use crate::render::paths::REFUSED_JSON;

/// The bodies of the errors that are JSON-RPC.
static GATEWAY_ERRORS: LazyLock<[(GatewayError, String); 4]> =
    LazyLock::new(|| GatewayError::ALL.map(|error| (error, error.to_json())));

/// Writes an error with `status` and a body of JSON: one of JSON-RPC where a node was to answer, the
/// same as rendered for HAProxy. An answer to `HEAD` (`is_head`) has no body.
pub fn write_error(status: u16, connection: ClientConnection, is_head: bool, out: &mut Vec<u8>) {
    let known = GATEWAY_ERRORS.iter().find(|(error, _)| error.status() == status);
    let (reason, own) = reason_and_body(status);
    let (body, retry_after) = known.map_or((own, None), |(error, json)| (json.as_str(), error.retry_after()));
    write(
        &Answer {
            status,
            reason,
            body,
            retry_after,
        },
        connection,
        is_head,
        out,
    );
}

/// Writes the answer to a request that goes to no backend; `connection` and `is_head` as in
/// [`write_error`].
pub fn write_refusal(refusal: Refusal, connection: ClientConnection, is_head: bool, out: &mut Vec<u8>) {
    match refusal {
        Refusal::AmbiguousPath => write(
            &Answer {
                status: 400,
                reason: "Bad Request",
                body: REFUSED_JSON,
                retry_after: None,
            },
            connection,
            is_head,
            out,
        ),
        Refusal::UnknownPath => write_error(404, connection, is_head, out),
    }
}

// Private

struct Answer<'a> {
    status: u16,
    reason: &'a str,
    body: &'a str,
    retry_after: Option<u8>,
}

fn write(answer: &Answer, connection: ClientConnection, is_head: bool, out: &mut Vec<u8>) {
    // A `Vec` takes every byte.
    let _written = write!(
        out,
        "HTTP/1.1 {} {}\r\nContent-Length: {}\r\nContent-Type: application/json\r\n",
        answer.status,
        answer.reason,
        answer.body.len()
    );
    if let Some(seconds) = answer.retry_after {
        let _written = write!(out, "Retry-After: {seconds}\r\n");
    }
    write_connection(connection, out);
    out.extend_from_slice(b"\r\n");
    if !is_head {
        out.extend_from_slice(answer.body.as_bytes());
    }
}

/// The reason phrase of a status, and its body where that is not an error of JSON-RPC.
const fn reason_and_body(status: u16) -> (&'static str, &'static str) {
    match status {
        400 => ("Bad Request", r#"{"error":"invalid request"}"#),
        404 => ("Not Found", r#"{"error":"not found"}"#),
        408 => ("Request Timeout", r#"{"error":"the request took too long"}"#),
        413 => ("Content Too Large", BODY_TOO_LARGE_JSON),
        429 => ("Too Many Requests", ""),
        431 => (
            "Request Header Fields Too Large",
            r#"{"error":"the headers are too large"}"#,
        ),
        501 => ("Not Implemented", r#"{"error":"unknown transfer coding"}"#),
        502 => ("Bad Gateway", ""),
        503 => ("Service Unavailable", ""),
        504 => ("Gateway Timeout", ""),
        505 => (
            "HTTP Version Not Supported",
            r#"{"error":"unknown version of HTTP"}"#,
        ),
        _ => ("Internal Server Error", r#"{"error":"internal error"}"#),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(write: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        write(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn errors_are_those_that_haproxy_answers() {
        assert_eq!(
            text(|out| write_error(503, ClientConnection::Default, false, out)),
            "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 87\r\nContent-Type: application/json\r\n\
             Retry-After: 1\r\n\r\n\
             {\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":503,\"message\":\"no node can serve this now\"}}"
        );
        assert_eq!(
            text(|out| write_refusal(Refusal::UnknownPath, ClientConnection::KeepAlive, false, out)),
            "HTTP/1.1 404 Not Found\r\nContent-Length: 21\r\nContent-Type: application/json\r\n\
             Connection: keep-alive\r\n\r\n{\"error\":\"not found\"}"
        );
        assert_eq!(
            text(|out| write_refusal(Refusal::AmbiguousPath, ClientConnection::Close, false, out)),
            "HTTP/1.1 400 Bad Request\r\nContent-Length: 26\r\nContent-Type: application/json\r\n\
             Connection: close\r\n\r\n{\"error\":\"ambiguous path\"}"
        );
    }

    #[test]
    fn every_error_is_json_and_has_its_length() {
        for status in [400, 404, 408, 413, 429, 431, 500, 501, 502, 503, 504, 505] {
            let answer = text(|out| write_error(status, ClientConnection::Close, false, out));
            let (head, body) = answer.split_once("\r\n\r\n").unwrap();
            let json: serde_json::Value = serde_json::from_str(body).unwrap();
            assert!(
                json["error"].is_string() || json["error"]["code"] == status,
                "{answer}"
            );
            assert!(head.starts_with(&format!("HTTP/1.1 {status} ")), "{head}");
            assert!(
                head.contains(&format!("\r\nContent-Length: {}\r\n", body.len())),
                "{head}"
            );
            let to_head = text(|out| write_error(status, ClientConnection::Close, true, out));
            assert_eq!(to_head, format!("{head}\r\n\r\n"));
        }
    }
}
