//! A call that has not come to its end.

use tokio::time::Instant;

use super::error::{Cause, Why};
use super::prints::Prints;
use super::term::{Reference, Term};

/// A call that has been told so often that nobody types anything does not take that for an answer: `c:i()` of more than 100
/// processes asks for ever.
const MAX_ENDS_OF_INPUT: usize = 100;

/// A call that the node was asked to make.
#[derive(Debug)]
pub(super) struct Ongoing {
    /// What its answer is known by.
    pub(super) id: Reference,
    /// Its process, once the node has said that there is one. Nodes before OTP 23 never do.
    pub(super) process: Option<Term>,
    /// What it has come to, if only what was being printed by then is yet to come.
    pub(super) outcome: Option<Result<Term, Why>>,
    /// What it prints.
    pub(super) prints: Prints,
    since: Instant,
    /// How often it was told that there is no more input.
    ends_of_input: usize,
}

impl Ongoing {
    pub(super) fn new(id: Reference) -> Ongoing {
        Ongoing {
            id,
            process: None,
            outcome: None,
            prints: Prints::default(),
            since: Instant::now(),
            ends_of_input: 0,
        }
    }

    /// What it comes to when time is over. A node that has begun it does answer: it is the call that takes long.
    pub(super) fn late(&mut self) -> Result<Term, Why> {
        match (self.outcome.take(), &self.process) {
            (Some(outcome), _) => outcome,
            (None, Some(_)) => Err(Cause::Late(self.since.elapsed()).of_call(false)),
            (None, None) => Err(Why::Timeout),
        }
    }

    /// Counts that it was told that there is no input.
    ///
    /// # Errors
    /// When that was too often.
    pub(super) fn has_no_input(&mut self) -> Result<(), Why> {
        self.ends_of_input += 1;
        // Once: others may ask while it is ended.
        if self.ends_of_input == MAX_ENDS_OF_INPUT && self.outcome.is_none() {
            return Err(Cause::Input.of_call(false));
        }
        Ok(())
    }
}
