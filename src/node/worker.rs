//! One worker of a node: accepts and serves connections.

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::answer::{Answer, Asker};
use super::ending::Ending;
use super::mcp_server::Mcp;
use super::sessions::Sessions;
use super::slots::Slots;
use super::turns::Turns;
use super::{Faults, GRACE, NodeError, Port, faults, http, tcp};
use crate::workers::Acceptor;

/// What all workers of a node have in common.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) mcp: Mcp,
    /// Hosts whose web pages may send requests, in addition to this machine.
    pub(super) allowed_origins: Vec<String>,
    pub(super) faults: Faults,
    /// Sessions of Streamable HTTP: they outlive connections.
    pub(super) sessions: Sessions,
    /// Sessions of the older HTTP with SSE: each lives as long as its stream.
    pub(super) streams: Sessions,
    pub(super) slots: Slots,
    /// When the connections end.
    pub(super) ending: Ending,
    /// Whether the workers do their turns.
    pub(super) turns: Turns,
    /// Ends when another worker has failed.
    pub(super) given_up: CancellationToken,
}

impl Shared {
    /// The answer to one text of a connection without other streams.
    pub(super) fn answer(&self, text: &[u8], asker: &Asker) -> Answer {
        self.faults.slow_down(self.mcp.answer(text, asker))
    }
}

/// Accepts until the shutdown, then gives the connections time to finish their requests.
pub(super) async fn serve(
    shared: &Arc<Shared>,
    number: u16,
    tcp: Option<SocketAddr>,
    http: Option<SocketAddr>,
) -> Result<(), NodeError> {
    let listen = |address| Acceptor::bind(address).map_err(|source| NodeError::Bind { address, source });
    let mut tcp = tcp.map(listen).transpose()?;
    let mut http = http.map(listen).transpose()?;
    let turns = Arc::clone(shared);
    tokio::spawn(async move { turns.turns.answer(number).await });
    // Every connection holds a sender. When all are dropped, all connections have ended.
    let (alive, mut all_gone) = mpsc::channel::<()>(1);
    loop {
        tokio::select! {
            (stream, _) = accept(&mut tcp) => {
                let (shared, alive) = (Arc::clone(shared), alive.clone());
                tokio::spawn(async move {
                    serve_one(&shared, Port::Tcp, stream).await;
                    drop(alive);
                });
            }
            (stream, _) = accept(&mut http) => {
                let (shared, alive) = (Arc::clone(shared), alive.clone());
                tokio::spawn(async move {
                    serve_one(&shared, Port::Http, stream).await;
                    drop(alive);
                });
            }
            () = shared.ending.accepting_ends() => break,
            () = shared.given_up.cancelled() => break,
        }
    }
    drop((tcp, http, alive));
    // Connections that take longer end with this worker's runtime.
    tokio::select! {
        _all = all_gone.recv() => {}
        () = shared.ending.last(GRACE) => {}
    }
    Ok(())
}

// Private

async fn serve_one(shared: &Arc<Shared>, port: Port, stream: TcpStream) {
    match port {
        _ if shared.faults.mute == Some(port) => {
            tokio::select! {
                () = faults::listen_only(stream) => {}
                () = shared.ending.turn() => {}
            }
        }
        Port::Tcp => tcp::serve(shared, stream).await,
        Port::Http => http::serve(shared, stream).await,
    }
}

async fn accept(acceptor: &mut Option<Acceptor>) -> (TcpStream, SocketAddr) {
    match acceptor {
        Some(acceptor) => acceptor.accept().await,
        None => std::future::pending().await,
    }
}
