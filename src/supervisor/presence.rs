//! What runs in a run directory.

use std::io;
use std::time::{Duration, Instant};

use super::recovery::{Lost, Marked};
use super::state_file::{Record, RecordError};
use crate::api::{Client, ClientError, GetProgress};
use crate::platform::{Identity, Lock, RunDir};

/// How long a supervisor may hold the lock without listening: while it prepares, shuts down, or
/// ends processes that a previous one left.
const LOCK_TIMEOUT: Duration = Duration::from_mins(1);

/// A supervisor that lives and has not answered for this long is not dying.
const DYING_TIMEOUT: Duration = Duration::from_secs(1);

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
    /// A state file that cannot be used, and the children that run nevertheless, if any do.
    Lost(Box<Lost>),
}

/// Why it is not known what runs in a run directory.
#[derive(Debug, thiserror::Error)]
pub enum PresenceError {
    /// The supervisor does not answer.
    #[error(transparent)]
    Supervisor(#[from] ClientError),
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
    /// When a supervisor listens and does not answer, or its lock cannot be checked.
    pub async fn of(run_dir: &RunDir) -> Result<Presence, PresenceError> {
        let deadline = Instant::now() + LOCK_TIMEOUT;
        loop {
            match Client::connect(&run_dir.control_socket()).await {
                // A supervisor that has just been killed still accepts for a moment.
                Ok(client) if !is_dying(&client).await || Instant::now() >= deadline => {
                    return Ok(Presence::Running(client));
                }
                Ok(_) => {
                    tokio::time::sleep(POLL_INTERVAL).await;
                    continue;
                }
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
        Ok(Presence::without_supervisor(run_dir))
    }

    /// What runs in `run_dir`, where no supervisor runs.
    #[must_use]
    pub fn without_supervisor(run_dir: &RunDir) -> Presence {
        let found = || Marked::find(run_dir);
        let (why, found) = match Record::read(run_dir) {
            Ok(Some(record)) if record.living().is_empty() => return Presence::Absent,
            Ok(Some(record)) => return Presence::Orphaned(Box::new(record)),
            // The lock file shows that no stop has come to its end.
            Ok(None) if run_dir.is_clean() => return Presence::Absent,
            Ok(None) => (RecordError::Missing(run_dir.state_file()), found()),
            Err(why) => (why, found()),
        };
        match why {
            RecordError::Missing(_) if found.is_empty() => Presence::Absent,
            why => Presence::Lost(Box::new(Lost { why, found })),
        }
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
        }
    }
}

// Private

/// Whether the supervisor does not answer because its process has ended.
async fn is_dying(client: &Client) -> bool {
    let answer = tokio::time::timeout(DYING_TIMEOUT, client.call(&GetProgress)).await;
    let has_failed = matches!(answer, Ok(Err(ClientError::Ended | ClientError::Broken(_))));
    has_failed && client.supervisor().is_none_or(|pid| Identity::of(pid).is_none())
}
