//! JSON-RPC 2.0 and the Model Context Protocol, as messages.
//!
//! Texts from the network are read once and in place: parameters stay [raw](Params) until the
//! method that needs them is known, and unused parts are never built. So a message costs little
//! more memory than its text, whatever it contains.
//!
//! Specifications: <https://www.jsonrpc.org/specification>,
//! <https://modelcontextprotocol.io/specification>.

mod error;
mod gateway_error;
mod id;
mod initialize;
mod lines;
mod logging;
mod message;
mod notification;
mod response;
mod stateless;
mod tool;
mod version;

pub use error::{Code, RpcError};
pub use gateway_error::GatewayError;
pub use id::Id;
pub use initialize::{Capabilities, Implementation, InitializeParams, InitializeResult};
pub use lines::{Lines, TooLong};
pub use logging::{Level, SetLevelParams};
pub use message::{CancelledParams, Incoming, MAX_BATCH, Message, Params, Request};
pub use notification::{Notification, Subscribed, SubscriptionMeta};
pub use response::Response;
pub use stateless::{
    Complete, DiscoverResult, ListenParams, PROTOCOL_VERSION_KEY, RequestMeta, StatelessParams,
    SubscriptionEnd,
};
pub use tool::{CallParams, CallResult, Content, Tool, ToolList};
pub use version::{Revision, UnknownRevision};

/// The longest message that is read, in bytes: 16 MiB, as erlmcp's.
pub const MAX_MESSAGE: usize = 16 * 1024 * 1024;

/// The request that checks whether a node is alive over HTTP, as the body of a `POST`: an error is
/// an answer, too. It needs no session.
pub const DISCOVER: &str = r#"{"jsonrpc":"2.0","id":"check","method":"server/discover","params":{"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientInfo":{"name":"clusterctl-check","version":"1"},"io.modelcontextprotocol/clientCapabilities":{}}}}"#;

/// A request that shows which revision with sessions a server supports: it answers with its newest.
/// Without line feed.
pub const INITIALIZE: &str = r#"{"jsonrpc":"2.0","id":"check","method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"clusterctl-check","version":"1"}}}"#;

/// The header fields of the request that carries [`DISCOVER`]. The session id keeps a server of an
/// earlier revision from making a session for each check.
pub const DISCOVER_HEADERS: [(&str, &str); 5] = [
    ("Content-Type", "application/json"),
    ("Accept", "application/json, text/event-stream"),
    ("MCP-Protocol-Version", "2026-07-28"),
    ("Mcp-Method", "server/discover"),
    ("Mcp-Session-Id", "clusterctl-check"),
];

/// The request that checks whether a node is alive: any answer counts, even an error. Without line
/// feed.
pub const PING: &str = r#"{"jsonrpc":"2.0","id":"check","method":"ping"}"#;
