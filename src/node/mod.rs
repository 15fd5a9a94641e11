//! The embedded MCP node: a real MCP server, made to hold many connections.
//!
//! JSON-RPC comes in over TCP, one message per line ([`tcp`]), or over HTTP ([`http`]); [`Mcp`](mcp_server::Mcp) answers
//! both. [`workers`] hold the connections, so that more fit than one descriptor table does.

mod answer;
mod http;
mod in_flight;
mod mcp_server;
mod origin;
mod places;
mod settings;
mod tcp;
mod tools;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::net::TcpStream;

use crate::platform::listen::Claim;
use crate::platform::{descriptors, thread};
use crate::shutdown::{self, Shutdown};
use crate::workers::{self, Acceptor, WorkersError};

use mcp_server::Mcp;
use places::Places;

pub use settings::Settings;

/// What requests in flight get to be answered when the node is told to end.
pub const GRACE: Duration = Duration::from_secs(2);

/// A node that has its addresses and does not serve yet.
#[derive(Debug)]
pub struct Node {
    settings: Settings,
    tcp: Claim,
    http: Option<Claim>,
}

/// Why a node does not serve.
#[derive(Debug, thiserror::Error)]
pub enum NodeError {
    /// It cannot have one of its addresses.
    #[error("cannot bind {address}: {source}")]
    Bind {
        /// The address.
        address: SocketAddr,
        /// Why not.
        source: io::Error,
    },
    /// Its threads fail.
    #[error(transparent)]
    Workers(#[from] WorkersError),
}

/// Serves until it is told to end.
///
/// # Errors
/// When it cannot have its addresses or its threads.
///
/// # Panics
/// Outside of a tokio runtime.
pub async fn run(settings: Settings, shutdown: Shutdown) -> Result<(), NodeError> {
    Node::bind(settings)?.serve(shutdown).await
}

impl Node {
    /// Takes the addresses that `settings` name.
    ///
    /// # Errors
    /// When somebody else has one of them.
    pub fn bind(settings: Settings) -> Result<Node, NodeError> {
        let claim = |address| Claim::new(address).map_err(|source| NodeError::Bind { address, source });
        Ok(Node {
            tcp: claim(settings.tcp)?,
            http: settings.http.map(claim).transpose()?,
            settings,
        })
    }

    /// Where it will speak MCP over TCP, with the real port.
    #[must_use]
    pub const fn tcp(&self) -> SocketAddr {
        self.tcp.address()
    }

    /// Where it will speak MCP over HTTP, with the real port.
    #[must_use]
    pub fn http(&self) -> Option<SocketAddr> {
        self.http.as_ref().map(Claim::address)
    }

    /// Serves until it is told to end.
    ///
    /// # Errors
    /// When a worker cannot be made or cannot listen.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub async fn serve(self, shutdown: Shutdown) -> Result<(), NodeError> {
        let began = Instant::now();
        let (tcp, http) = (self.tcp(), self.http());
        let settings = &self.settings;
        thread::name(&settings.name);
        if let Err(error) = descriptors::raise_limit() {
            tracing::warn!(%error, "cannot raise the limit of descriptors");
        }
        let shared = Shared {
            mcp: Arc::new(Mcp::new(settings)),
            places: Places::new(settings.max_connections),
            shutdown,
        };
        let http_text = http.map_or_else(|| "none".to_owned(), |http| http.to_string());
        tracing::info!(
            node = settings.name,
            %tcp,
            http = http_text,
            workers = settings.workers,
            max_connections = settings.max_connections,
            "the node starts"
        );
        // A worker that cannot listen ends the others.
        let (trigger, failed) = shutdown::channel();
        let trigger = Arc::new(trigger);
        let places = shared.places.clone();
        let results = workers::run(settings.workers, move |_| {
            let (shared, trigger, failed) = (shared.clone(), Arc::clone(&trigger), failed.clone());
            async move {
                let result = work(&shared, tcp, http, &failed).await;
                if result.is_err() {
                    trigger.order();
                }
                result
            }
        })
        .await?;
        tracing::info!(
            node = self.settings.name,
            connections = places.total(),
            refused = places.refused(),
            seconds = began.elapsed().as_secs(),
            "the node has stopped"
        );
        results.into_iter().collect()
    }
}

// Private

/// What all workers have in common.
#[derive(Clone, Debug)]
struct Shared {
    mcp: Arc<Mcp>,
    places: Places,
    shutdown: Shutdown,
}

/// One worker: accepts until the end, then waits for its connections to finish.
async fn work(
    shared: &Shared,
    tcp: SocketAddr,
    http: Option<SocketAddr>,
    failed: &Shutdown,
) -> Result<(), NodeError> {
    let listen = |address| Acceptor::bind(address).map_err(|source| NodeError::Bind { address, source });
    let mut tcp = listen(tcp)?;
    let mut http = http.map(listen).transpose()?;
    // Every connection holds a sender; when all are gone, so are the connections.
    let (alive, mut all_gone) = tokio::sync::mpsc::channel::<()>(1);
    loop {
        tokio::select! {
            (stream, _) = tcp.accept() => {
                let (shared, alive) = (shared.clone(), alive.clone());
                tokio::spawn(async move {
                    serve_tcp(&shared, stream).await;
                    drop(alive);
                });
            }
            (stream, _) = accept(&mut http) => {
                let (shared, alive) = (shared.clone(), alive.clone());
                tokio::spawn(async move {
                    http::serve(&shared, stream).await;
                    drop(alive);
                });
            }
            () = shared.shutdown.ordered() => break,
            () = failed.ordered() => break,
        }
    }
    drop((tcp, http, alive));
    let _late = tokio::time::timeout(GRACE, all_gone.recv()).await;
    Ok(())
}

async fn accept(acceptor: &mut Option<Acceptor>) -> (TcpStream, SocketAddr) {
    match acceptor {
        Some(acceptor) => acceptor.accept().await,
        None => std::future::pending().await,
    }
}

async fn serve_tcp(shared: &Shared, stream: TcpStream) {
    match shared.places.take() {
        Some(_place) => tcp::serve(&shared.mcp, stream, &shared.shutdown).await,
        None => tcp::refuse(&stream),
    }
}
