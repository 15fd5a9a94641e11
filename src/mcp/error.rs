//! JSON-RPC errors and their codes.

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{GatewayError, Revision};

/// The error of a response.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{message} ({code})")]
pub struct RpcError {
    /// One of [`Code`]'s, or another.
    pub code: i64,
    /// What failed and why, in a sentence.
    pub message: String,
    /// Details for programs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<serde_json::Value>,
}

/// The codes of JSON-RPC 2.0, section 5.1, and a few more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i32)]
pub enum Code {
    /// Not JSON.
    ParseError = -32700,
    /// JSON, but not a request.
    InvalidRequest = -32600,
    /// No such method.
    MethodNotFound = -32601,
    /// Parameters that the method cannot use.
    InvalidParams = -32602,
    /// A fault of the server itself.
    InternalError = -32603,
    /// The server is at its limit. The same code as a balancer's when all nodes are full.
    Unavailable = GatewayError::Unavailable as i32,
    /// The session does not exist, or no longer. The servers of the official SDKs use the same
    /// code.
    NoSession = -32001,
    /// A header is missing, or says something else than the body. MCP 2026-07-28.
    HeaderMismatch = -32020,
    /// The server does not support the revision that the request names. MCP 2026-07-28.
    UnsupportedRevision = -32022,
    /// The client has cancelled its request. The number is that of the Language Server Protocol.
    Cancelled = -32800,
}

impl RpcError {
    /// An error of one of the usual codes.
    #[must_use]
    pub fn new(code: Code, message: impl Into<String>) -> RpcError {
        RpcError {
            code: i64::from(code as i32),
            message: message.into(),
            data: None,
        }
    }

    /// The error for a request of a revision called `requested` that the server does not serve
    /// without a session. The client can send the request again, with one of the supported
    /// revisions.
    #[must_use]
    pub fn unsupported_revision(requested: &str) -> RpcError {
        let supported: Vec<Revision> = Revision::without_sessions().collect();
        RpcError {
            data: Some(json!({"supported": supported, "requested": requested})),
            ..RpcError::new(Code::UnsupportedRevision, "unsupported revision of MCP")
        }
    }
}
