//! The `observe` listener: read-only, open to every client that can reach it, and therefore
//! bounded.

use std::io;
use std::net::SocketAddr;
use std::task::Context;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::platform::listen::{Excess, serve_each};

/// Connections at the same time. The supervisor needs its descriptors for its children.
const MAX_CONNECTIONS: usize = 64;
/// Timeout for a whole request header, and between two requests.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);

/// Serves `pages` on `address` until the shutdown is ordered.
pub(in crate::supervisor) async fn serve(
    address: SocketAddr,
    pages: Router,
    end: CancellationToken,
) -> io::Result<()> {
    let listener = TcpListener::bind(address).await?;
    let pages = TowerToHyperService::new(pages);
    let accept = |cx: &mut Context<'_>| listener.poll_accept(cx).map_ok(|(stream, _)| stream);
    let serve = |stream| {
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(REQUEST_TIMEOUT)
            .serve_connection(TokioIo::new(stream), pages.clone());
        // An error of a client's connection does not matter here.
        async { drop(connection.await) }
    };
    let place = address.to_string();
    let _closed = serve_each(&place, accept, MAX_CONNECTIONS, Excess::IsClosed, &end, serve).await;
    Ok(())
}

#[cfg(test)]
mod tests {
    use axum::routing::get;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpStream;

    use super::*;

    #[tokio::test]
    async fn idle_connections_take_no_more_than_their_slots() {
        let free = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = free.local_addr().unwrap();
        drop(free);
        let end = CancellationToken::new();
        let pages = Router::new().route("/metrics", get(|| async { "up 1" }));
        let serving = tokio::spawn(serve(address, pages, end.clone()));
        let mut idle = Vec::new();
        for _ in 0..MAX_CONNECTIONS {
            let stream = loop {
                match TcpStream::connect(address).await {
                    Ok(stream) => break stream,
                    Err(_) => tokio::task::yield_now().await,
                }
            };
            idle.push(stream);
        }
        let mut late = TcpStream::connect(address).await.unwrap();
        assert_eq!(late.read(&mut [0; 1]).await.unwrap_or(0), 0);
        idle[0]
            .write_all(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
            .await
            .unwrap();
        let mut answer = [0; 15];
        idle[0].read_exact(&mut answer).await.unwrap();
        assert_eq!(&answer, b"HTTP/1.1 200 OK");
        end.cancel();
        serving.await.unwrap().unwrap();
    }
}
