//! A call that has not ended yet.

use tokio::time::Instant;

use super::error::{Cause, Why};
use super::prints::Prints;
use super::term::{Reference, Term};

/// Some calls do not accept the end of input as an answer: `c:i()` with more than 100 processes
/// repeats its question forever.
const MAX_ENDS_OF_INPUT: usize = 100;

/// A call that the node is asked to make.
#[derive(Debug)]
pub(super) struct PendingCall {
    /// The reference of its answer.
    pub(super) id: Reference,
    /// Its process, once the node has reported it. Nodes before OTP 23 never do.
    pub(super) process: Option<Term>,
    /// Its result, if only the output that was being formatted is missing.
    pub(super) outcome: Option<Result<Term, Why>>,
    /// Its output that is not formatted yet.
    pub(super) prints: Prints,
    since: Instant,
    /// How often it was answered that there is no input.
    ends_of_input: usize,
}

impl PendingCall {
    pub(super) fn new(id: Reference) -> PendingCall {
        PendingCall {
            id,
            process: None,
            outcome: None,
            prints: Prints::default(),
            since: Instant::now(),
            ends_of_input: 0,
        }
    }

    /// The result when the time is over. A node that has begun the call does answer: it is the call
    /// that takes long.
    pub(super) fn late(&mut self) -> Result<Term, Why> {
        match (self.outcome.take(), &self.process) {
            (Some(outcome), _) => outcome,
            (None, Some(_)) => Err(Cause::Late(self.since.elapsed()).of_call(false)),
            (None, None) => Err(Why::Timeout),
        }
    }

    /// Counts an answer that there is no input.
    ///
    /// # Errors
    /// If there were too many.
    pub(super) fn has_no_input(&mut self) -> Result<(), Why> {
        self.ends_of_input += 1;
        // Only once: processes may ask again while the call is being ended.
        if self.ends_of_input == MAX_ENDS_OF_INPUT && self.outcome.is_none() {
            return Err(Cause::Input.of_call(false));
        }
        Ok(())
    }
}
