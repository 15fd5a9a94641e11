//! Asking a node how it is, again and again.

use std::time::Duration;

use tokio::time::Instant;

use super::connection::{Connection, Target};
use super::error::{Error, Why};
use super::queries::Vitals;

/// Asks one node how it is over a connection that it keeps, and makes anew when it has broken.
///
/// Over a connection that is there, asking is one round trip: a fraction of a millisecond of the node's time.
#[derive(Debug)]
pub struct Observer {
    target: Target,
    connection: Option<Connection>,
}

impl Observer {
    /// Connects when it is asked for the first time.
    #[must_use]
    pub fn new(target: Target) -> Observer {
        Observer {
            target,
            connection: None,
        }
    }

    /// How the node is.
    ///
    /// # Errors
    /// When it does not say `within` this time.
    pub async fn vitals(&mut self, within: Duration) -> Result<Vitals, Error> {
        let deadline = Instant::now() + within;
        // Taken: what ends badly, or is dropped on the way, is not asked again.
        if let Some(mut connection) = self.connection.take() {
            match connection.vitals(deadline).await {
                Ok(vitals) => {
                    self.connection = Some(connection);
                    return Ok(vitals);
                }
                // The node has been restarted, or has not heard of us for too long.
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
