//! The clients that wait for a server below its maxconn, in the order of arrival.

use std::collections::VecDeque;
use std::sync::Arc;

use super::lease::Lease;
use crate::dataplane::balance::ClientKey;
use crate::dataplane::server::Server;

/// A worker that is notified when one of its sessions has got a server.
pub(crate) trait Notify: Send + Sync + std::fmt::Debug {
    /// The worker's number.
    fn worker(&self) -> u16;

    /// The session at `index` with the number `serial` has got `lease`.
    fn served(&self, index: u32, serial: u64, lease: Lease);
}

/// A session that waits in its worker.
#[derive(Debug)]
pub(crate) struct Waiter {
    /// Its worker.
    pub(crate) worker: Arc<dyn Notify>,
    /// Its place in its worker.
    pub(crate) index: u32,
    /// Its number in its worker: places are reused.
    pub(crate) serial: u64,
    /// What its server depends on.
    pub(crate) client: ClientKey,
    /// The one server that it waits for.
    pub(crate) server: Option<Arc<Server>>,
    /// When it began to wait, in ms of the clock.
    pub(crate) since: u64,
}

/// A queue.
#[derive(Debug, Default)]
pub(super) struct Queue(VecDeque<Waiter>);

impl Waiter {
    /// It has exceeded the queue timeout.
    pub(super) fn served(self, lease: Lease) {
        self.worker.served(self.index, self.serial, lease);
    }
}

impl Queue {
    pub(super) fn len(&self) -> u32 {
        u32::try_from(self.0.len()).unwrap_or(u32::MAX)
    }

    pub(super) fn put(&mut self, waiter: Waiter) {
        self.0.push_back(waiter);
    }

    /// The client at `at`, and the server that it waits for.
    pub(super) fn at(&self, at: usize) -> Option<(ClientKey, Option<Arc<Server>>)> {
        self.0
            .get(at)
            .map(|waiter| (waiter.client, waiter.server.clone()))
    }

    pub(super) fn take(&mut self, at: usize) -> Option<Waiter> {
        self.0.remove(at)
    }

    /// Removes the session `serial` of `worker`.
    pub(super) fn remove(&mut self, worker: u16, serial: u64) -> Option<Waiter> {
        let at = self
            .0
            .iter()
            .position(|waiter| waiter.serial == serial && waiter.worker.worker() == worker)?;
        self.0.remove(at)
    }
}
