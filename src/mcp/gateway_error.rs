//! What a client gets when its request cannot be served now, by the balancer or by a full node.
//!
//! This is the one table of these errors: the balancers' configurations are rendered from it, and
//! the nodes answer with it. The code in the JSON-RPC error is the HTTP status. JSON-RPC reserves
//! -32768 to -32000, and MCP 2026-07-28 forbids codes of that range that it does not define.
//!
//! No status is 404 or 405: clients take those for the end of their session or for a server of
//! another MCP version.

use super::{Id, Response, RpcError};

/// Why a request is not served now. The number is the HTTP status and the JSON-RPC code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u16)]
pub enum GatewayError {
    /// The client address is above its limit of requests or connections.
    TooManyRequests = 429,
    /// A node took the request and gave no valid answer.
    NodeFailed = 502,
    /// Every node is down, drained or full, or the node itself is full.
    Unavailable = 503,
    /// A node took the request and did not answer in time.
    NodeTimeout = 504,
}

impl GatewayError {
    /// All errors, by status.
    pub const ALL: [GatewayError; 4] = [
        GatewayError::TooManyRequests,
        GatewayError::NodeFailed,
        GatewayError::Unavailable,
        GatewayError::NodeTimeout,
    ];

    /// The HTTP status, which is the JSON-RPC code too.
    #[must_use]
    pub const fn status(self) -> u16 {
        self as u16
    }

    /// The sentence that a balancer sends.
    #[must_use]
    pub const fn message(self) -> &'static str {
        match self {
            GatewayError::TooManyRequests => "too many requests",
            GatewayError::NodeFailed => "the node failed",
            GatewayError::Unavailable => "no node can serve this now",
            GatewayError::NodeTimeout => "the node took too long",
        }
    }

    /// `Retry-After` in seconds, where the same request may be served a little later.
    #[must_use]
    pub const fn retry_after(self) -> Option<u8> {
        match self {
            GatewayError::TooManyRequests | GatewayError::Unavailable => Some(1),
            GatewayError::NodeFailed | GatewayError::NodeTimeout => None,
        }
    }

    /// The body that a balancer sends: a JSON-RPC error on one line, without an id, since a
    /// balancer reads no bodies.
    #[must_use]
    pub fn to_json(self) -> String {
        let error = RpcError {
            code: i64::from(self.status()),
            message: self.message().to_owned(),
            data: None,
        };
        String::from_utf8_lossy(&Response::error(Id::null(), error).to_json()).into_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mcp::Code;

    #[test]
    fn the_code_is_the_http_status_outside_the_ranges_of_json_rpc_and_mcp() {
        for error in GatewayError::ALL {
            let text = error.to_json();
            let json: serde_json::Value = serde_json::from_str(&text).unwrap();
            assert_eq!(json["error"]["code"], error.status());
            assert_eq!(json["error"]["message"], error.message());
            assert!(json["id"].is_null() && json["jsonrpc"] == "2.0", "{text}");
            assert!((429..=504).contains(&error.status()));
            // It is written between single quotes in configurations.
            assert!(!text.contains(['\'', '\\', '\n', '$', '%']), "{text}");
        }
        assert_eq!(Code::Unavailable as i32, 503);
    }
}
