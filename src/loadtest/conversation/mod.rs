//! What one client says and hears, as a pure machine: it is given the bytes that were read, and says which are to be
//! written. No socket, no clock.
//!
//! ```text
//!            hello: initialize, and what the protocol needs before it
//!  Greeting ──────────────────────────────────────────────────────────▶ Welcome{node}
//!                                                                          │ ▲
//!                                                          ask(id): a ping │ │ Answer{id}
//!                                                                          ▼ │
//!                                                                         Asked
//! ```

mod dialogue;
mod excerpt;
mod lines;
mod message;
mod tcp;
mod unsent;

use std::sync::Arc;

use super::protocol::Protocol;
use super::trouble::Trouble;
use tcp::Tcp;

/// Whom clients talk to: what all of them have in common.
#[derive(Debug)]
pub struct Site {
    /// What they speak.
    pub protocol: Protocol,
    /// `HOST:PORT`, for the Host header.
    pub authority: String,
}

/// What was heard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heard {
    /// The server has said who it is (`serverInfo.name`), and the handshake is over.
    Welcome {
        /// The node's name.
        node: String,
    },
    /// The question of this number is answered, by a result or by an error.
    Answer {
        /// Its number.
        id: u64,
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

/// By protocol. What most connections are held with is held in place.
#[derive(Debug)]
enum Speech {
    Tcp(Tcp),
}

impl Conversation {
    /// A client that has just connected, with what it has kept.
    #[must_use]
    pub fn new(_site: &Arc<Site>, _keepsake: Keepsake) -> Conversation {
        Conversation(Speech::Tcp(Tcp::new()))
    }

    /// What is to be written on the connection now.
    #[must_use]
    pub fn unsent(&self) -> &[u8] {
        match &self.0 {
            Speech::Tcp(tcp) => tcp.unsent.bytes(),
        }
    }

    /// So many bytes of it were written.
    pub fn sent(&mut self, bytes: usize) {
        match &mut self.0 {
            Speech::Tcp(tcp) => tcp.unsent.sent(bytes),
        }
    }

    /// What was read from the connection, and what is in it.
    ///
    /// # Errors
    /// When it is no MCP over this protocol, or a refusal. The conversation is over.
    pub fn hear(&mut self, bytes: &[u8], heard: &mut Vec<Heard>) -> Result<(), Trouble> {
        match &mut self.0 {
            Speech::Tcp(tcp) => tcp.hear(bytes, heard),
        }
    }

    /// What it means that the other end has closed the connection now.
    #[must_use]
    pub fn ended(&self) -> Trouble {
        match &self.0 {
            Speech::Tcp(tcp) => tcp.ended(),
        }
    }

    /// A message that is to be sent on a connection of its own, from the same source address to the same target: the whole of
    /// what is to be written there. Only over SSE; one at a time, the next when [`Conversation::errand_hears`] said that
    /// this one is done.
    pub fn errand(&mut self) -> Option<Box<[u8]>> {
        None
    }

    /// What was read from the errand's connection. Whether that is all, and the connection can be closed.
    ///
    /// # Errors
    /// When it is no good answer.
    pub fn errand_hears(&mut self, _bytes: &[u8]) -> Result<bool, Trouble> {
        Ok(true)
    }

    /// Asks for a sign of life (`ping`). Only after the welcome, and one at a time.
    pub fn ask(&mut self, id: u64) {
        match &mut self.0 {
            Speech::Tcp(tcp) => tcp.ask(id),
        }
    }

    /// What is kept for the next connection.
    #[must_use]
    pub fn keepsake(&self) -> Keepsake {
        Keepsake::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What our node answers over TCP.
    const WELCOME: &str = concat!(
        r#"{"jsonrpc":"2.0","id":0,"result":{"protocolVersion":"2025-11-25","capabilities":{"tools":{}},"#,
        r#""serverInfo":{"name":"n1","version":"0.1.0"}}}"#,
        "\n"
    );

    fn site(protocol: Protocol) -> Arc<Site> {
        Arc::new(Site {
            protocol,
            authority: "127.0.0.1:80".into(),
        })
    }

    #[test]
    fn tcp() {
        let mut client = Conversation::new(&site(Protocol::Tcp), Keepsake::default());
        assert!(client.unsent().starts_with(b"{\"jsonrpc\""));
        client.sent(client.unsent().len());
        let mut heard = Vec::new();
        client.hear(WELCOME.as_bytes(), &mut heard).unwrap();
        assert_eq!(heard, [Heard::Welcome { node: "n1".into() }]);
        assert!(client.unsent().ends_with(b"initialized\"}\n"));
        client.sent(client.unsent().len());
        heard.clear();
        client.ask(9);
        client
            .hear(b"{\"jsonrpc\":\"2.0\",\"id\":9,\"result\":{}}\n", &mut heard)
            .unwrap();
        assert_eq!(heard, [Heard::Answer { id: 9 }]);
        assert!(size_of::<Conversation>() <= 100, "{}", size_of::<Conversation>());
    }
}
