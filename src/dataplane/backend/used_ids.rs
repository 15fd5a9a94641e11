//! The ids that servers of a backend have had. An id belongs to one name for the life of the
//! process: tables, logs and operators know servers by it.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::dataplane::server::Server;

/// Ids with the name of the last server that had them.
#[derive(Debug, Default)]
pub(super) struct UsedIds(BTreeMap<u32, String>);

impl UsedIds {
    /// Notes the ids of `servers`.
    pub(super) fn add(&mut self, servers: &[Arc<Server>]) {
        let used = servers.iter().map(|server| (server.id, server.name.clone()));
        self.0.extend(used);
    }

    /// The lowest id that no server has had.
    pub(super) fn next(&self) -> Option<u32> {
        (1..=u32::MAX).find(|id| !self.0.contains_key(id))
    }

    /// The server that has or had `id`, if its name is not `name`.
    pub(super) fn other(&self, id: u32, name: &str) -> Option<&str> {
        self.0.get(&id).filter(|it| *it != name).map(String::as_str)
    }
}
