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
use super::topology::Topology;
use crate::workers::Table;

/// Descriptors of a table that do not belong to sessions: listeners, epoll, logs, inherited ones.
const RESERVED_DESCRIPTORS: u64 = 64;
/// Descriptors of one session.
const DESCRIPTORS_PER_SESSION: u64 = 2;

/// Data that all threads share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) clock: Clock,
    pub(crate) process: Arc<Process>,
    topology: ArcSwap<Topology>,
    inboxes: Vec<Arc<Inbox>>,
    /// `RLIMIT_NOFILE`.
    nofile: u64,
}

impl Shared {
    pub(crate) fn new(clock: Clock, topology: Topology, inboxes: Vec<Arc<Inbox>>, nofile: u64) -> Shared {
        Shared {
            clock,
            process: Arc::new(Process::new(topology.config.maxconn)),
            topology: ArcSwap::from_pointee(topology),
            inboxes,
            nofile,
        }
    }

    /// The configuration in force.
    pub(crate) fn topology(&self) -> Arc<Topology> {
        self.topology.load_full()
    }

    /// Replaces the layout. The workers are notified separately.
    pub(crate) fn set_topology(&self, topology: Arc<Topology>) {
        self.process.reconfigure(topology.config.maxconn);
        self.topology.store(topology);
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
        let room = self.nofile.saturating_sub(RESERVED_DESCRIPTORS) / DESCRIPTORS_PER_SESSION / shared_by;
        usize::try_from(room).unwrap_or(usize::MAX).max(1)
    }

    /// Applies `event` to a server, for `reason`: the change is logged, its sessions end when it
    /// goes down, and free places go to waiting clients. The returned `EndingSessions` can be
    /// awaited until the sessions have ended.
    pub(crate) fn apply_event(
        &self,
        backend: &Arc<Backend>,
        server: &Arc<Server>,
        event: Event,
        reason: &str,
    ) -> EndingSessions {
        let Some(change) = server.apply_event(event, &self.clock) else {
            return EndingSessions::default();
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
        let ending = if change.was.holds() && !change.is.holds() {
            self.shutdown_sessions(server)
        } else {
            EndingSessions::default()
        };
        match backend.update_availability() {
            Some(true) => tracing::info!(backend = backend.name, "a server is up again"),
            Some(false) => tracing::error!(backend = backend.name, "no server is up"),
            None => {}
        }
        backend.serve_waiting();
        ending
    }

    /// Ejects a server after too many connection failures in a row.
    pub(crate) fn eject(&self, backend: &Arc<Backend>, server: &Arc<Server>, error: &io::Error) {
        let _client_may_be_gone = self.apply_event(
            backend,
            server,
            Event::Ejected,
            &format!("connections fail: {error}"),
        );
    }

    /// Ends all sessions of a server.
    pub(crate) fn shutdown_sessions(&self, server: &Arc<Server>) -> EndingSessions {
        EndingSessions(self.ask(|done| Order::ShutdownSessions(Arc::clone(server), done)))
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
pub(crate) struct EndingSessions(Vec<oneshot::Receiver<()>>);

impl EndingSessions {
    /// Waits until they have ended.
    pub(crate) async fn done(self) {
        for worker in self.0 {
            // A worker that has ended has no sessions.
            let _gone = worker.await;
        }
    }
}
