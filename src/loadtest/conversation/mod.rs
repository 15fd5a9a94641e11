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

use std::sync::Arc;

use super::protocol::Protocol;
use super::trouble::Trouble;

/// Whom clients talk to: what all of them have in common.
#[derive(Debug)]
pub(crate) struct Site {
    /// What they speak.
    pub(crate) protocol: Protocol,
    /// `HOST:PORT`, for the Host header.
    pub(crate) authority: String,
}

impl Site {
    pub(crate) fn new(protocol: Protocol, authority: String) -> Site {
        Site { protocol, authority }
    }
}

/// What was heard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Heard {
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
pub(crate) struct Keepsake {
    /// The `Cookie` header's value.
    pub(crate) cookie: Option<Box<str>>,
}

/// One client's conversation.
#[derive(Debug)]
pub(crate) struct Conversation {}

impl Conversation {
    /// A client that has just connected, with what it has kept.
    pub(crate) fn new(_site: &Arc<Site>, _keepsake: Keepsake) -> Conversation {
        Conversation {}
    }

    /// What is to be written on the connection now.
    pub(crate) fn unsent(&self) -> &[u8] {
        &[]
    }

    /// So many bytes of it were written.
    pub(crate) fn sent(&mut self, _bytes: usize) {}

    /// What was read from the connection, and what is in it.
    ///
    /// # Errors
    /// When it is no MCP over this protocol, or a refusal. The conversation is over.
    pub(crate) fn hear(&mut self, _bytes: &[u8], _heard: &mut Vec<Heard>) -> Result<(), Trouble> {
        Ok(())
    }

    /// A message that is to be sent on a connection of its own, from the same source address to the same target: the whole of
    /// what is to be written there. Only over SSE; one at a time, the next when [`Conversation::errand_done`] was told.
    pub(crate) fn errand(&mut self) -> Option<Box<[u8]>> {
        None
    }

    /// What was read from the errand's connection. Whether that is all, and the connection can be closed.
    ///
    /// # Errors
    /// When it is no good answer.
    pub(crate) fn errand_hears(&mut self, _bytes: &[u8]) -> Result<bool, Trouble> {
        Ok(true)
    }

    /// Asks for a sign of life (`ping`). Only after the welcome, and one at a time.
    pub(crate) fn ask(&mut self, _id: u64) {}

    /// What is kept for the next connection.
    pub(crate) fn keepsake(&self) -> Keepsake {
        Keepsake::default()
    }
}
