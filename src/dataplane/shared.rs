//! Data that all threads share, and events of servers that concern all threads.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::sync::oneshot;

use super::access_log::AccessLog;
use super::backend::{Backend, Pool};
use super::clock::Clock;
use super::inbox::{Inbox, Order};
use super::parent_sockets::Member;
use super::process::Process;
use super::server::{Change, Event, Server};
use super::topology::Topology;
use crate::workers::Table;

/// Descriptors of a table that do not belong to sessions: listeners, epoll, logs, inherited ones.
const RESERVED_DESCRIPTORS: u64 = 64;
/// Descriptors of one session.
const DESCRIPTORS_PER_SESSION: u64 = 2;

/// How long the end of the process waits for workers to log their requests.
const LOG_TIMEOUT: Duration = Duration::from_secs(1);

/// Data that all threads share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) clock: Clock,
    pub(crate) process: Arc<Process>,
    pub(crate) access_log: Arc<AccessLog>,
    topology: ArcSwap<Topology>,
    /// The listening sockets of the parent, in their order.
    members: ArcSwap<Vec<Member>>,
    inboxes: Vec<Arc<Inbox>>,
    /// `RLIMIT_NOFILE`.
    nofile: u64,
}

impl Shared {
    pub(crate) fn new(clock: Clock, topology: Topology, inboxes: Vec<Arc<Inbox>>, nofile: u64) -> Shared {
        Shared {
            clock,
            process: Arc::new(Process::new(topology.config.maxconn)),
            access_log: Arc::new(AccessLog::new(topology.config.workers)),
            topology: ArcSwap::from_pointee(topology),
            members: ArcSwap::default(),
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

    /// The listening sockets of the parent that the workers divide among them, in their order.
    pub(crate) fn members(&self) -> Arc<Vec<Member>> {
        self.members.load_full()
    }

    /// Replaces the list of the parent's listening sockets. The workers are notified separately.
    pub(crate) fn set_members(&self, members: Vec<Member>) {
        self.members.store(Arc::new(members));
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
    /// goes down, and free places go to waiting clients. The same happens to servers that track it.
    /// The returned `EndingSessions` can be awaited until the sessions have ended.
    pub(crate) fn apply_event(
        &self,
        backend: &Arc<Backend>,
        server: &Arc<Server>,
        event: Event,
        reason: &str,
    ) -> EndingSessions {
        let change = server.apply_event(event, &self.clock);
        let EndingSessions(mut ending) = self.changed(backend, server, change, reason);
        for (tracking, tracker) in self.topology().trackers(backend, &server.name) {
            let change = tracker.follow(Some(server), &self.clock);
            ending.extend(self.changed(&tracking, &tracker, change, reason).0);
        }
        EndingSessions(ending)
    }

    /// Makes all servers that track others take their state, and those that do not any more have
    /// their own.
    pub(crate) fn follow_tracked(&self) {
        for backend in &self.topology().backends {
            let pool = backend.pool();
            for server in &pool.servers {
                let tracked = pool.tracked_by(&server.name).map(|(_, tracked)| tracked);
                let change = server.follow(tracked.as_deref(), &self.clock);
                let _client_may_be_gone = self.changed(backend, server, change, "configured");
            }
        }
    }

    /// Notes which backends have a server that is up, after servers have come or gone.
    pub(crate) fn note_availability(&self) {
        for backend in &self.topology().backends {
            note_availability_of(backend);
        }
    }

    /// Ejects a server after too many connection failures in a row.
    pub(crate) fn eject(&self, backend: &Arc<Backend>, server: &Arc<Server>, error: &io::Error) {
        self.eject_for(backend, server, &format!("connections fail: {error}"));
    }

    /// Counts an answer of a server, and ejects it after too many server errors in a row.
    pub(crate) fn answered(&self, backend: &Arc<Backend>, server: &Arc<Server>, pool: &Pool, status: u16) {
        if let Some(limit) = pool.config.eject_errors
            && server.answered(status, limit)
        {
            let reason = format!("{limit} answers in a row are server errors, the last one {status}");
            self.eject_for(backend, server, &reason);
        }
    }

    /// Ends all sessions of a server.
    pub(crate) fn shutdown_sessions(&self, server: &Arc<Server>) -> EndingSessions {
        EndingSessions(self.ask(|done| Order::ShutdownSessions(Arc::clone(server), done)))
    }

    /// Makes the workers log the requests in progress; waits for them for a limited time.
    pub(crate) async fn log_requests(&self) {
        let logged = EndingSessions(self.ask(Order::LogRequests)).done();
        if tokio::time::timeout(LOG_TIMEOUT, logged).await.is_err() {
            tracing::warn!("a worker does not answer: its last requests are not logged");
        }
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

    // Private

    /// Ejects a server, or the one that it tracks.
    fn eject_for(&self, backend: &Arc<Backend>, server: &Arc<Server>, reason: &str) {
        let _client_may_be_gone = match backend.pool().tracked_by(&server.name) {
            Some((backend, server)) => self.apply_event(backend, &server, Event::Ejected, reason),
            None => self.apply_event(backend, server, Event::Ejected, reason),
        };
    }

    /// Draws the consequences of a server's change, if there is one.
    fn changed(
        &self,
        backend: &Arc<Backend>,
        server: &Arc<Server>,
        change: Option<Change>,
        reason: &str,
    ) -> EndingSessions {
        let Some(change) = change else {
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
        note_availability_of(backend);
        backend.serve_waiting();
        ending
    }
}

fn note_availability_of(backend: &Backend) {
    match backend.update_availability() {
        Some(true) => tracing::info!(backend = backend.name, "a server is up again"),
        Some(false) => tracing::error!(backend = backend.name, "no server is up"),
        None => {}
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::dataplane::topology::OutOfService;
    use crate::dataplane_config::Dataplane;
    use crate::haproxy_api::server::Health;
    use crate::haproxy_api::{ServerHealth, ServerState};

    /// `streams` comes first, and tracks `requests`.
    const CONFIG: &str = "
cluster: erlmcp
workers: 1
maxconn: 10
socket: /run/x/dataplane.sock
timeouts: {connect: 5s, client: 5m, server: 5m, queue: 30s}
frontends:
- {name: tcp, listen: ['127.0.0.1:8000'], backend: nodes, limits: {connections: 0, connection_rate: 0, message_rate: 0, exempt: []}}
backends:
- {name: streams, algorithm: leastconn, track: requests, http: {}, eject_errors: 2, servers: [&a {name: a, id: 1, address: '127.0.0.1:8081', weight: 1, maxconn: 0, question: http}]}
- {name: nodes, algorithm: leastconn, servers: [*a]}
- {name: requests, algorithm: leastconn, http: {}, check: {interval: 3s, fast_interval: 1s, timeout: 3s, rise: 2, fall: 3}, servers: [*a]}
";

    fn shared() -> Shared {
        let (config, clock) = (Dataplane::parse(CONFIG).unwrap(), Clock::new());
        let topology = Topology::new(config, None, &OutOfService::default(), &clock);
        let shared = Shared::new(clock, topology, Vec::new(), 1_000);
        shared.follow_tracked();
        shared
    }

    #[tokio::test]
    async fn a_tracker_follows_and_the_others_do_not() {
        let shared = shared();
        let topology = shared.topology();
        let words = || {
            let figures = topology.backends.iter().map(|it| it.figures());
            let servers: Vec<_> = figures.flat_map(|it| it.servers).collect();
            let words = servers
                .iter()
                .map(|it| (it.health == Health::Up, it.admin.inherited_drain));
            (words.collect::<Vec<_>>(), servers[0].tracked.clone().unwrap())
        };
        let (backend, server) = topology.server("requests", "a").unwrap();
        let apply = async |event| shared.apply_event(&backend, &server, event, "test").done().await;
        assert_eq!(words().0, [(true, false), (true, false), (true, false)]);
        assert_eq!(
            (words().1.name.as_str(), words().1.check.unwrap().health),
            ("requests/a", 2)
        );
        apply(Event::HealthSet(ServerHealth::Down)).await;
        assert_eq!(words().0, [(false, false), (true, false), (false, false)]);
        apply(Event::HealthSet(ServerHealth::Up)).await;
        apply(Event::AdminStateSet(ServerState::Drain)).await;
        assert_eq!(words().0, [(true, true), (true, false), (true, false)]);
        assert!(!topology.server("streams", "a").unwrap().1.serves());
    }

    #[test]
    fn a_tracker_begins_drained_or_down_as_the_server_that_it_tracks() {
        let clock = Clock::new();
        let names = || ["a".to_owned()].into();
        for (drained, down, word) in [
            (names(), BTreeSet::new(), "DRAIN"),
            (BTreeSet::new(), names(), "DOWN"),
        ] {
            let out_of_service = OutOfService { drained, down };
            let config = Dataplane::parse(CONFIG).unwrap();
            let topology = Topology::new(config, None, &out_of_service, &clock);
            let state = topology.server("streams", "a").unwrap().1.state();
            assert_eq!((state.word(), state.admin().drain), (word, false));
        }
    }

    #[test]
    fn failed_connections_of_a_tracker_eject_the_server_that_it_tracks() {
        let shared = shared();
        let topology = shared.topology();
        let (backend, tracker) = topology.server("streams", "a").unwrap();
        let (_, followed) = topology.server("requests", "a").unwrap();
        shared.eject(&backend, &tracker, &io::ErrorKind::ConnectionRefused.into());
        assert!(!followed.serves() && !tracker.serves());
    }

    #[test]
    fn server_errors_in_a_row_eject_where_the_configuration_says_so() {
        for (backend, ejected) in [("streams", true), ("requests", false)] {
            let shared = shared();
            let (backend, server) = shared.topology().server(backend, "a").unwrap();
            for status in [500, 503] {
                assert!(server.serves());
                shared.answered(&backend, &server, &backend.pool(), status);
            }
            assert_eq!(server.serves(), !ejected);
        }
    }
}
