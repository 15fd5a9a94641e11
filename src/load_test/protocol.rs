//! The protocols of clients.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::base::units::excerpt;

/// The protocol of a client, and so what a held connection is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Protocol {
    /// JSON-RPC lines over TCP.
    Tcp,
    /// Streamable HTTP: a kept-alive connection with a session.
    Http,
    /// A WebSocket.
    Ws,
    /// HTTP with SSE, of MCP 2024-11-05: a stream of events, and a short connection for every
    /// message.
    Sse,
}

impl Protocol {
    /// All of them.
    pub const ALL: [Protocol; 4] = [Protocol::Tcp, Protocol::Http, Protocol::Ws, Protocol::Sse];

    /// Its name on the command line and in results.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Protocol::Tcp => "tcp",
            Protocol::Http => "http",
            Protocol::Ws => "ws",
            Protocol::Sse => "sse",
        }
    }

    /// The default path of requests.
    #[must_use]
    pub const fn path(self) -> &'static str {
        match self {
            Protocol::Tcp => "/",
            Protocol::Http => "/mcp",
            Protocol::Ws => "/mcp/ws",
            Protocol::Sse => "/mcp/sse",
        }
    }

    /// The profile's name of the listener for this protocol: a key of `listen`.
    #[must_use]
    pub const fn listener(self) -> &'static str {
        match self {
            Protocol::Tcp => "tcp",
            Protocol::Http => "http",
            Protocol::Ws => "websocket",
            Protocol::Sse => "sse",
        }
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Protocol {
    type Err = String;

    fn from_str(text: &str) -> Result<Protocol, String> {
        Protocol::ALL
            .into_iter()
            .find(|protocol| protocol.name() == text)
            .ok_or_else(|| {
                format!(
                    "`{}` is not a protocol: available: tcp, http, ws, sse",
                    excerpt(text)
                )
            })
    }
}
