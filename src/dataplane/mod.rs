//! The built-in data plane: a load balancer for TCP and HTTP that answers HAProxy's runtime API.
//!
//! ```text
//!   clients ──▶ worker 0 ┐    each: a thread with its own descriptor table, listeners (its own, or its share of
//!   clients ──▶ worker 1 ┼──▶ servers                           the parent's) and sessions
//!   clients ──▶ worker n ┘
//!      shared, once per connection: frontends (limits), backends (algorithm, stickiness, queue), servers (state)
//!      shared, per byte: nothing
//!   main thread: health checks, the runtime API, pages, reloads, the sticky clients on disk
//! ```
//!
//! The data plane does not depend on the supervisor or the command line. Threads exchange data
//! only: orders go to a worker's inbox.

mod access_log;
mod address;
mod admission;
mod api_socket;
mod backend;
mod balance;
mod checks;
mod client_limits;
mod clock;
mod counters;
mod dynamic_servers;
mod ending;
mod frontend;
mod housekeeping;
pub mod http;
mod http_counters;
mod inbox;
mod lines;
mod parent_sockets;
mod process;
mod rate;
pub mod relay;
mod reload;
mod runtime_api;
mod server;
mod shared;
mod sticky;
mod sticky_file;
mod sticky_memory;
mod stopping;
mod topology;
mod worker;

use std::collections::BTreeMap;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use mio::Poll;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::dataplane_config::{Dataplane, DataplaneError};
use crate::haproxy_api::server::ApiListenerError;
use crate::haproxy_api::server::pages::{self, Site};
use crate::platform::{descriptors, thread};
use crate::workers::{self, WorkersError};

pub use access_log::AccessLogError;
use clock::Clock;
pub use ending::Ending;
use inbox::Inbox;
use parent_sockets::ParentSockets;
use reload::Reload;
use runtime_api::RuntimeApi;
use server::lock;
use shared::Shared;
use sticky_memory::StickyMemory;
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
    /// The parent does not answer.
    #[error("cannot take over listeners from the parent on `{}`: {source}", .path.display())]
    Parent {
        /// The parent's socket.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The parent does not have a socket of an address.
    #[error("the parent does not hand over {address} on `{}`", .path.display())]
    NotHandedOver {
        /// The parent's socket.
        path: PathBuf,
        /// The address.
        address: SocketAddr,
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
    /// The access log cannot be opened.
    #[error(transparent)]
    AccessLog(#[from] AccessLogError),
    /// Its threads failed.
    #[error(transparent)]
    Workers(#[from] WorkersError),
}

/// Serves with the configuration file at `path`, until SIGTERM or SIGINT, after which it takes the
/// steps of `ending`. After SIGUSR1 it stops
/// accepting connections, also on its socket and pages, so that another process can take over, and
/// ends with its last connection; at SIGHUP it reads the file again.
///
/// Listening sockets that its parent hands over stay open in the parent: connections that it has not
/// accepted wait for another process.
///
/// # Errors
/// If the configuration cannot be read or is not valid, or its addresses cannot be bound.
///
/// # Panics
/// Outside of a tokio runtime.
pub async fn run(path: &Path, ending: Ending) -> Result<(), ServeError> {
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
    let memory = Arc::new(StickyMemory::default());
    memory.restore(&topology);
    let shared = Arc::new(Shared::new(clock, topology, inboxes, nofile));
    let mut signals = Signals::new()?;
    let (running, mut starting) = start(&shared, polls, workers);
    for _ in 0..workers {
        starting.recv().await;
    }
    // Opened only now: descriptors that are open when workers leave the table stay open in their
    // tables.
    let config = shared.topology().config.clone();
    shared.access_log.write_to(reload::access_log(&config)?).await?;
    let sockets = reload::parent_sockets(&config).await?;
    let pages = pages(&config, &sockets)?;
    let listener = api_socket::open(&config)?;
    let reload = Reload::new(path, sockets);
    let api = Arc::new(RuntimeApi::new(Arc::clone(&shared), reload, Arc::clone(&memory)));
    api.begin(claims).await?;
    tracing::info!(workers, pid = std::process::id(), "the data plane serves");
    let end = CancellationToken::new();
    let mut serving = JoinSet::new();
    serving.spawn(api_socket::serve(listener, Arc::clone(&api), end.clone()));
    for (listener, site) in pages {
        serving.spawn(pages::serve(listener, site, Arc::clone(&api), end.clone()));
    }
    let outcome = tokio::select! {
        outcome = running => outcome.unwrap_or(Ok(Vec::new())),
        () = signals.run(&api, &end, ending) => {
            shared.log_requests().await;
            Ok(Vec::new())
        }
        () = housekeeping::run(Arc::clone(&shared), &api.last_second, &memory) => Ok(Vec::new()),
    };
    end.cancel();
    shared.access_log.end().await;
    memory.finish(&shared.topology());
    while serving.join_next().await.is_some() {}
    for result in outcome? {
        result?;
    }
    tracing::info!("the data plane has ended");
    Ok(())
}

// Private

/// The listeners of the pages.
fn pages(config: &Dataplane, sockets: &ParentSockets) -> Result<Vec<(TcpListener, Site)>, ServeError> {
    let mut pages = Vec::new();
    for (address, site) in [(config.stats, Site::Stats), (config.status, Site::Status)] {
        let Some(address) = address else { continue };
        let listeners = if config.listeners.is_some() {
            sockets.copies(address)
        } else {
            // With SO_REUSEADDR: connections of a former process may still be closing.
            TcpListener::bind(address).map(|listener| vec![listener])
        };
        let listeners = listeners.map_err(|source| ServeError::Bind { address, source })?;
        pages.extend(listeners.into_iter().map(|listener| (listener, site)));
    }
    Ok(pages)
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

    /// Returns when the process must end at once.
    async fn run(&mut self, api: &Arc<RuntimeApi>, end: &CancellationToken, ending: Ending) {
        self.terminated(api, end).await;
        if !ending.announced(api, self.terminated(api, end)).await {
            ending.closed(api, self.terminated(api, end)).await;
        }
    }

    // Private

    /// Returns at the next SIGTERM or SIGINT. A drain sends `end` to the socket and the pages.
    async fn terminated(&mut self, api: &Arc<RuntimeApi>, end: &CancellationToken) {
        loop {
            tokio::select! {
                _ = self.terminate.recv() => return,
                _ = self.interrupt.recv() => return,
                _ = self.drain.recv() => {
                    if api.drain().await {
                        tracing::info!("no connection is accepted any more");
                        end.cancel();
                    }
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
