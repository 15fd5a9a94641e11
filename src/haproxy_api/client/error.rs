//! The reasons why a balancer did not answer, or refused.

use std::io;
use std::path::PathBuf;

use super::answer::Refused;

/// A query or an order failed.
#[derive(Debug, thiserror::Error)]
pub enum RuntimeError {
    /// No process listens on the socket.
    #[error("no balancer listens on `{}`", .path.display())]
    NotRunning {
        /// The socket.
        path: PathBuf,
        /// The reason.
        source: io::Error,
    },
    /// The connection ended within the answer.
    #[error("lost the connection to the balancer at `{}`", .path.display())]
    Broken {
        /// The socket.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The answer took too long: more than five seconds, thirty for a reload.
    #[error("the balancer at `{}` does not answer", .path.display())]
    Silent {
        /// The socket.
        path: PathBuf,
    },
    /// It refused the command.
    #[error("the balancer refused `{command}`")]
    Refused {
        /// The command.
        command: String,
        /// Its own text.
        source: Refused,
    },
    /// The answer cannot be parsed, or is larger than 64 MiB.
    #[error("cannot parse the balancer's answer to `{command}`")]
    Unreadable {
        /// The command.
        command: String,
    },
    /// The command has more than one line, or a `;`, which would make it more than one command.
    #[error("`{}` is not one command", .command.escape_debug())]
    NotOneCommand {
        /// The command.
        command: String,
    },
}

impl RuntimeError {
    /// A hint for the user.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            RuntimeError::NotRunning { .. } => {
                Some("check that the cluster runs: `clusterctl status`".to_owned())
            }
            RuntimeError::Broken { .. } | RuntimeError::Silent { .. } | RuntimeError::Unreadable { .. } => {
                Some("read its log: `clusterctl logs`".to_owned())
            }
            RuntimeError::Refused { .. } | RuntimeError::NotOneCommand { .. } => None,
        }
    }
    pub(super) fn unreadable(command: &str) -> RuntimeError {
        RuntimeError::Unreadable {
            command: command.to_owned(),
        }
    }

    pub(super) fn refused(command: &str, source: Refused) -> RuntimeError {
        RuntimeError::Refused {
            command: command.to_owned(),
            source,
        }
    }
}
