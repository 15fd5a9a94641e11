//! Errors of a connection, by kind.

use std::io;

use serde::{Deserialize, Serialize};

/// A kind of error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// The connection was refused.
    Refused,
    /// Not connected in time.
    ConnectTimeout,
    /// Connected, but no answer in time.
    AnswerTimeout,
    /// The other end has closed the connection.
    Closed,
    /// The connection was reset.
    Reset,
    /// The answer is not MCP over this protocol.
    Garbage,
    /// An HTTP status that means an error.
    HttpStatus,
    /// The server refused: a JSON-RPC error in answer to `initialize`.
    Denied,
    /// This host has no free source port, or the source address is not its own.
    NoPort,
    /// This process has no free descriptor.
    NoDescriptor,
    /// Another error of the operating system.
    System,
}

/// The error of one connection.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{detail}")]
pub struct LoadError {
    /// The kind.
    pub kind: Kind,
    /// A description for people.
    pub detail: String,
}

impl Kind {
    /// The name within a sentence: `3 refused`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Kind::Refused => "refused",
            Kind::ConnectTimeout => "not connected in time",
            Kind::AnswerTimeout => "not answered in time",
            Kind::Closed => "closed by the other end",
            Kind::Reset => "reset",
            Kind::Garbage => "answered by something else than MCP",
            Kind::HttpStatus => "refused by an HTTP status",
            Kind::Denied => "refused by a JSON-RPC error",
            Kind::NoPort => "without a source port",
            Kind::NoDescriptor => "without a descriptor",
            Kind::System => "failed by the system",
        }
    }
}

impl LoadError {
    /// An error of `kind`.
    #[must_use]
    pub fn new(kind: Kind, detail: impl Into<String>) -> LoadError {
        LoadError {
            kind,
            detail: detail.into(),
        }
    }
}

impl From<io::Error> for LoadError {
    fn from(error: io::Error) -> LoadError {
        let kind = match error.raw_os_error() {
            Some(libc::ECONNREFUSED) => Kind::Refused,
            Some(libc::ECONNRESET | libc::EPIPE | libc::ECONNABORTED) => Kind::Reset,
            Some(libc::ETIMEDOUT) => Kind::ConnectTimeout,
            Some(libc::EADDRNOTAVAIL | libc::EADDRINUSE) => Kind::NoPort,
            Some(libc::EMFILE | libc::ENFILE) => Kind::NoDescriptor,
            _ => Kind::System,
        };
        LoadError::new(kind, error.to_string())
    }
}
