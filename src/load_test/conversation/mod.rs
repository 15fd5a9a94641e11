//! The conversation of one client, as a pure state machine: it takes the bytes that were read, and
//! returns those to write. It has no socket and no clock.
//!
//! ```text
//!            hello: initialize, and what the protocol needs before it
//!  Greeting ──────────────────────────────────────────────────────────▶ Welcome{node}
//!                                                                          │ ▲
//!                                                          ask(id): a ping │ │ Answer{id}
//!                                                                          ▼ │
//!                                                                         Asked
//! ```

mod cookies;
mod dialogue;
mod events;
mod excerpt;
mod frames;
mod head;
mod http;
mod lines;
mod message;
mod request;
mod responses;
mod sse;
mod tcp;
#[cfg(test)]
mod tests;
mod unsent;
mod ws;

use std::sync::Arc;

use super::error::Trouble;
use super::protocol::Protocol;
use http::Http;
use sse::Sse;
use tcp::Tcp;
use unsent::Unsent;
use ws::Ws;

/// The server that clients connect to: what all of them have in common.
#[derive(Debug)]
pub struct Site {
    /// The protocol.
    pub protocol: Protocol,
    /// `HOST:PORT`, for the Host header.
    pub authority: String,
    /// The path of HTTP requests.
    pub path: String,
}

/// What the server's bytes meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heard {
    /// The server has sent its name (`serverInfo.name`), and the handshake is over.
    Welcome {
        /// The node's name.
        node: String,
    },
    /// The request with this number is answered, by a result or by an error.
    Answer {
        /// Its number.
        id: u64,
        /// Whether the answer is an error.
        refused: bool,
    },
}

/// What a client keeps from one connection to the next: nothing over TCP, cookies over HTTP.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Keepsake {
    /// The `Cookie` header's value.
    pub cookie: Option<Box<str>>,
}

/// One client's conversation.
#[derive(Debug)]
pub struct Conversation(Speech);

/// One variant per protocol. Most tests hold TCP connections, so those are as small as possible.
#[derive(Debug)]
enum Speech {
    Tcp(Tcp),
    Http(Box<Http>),
    Ws(Box<Ws>),
    Sse(Box<Sse>),
}

impl Conversation {
    /// The conversation of a client that has just connected, with what it kept.
    #[must_use]
    pub fn new(site: &Arc<Site>, keepsake: Keepsake) -> Conversation {
        Conversation(match site.protocol {
            Protocol::Tcp => Speech::Tcp(Tcp::new()),
            Protocol::Http => Speech::Http(Box::new(Http::new(site, keepsake.cookie))),
            Protocol::Ws => Speech::Ws(Box::new(Ws::new(site, keepsake.cookie))),
            Protocol::Sse => Speech::Sse(Box::new(Sse::new(site, keepsake.cookie))),
        })
    }

    /// The bytes to write on the connection now.
    #[must_use]
    pub fn unsent(&self) -> &[u8] {
        match &self.0 {
            Speech::Tcp(tcp) => tcp.unsent.bytes(),
            Speech::Http(http) => http.unsent.bytes(),
            Speech::Ws(ws) => ws.unsent.bytes(),
            Speech::Sse(sse) => sse.unsent.bytes(),
        }
    }

    /// Records that this many bytes were written.
    pub fn sent(&mut self, bytes: usize) {
        self.outgoing().sent(bytes);
    }

    /// Handles bytes that were read from the connection, and adds what they meant to `heard`.
    ///
    /// # Errors
    /// If they are not MCP over this protocol, or a refusal. Then the conversation is over.
    pub fn hear(&mut self, bytes: &[u8], heard: &mut Vec<Heard>) -> Result<(), Trouble> {
        match &mut self.0 {
            Speech::Tcp(tcp) => tcp.hear(bytes, heard),
            Speech::Http(http) => http.hear(bytes, heard),
            Speech::Ws(ws) => ws.hear(bytes, heard),
            Speech::Sse(sse) => sse.hear(bytes, heard),
        }
    }

    /// The error if the other end closes the connection now: usually
    /// [`Kind::Closed`](super::Kind::Closed), but it may have refused just before.
    #[must_use]
    pub fn ended(&self) -> Trouble {
        match &self.0 {
            Speech::Tcp(tcp) => tcp.ended(),
            Speech::Http(http) => http.ended(),
            Speech::Ws(ws) => ws.ended(),
            Speech::Sse(sse) => sse.ended(),
        }
    }

    /// A message to send on a connection of its own, from the same source address to the same
    /// target: all bytes to write there. Only over SSE, and one at a time: the next one may begin
    /// when [`Conversation::errand_hears`] has returned that this one is done, or after
    /// [`Conversation::errand_ended`].
    pub fn errand(&mut self) -> Option<Box<[u8]>> {
        match &mut self.0 {
            Speech::Sse(sse) => sse.errand(),
            Speech::Tcp(_) | Speech::Http(_) | Speech::Ws(_) => None,
        }
    }

    /// Handles bytes that were read from the errand's connection. Returns whether the answer is
    /// complete, so that the connection can be closed.
    ///
    /// # Errors
    /// If the answer is not a success.
    pub fn errand_hears(&mut self, bytes: &[u8]) -> Result<bool, Trouble> {
        match &mut self.0 {
            Speech::Sse(sse) => sse.errand_hears(bytes),
            Speech::Tcp(_) | Speech::Http(_) | Speech::Ws(_) => Ok(true),
        }
    }

    /// Handles that the other end closed the errand's connection before the answer was complete.
    ///
    /// # Errors
    /// If there was no successful answer.
    pub fn errand_ended(&mut self) -> Result<(), Trouble> {
        match &mut self.0 {
            Speech::Sse(sse) => sse.errand_ended(),
            Speech::Tcp(_) | Speech::Http(_) | Speech::Ws(_) => Ok(()),
        }
    }

    /// Sends a `ping`. Only after the welcome, and one at a time.
    pub fn ask(&mut self, id: u64) {
        match &mut self.0 {
            Speech::Tcp(tcp) => tcp.ask(id),
            Speech::Http(http) => http.ask(id),
            Speech::Ws(ws) => ws.ask(id),
            Speech::Sse(sse) => sse.ask(id),
        }
    }

    /// What to keep for the next connection.
    #[must_use]
    pub fn keepsake(&self) -> Keepsake {
        let cookie = match &self.0 {
            Speech::Tcp(_) => &None,
            Speech::Http(http) => &http.cookie,
            Speech::Ws(ws) => &ws.cookie,
            Speech::Sse(sse) => &sse.cookie,
        };
        Keepsake {
            cookie: cookie.clone(),
        }
    }

    /// The memory that it takes, in bytes.
    #[cfg(test)]
    fn held(&self) -> usize {
        let apart = match &self.0 {
            Speech::Tcp(tcp) => tcp.held(),
            Speech::Http(http) => size_of::<Http>() + http.held(),
            Speech::Ws(ws) => size_of::<Ws>() + ws.held(),
            Speech::Sse(sse) => size_of::<Sse>() + sse.held(),
        };
        size_of::<Conversation>() + apart
    }

    // Private

    fn outgoing(&mut self) -> &mut Unsent {
        match &mut self.0 {
            Speech::Tcp(tcp) => &mut tcp.unsent,
            Speech::Http(http) => &mut http.unsent,
            Speech::Ws(ws) => &mut ws.unsent,
            Speech::Sse(sse) => &mut sse.unsent,
        }
    }
}
