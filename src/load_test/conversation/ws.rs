//! A WebSocket: an upgraded HTTP connection, with one message per frame.

use tokio_tungstenite::tungstenite::handshake::client::generate_key;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use super::cookies;
use super::dialogue::{Dialogue, Meaning};
use super::excerpt::excerpt;
use super::frames::{self, Frame, Frames};
use super::head::Head;
use super::message::{INITIALIZE, INITIALIZED};
use super::request::{get, header};
use super::responses::{Part, Responses};
use super::unsent::Unsent;
use super::{Received, TargetUrl};
use crate::load_test::error::{Kind, LoadError};

/// The client's side of the protocol.
#[derive(Debug)]
pub(super) struct Ws {
    /// The bytes to write.
    pub(super) unsent: Unsent,
    /// The `Cookie` header's value.
    pub(super) cookie: Option<Box<str>>,
    upgrade: Option<Box<Upgrade>>,
    frames: Frames,
    dialogue: Dialogue,
}

/// An upgrade without an answer yet.
#[derive(Debug)]
struct Upgrade {
    /// The expected `Sec-WebSocket-Accept`.
    accept: String,
    responses: Responses,
}

impl Ws {
    /// The state of a client that has just connected.
    pub(super) fn new(url: &TargetUrl, cookie: Option<Box<str>>) -> Ws {
        let key = generate_key();
        let headers = format!(
            "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
             Sec-WebSocket-Protocol: mcp\r\nSec-WebSocket-Key: {key}\r\n{}",
            header("Cookie", cookie.as_deref())
        );
        Ws {
            unsent: Unsent::new(get(&url.authority, &url.path, headers).into_bytes()),
            cookie,
            upgrade: Some(Box::new(Upgrade {
                accept: derive_accept_key(key.as_bytes()),
                responses: Responses::default(),
            })),
            frames: Frames::default(),
            dialogue: Dialogue::default(),
        }
    }

    /// Handles bytes that were read.
    ///
    /// # Errors
    /// If they are not MCP over a WebSocket, or a refusal.
    pub(super) fn receive(
        &mut self,
        mut bytes: &[u8],
        received: &mut Vec<Received>,
    ) -> Result<(), LoadError> {
        if let Some(upgrade) = &mut self.upgrade {
            match upgrade.responses.next(&mut bytes)? {
                Some(Part::Head(answer)) => self.begin(&answer)?,
                _ => return Ok(()),
            }
        }
        while let Some(frame) = self.frames.next(&mut bytes)? {
            match frame {
                Frame::Text(text) => self.read(&text, received)?,
                Frame::Ping(payload) => self.unsent.reply(frames::pong(&payload))?,
                Frame::Close(why) => return Err(closed(&why)),
            }
        }
        Ok(())
    }

    /// Sends a `ping`.
    pub(super) fn ask(&mut self, id: u64) {
        self.unsent.put(frames::text(&self.dialogue.ask(id)));
    }

    /// The error if the server closes the connection now.
    pub(super) fn ended(&self) -> LoadError {
        let refused = self
            .upgrade
            .as_ref()
            .and_then(|upgrade| upgrade.responses.ended());
        refused.unwrap_or_else(|| self.dialogue.ended("initialize"))
    }

    /// Heap memory in bytes.
    #[cfg(test)]
    pub(super) fn held(&self) -> usize {
        let upgrade = self.upgrade.as_ref().map_or(0, |upgrade| {
            size_of::<Upgrade>() + upgrade.accept.capacity() + upgrade.responses.held()
        });
        let cookie = self.cookie.as_ref().map_or(0, |cookie| cookie.len());
        upgrade + cookie + self.unsent.held() + self.frames.held()
    }

    // Private

    /// Handles the answer to the upgrade.
    fn begin(&mut self, head: &Head) -> Result<(), LoadError> {
        let wanted = self.upgrade.take().map(|upgrade| upgrade.accept);
        if head.status != 101 || head.accept.as_deref() != wanted.as_deref() {
            let detail = format!("not a WebSocket handshake: HTTP status {}", head.status);
            return Err(LoadError::new(Kind::Garbage, detail));
        }
        for set in &head.cookies {
            cookies::keep(&mut self.cookie, set);
        }
        self.unsent.put(frames::text(INITIALIZE));
        Ok(())
    }

    /// Handles one message of the server.
    fn read(&mut self, text: &[u8], received: &mut Vec<Received>) -> Result<(), LoadError> {
        match self.dialogue.receive(text)? {
            Meaning::Nothing => {}
            Meaning::Answer { id, result } => {
                let refused = result.is_none();
                received.push(Received::Answer { id, refused });
            }
            Meaning::Pong(pong) => self.unsent.reply(frames::text(&pong))?,
            Meaning::Welcome { node, .. } => {
                let node = node.into_owned();
                self.unsent.put(frames::text(INITIALIZED));
                received.push(Received::Welcome { node });
            }
        }
        Ok(())
    }
}

// Private

/// The error for the server's close frame: two bytes of a code and a reason, or nothing.
fn closed(why: &[u8]) -> LoadError {
    let detail = match why.split_first_chunk() {
        Some((code, reason)) => {
            let code = u16::from_be_bytes(*code);
            format!("the server has closed the WebSocket: {code} {}", excerpt(reason))
        }
        None => "the server has closed the WebSocket".to_owned(),
    };
    LoadError::new(Kind::Closed, detail.trim_end())
}
