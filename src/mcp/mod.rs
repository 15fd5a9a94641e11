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
mod tool;
mod version;

pub use error::{Code, RpcError};
pub use gateway_error::GatewayError;
pub use id::Id;
pub use initialize::{Implementation, InitializeParams, InitializeResult};
pub use lines::{Lines, TooLong};
pub use logging::{Level, SetLevelParams};
pub use message::{CancelledParams, Incoming, MAX_BATCH, Message, Params, Request};
pub use notification::Notification;
pub use response::Response;
pub use tool::{CallParams, CallResult, Content, Tool, ToolList};
pub use version::Version;

/// The longest message that is read, in bytes: 16 MiB, as erlmcp's.
pub const MAX_MESSAGE: usize = 16 * 1024 * 1024;

/// The request that checks whether a node is alive: any answer counts, even an error. Without line
/// feed.
pub const PING: &str = r#"{"jsonrpc":"2.0","id":"check","method":"ping"}"#;
