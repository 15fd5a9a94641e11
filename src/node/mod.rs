//! The embedded MCP node: a real MCP server, made to hold many connections.
//!
//! JSON-RPC comes in over TCP, one message per line (`tcp`), over HTTP (`http`), and over WebSocket
//! (`websocket`); all use the same server (`mcp_server`). Each connection has a `client`, and so
//! has each of the `sessions` that use many connections. Messages that no request caused wait in
//! the client's `outbox`. [`workers`] hold the connections, so that more fit than into one
//! descriptor table; a session's requests may reach any of them.

mod answer;
mod client;
mod ending;
mod faults;
mod http;
mod in_flight;
mod mcp_server;
mod origin;
mod outbox;
mod sessions;
mod settings;
mod slots;
mod stateless;
mod tcp;
mod tools;
mod turns;
mod websocket;
mod worker;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use crate::base::shutdown::Shutdown;
use crate::platform::listen::Claim;
use crate::platform::{descriptors, thread};
use crate::workers::{self, WorkersError};

use ending::Ending;
use mcp_server::Mcp;
use sessions::Sessions;
use slots::Slots;
use turns::Turns;
use worker::Shared;

pub use faults::{Faults, NoPort, Port};
pub use settings::Settings;

/// How long requests in flight may take after the last connection was told to end.
pub const GRACE: Duration = Duration::from_secs(2);

/// A node that has bound its addresses and does not serve yet.
#[derive(Debug)]
pub struct Node {
    settings: Settings,
    tcp: Option<Claim>,
    http: Option<Claim>,
}

/// The reason why a node cannot serve.
#[derive(Debug, thiserror::Error)]
pub enum NodeError {
    /// It cannot bind one of its addresses.
    #[error("cannot bind {address}: {source}")]
    Bind {
        /// The address.
        address: SocketAddr,
        /// The reason.
        source: io::Error,
    },
    /// Its threads failed.
    #[error(transparent)]
    Workers(#[from] WorkersError),
}

/// Serves until the shutdown.
///
/// # Errors
/// If an address cannot be bound, or a worker fails.
///
/// # Panics
/// Outside of a tokio runtime.
pub async fn run(settings: Settings, shutdown: Shutdown) -> Result<(), NodeError> {
    Node::bind(settings)?.serve(shutdown).await
}

impl Node {
    /// Binds the addresses of `settings`.
    ///
    /// # Errors
    /// If an address is in use.
    pub fn bind(settings: Settings) -> Result<Node, NodeError> {
        let claim = |address| Claim::new(address).map_err(|source| NodeError::Bind { address, source });
        Ok(Node {
            tcp: settings.tcp.map(claim).transpose()?,
            http: settings.http.map(claim).transpose()?,
            settings,
        })
    }

    /// The address for MCP over TCP, with the real port.
    #[must_use]
    pub fn tcp(&self) -> Option<SocketAddr> {
        self.tcp.as_ref().map(Claim::address)
    }

    /// The address for MCP over HTTP, with the real port.
    #[must_use]
    pub fn http(&self) -> Option<SocketAddr> {
        self.http.as_ref().map(Claim::address)
    }

    /// Serves until the shutdown.
    ///
    /// # Errors
    /// If a worker cannot be created or cannot listen.
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
        let slots = Slots::new(&settings.name, settings.max_connections);
        tracing::info!(
            node = settings.name,
            tcp = tcp.map(tracing::field::display),
            http = http.map(tracing::field::display),
            workers = settings.workers,
            max_connections = settings.max_connections,
            "the node starts"
        );
        let shared = Arc::new(Shared {
            mcp: Mcp::new(&settings.name),
            allowed_origins: settings.allowed_origins.clone(),
            faults: settings.faults,
            sessions: Sessions::default(),
            streams: Sessions::default(),
            slots: slots.clone(),
            ending: Ending::new(shutdown, settings.announce, settings.over),
            turns: Turns::new(settings.workers),
            given_up: CancellationToken::new(),
        });
        let (ends, counted) = (Arc::clone(&shared), slots.clone());
        let ending = tokio::spawn(async move { ends.ending.run(&counted).await });
        let results = workers::run(settings.workers, move |worker| {
            let shared = Arc::clone(&shared);
            async move {
                let result = worker::serve(&shared, worker.number, tcp, http).await;
                if result.is_err() {
                    // A worker that cannot listen ends the others.
                    shared.given_up.cancel();
                }
                result
            }
        })
        .await;
        ending.abort();
        let results = results?;
        tracing::info!(
            node = self.settings.name,
            connections = slots.total(),
            refused = slots.refused(),
            seconds = began.elapsed().as_secs(),
            "the node has stopped"
        );
        results.into_iter().collect()
    }
}

#[cfg(test)]
mod tests;
