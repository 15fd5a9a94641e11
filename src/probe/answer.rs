//! A good answer to a check.

use std::time::Duration;

use super::Question;

/// A good answer to a check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The time until the answer, connecting included.
    pub took: Duration,
    /// The kind of check that was answered; of `Either`, the one of the two.
    pub question: Question,
    /// The HTTP status of the answer, if the check is by HTTP.
    pub status: Option<u16>,
}
