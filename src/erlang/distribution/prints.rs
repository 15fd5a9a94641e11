//! Output of a call that the node has not formatted yet.

use std::collections::VecDeque;

use super::group_leader::Asker;
use super::signal::Call;
use super::term::Reference;

/// Texts that the node formats at the same time, each in a process of its own; further ones wait.
const MAX_FORMATTING: usize = 100;

/// The most bytes of texts that wait. Each usually belongs to another process: a process that
/// prints waits for the answer.
const MAX_WAITING: usize = 1024 * 1024;

/// Output of a call that is not text yet.
#[derive(Debug, Default)]
pub(super) struct Prints {
    /// Texts that are being formatted, by the calls that format them.
    formatting: Vec<(Reference, Asker)>,
    waiting: VecDeque<Waiting>,
    /// The size of the texts that wait, in bytes.
    size: usize,
}

#[derive(Debug)]
struct Waiting {
    asker: Asker,
    format: Call,
    size: usize,
}

impl Prints {
    /// Adds a text of `size` bytes to the queue.
    ///
    /// # Errors
    /// If too much waits; returns the process to refuse.
    pub(super) fn wait(&mut self, asker: Asker, format: Call, size: usize) -> Result<(), Asker> {
        if !self.waiting.is_empty() && self.size + size > MAX_WAITING {
            return Err(asker);
        }
        self.size += size;
        self.waiting.push_back(Waiting { asker, format, size });
        Ok(())
    }

    /// Takes the next text, if another one may be formatted.
    pub(super) fn turn(&mut self) -> Option<(Asker, Call)> {
        if self.formatting.len() >= MAX_FORMATTING {
            return None;
        }
        let Waiting { asker, format, size } = self.waiting.pop_front()?;
        self.size -= size;
        Some((asker, format))
    }

    /// Records that the call `id` formats the output of `asker`.
    pub(super) fn begun(&mut self, id: Reference, asker: Asker) {
        self.formatting.push((id, asker));
    }

    /// Records that the call `id` has ended; returns the process that waits for its text, if any.
    pub(super) fn ended(&mut self, id: &Reference) -> Option<Asker> {
        let index = self.formatting.iter().position(|(of, _)| of == id)?;
        Some(self.formatting.swap_remove(index).1)
    }

    /// Whether there is no such output.
    pub(super) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The number of texts.
    pub(super) fn len(&self) -> usize {
        self.formatting.len() + self.waiting.len()
    }
}
