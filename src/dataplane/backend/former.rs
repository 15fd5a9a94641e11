//! Servers that a backend no longer has. Their clients go on until they end, and their bytes still
//! count: a backend's sums never shrink.

use std::sync::Arc;

use crate::dataplane::server::Server;

/// The servers that a backend had.
#[derive(Debug, Default)]
pub(super) struct FormerServers {
    /// Those that may still have clients.
    used: Vec<Arc<Server>>,
    /// The bytes of the others, to servers and from them.
    bytes: (u64, u64),
}

impl FormerServers {
    /// Adds the servers of `before` that are not in `now`.
    pub(super) fn add(&mut self, before: &[Arc<Server>], now: &[Arc<Server>]) {
        self.settle();
        let is_gone = |server: &&Arc<Server>| !now.iter().any(|it| Arc::ptr_eq(it, server));
        self.used.extend(before.iter().filter(is_gone).cloned());
    }

    /// All bytes so far, to servers and from them.
    pub(super) fn bytes(&mut self) -> (u64, u64) {
        self.settle();
        let (up, down) = self.bytes;
        let used = self.used.iter();
        used.fold((up, down), |(up, down), it| {
            (up + it.bytes.up(), down + it.bytes.down())
        })
    }

    /// Resets the sums.
    pub(super) fn clear(&mut self) {
        self.bytes = (0, 0);
        self.used.iter().for_each(|server| server.bytes.clear());
    }

    // Private

    /// Drops the servers that only this list still refers to.
    fn settle(&mut self) {
        for server in self.used.extract_if(.., |server| Arc::strong_count(server) == 1) {
            self.bytes.0 += server.bytes.up();
            self.bytes.1 += server.bytes.down();
        }
    }
}
