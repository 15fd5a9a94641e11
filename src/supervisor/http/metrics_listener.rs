//! The `observe` listener: read-only, open to every client that can reach it, and therefore
//! bounded.

use std::io;
use std::net::{SocketAddr, TcpListener};

use axum::Router;
use hyper_util::service::TowerToHyperService;
use tokio_util::sync::CancellationToken;

use crate::http_server;

/// Connections at the same time. The supervisor needs its descriptors for its children.
const MAX_CONNECTIONS: usize = 64;

/// Serves `pages` on `address` until the shutdown is ordered.
pub(in crate::supervisor) async fn serve(
    address: SocketAddr,
    pages: Router,
    end: CancellationToken,
) -> io::Result<()> {
    serve_on(TcpListener::bind(address)?, pages, end).await
}

/// Serves `pages` on `listener` until the shutdown is ordered.
pub(in crate::supervisor) async fn serve_on(
    listener: TcpListener,
    pages: Router,
    end: CancellationToken,
) -> io::Result<()> {
    http_server::serve(listener, MAX_CONNECTIONS, TowerToHyperService::new(pages), &end).await
}
