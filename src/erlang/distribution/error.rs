//! Why a node gives no answer.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use super::handshake::HandshakeError;
use super::signal::SignalError;
use super::syntax::flat;
use super::term::{Identity, Term};
use super::wire::WireError;

/// A node gave no answer: which, and why.
#[derive(Debug, thiserror::Error)]
#[error("`{node}` at {address} {why}")]
pub struct Error {
    /// Its full name.
    pub node: String,
    /// Where it was sought.
    pub address: SocketAddr,
    /// The reason, as the rest of a sentence.
    pub why: Why,
}

/// The reason, as the rest of a sentence about the node.
#[derive(Debug, thiserror::Error)]
pub enum Why {
    /// Nobody listens there, or nobody can get there.
    #[error("cannot be reached: {0}")]
    Unreachable(io::Error),
    /// Nothing comes, or not all of it.
    #[error("does not answer in time")]
    Timeout,
    /// It closed the connection when it had seen our proof.
    #[error("refuses the cookie")]
    CookieRefused,
    /// It is another node.
    #[error("is `{0}`")]
    Another(String),
    /// The handshake came to nothing.
    #[error(transparent)]
    Handshake(#[from] HandshakeError),
    /// The connection ended before the answer.
    #[error("has closed the connection")]
    Closed,
    /// The network says no.
    #[error("can no longer be reached: {0}")]
    Network(io::Error),
    /// What it said makes no sense, or is too much.
    #[error("said what cannot be read: {0}")]
    Unreadable(String),
    /// It does not start a process for the call.
    #[error("does not make the call: `{0}`")]
    NotStarted(String),
    /// It has begun the call, and did not come to its end.
    #[error("makes a call that {0}")]
    Unfinished(Unfinished),
    /// The call ended in an exception.
    #[error("{0}")]
    Raised(Box<Raised>),
    /// The answer is none to our question.
    #[error("has another idea of {0}")]
    Unexpected(&'static str),
}

/// A call that had begun, and was given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unfinished {
    /// Why it was given up.
    pub cause: Cause,
    /// Whether the node has said that its process was ended. Otherwise it may go on.
    pub is_ended: bool,
}

/// Why a call is given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// It takes longer than it may, and has taken so long.
    Late(Duration),
    /// It wants to read what somebody types, again and again.
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
    /// Somebody else ended the process.
    Killed,
}

/// An exception that a call has ended in.
#[derive(Clone, Debug, PartialEq)]
pub struct Raised {
    /// Its kind.
    pub class: Class,
    /// Its reason.
    pub reason: Term,
    /// Where it was raised, innermost first, each as text: `lists:nth/2 (lists.erl:170)`. Known of errors only.
    pub stack: Vec<String>,
    /// The node whose pids the reason may have.
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
    /// Why a call has no answer that was given up for this.
    pub(super) const fn of_call(self, is_ended: bool) -> Why {
        Why::Unfinished(Unfinished {
            cause: self,
            is_ended,
        })
    }
}

impl Unfinished {
    /// What to do about it.
    #[must_use]
    pub const fn hint(self) -> &'static str {
        match (self.cause, self.is_ended) {
            (Cause::Late(_), true) => "a longer `--timeout` waits for it",
            (Cause::Late(_), false) => {
                "the node does not say that it has ended it, and may be hung, or busy; a longer `--timeout` waits longer"
            }
            (Cause::Input, _) => "nobody types anything here; call something that does not ask",
        }
    }
}

impl fmt::Display for Unfinished {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.cause {
            Cause::Late(time) => write!(f, "was not over after {:.1} s", time.as_secs_f64())?,
            Cause::Input => f.write_str("asks for input again and again")?,
        }
        f.write_str(if self.is_ended {
            ", and has been ended"
        } else {
            ", and may go on"
        })
    }
}

impl fmt::Display for Raised {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verb = match self.class {
            Class::Throw => "threw",
            Class::Error => "raised an error:",
            Class::Exit => "exited:",
            Class::Killed => "had the call's process ended:",
        };
        write!(f, "{verb} {}", flat(&self.reason, &self.home))
    }
}

impl Error {
    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        Some(match &self.why {
            Why::Unreachable(_) => "is it running, and is that its distribution port?".to_owned(),
            Why::Timeout => "it may be hung, or busy; a longer `--timeout` waits longer".to_owned(),
            Why::Unfinished(unfinished) => unfinished.hint().to_owned(),
            Why::CookieRefused | Why::Handshake(HandshakeError::Cookie) => {
                "the cookie has to be the one in the node's own `.erlang.cookie`".to_owned()
            }
            Why::Handshake(HandshakeError::Strange(_)) => {
                "is that the port of Erlang's distribution? MCP and HTTP have others".to_owned()
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
