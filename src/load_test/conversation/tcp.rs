//! JSON-RPC lines over TCP.

use super::Received;
use super::dialogue::{Dialogue, Meaning};
use super::excerpt::excerpt;
use super::lines::{Lines, TooLong};
use super::message::{INITIALIZE, INITIALIZED};
use super::unsent::Unsent;
use crate::load_test::error::{Kind, LoadError};

/// The client's side of a TCP connection. Lines that arrive whole are parsed without a copy, and no
/// memory is held while the connection is idle.
#[derive(Debug)]
pub(super) struct Tcp {
    /// The bytes to write.
    pub(super) unsent: Unsent,
    lines: Lines,
    dialogue: Dialogue,
}

impl Tcp {
    /// The state of a client that has just connected.
    pub(super) fn new() -> Tcp {
        Tcp {
            unsent: Unsent::new(INITIALIZE.as_bytes()),
            lines: Lines::default(),
            dialogue: Dialogue::default(),
        }
    }

    /// Handles bytes that were read.
    ///
    /// # Errors
    /// If they are not MCP, or a refusal.
    pub(super) fn receive(
        &mut self,
        mut bytes: &[u8],
        received: &mut Vec<Received>,
    ) -> Result<(), LoadError> {
        while let Some(line) = self.lines.next(&mut bytes).map_err(too_long)? {
            if line.trim_ascii().is_empty() {
                continue;
            }
            match self.dialogue.receive(&line)? {
                Meaning::Nothing => {}
                Meaning::Welcome { node, .. } => {
                    let node = node.into_owned();
                    self.unsent.put(INITIALIZED.as_bytes());
                    received.push(Received::Welcome { node });
                }
                Meaning::Answer { id, result } => {
                    let refused = result.is_none();
                    received.push(Received::Answer { id, refused });
                }
                Meaning::Pong(pong) => self.unsent.reply(pong.into_bytes())?,
            }
        }
        Ok(())
    }

    /// Sends a `ping`.
    pub(super) fn ask(&mut self, id: u64) {
        self.unsent.put(self.dialogue.ask(id).into_bytes());
    }

    /// The error if the server closes the connection now.
    pub(super) fn ended(&self) -> LoadError {
        match self.lines.begun() {
            b"" => self.dialogue.ended("initialize"),
            begun => LoadError::new(
                Kind::Closed,
                format!("closed within a message: `{}`", excerpt(begun)),
            ),
        }
    }

    /// Heap memory in bytes.
    #[cfg(test)]
    pub(super) fn held(&self) -> usize {
        self.unsent.held() + self.lines.held()
    }
}

// Private

fn too_long(TooLong(line): TooLong) -> LoadError {
    LoadError::new(
        Kind::Garbage,
        format!("no end of a line within 1 MiB: `{}`", excerpt(&line)),
    )
}
