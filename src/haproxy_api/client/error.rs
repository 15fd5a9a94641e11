//! Why a balancer did not answer, or said no.

use std::io;
use std::path::PathBuf;

use super::answer::Refused;

/// A question without answer.
#[derive(Debug, thiserror::Error)]
pub enum RuntimeError {
    /// Nobody listens.
    #[error("no balancer listens on `{}`", .path.display())]
    NotRunning {
        /// The socket.
        path: PathBuf,
        /// Why it cannot be reached.
        source: io::Error,
    },
    /// The connection broke.
    #[error("lost the balancer at `{}`", .path.display())]
    Broken {
        /// The socket.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It took too long: five seconds, thirty for a reload.
    #[error("the balancer at `{}` does not answer", .path.display())]
    Silent {
        /// The socket.
        path: PathBuf,
    },
    /// It answered, but no.
    #[error("the balancer refused `{command}`")]
    Refused {
        /// What it was told.
        command: String,
        /// Its own words.
        source: Refused,
    },
    /// The answer makes no sense, or is larger than 64 MiB.
    #[error("the balancer's answer to `{command}` makes no sense")]
    Unreadable {
        /// What it was asked.
        command: String,
    },
    /// More than one line, or a `;`, which would be more than one command.
    #[error("`{}` is not one command", .command.escape_debug())]
    NotOneCommand {
        /// What was to be asked.
        command: String,
    },
}

impl RuntimeError {
    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            RuntimeError::NotRunning { .. } => {
                Some("is the cluster started? See `clusterctl status`".to_owned())
            }
            RuntimeError::Broken { .. } | RuntimeError::Silent { .. } | RuntimeError::Unreadable { .. } => {
                Some("see what it says itself: `clusterctl logs`".to_owned())
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
