//! JSON-RPC errors and their codes.

use serde::{Deserialize, Serialize};

use super::GatewayError;

/// The error of a response.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{message} ({code})")]
pub struct RpcError {
    /// One of [`Code`]'s, or another.
    pub code: i64,
    /// What failed and why, in a sentence.
    pub message: String,
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
        }
    }
}
