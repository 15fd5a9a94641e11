//! What a call prints while the node has yet to make text of it.

use std::collections::VecDeque;

use super::group_leader::Asker;
use super::signal::Call;
use super::term::Reference;

/// Texts that the node formats for us at the same time, each in a process of its own; the next ones wait.
const MAX_FORMATTING: usize = 100;

/// Bytes of those that wait, each most often of another process: who prints waits for us, too.
const MAX_WAITING: usize = 1024 * 1024;

/// The prints of a call that are not there as text yet.
#[derive(Debug, Default)]
pub(super) struct Prints {
    /// Those that are being formatted, by the calls that do it.
    formatting: Vec<(Reference, Asker)>,
    waiting: VecDeque<Waiting>,
    /// The bytes of those that wait.
    size: usize,
}

#[derive(Debug)]
struct Waiting {
    asker: Asker,
    format: Call,
    size: usize,
}

impl Prints {
    /// Has a print of so many bytes wait for its turn.
    ///
    /// # Errors
    /// When too many wait: whom to refuse.
    pub(super) fn wait(&mut self, asker: Asker, format: Call, size: usize) -> Result<(), Asker> {
        if !self.waiting.is_empty() && self.size + size > MAX_WAITING {
            return Err(asker);
        }
        self.size += size;
        self.waiting.push_back(Waiting { asker, format, size });
        Ok(())
    }

    /// Whose turn it is, if there is room.
    pub(super) fn turn(&mut self) -> Option<(Asker, Call)> {
        if self.formatting.len() >= MAX_FORMATTING {
            return None;
        }
        let Waiting { asker, format, size } = self.waiting.pop_front()?;
        self.size -= size;
        Some((asker, format))
    }

    /// The call `id` formats what `asker` prints.
    pub(super) fn begun(&mut self, id: Reference, asker: Asker) {
        self.formatting.push((id, asker));
    }

    /// The call `id` has ended: whose print that was, if anybody still waits for it.
    pub(super) fn ended(&mut self, id: &Reference) -> Option<Asker> {
        let index = self.formatting.iter().position(|(of, _)| of == id)?;
        Some(self.formatting.swap_remove(index).1)
    }

    /// Whether there is none.
    pub(super) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.formatting.len() + self.waiting.len()
    }
}
