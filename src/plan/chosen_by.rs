//! What decides which node a new client gets.

use serde::{Deserialize, Serialize};

use crate::profile::HashKey;

/// What determines a new client's node, where a balancer does not distribute clients by turns or by
/// load.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ChosenBy {
    /// The client's address: all connections from one address get the same node.
    Address,
    /// The client's address determines which of several balancer processes it gets; each process
    /// distributes its own clients.
    Process,
    /// The URI of its request.
    Uri,
}

impl From<HashKey> for ChosenBy {
    fn from(key: HashKey) -> ChosenBy {
        match key {
            HashKey::Address => ChosenBy::Address,
            HashKey::Uri => ChosenBy::Uri,
        }
    }
}
