//! What runs in a run directory.

use std::io;
use std::time::{Duration, Instant};

use super::state_file::{Record, RecordError};
use crate::api::{Client, ClientError};
use crate::platform::{Lock, RunDir};

/// How long a supervisor may hold the lock without listening: while it prepares, shuts down, or
/// ends processes that a previous one left.
const LOCK_TIMEOUT: Duration = Duration::from_mins(1);

/// Time between two checks.
const POLL_INTERVAL: Duration = Duration::from_millis(10);

/// What runs in a run directory.
pub enum Presence {
    /// Nothing.
    Absent,
    /// A cluster with its supervisor.
    Running(Client),
    /// Children whose supervisor is dead.
    Orphaned(Box<Record>),
}

/// Why it is not known what runs in a run directory.
#[derive(Debug, thiserror::Error)]
pub enum PresenceError {
    /// The supervisor does not answer.
    #[error(transparent)]
    Supervisor(#[from] ClientError),
    /// The state file cannot be used.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// The lock cannot be checked.
    #[error("cannot check whether a supervisor runs: {0}")]
    Lock(#[from] io::Error),
    /// The lock is held, but no process listens on the control socket.
    #[error("timed out waiting for the lock on `{}`, which another command holds", .0.path().display())]
    Busy(RunDir),
}

impl Presence {
    /// Finds out what runs in `run_dir`. Waits for a supervisor that does not listen yet, or not
    /// any more.
    ///
    /// # Errors
    /// When a supervisor listens and does not answer, or none does and the state file is broken.
    pub async fn of(run_dir: &RunDir) -> Result<Presence, PresenceError> {
        let deadline = Instant::now() + LOCK_TIMEOUT;
        loop {
            match Client::connect(&run_dir.control_socket()).await {
                Ok(client) => return Ok(Presence::Running(client)),
                Err(ClientError::NotRunning(_)) => {}
                Err(error) => return Err(error.into()),
            }
            if !Lock::is_held(&run_dir.lock_file())? {
                break;
            }
            if Instant::now() >= deadline {
                return Err(PresenceError::Busy(run_dir.clone()));
            }
            tokio::time::sleep(POLL_INTERVAL).await;
        }
        Ok(match Record::read(run_dir)? {
            Some(record) if !record.living().is_empty() => Presence::Orphaned(Box::new(record)),
            _ => Presence::Absent,
        })
    }
}

impl PresenceError {
    /// A command that helps, if there is one.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            PresenceError::Supervisor(_) | PresenceError::Lock(_) => None,
            PresenceError::Busy(run_dir) => Some(format!(
                "`fuser {}` shows which process it is",
                run_dir.lock_file().display()
            )),
            PresenceError::Record(_) => {
                Some("look for its processes with `ps`, end them, then remove the file".to_owned())
            }
        }
    }
}
