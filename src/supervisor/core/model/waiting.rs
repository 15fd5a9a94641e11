//! Orders that are not answered yet.

use std::time::{Duration, Instant};

use tokio::sync::oneshot;
use tokio::sync::oneshot::error::TryRecvError;

use crate::api::Refusal;

/// An order about a node is answered within this time.
const MAX_ANSWER: Duration = Duration::from_secs(5);

/// An order that is not answered yet.
pub(super) struct Waiting {
    pub(super) what: &'static str,
    pub(super) until: Option<Instant>,
    pub(super) is_answered: Box<dyn FnMut() -> Result<bool, ()>>,
}

/// The refusal, if the order was answered at once.
pub(super) fn answered<T>(answer: &mut oneshot::Receiver<Result<T, Refusal>>) -> Option<Refusal> {
    answer.try_recv().ok().and_then(Result::err)
}

impl Waiting {
    /// An order that is answered within seconds.
    pub(super) fn about_node<T: 'static>(
        what: &'static str,
        now: Instant,
        answer: oneshot::Receiver<T>,
    ) -> Waiting {
        Waiting {
            until: Some(now + MAX_ANSWER),
            ..Waiting::long(what, answer)
        }
    }

    /// An order that is answered at some time.
    pub(super) fn long<T: 'static>(what: &'static str, mut answer: oneshot::Receiver<T>) -> Waiting {
        let is_answered = move || match answer.try_recv() {
            Ok(_) => Ok(true),
            Err(TryRecvError::Empty) => Ok(false),
            Err(TryRecvError::Closed) => Err(()),
        };
        Waiting {
            what,
            until: None,
            is_answered: Box::new(is_answered),
        }
    }
}
