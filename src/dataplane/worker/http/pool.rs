//! The idle connections of one worker to its servers.

use std::collections::HashMap;
use std::sync::Arc;

use crate::dataplane::server::Server;

/// Places of idle connections, by server. The one that became idle last is used first, so that the
/// others get old and are closed.
#[derive(Debug)]
pub(super) struct Pool {
    worker: u16,
    /// By the address of the server's memory.
    idle: HashMap<usize, Idle>,
    count: usize,
}

/// The idle connections to one server.
#[derive(Debug)]
struct Idle {
    server: Arc<Server>,
    places: Vec<u32>,
}

impl Pool {
    /// The empty pool of `worker`.
    pub(super) fn new(worker: u16) -> Pool {
        Pool {
            worker,
            idle: HashMap::new(),
            count: 0,
        }
    }

    /// Adds the idle connection at `place`.
    pub(super) fn push(&mut self, server: &Arc<Server>, place: u32) {
        let idle = self.idle.entry(key(server)).or_insert_with(|| Idle {
            server: Arc::clone(server),
            places: Vec::new(),
        });
        idle.places.push(place);
        idle.publish(self.worker);
        self.count += 1;
    }

    /// Takes the connection to `server` that became idle last.
    pub(super) fn pop(&mut self, server: &Arc<Server>) -> Option<u32> {
        let idle = self.idle.get_mut(&key(server))?;
        let place = idle.places.pop()?;
        idle.publish(self.worker);
        self.count -= 1;
        Some(place)
    }

    /// Removes the connection at `place`, which has ended.
    pub(super) fn remove(&mut self, server: &Arc<Server>, place: u32) {
        if let Some(idle) = self.idle.get_mut(&key(server))
            && let Some(at) = idle.places.iter().position(|other| *other == place)
        {
            idle.places.remove(at);
            idle.publish(self.worker);
            self.count -= 1;
        }
    }

    /// Removes the connections that are not to be kept, and returns their places.
    pub(super) fn sweep(&mut self, mut is_kept: impl FnMut(u32) -> bool) -> Vec<u32> {
        let mut removed = Vec::new();
        self.idle.retain(|_, idle| {
            removed.extend(idle.places.extract_if(.., |place| !is_kept(*place)));
            idle.publish(self.worker);
            !idle.places.is_empty()
        });
        self.count -= removed.len();
        removed
    }

    /// Takes any connection, of those to one server the oldest.
    pub(super) fn pop_any(&mut self) -> Option<u32> {
        let idle = self.idle.values_mut().find(|idle| !idle.places.is_empty())?;
        let place = idle.places.remove(0);
        idle.publish(self.worker);
        self.count -= 1;
        Some(place)
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.count == 0
    }
}

// Private

impl Idle {
    fn publish(&self, worker: u16) {
        self.server.http.set_idle(worker, self.places.len());
    }
}

fn key(server: &Arc<Server>) -> usize {
    Arc::as_ptr(server).addr()
}
