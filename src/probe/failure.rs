//! Why a check failed, in HAProxy's words.

use std::net::SocketAddr;

use super::Question;

/// Why a check failed. Its text says what and where; its [word](Failure::word) is what HAProxy's `show stat` would say.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// This side could not even ask: no descriptor, no port, no such source address. Says nothing about the node.
    #[error("cannot ask {target}: {why}")]
    Local {
        /// Who was to be asked.
        target: SocketAddr,
        /// Why not.
        why: String,
    },
    /// The connection was refused, or the node's host cannot be reached.
    #[error("cannot connect to {target}: {why}")]
    Connect {
        /// Who was asked.
        target: SocketAddr,
        /// Why not.
        why: String,
    },
    /// The connection was not accepted in time.
    #[error("{target} does not accept connections")]
    ConnectTimeout {
        /// Who was asked.
        target: SocketAddr,
    },
    /// The connection was accepted, and nothing answered in time.
    #[error("{target} accepts connections and never answers {question}")]
    AnswerTimeout {
        /// Who was asked.
        target: SocketAddr,
        /// What.
        question: Question,
    },
    /// The connection was closed without an answer, or the answer makes no sense.
    #[error("{target} gives no sensible answer: {why}")]
    Answer {
        /// Who was asked.
        target: SocketAddr,
        /// What came instead.
        why: String,
    },
    /// The answer was another HTTP status than 2xx.
    #[error("{target} answers HTTP status {status}")]
    Status {
        /// Who was asked.
        target: SocketAddr,
        /// The status.
        status: u16,
    },
}

impl Failure {
    /// HAProxy's word for it (`check_status`).
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

    /// Whether the node is to blame, and not the side that asks.
    #[must_use]
    pub const fn blames_node(&self) -> bool {
        !matches!(self, Failure::Local { .. })
    }

    /// Whether the node could be asked and gave no good answer, so that the time until then is a latency. A connection that is
    /// refused at once is none.
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
