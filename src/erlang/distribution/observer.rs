//! Polls the vitals of a node.

use std::time::Duration;

use tokio::time::Instant;

use super::connection::{Connection, Target};
use super::error::{Error, Why};
use super::queries::Vitals;

/// Polls the vitals of one node over a connection that it keeps, and opens again after an error.
///
/// With an open connection a poll is one round trip: a fraction of a millisecond of the node's
/// time.
#[derive(Debug)]
pub struct Observer {
    target: Target,
    connection: Option<Connection>,
}

impl Observer {
    /// It connects on the first poll.
    #[must_use]
    pub fn new(target: Target) -> Observer {
        Observer {
            target,
            connection: None,
        }
    }

    /// Queries the node's vitals.
    ///
    /// # Errors
    /// If there is no answer `within` this time.
    pub async fn vitals(&mut self, within: Duration) -> Result<Vitals, Error> {
        let deadline = Instant::now() + within;
        // Taken out: a connection that fails, or whose query is cancelled, is not used again.
        if let Some(mut connection) = self.connection.take() {
            match connection.vitals(deadline).await {
                Ok(vitals) => {
                    self.connection = Some(connection);
                    return Ok(vitals);
                }
                // The node was restarted, or has closed an idle connection.
                Err(Error {
                    why: Why::Closed | Why::Network(_),
                    ..
                }) => {}
                Err(error) => return Err(error),
            }
        }
        let mut connection = Connection::open(&self.target, deadline).await?;
        let vitals = connection.vitals(deadline).await?;
        self.connection = Some(connection);
        Ok(vitals)
    }
}
