//! What decides which node a new client gets.

use serde::{Deserialize, Serialize};

use crate::profile::HashKey;

/// What a new client's node is computed from, where a balancer does not deal clients out by turns or by load.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ChosenBy {
    /// The client's address: each address is a choice of its own, with all connections that come from it.
    Address,
    /// The client's address decides which of several balancer processes it meets; each deals its own clients out.
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
