//! What runs in a run directory.

use super::record::{Record, RecordError};
use crate::api::{Client, ClientError};
use crate::platform::RunDir;

/// What runs in a run directory.
pub enum Presence {
    /// Nothing.
    Absent,
    /// A cluster with its supervisor.
    Running(Client),
    /// Children whose supervisor is dead.
    Orphaned(Box<Record>),
}

/// A run directory of which nobody can say what runs in it.
#[derive(Debug, thiserror::Error)]
pub enum PresenceError {
    /// The supervisor does not answer.
    #[error(transparent)]
    Supervisor(#[from] ClientError),
    /// The state file is no help.
    #[error(transparent)]
    Record(#[from] RecordError),
}

impl Presence {
    /// What runs in `run_dir`.
    ///
    /// # Errors
    /// When a supervisor listens and does not answer, or none does and the state file is broken.
    pub async fn of(run_dir: &RunDir) -> Result<Presence, PresenceError> {
        match Client::connect(&run_dir.control_socket()).await {
            Ok(client) => return Ok(Presence::Running(client)),
            Err(ClientError::NotRunning(_)) => {}
            Err(error) => return Err(error.into()),
        }
        Ok(match Record::read(run_dir)? {
            Some(record) if !record.living().is_empty() => Presence::Orphaned(Box::new(record)),
            _ => Presence::Absent,
        })
    }
}

impl PresenceError {
    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            PresenceError::Supervisor(_) => None,
            PresenceError::Record(_) => {
                Some("look for its processes with `ps`, end them, then remove the file".to_owned())
            }
        }
    }
}
