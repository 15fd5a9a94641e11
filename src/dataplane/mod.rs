//! The built-in data plane: a TCP load balancer that answers HAProxy's runtime API.
//!
//! ```text
//!   clients ──▶ worker 0 ┐    each: a thread with its own descriptor table, its own listeners, its own sessions
//!   clients ──▶ worker 1 ┼──▶ servers
//!   clients ──▶ worker n ┘
//!      shared, once per connection: frontends (limits), backends (algorithm, stickiness, queue), servers (state)
//!      shared, per byte: nothing
//!   main thread: health checks, the runtime API, pages, reloads, the sticky clients on disk
//! ```
//!
//! The data plane does not depend on the supervisor or the command line. Threads exchange data
//! only: orders go to a worker's inbox.

mod address;
mod admission;
mod backend;
mod balance;
mod checks;
mod client_limits;
mod clock;
mod counters;
mod frontend;
mod housekeeping;
mod inbox;
mod lines;
mod process;
mod rate;
pub mod relay;
mod reload;
mod runtime_api;
mod server;
mod shared;
mod sticky;
mod sticky_file;
mod topology;
mod worker;

use std::collections::BTreeMap;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex};

use mio::Poll;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::dataplane_config::DataplaneError;
use crate::haproxy_api::server as haproxy_server;
use crate::haproxy_api::server::pages::{self, Site};
use crate::haproxy_api::server::{ApiListener, ApiListenerError, Level};
use crate::platform::{descriptors, thread};
use crate::workers::{self, WorkersError};

use clock::Clock;
use inbox::Inbox;
use reload::Reload;
use runtime_api::RuntimeApi;
use server::lock;
use shared::Shared;
use topology::Topology;
use worker::{EventSource, Worker};

/// The reason why the data plane cannot serve.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The configuration cannot be read.
    #[error("cannot read `{}`: {source}", .path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The configuration is not valid.
    #[error("`{}` is not a valid configuration: {source}", .path.display())]
    Config {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: DataplaneError,
    },
    /// An address cannot be bound.
    #[error("cannot bind {address}: {source}")]
    Bind {
        /// The address.
        address: SocketAddr,
        /// Why not.
        source: io::Error,
    },
    /// A worker cannot listen.
    #[error("a worker cannot listen: {0}")]
    Listen(io::Error),
    /// A resource that every process needs is missing.
    #[error("cannot serve: {0}")]
    System(#[from] io::Error),
    /// The socket of the runtime API cannot be opened.
    #[error(transparent)]
    ApiListener(#[from] ApiListenerError),
    /// Its threads failed.
    #[error(transparent)]
    Workers(#[from] WorkersError),
}

/// Serves with the configuration file at `path`, until SIGTERM or SIGINT. After SIGUSR1 it stops
/// accepting connections, also on its socket and pages, so that another process can take over, and
/// ends with its last connection; at SIGHUP it reads the file again.
///
/// # Errors
/// If the configuration cannot be read or is not valid, or its addresses cannot be bound.
///
/// # Panics
/// Outside of a tokio runtime.
/// Outside of a tokio runtime.
pub async fn run(path: &Path) -> Result<(), ServeError> {
    let config = reload::read(path)?;
    thread::name(&config.cluster);
    thread::survive_large_files()?;
    let nofile = descriptors::raise_limit()?;
    let claims = reload::claims(&config, &BTreeMap::new())?;
    let clock = Clock::new();
    let out_of_service = reload::out_of_service(&config);
    let workers = config.workers;
    let topology = Topology::new(config, None, &out_of_service, &clock);

    // Created here, in the descriptor table that all workers copy, so that a thread that wakes a
    // worker uses a valid descriptor number.
    let polls: Vec<Poll> = (0..workers).map(|_| Poll::new()).collect::<Result<_, _>>()?;
    let inbox =
        |(number, poll): (u16, &Poll)| Ok(Arc::new(Inbox::new(number, poll, EventSource::Inbox.into())?));
    let inboxes = (0..).zip(&polls).map(inbox).collect::<io::Result<_>>()?;
    if let Some(memory) = &topology.config.memory {
        housekeeping::restore_sticky(&topology, memory);
    }
    let shared = Arc::new(Shared::new(clock, topology, inboxes, nofile));
    let mut signals = Signals::new()?;
    let (running, mut starting) = start(&shared, polls, workers);
    for _ in 0..workers {
        starting.recv().await;
    }
    // Opened only now: descriptors that are open when workers leave the table stay open in their
    // tables.
    let config = shared.topology().config.clone();
    let listener = ApiListener::open(&config.socket)?;
    let pages = [(config.stats, Site::Stats), (config.status, Site::Status)]
        .into_iter()
        .filter_map(|(address, site)| Some(page(address?).map(|listener| (listener, site))))
        .collect::<Result<Vec<_>, _>>()?;
    let api = Arc::new(RuntimeApi::new(Arc::clone(&shared), Reload::new(path)));
    api.begin(claims).await?;
    tracing::info!(workers, pid = std::process::id(), "the data plane serves");
    let end = CancellationToken::new();
    let mut serving = JoinSet::new();
    serving.spawn(haproxy_server::serve(
        listener,
        Arc::clone(&api),
        Level::Admin,
        end.clone(),
    ));
    for (listener, site) in pages {
        serving.spawn(pages::serve(listener, site, Arc::clone(&api), end.clone()));
    }
    let outcome = tokio::select! {
        outcome = running => outcome.unwrap_or(Ok(Vec::new())),
        () = signals.run(&api, &end) => Ok(Vec::new()),
        () = housekeeping::run(Arc::clone(&shared), &api.last_second) => Ok(Vec::new()),
    };
    end.cancel();
    housekeeping::save(&shared.topology());
    while serving.join_next().await.is_some() {}
    for result in outcome? {
        result?;
    }
    tracing::info!("the data plane has ended");
    Ok(())
}

// Private

fn page(address: SocketAddr) -> Result<TcpListener, ServeError> {
    // With SO_REUSEADDR: connections of a former process may still be closing.
    TcpListener::bind(address).map_err(|source| ServeError::Bind { address, source })
}

type Running = tokio::task::JoinHandle<Result<Vec<io::Result<()>>, WorkersError>>;

/// Starts the workers; each reports when it is ready.
fn start(shared: &Arc<Shared>, polls: Vec<Poll>, workers: u16) -> (Running, mpsc::UnboundedReceiver<u16>) {
    let (started, starting) = mpsc::unbounded_channel();
    let shared = Arc::clone(shared);
    let polls: Vec<_> = polls.into_iter().map(|poll| Mutex::new(Some(poll))).collect();
    let work = move |worker: workers::Worker| {
        let shared = Arc::clone(&shared);
        let poll = polls
            .get(usize::from(worker.number))
            .and_then(|poll| lock(poll).take());
        let _main_waits = started.send(worker.number);
        async move {
            let poll = poll.ok_or(io::ErrorKind::NotFound)?;
            Worker::new(worker.number, worker.table, poll, shared).run()
        }
    };
    (tokio::spawn(workers::run(workers, work)), starting)
}

/// The signals that the process handles.
struct Signals {
    terminate: tokio::signal::unix::Signal,
    interrupt: tokio::signal::unix::Signal,
    drain: tokio::signal::unix::Signal,
    reload: tokio::signal::unix::Signal,
}

impl Signals {
    fn new() -> io::Result<Signals> {
        Ok(Signals {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            drain: signal(SignalKind::user_defined1())?,
            reload: signal(SignalKind::hangup())?,
        })
    }

    /// Returns when the process must end at once. A drain sends `end` to the socket and the pages.
    async fn run(&mut self, api: &Arc<RuntimeApi>, end: &CancellationToken) {
        loop {
            tokio::select! {
                _ = self.terminate.recv() => return,
                _ = self.interrupt.recv() => return,
                _ = self.drain.recv() => {
                    tracing::info!("no connection is accepted any more");
                    api.stopping.store(true, Relaxed);
                    api.drain().await;
                    end.cancel();
                }
                _ = self.reload.recv() => {
                    if let Err(error) = api.reload().await {
                        tracing::error!(%error, "the configuration was not read again");
                    }
                }
            }
        }
    }
}
