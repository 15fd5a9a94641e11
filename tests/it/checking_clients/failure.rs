//! What can go wrong for a client.

use std::io;

use serde::Serialize;

/// A kind of fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FaultKind {
    /// A connection was refused, or closed before its first answer.
    Refused,
    /// An established connection or stream ended while it should live.
    Cut,
    /// No answer in time.
    TimedOut,
    /// An answer that is an error, or not what was asked for.
    WrongAnswer,
    /// The session came to a node that does not know it, or to another one.
    MovedSession,
    /// A client with a cookie came to another node.
    MovedCookie,
    /// A client came to another node than the last client from its address.
    MovedAddress,
    /// An error of the clients' own, such as too few descriptors.
    Own,
}

/// Why an exchange failed.
#[derive(Clone, Debug)]
pub(super) struct Failure {
    pub(super) kind: FaultKind,
    pub(super) detail: String,
}

impl FaultKind {
    /// All kinds, in the order of the report.
    pub const ALL: [FaultKind; 8] = [
        FaultKind::Refused,
        FaultKind::Cut,
        FaultKind::TimedOut,
        FaultKind::WrongAnswer,
        FaultKind::MovedSession,
        FaultKind::MovedCookie,
        FaultKind::MovedAddress,
        FaultKind::Own,
    ];

    /// What the report calls it.
    pub const fn name(self) -> &'static str {
        match self {
            FaultKind::Refused => "refused",
            FaultKind::Cut => "cut",
            FaultKind::TimedOut => "timed out",
            FaultKind::WrongAnswer => "wrong answer",
            FaultKind::MovedSession => "moved session",
            FaultKind::MovedCookie => "moved cookie",
            FaultKind::MovedAddress => "moved address",
            FaultKind::Own => "the clients' own error",
        }
    }
}

impl Failure {
    pub(super) fn new(kind: FaultKind, detail: impl Into<String>) -> Failure {
        Failure {
            kind,
            detail: detail.into(),
        }
    }

    pub(super) fn timed_out() -> Failure {
        Failure::new(FaultKind::TimedOut, "no answer in time")
    }

    pub(super) fn wrong(detail: impl Into<String>) -> Failure {
        Failure::new(FaultKind::WrongAnswer, detail)
    }

    /// An error of a connection on which there `was` an answer, or not yet.
    pub(super) fn of(error: &io::Error, was_answered: bool) -> Failure {
        let kind = match error.kind() {
            io::ErrorKind::AddrInUse | io::ErrorKind::AddrNotAvailable => FaultKind::Own,
            io::ErrorKind::InvalidData => FaultKind::WrongAnswer,
            io::ErrorKind::TimedOut => FaultKind::TimedOut,
            _ if matches!(error.raw_os_error(), Some(libc::EMFILE | libc::ENFILE)) => FaultKind::Own,
            _ if was_answered => FaultKind::Cut,
            _ => FaultKind::Refused,
        };
        Failure::new(kind, error.to_string())
    }
}
