//! Clients that take all connections, and a new one among them.

use std::convert::Infallible;
use std::net::{SocketAddr, TcpListener};

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::service::service_fn;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::serve;

const LIMIT: usize = 4;
const REQUEST: &[u8] = b"GET /short HTTP/1.1\r\nHost: x\r\n\r\n";
/// More than the kernel keeps for a client that does not read.
const LONG: usize = 64 << 20;

/// A server with a short page, a long one, and one that never comes.
fn server() -> (SocketAddr, DropGuard) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let shutdown = CancellationToken::new();
    let end = shutdown.clone();
    let pages = service_fn(|request: hyper::Request<_>| async move {
        let body = match request.uri().path() {
            "/never" => std::future::pending().await,
            "/long" => vec![b'x'; LONG],
            _ => b"short".to_vec(),
        };
        Ok::<_, Infallible>(hyper::Response::new(Full::new(Bytes::from(body))))
    });
    tokio::spawn(async move { serve(listener, LIMIT, pages, &end).await });
    (address, shutdown.drop_guard())
}

/// A client that has sent `bytes`.
async fn client(server: SocketAddr, bytes: &[u8]) -> TcpStream {
    let mut stream = TcpStream::connect(server).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    stream
}

/// Reads the answer with the short page.
async fn read_short(stream: &mut TcpStream) {
    let mut answer = Vec::new();
    while !answer.ends_with(b"short") {
        assert!(stream.read_buf(&mut answer).await.unwrap() > 0, "{answer:?}");
    }
    assert!(answer.starts_with(b"HTTP/1.1 200"));
}

#[tokio::test]
async fn a_new_client_is_answered_beside_any_kind_of_idle_ones() {
    for held in [
        &b""[..],
        b"GET /short HTTP/1.1\r\nHost: x\r\n",
        b"POST /short HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\nbegun",
        REQUEST,
        b"GET /long HTTP/1.1\r\nHost: x\r\n\r\n",
        &REQUEST.repeat(1_000),
    ] {
        let (server, _end) = server();
        let mut idle = Vec::new();
        for _ in 0..3 * LIMIT {
            idle.push(client(server, held).await);
            read_short(&mut client(server, REQUEST).await).await;
        }
    }
}

#[tokio::test]
async fn a_client_accepted_just_before_the_shutdown_is_answered() {
    let (server, end) = server();
    let mut accepted = client(server, b"").await;
    // It came later, so the other one is accepted, too.
    read_short(&mut client(server, REQUEST).await).await;
    drop(end);
    tokio::task::yield_now().await;
    accepted.write_all(REQUEST).await.unwrap();
    read_short(&mut accepted).await;
    assert_eq!(accepted.read(&mut [0]).await.unwrap(), 0);
}

#[tokio::test]
async fn requests_in_progress_are_not_cut() {
    let (server, _end) = server();
    let mut waiting = Vec::new();
    for _ in 0..LIMIT - 1 {
        waiting.push(client(server, b"GET /never HTTP/1.1\r\nHost: x\r\n\r\n").await);
    }
    for _ in 0..3 * LIMIT {
        read_short(&mut client(server, REQUEST).await).await;
    }
    for stream in &mut waiting {
        let read = stream.try_read(&mut [0; 1024]);
        assert_eq!(read.unwrap_err().kind(), std::io::ErrorKind::WouldBlock);
    }
}

#[tokio::test]
async fn a_client_keeps_its_connection_beside_idle_ones_while_it_asks() {
    let (server, _end) = server();
    let mut asking = client(server, REQUEST).await;
    read_short(&mut asking).await;
    let mut idle = Vec::new();
    for _ in 0..3 * LIMIT {
        idle.push(client(server, b"GET").await);
        asking.write_all(REQUEST).await.unwrap();
        read_short(&mut asking).await;
    }
}
