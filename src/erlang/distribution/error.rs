//! The reasons why a node gives no answer.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use super::handshake::HandshakeError;
use super::signal::SignalError;
use super::syntax::flat;
use super::term::{Identity, Term};
use super::wire::WireError;

/// A node gave no answer: which one, and why.
#[derive(Debug, thiserror::Error)]
#[error("`{node}` at {address} {why}")]
pub struct Error {
    /// Its full name.
    pub node: String,
    /// The address of the node.
    pub address: SocketAddr,
    /// The reason, as the rest of a sentence.
    pub why: Why,
}

/// The reason, as the rest of a sentence about the node.
#[derive(Debug, thiserror::Error)]
pub enum Why {
    /// The connection was refused, or the network is unreachable.
    #[error("cannot be reached: {0}")]
    Unreachable(io::Error),
    /// There is no complete answer in time.
    #[error("does not answer in time")]
    Timeout,
    /// It closed the connection after our own proof.
    #[error("refuses the cookie")]
    CookieRefused,
    /// It is another node.
    #[error("is `{0}`")]
    Another(String),
    /// The handshake failed.
    #[error(transparent)]
    Handshake(#[from] HandshakeError),
    /// The connection ended before the answer.
    #[error("has closed the connection")]
    Closed,
    /// A network error.
    #[error("can no longer be reached: {0}")]
    Network(io::Error),
    /// Its message cannot be decoded, or exceeds a limit.
    #[error("sent a message that cannot be decoded: {0}")]
    Unreadable(String),
    /// It did not start a process for the call.
    #[error("cannot start the call: `{0}`")]
    NotStarted(String),
    /// It began the call and did not complete it.
    #[error("ran a call that {0}")]
    Unfinished(Unfinished),
    /// The call ended in an exception.
    #[error("{0}")]
    Raised(Box<Raised>),
    /// The answer does not fit the query.
    #[error("sent an unexpected answer about {0}")]
    Unexpected(&'static str),
}

/// A call that began and was given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unfinished {
    /// Why it was given up.
    pub cause: Cause,
    /// Whether the node confirmed that the process of the call has ended. Otherwise it may still
    /// run.
    pub is_ended: bool,
}

/// Why a call is given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// It takes longer than allowed; this is how long it has taken.
    Late(Duration),
    /// It repeatedly tries to read terminal input.
    Input,
}

/// The kinds of exceptions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// `throw(Reason)`
    Throw,
    /// `error(Reason)`, and what the system raises.
    Error,
    /// `exit(Reason)`
    Exit,
    /// Something else ended the process.
    Killed,
}

/// The exception that ended a call.
#[derive(Clone, Debug, PartialEq)]
pub struct Raised {
    /// Its kind.
    pub class: Class,
    /// Its reason.
    pub reason: Term,
    /// The stack, innermost frame first, each as text: `lists:nth/2 (lists.erl:170)`. Only errors
    /// have one.
    pub stack: Vec<String>,
    /// The node of the pids in the reason.
    pub home: Identity,
}

impl Class {
    /// Its name in Erlang.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Class::Throw => "throw",
            Class::Error => "error",
            Class::Exit => "exit",
            Class::Killed => "signal",
        }
    }
}

impl Cause {
    /// The error of a call that was given up for this cause.
    pub(super) const fn of_call(self, is_ended: bool) -> Why {
        Why::Unfinished(Unfinished {
            cause: self,
            is_ended,
        })
    }
}

impl Unfinished {
    /// A hint for the user.
    #[must_use]
    pub const fn hint(self) -> &'static str {
        match (self.cause, self.is_ended) {
            (Cause::Late(_), true) => "a longer `--timeout` waits for it",
            (Cause::Late(_), false) => {
                "the node did not confirm that it ended the call: it may be hung or busy; a longer `--timeout` waits longer"
            }
            (Cause::Input, _) => "a call has no terminal input; call a function that does not read input",
        }
    }
}

impl fmt::Display for Unfinished {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.cause {
            Cause::Late(time) => write!(f, "did not end within {:.1} s", time.as_secs_f64())?,
            Cause::Input => f.write_str("repeatedly asked for input")?,
        }
        f.write_str(if self.is_ended {
            "; the call was killed"
        } else {
            "; the call may still run"
        })
    }
}

impl fmt::Display for Raised {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verb = match self.class {
            Class::Throw => "threw",
            Class::Error => "raised an error:",
            Class::Exit => "exited:",
            Class::Killed => "was killed:",
        };
        write!(f, "{verb} {}", flat(&self.reason, &self.home))
    }
}

impl Error {
    /// A hint for the user.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        Some(match &self.why {
            Why::Unreachable(_) => {
                "check that the node runs, and that this is its distribution port".to_owned()
            }
            Why::Timeout => "the node may be hung or busy; a longer `--timeout` waits longer".to_owned(),
            Why::Unfinished(unfinished) => unfinished.hint().to_owned(),
            Why::CookieRefused | Why::Handshake(HandshakeError::Cookie) => {
                "use the cookie in the node's own `.erlang.cookie`".to_owned()
            }
            Why::Handshake(HandshakeError::Strange(_)) => {
                "check that this is the port of Erlang's distribution; MCP and HTTP have other ports"
                    .to_owned()
            }
            _ => return None,
        })
    }
}

impl From<WireError> for Why {
    fn from(error: WireError) -> Why {
        match error {
            WireError::Closed => Why::Closed,
            WireError::Io(error) => Why::Network(error),
            WireError::TooLong(_) | WireError::Cut => Why::Unreadable(error.to_string()),
        }
    }
}

impl From<SignalError> for Why {
    fn from(error: SignalError) -> Why {
        Why::Unreadable(error.to_string())
    }
}
