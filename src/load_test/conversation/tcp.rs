//! JSON-RPC lines over TCP.

use super::Heard;
use super::dialogue::{Dialogue, Meaning};
use super::excerpt::excerpt;
use super::lines::{Lines, TooLong};
use super::message::{INITIALIZE, INITIALIZED};
use super::unsent::Unsent;
use crate::load_test::error::{Kind, Trouble};

/// One client's side of a TCP connection. Lines that come whole are read where they lie, and
/// nothing is held while nothing is said.
#[derive(Debug)]
pub(super) struct Tcp {
    /// What is to be written.
    pub(super) unsent: Unsent,
    lines: Lines,
    dialogue: Dialogue,
}

impl Tcp {
    /// A client that has just connected.
    pub(super) fn new() -> Tcp {
        Tcp {
            unsent: Unsent::new(INITIALIZE.as_bytes()),
            lines: Lines::default(),
            dialogue: Dialogue::default(),
        }
    }

    /// What was read, and what is in it.
    ///
    /// # Errors
    /// When it is no MCP, or a refusal.
    pub(super) fn hear(&mut self, mut bytes: &[u8], heard: &mut Vec<Heard>) -> Result<(), Trouble> {
        while let Some(line) = self.lines.next(&mut bytes).map_err(too_long)? {
            if line.trim_ascii().is_empty() {
                continue;
            }
            match self.dialogue.hear(&line)? {
                Meaning::Nothing => {}
                Meaning::Welcome { node, .. } => {
                    let node = node.into_owned();
                    self.unsent.put(INITIALIZED.as_bytes());
                    heard.push(Heard::Welcome { node });
                }
                Meaning::Answer { id, refused } => heard.push(Heard::Answer { id, refused }),
                Meaning::Pong(pong) => self.unsent.reply(pong.into_bytes())?,
            }
        }
        Ok(())
    }

    /// Asks for a sign of life.
    pub(super) fn ask(&mut self, id: u64) {
        self.unsent.put(self.dialogue.ask(id).into_bytes());
    }

    /// What it means that the server has closed the connection now.
    pub(super) fn ended(&self) -> Trouble {
        match self.lines.begun() {
            b"" => self.dialogue.ended(),
            begun => Trouble::new(
                Kind::Closed,
                format!("closed in mid-message: `{}`", excerpt(begun)),
            ),
        }
    }

    /// Memory that is held besides its own, in bytes.
    #[cfg(test)]
    pub(super) fn held(&self) -> usize {
        self.unsent.held() + self.lines.held()
    }
}

// Private

fn too_long(TooLong(line): TooLong) -> Trouble {
    Trouble::new(Kind::Garbage, format!("no line in 1 MiB: `{}`", excerpt(&line)))
}
