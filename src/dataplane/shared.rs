//! Data that all threads share, and events of servers that concern all threads.

use std::io;
use std::sync::Arc;

use arc_swap::ArcSwap;
use tokio::sync::oneshot;

use super::backend::Backend;
use super::clock::Clock;
use super::inbox::{Inbox, Order};
use super::process::Process;
use super::server::{Event, Server};
use super::topology::Layout;
use crate::workers::Table;

/// Descriptors of a table that do not belong to sessions: listeners, epoll, logs, inherited ones.
const RESERVE: u64 = 64;
/// Descriptors of one session.
const PER_SESSION: u64 = 2;

/// Data that all threads share.
#[derive(Debug)]
pub(crate) struct Plane {
    pub(crate) clock: Clock,
    pub(crate) process: Arc<Process>,
    layout: ArcSwap<Layout>,
    inboxes: Vec<Arc<Inbox>>,
    /// `RLIMIT_NOFILE`.
    nofile: u64,
}

impl Plane {
    pub(crate) fn new(clock: Clock, layout: Layout, inboxes: Vec<Arc<Inbox>>, nofile: u64) -> Plane {
        Plane {
            clock,
            process: Arc::new(Process::new(layout.config.maxconn)),
            layout: ArcSwap::from_pointee(layout),
            inboxes,
            nofile,
        }
    }

    /// The configuration in force.
    pub(crate) fn layout(&self) -> Arc<Layout> {
        self.layout.load_full()
    }

    /// Replaces the layout. The workers are notified separately.
    pub(crate) fn set_layout(&self, layout: Arc<Layout>) {
        self.process.reconfigure(layout.config.maxconn);
        self.layout.store(layout);
    }

    /// `RLIMIT_NOFILE`.
    pub(crate) const fn nofile(&self) -> u64 {
        self.nofile
    }

    /// The inbox of worker `number`.
    ///
    /// # Panics
    /// If there is no such worker.
    pub(crate) fn inbox(&self, number: u16) -> &Arc<Inbox> {
        &self.inboxes[usize::from(number)]
    }

    /// The inboxes of all workers.
    pub(crate) fn inboxes(&self) -> &[Arc<Inbox>] {
        &self.inboxes
    }

    /// How many sessions a worker has descriptors for.
    pub(crate) fn room(&self, table: Table) -> usize {
        let shared_by = match table {
            Table::Own => 1,
            Table::Shared => self.inboxes.len().max(1) as u64,
        };
        let room = self.nofile.saturating_sub(RESERVE) / PER_SESSION / shared_by;
        usize::try_from(room).unwrap_or(usize::MAX).max(1)
    }

    /// Applies `event` to a server, for `reason`: the change is logged, its sessions end when it
    /// goes down, and free places go to waiting clients. The returned `Cut` can be awaited until
    /// the sessions have ended.
    pub(crate) fn happens(
        &self,
        backend: &Arc<Backend>,
        server: &Arc<Server>,
        event: Event,
        reason: &str,
    ) -> Cut {
        let Some(change) = server.happens(event, &self.clock) else {
            return Cut::default();
        };
        let (was, is) = (change.was.word(), change.is.word());
        tracing::info!(
            backend = backend.name,
            server = server.name,
            state = is,
            was,
            reason,
            "server"
        );
        let cut = if change.was.holds() && !change.is.holds() {
            self.cut(server)
        } else {
            Cut::default()
        };
        match backend.look() {
            Some(true) => tracing::info!(backend = backend.name, "a server is up again"),
            Some(false) => tracing::error!(backend = backend.name, "no server is up"),
            None => {}
        }
        backend.serve_waiting();
        cut
    }

    /// Ejects a server after too many connection failures in a row.
    pub(crate) fn eject(&self, backend: &Arc<Backend>, server: &Arc<Server>, error: &io::Error) {
        let _client_may_be_gone = self.happens(
            backend,
            server,
            Event::Ejected,
            &format!("connections fail: {error}"),
        );
    }

    /// Ends all sessions of a server.
    pub(crate) fn cut(&self, server: &Arc<Server>) -> Cut {
        Cut(self.ask(|done| Order::Cut(Arc::clone(server), done)))
    }

    /// Sends an order to every worker, and returns their pending answers.
    pub(crate) fn ask<T>(&self, order: impl Fn(oneshot::Sender<T>) -> Order) -> Vec<oneshot::Receiver<T>> {
        let ask = |inbox: &Arc<Inbox>| {
            let (sender, answer) = oneshot::channel();
            inbox.post(order(sender));
            answer
        };
        self.inboxes.iter().map(ask).collect()
    }
}

/// Sessions that end, in all workers.
#[derive(Debug, Default)]
#[must_use = "await it to know when they have ended"]
pub(crate) struct Cut(Vec<oneshot::Receiver<()>>);

impl Cut {
    /// Waits until they have ended.
    pub(crate) async fn done(self) {
        for worker in self.0 {
            // A worker that has ended has no sessions.
            let _gone = worker.await;
        }
    }
}
