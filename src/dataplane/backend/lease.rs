//! A client's place at a server, returned when it is dropped.

use std::sync::Arc;

use super::Backend;
use crate::dataplane::clock::Clock;
use crate::dataplane::counters::count;
use crate::dataplane::server::Server;

/// A place at a server.
#[derive(Debug)]
pub(crate) struct Lease {
    backend: Arc<Backend>,
    server: Arc<Server>,
}

impl Lease {
    /// Takes a place. The backend's lock is held, and the server has room.
    pub(super) fn new(backend: Arc<Backend>, server: Arc<Server>, clock: &Clock) -> Lease {
        server.take();
        server.counters.begun(clock.now());
        count(&server.counters.chosen);
        count(&backend.counters.chosen);
        Lease { backend, server }
    }

    /// The server.
    pub(crate) const fn server(&self) -> &Arc<Server> {
        &self.server
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.server.counters.sessions.down();
        self.server.give_back();
        self.backend.serve_waiting();
    }
}
