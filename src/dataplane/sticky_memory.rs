//! Keeps the sticky tables in a file, for the next process. Two processes may use the file at the
//! same time: one that takes over the listeners, and the former one, which drains.
//!
//! ```text
//!  the tables have changed              it writes the file, once a second at most
//!  another process wrote the file       it adds the clients that its own tables lack, before it writes
//!  it drains                            it writes the file for the last time
//! ```

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::net::IpAddr;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime};

use super::backend::Backend;
use super::server::lock;
use super::sticky::StickyTable;
use super::sticky_file::{self, Remembered};
use super::topology::Topology;

/// The largest part of the time that saving sticky clients may take.
const MAX_SAVE_SHARE: u32 = 20;
/// How often the last save looks whether another process still writes the file, and the time between.
const LAST_TRIES: u32 = 20;
const TRY_INTERVAL: Duration = Duration::from_millis(50);

/// What this process knows of the file.
#[derive(Debug, Default)]
pub(super) struct StickyMemory(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    /// The version that this process has read or written last.
    known: Option<Version>,
    /// The tables' counts of changes when they were saved.
    changes: BTreeMap<String, u64>,
    /// The earliest time of the next save.
    not_before: Option<Instant>,
    /// Saved for the last time: from now on the file is that of another process.
    is_over: bool,
}

/// A version of the file: each one is a new file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Version {
    inode: u64,
    size: u64,
    modified: (i64, i64),
}

impl StickyMemory {
    /// Loads the file into tables that are not in use yet.
    pub(super) fn restore(&self, topology: &Topology) {
        let Some(path) = &topology.config.memory else {
            return;
        };
        lock(&self.0).known = version(path);
        read(topology, path, |backend, sticky, clients| {
            if !clients.is_empty() {
                tracing::info!(backend, clients = clients.len(), "sticky clients are remembered");
                sticky.import(clients, Instant::now());
            }
        });
    }

    /// Saves the tables if they have changed and it is time to, and takes in what another process has
    /// saved. Blocks the thread.
    pub(super) fn keep(&self, topology: &Topology) {
        let mut state = lock(&self.0);
        let began = Instant::now();
        if state.not_before.is_none_or(|at| at <= began) && state.keep(topology, 1) {
            let now = Instant::now();
            state.not_before = Some(now + now.saturating_duration_since(began) * MAX_SAVE_SHARE);
        }
    }

    /// Saves the tables for the last time. Blocks the thread.
    pub(super) fn finish(&self, topology: &Topology) {
        let mut state = lock(&self.0);
        state.keep(topology, LAST_TRIES);
        state.is_over = true;
    }
}

// Private

impl State {
    /// Returns whether it had anything to do.
    fn keep(&mut self, topology: &Topology, tries: u32) -> bool {
        let Some(path) = topology.config.memory.as_ref().filter(|_| !self.is_over) else {
            return false;
        };
        if version(path) == self.known && changes(topology) == self.changes {
            return false;
        }
        let Some(_locked) = locked(path, tries) else {
            return false;
        };
        let found = version(path);
        if found.is_some() && found != self.known {
            read(topology, path, |backend, sticky, clients| {
                let clients = sticky.adopt(clients, Instant::now());
                tracing::debug!(backend, clients, "sticky clients of another process are added");
            });
            self.known = found;
        }
        let changes = changes(topology);
        if changes != self.changes {
            self.changes = changes;
            save(topology, path);
            self.known = version(path);
        }
        true
    }
}

/// Keeps other processes from replacing the file, as long as it is held; `None` while another process
/// does so.
fn locked(path: &Path, tries: u32) -> Option<File> {
    // The file itself is another one after each save.
    let directory = path.parent().filter(|it| !it.as_os_str().is_empty());
    let directory = File::open(directory.unwrap_or(Path::new("."))).ok()?;
    for _ in 1..tries {
        match directory.try_lock() {
            Err(fs::TryLockError::WouldBlock) => std::thread::sleep(TRY_INTERVAL),
            _ => return Some(directory),
        }
    }
    match directory.try_lock() {
        // A process that was stopped while it saved: the last save is worth more than its.
        Err(fs::TryLockError::WouldBlock) if tries == 1 => None,
        _ => Some(directory),
    }
}

fn version(path: &Path) -> Option<Version> {
    let found = fs::metadata(path).ok()?;
    Some(Version {
        inode: found.ino(),
        size: found.size(),
        modified: (found.mtime(), found.mtime_nsec()),
    })
}

fn changes(topology: &Topology) -> BTreeMap<String, u64> {
    let changes = |backend: &Arc<Backend>| {
        let changed = backend.pool().sticky.as_ref()?.changed();
        Some((backend.name.clone(), changed))
    };
    topology.backends.iter().filter_map(changes).collect()
}

/// Reads the file, and calls `each` for each table with its clients in the file.
fn read(topology: &Topology, path: &Path, each: impl Fn(&str, &StickyTable, Vec<(IpAddr, u32, Duration)>)) {
    let remembered = sticky_file::load(path, SystemTime::now());
    for backend in &topology.backends {
        let pool = backend.pool();
        let Some(sticky) = &pool.sticky else { continue };
        let clients = remembered
            .iter()
            .filter(|it| it.backend == backend.name)
            .filter_map(|it| Some((pool.named(&it.server)?.id, &it.clients)))
            .flat_map(|(id, clients)| clients.iter().map(move |(client, left)| (*client, id, *left)));
        each(&backend.name, sticky, clients.collect());
    }
}

fn save(topology: &Topology, path: &Path) {
    let now = Instant::now();
    let mut remembered = Vec::new();
    for backend in &topology.backends {
        let pool = backend.pool();
        let Some(sticky) = &pool.sticky else { continue };
        let name = |id| pool.server(id).map(|server| server.name.clone());
        let entries: Vec<(IpAddr, u32, Duration)> = sticky.entries(now);
        remembered.extend(Remembered::of_backend(&backend.name, &entries, name));
    }
    if let Err(error) = sticky_file::save(path, &remembered, SystemTime::now()) {
        tracing::warn!(file = %path.display(), %error, "cannot keep sticky clients for the next start");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataplane::clock::Clock;
    use crate::dataplane::topology::OutOfService;
    use crate::dataplane_config::Dataplane;

    const CONFIG: &str = "
cluster: erlmcp
workers: 1
maxconn: 10
socket: /run/x/dataplane.sock
timeouts: {connect: 5s, client: 5m, server: 5m, queue: 30s}
frontends:
- {name: tcp, listen: ['127.0.0.1:8000'], backend: nodes, limits: {connections: 0, connection_rate: 0, message_rate: 0, exempt: []}}
backends:
- {name: nodes, algorithm: leastconn, sticky: {size: 1k, expire: 30m}, servers: [{name: a, id: 1, address: '127.0.0.1:8081', weight: 1, maxconn: 0, question: tcp}, {name: b, id: 2, address: '127.0.0.1:8082', weight: 1, maxconn: 0, question: tcp}]}
";

    /// A process that keeps its clients in a file.
    struct Process {
        topology: Topology,
        memory: StickyMemory,
    }

    impl Process {
        fn started(file: &Path) -> Process {
            let mut config = Dataplane::parse(CONFIG).unwrap();
            config.memory = Some(file.to_owned());
            let started = Process {
                topology: Topology::new(config, None, &OutOfService::default(), &Clock::new()),
                memory: StickyMemory::default(),
            };
            started.memory.restore(&started.topology);
            started
        }

        fn sticky(&self) -> Arc<StickyTable> {
            self.topology.backends[0].pool().sticky.clone().unwrap()
        }

        /// A client comes; it keeps the server that it has.
        fn serves(&self, client: u8, server: u32) -> u32 {
            let client = [10, 0, 0, client].into();
            let choose = |known: Option<u32>| Some(known.unwrap_or(server)).map(|it| (it, it));
            self.sticky().assign(client, Instant::now(), choose).unwrap()
        }

        /// A second passes.
        fn keeps(&self) {
            lock(&self.memory.0).not_before = None;
            self.memory.keep(&self.topology);
        }
    }

    #[test]
    fn the_successor_knows_the_clients_of_before_and_of_the_meantime() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("memory");
        let old = Process::started(&file);
        old.serves(1, 1);
        old.keeps();
        let new = Process::started(&file);
        // Both serve for a while.
        old.serves(2, 1);
        new.serves(3, 1);
        new.serves(9, 1);
        old.serves(9, 2);
        new.keeps();
        old.memory.finish(&old.topology);
        new.keeps();
        for client in [1, 2, 3, 9] {
            assert_eq!(new.serves(client, 2), 1, "client {client}");
        }
        // What the former process does later changes nothing.
        old.serves(4, 1);
        old.keeps();
        old.memory.finish(&old.topology);
        assert_eq!(new.serves(4, 2), 2);
        new.memory.finish(&new.topology);
        let next = Process::started(&file);
        for (client, server) in [(1, 1), (2, 1), (3, 1), (4, 2), (9, 1)] {
            assert_eq!(next.serves(client, 3 - server), server, "client {client}");
        }
    }

    #[test]
    fn two_processes_at_once_come_to_rest() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("memory");
        let both = [Process::started(&file), Process::started(&file)];
        both[0].serves(1, 1);
        both[1].serves(2, 2);
        for process in both.iter().cycle().take(4) {
            process.keeps();
        }
        let at_rest = version(&file);
        for process in &both {
            process.keeps();
            assert_eq!((process.serves(1, 2), process.serves(2, 1)), (1, 2));
        }
        assert_eq!(version(&file), at_rest);
    }

    #[test]
    fn while_another_process_saves_the_file_is_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("memory");
        let process = Process::started(&file);
        process.serves(1, 1);
        let held = locked(&file, 1).unwrap();
        process.keeps();
        assert_eq!(version(&file), None);
        drop(held);
        process.keeps();
        assert!(version(&file).is_some());
    }
}
