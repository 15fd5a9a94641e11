//! The head of a request and of an answer, as parsed.

use std::time::Duration;

use httparse::Header;

/// The version of a message. Other versions are rejected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// HTTP/1.0
    Http10,
    /// HTTP/1.1
    Http11,
}

/// Where the body of a message ends (RFC 9112, section 6.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// The message has no body.
    Empty,
    /// After this many bytes; more than 0.
    Length(u64),
    /// After the last chunk and its trailers.
    Chunked,
    /// At the end of the connection; answers only.
    UntilClose,
}

/// What the `Connection` header of a message says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "independent options of one header")]
pub struct Connection {
    /// It has the option `close`.
    pub close: bool,
    /// It has the option `keep-alive`.
    pub keep_alive: bool,
    /// It has the option `upgrade`.
    pub upgrade: bool,
    /// It lists names of other headers, which must be removed.
    pub lists_headers: bool,
    /// How many options it has.
    pub(super) options: u8,
}

/// The head of a request. Its slices are parts of the bytes that it was parsed from.
#[derive(Debug)]
pub struct Request<'b> {
    /// The method: a token.
    pub method: &'b str,
    /// Path and query, from the first `/` on; `*` of `OPTIONS`, or the authority of `CONNECT`. The
    /// scheme and the authority of an absolute form are removed.
    pub target: &'b str,
    /// The version.
    pub version: Version,
    /// All headers, in their order, with names as they were sent.
    pub headers: &'b [Header<'b>],
    /// Where the body ends; never at the end of the connection.
    pub framing: Framing,
    /// The `Connection` header.
    pub connection: Connection,
    /// It asks to upgrade to WebSocket: a `GET` of HTTP/1.1 without a body, with the `Connection`
    /// option `upgrade`, and `websocket` as the only protocol.
    pub upgrades: bool,
    /// It has `Expect: 100-continue`.
    pub expects_continue: bool,
}

/// The head of an answer. Its slices are parts of the bytes that it was parsed from.
#[derive(Debug)]
pub struct Response<'b> {
    /// The status, from 100 to 999.
    pub status: u16,
    /// The reason phrase, as it was sent.
    pub reason: &'b str,
    /// The version.
    pub version: Version,
    /// All headers, in their order, with names as they were sent.
    pub headers: &'b [Header<'b>],
    /// Where the body ends.
    pub framing: Framing,
    /// The `Connection` header.
    pub connection: Connection,
    /// The `timeout` of the `Keep-Alive` header: after this idle time the node closes.
    pub keep_alive_timeout: Option<Duration>,
}

impl Request<'_> {
    /// Whether the client accepts another answer on the same connection.
    #[must_use]
    pub const fn is_persistent(&self) -> bool {
        self.connection.is_persistent(self.version)
    }

    /// The path, without the query.
    #[must_use]
    pub fn path(&self) -> &str {
        self.target.split_once('?').map_or(self.target, |(path, _)| path)
    }

    /// The value of the first header called `name`.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&[u8]> {
        let named = |header: &&Header<'_>| header.name.eq_ignore_ascii_case(name);
        self.headers.iter().find(named).map(|header| header.value)
    }
}

impl Response<'_> {
    /// Whether another request may be sent on the same connection.
    #[must_use]
    pub fn is_persistent(&self) -> bool {
        self.framing != Framing::UntilClose && self.connection.is_persistent(self.version)
    }
}

impl Connection {
    const fn is_persistent(self, version: Version) -> bool {
        match version {
            Version::Http11 => !self.close,
            Version::Http10 => self.keep_alive && !self.close,
        }
    }
}
