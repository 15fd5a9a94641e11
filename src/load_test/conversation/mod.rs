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
mod known_nodes;
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

use super::error::LoadError;
use super::protocol::Protocol;
use crate::mcp::Revision;
use http::Http;
pub use known_nodes::KnownNodes;
use sse::Sse;
use tcp::Tcp;
use unsent::Unsent;
use ws::Ws;

/// The server that clients connect to: what all of them have in common.
#[derive(Debug)]
pub struct TargetUrl {
    /// The protocol.
    pub protocol: Protocol,
    /// `HOST:PORT`, for the Host header.
    pub authority: String,
    /// The path of HTTP requests.
    pub path: String,
    /// The revision of MCP. Only over HTTP it may be one without sessions.
    pub revision: Revision,
    /// The nodes of the cluster that is tested; `None` for another target.
    pub nodes: Option<KnownNodes>,
}

impl TargetUrl {
    /// The node that serves a client, by the server's own name, the client's session and its cookies.
    fn serving(&self, own: String, session: Option<&str>, cookies: Option<&str>) -> String {
        match &self.nodes {
            Some(nodes) => nodes.serving(own, session, cookies),
            None => own,
        }
    }

    /// The method of a client's first request.
    #[must_use]
    pub fn first_method(&self) -> &'static str {
        if self.revision.has_sessions() {
            "initialize"
        } else {
            "server/discover"
        }
    }
}

/// What the server's bytes meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Received {
    /// The server has sent its name (`serverInfo.name`), and the handshake is over.
    Welcome {
        /// The node's name, or the server's own name where the node is unknown.
        node: String,
    },
    /// The node that the next answer comes from. Only without sessions, where a balancer may choose
    /// a node for each request.
    ServedBy {
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
pub struct CarriedState {
    /// The `Cookie` header's value.
    pub cookie: Option<Box<str>>,
}

/// One client's conversation.
#[derive(Debug)]
pub struct Conversation(ByProtocol);

/// One variant per protocol. Most tests hold TCP connections, so those are as small as possible.
#[derive(Debug)]
enum ByProtocol {
    Tcp(Tcp),
    Http(Box<Http>),
    Ws(Box<Ws>),
    Sse(Box<Sse>),
}

impl Conversation {
    /// The conversation of a client that has just connected, with what it kept.
    #[must_use]
    pub fn new(url: &Arc<TargetUrl>, carried_state: CarriedState) -> Conversation {
        Conversation(match url.protocol {
            Protocol::Tcp => ByProtocol::Tcp(Tcp::new()),
            Protocol::Http => ByProtocol::Http(Box::new(Http::new(url, carried_state.cookie))),
            Protocol::Ws => ByProtocol::Ws(Box::new(Ws::new(url, carried_state.cookie))),
            Protocol::Sse => ByProtocol::Sse(Box::new(Sse::new(url, carried_state.cookie))),
        })
    }

    /// The bytes to write on the connection now.
    #[must_use]
    pub fn unsent(&self) -> &[u8] {
        match &self.0 {
            ByProtocol::Tcp(tcp) => tcp.unsent.bytes(),
            ByProtocol::Http(http) => http.unsent.bytes(),
            ByProtocol::Ws(ws) => ws.unsent.bytes(),
            ByProtocol::Sse(sse) => sse.unsent.bytes(),
        }
    }

    /// Records that this many bytes were written.
    pub fn sent(&mut self, bytes: usize) {
        self.outgoing().sent(bytes);
    }

    /// Handles bytes that were read from the connection, and adds what they meant to `received`.
    ///
    /// # Errors
    /// If they are not MCP over this protocol, or a refusal. Then the conversation is over.
    pub fn receive(&mut self, bytes: &[u8], received: &mut Vec<Received>) -> Result<(), LoadError> {
        match &mut self.0 {
            ByProtocol::Tcp(tcp) => tcp.receive(bytes, received),
            ByProtocol::Http(http) => http.receive(bytes, received),
            ByProtocol::Ws(ws) => ws.receive(bytes, received),
            ByProtocol::Sse(sse) => sse.receive(bytes, received),
        }
    }

    /// The error if the other end closes the connection now: usually
    /// [`Kind::Closed`](super::Kind::Closed), but it may have refused just before.
    #[must_use]
    pub fn ended(&self) -> LoadError {
        match &self.0 {
            ByProtocol::Tcp(tcp) => tcp.ended(),
            ByProtocol::Http(http) => http.ended(),
            ByProtocol::Ws(ws) => ws.ended(),
            ByProtocol::Sse(sse) => sse.ended(),
        }
    }

    /// A message to send on a connection of its own, from the same source address to the same
    /// target: all bytes to write there. Only over SSE, and one at a time: the next one may begin
    /// when [`Conversation::receive_side_request`] has returned that this one is done, or after
    /// [`Conversation::side_request_ended`].
    pub fn side_request(&mut self) -> Option<Box<[u8]>> {
        match &mut self.0 {
            ByProtocol::Sse(sse) => sse.side_request(),
            ByProtocol::Tcp(_) | ByProtocol::Http(_) | ByProtocol::Ws(_) => None,
        }
    }

    /// Handles bytes that were read from the side request's connection. Returns whether the answer
    /// is complete, so that the connection can be closed.
    ///
    /// # Errors
    /// If the answer is not a success.
    pub fn receive_side_request(&mut self, bytes: &[u8]) -> Result<bool, LoadError> {
        match &mut self.0 {
            ByProtocol::Sse(sse) => sse.receive_side_request(bytes),
            ByProtocol::Tcp(_) | ByProtocol::Http(_) | ByProtocol::Ws(_) => Ok(true),
        }
    }

    /// Handles that the other end closed the side request's connection before the answer was
    /// complete.
    ///
    /// # Errors
    /// If there was no successful answer.
    pub fn side_request_ended(&mut self) -> Result<(), LoadError> {
        match &mut self.0 {
            ByProtocol::Sse(sse) => sse.side_request_ended(),
            ByProtocol::Tcp(_) | ByProtocol::Http(_) | ByProtocol::Ws(_) => Ok(()),
        }
    }

    /// Sends a `ping`, or what replaces it without sessions. Only after the welcome, and one at a
    /// time.
    pub fn ask(&mut self, id: u64) {
        match &mut self.0 {
            ByProtocol::Tcp(tcp) => tcp.ask(id),
            ByProtocol::Http(http) => http.ask(id),
            ByProtocol::Ws(ws) => ws.ask(id),
            ByProtocol::Sse(sse) => sse.ask(id),
        }
    }

    /// What to keep for the next connection.
    #[must_use]
    pub fn carried_state(&self) -> CarriedState {
        let cookie = match &self.0 {
            ByProtocol::Tcp(_) => &None,
            ByProtocol::Http(http) => &http.cookie,
            ByProtocol::Ws(ws) => &ws.cookie,
            ByProtocol::Sse(sse) => &sse.cookie,
        };
        CarriedState {
            cookie: cookie.clone(),
        }
    }

    /// The memory that it takes, in bytes.
    #[cfg(test)]
    fn held(&self) -> usize {
        let apart = match &self.0 {
            ByProtocol::Tcp(tcp) => tcp.held(),
            ByProtocol::Http(http) => size_of::<Http>() + http.held(),
            ByProtocol::Ws(ws) => size_of::<Ws>() + ws.held(),
            ByProtocol::Sse(sse) => size_of::<Sse>() + sse.held(),
        };
        size_of::<Conversation>() + apart
    }

    // Private

    fn outgoing(&mut self) -> &mut Unsent {
        match &mut self.0 {
            ByProtocol::Tcp(tcp) => &mut tcp.unsent,
            ByProtocol::Http(http) => &mut http.unsent,
            ByProtocol::Ws(ws) => &mut ws.unsent,
            ByProtocol::Sse(sse) => &mut sse.unsent,
        }
    }
}
