//! Why a check failed, in HAProxy's words.

use std::net::SocketAddr;

use super::Question;

/// Why a check failed. Its text contains the reason and the address; its [word](Failure::word) is
/// the one in HAProxy's `show stat`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// The check could not be sent: no descriptor, no port, no such source address. The node may be
    /// healthy.
    #[error("cannot send a check to {target}: {why}")]
    Local {
        /// The checked address.
        target: SocketAddr,
        /// The reason.
        why: String,
    },
    /// The connection was refused, or the node's host cannot be reached.
    #[error("cannot connect to {target}: {why}")]
    Connect {
        /// The checked address.
        target: SocketAddr,
        /// The reason.
        why: String,
    },
    /// The connection was not accepted in time.
    #[error("{target} does not accept connections")]
    ConnectTimeout {
        /// The checked address.
        target: SocketAddr,
    },
    /// The connection was accepted, and no answer came in time.
    #[error("{target} accepts connections and never answers {question}")]
    AnswerTimeout {
        /// The checked address.
        target: SocketAddr,
        /// The request of the check.
        question: Question,
    },
    /// The connection was closed without an answer, or the answer is invalid.
    #[error("no valid answer from {target}: {why}")]
    Answer {
        /// The checked address.
        target: SocketAddr,
        /// What was received.
        why: String,
    },
    /// The answer was another HTTP status than 2xx.
    #[error("{target} answers HTTP status {status}")]
    Status {
        /// The checked address.
        target: SocketAddr,
        /// The status.
        status: u16,
    },
}

impl Failure {
    /// HAProxy's name of the failure (`check_status`).
    #[must_use]
    pub const fn word(&self) -> &'static str {
        match self {
            Failure::Local { .. } => "SOCKERR",
            Failure::Connect { .. } => "L4CON",
            Failure::ConnectTimeout { .. } => "L4TOUT",
            Failure::AnswerTimeout { .. } => "L7TOUT",
            Failure::Answer { .. } => "L7RSP",
            Failure::Status { .. } => "L7STS",
        }
    }

    /// Whether the node answers, and does not serve the path or the method: an answer of another
    /// protocol, a status below 500, or 501 (not implemented).
    pub(super) const fn is_not_served(&self) -> bool {
        match self {
            Failure::Answer { .. } => true,
            Failure::Status { status, .. } => *status < 500 || *status == 501,
            _ => false,
        }
    }

    /// Whether the cause is the node, and not the side that checks.
    #[must_use]
    pub const fn blames_node(&self) -> bool {
        !matches!(self, Failure::Local { .. })
    }

    /// Whether the node was reached and gave no good answer, so that the time until then is a
    /// latency. A connection that is refused at once is not a latency.
    #[must_use]
    pub const fn was_asked(&self) -> bool {
        match self {
            Failure::ConnectTimeout { .. }
            | Failure::AnswerTimeout { .. }
            | Failure::Answer { .. }
            | Failure::Status { .. } => true,
            Failure::Local { .. } | Failure::Connect { .. } => false,
        }
    }
}
