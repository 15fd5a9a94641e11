//! Clients with their own source addresses.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpSocket, TcpStream};

const TIMEOUT: Duration = Duration::from_secs(20);

/// An open connection for JSON-RPC lines.
pub(crate) struct Line(BufReader<TcpStream>);

impl Line {
    pub(crate) async fn open(source: Ipv4Addr, port: u16) -> io::Result<Line> {
        Ok(Line(BufReader::new(connect(source, port).await?)))
    }

    /// The name of the node that answers; an error when the connection is closed instead.
    pub(crate) async fn node(&mut self) -> io::Result<String> {
        self.0
            .write_all(b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}\n")
            .await?;
        let mut line = String::new();
        with_timeout(self.0.read_line(&mut line)).await?;
        let answer: serde_json::Value = serde_json::from_str(&line).map_err(io::Error::from)?;
        Ok(answer["result"].as_str().unwrap_or_default().to_owned())
    }
}

/// The node that serves a new connection from `source`.
pub(crate) async fn node_for(source: Ipv4Addr, port: u16) -> io::Result<String> {
    Line::open(source, port).await?.node().await
}

/// Checks the pages at the port `status` of a balancer with four nodes: only `/ready` shows that a
/// stop is announced.
pub(crate) async fn check_pages(source: Ipv4Addr, status: u16, announced: bool) {
    let asked = async |path| get(source, status, path, &[]).await;
    let (code, word) = if announced { (503, "stopping") } else { (200, "up") };
    let ready = asked("/ready").await;
    let body = format!(r#"{{"status":"{word}","nodes_up":4,"nodes":4}}"#);
    assert!(
        ready.starts_with(&format!("HTTP/1.1 {code} ")) && ready.ends_with(&body),
        "{ready}"
    );
    assert!(asked("/health").await.starts_with("HTTP/1.1 200 "));
    let live = asked("/live").await;
    assert!(
        live.starts_with("HTTP/1.1 200 ") && live.ends_with(r#"{"status":"live"}"#),
        "{live}"
    );
}

/// An HTTP connection with a request on it, read piece by piece.
pub(crate) struct Stream {
    stream: TcpStream,
    read: Vec<u8>,
}

impl Stream {
    pub(crate) async fn get(source: Ipv4Addr, port: u16, path: &str, headers: &[&str]) -> Stream {
        Stream {
            stream: requested(source, port, "GET", path, headers).await,
            read: Vec::new(),
        }
    }

    /// Reads until `words` have arrived; everything received so far.
    pub(crate) async fn until(&mut self, words: &str) -> String {
        loop {
            let text = String::from_utf8_lossy(&self.read).into_owned();
            if text.contains(words) {
                return text;
            }
            let more = with_timeout(self.stream.read_buf(&mut self.read)).await.unwrap();
            assert_ne!(more, 0, "ended before `{words}`: {text}");
        }
    }

    /// Whether nothing arrives within `silence`, not even the end.
    pub(crate) async fn is_silent_for(&mut self, silence: Duration) -> bool {
        let waited = tokio::time::timeout(silence, self.stream.read_buf(&mut self.read)).await;
        waited.is_err()
    }

    /// Reads until the connection ends, by a reset or not; everything received.
    pub(crate) async fn ends(mut self) -> String {
        let ended = with_timeout(self.stream.read_to_end(&mut self.read)).await;
        let text = String::from_utf8_lossy(&self.read).into_owned();
        let is_open = ended.is_err_and(|error| error.kind() == io::ErrorKind::TimedOut);
        assert!(!is_open, "it does not end: {text}");
        text
    }

    pub(crate) async fn send(&mut self, words: &str) {
        self.stream.write_all(words.as_bytes()).await.unwrap();
    }
}

/// The answer to `GET path` with more header lines, until the connection ends.
pub(crate) async fn get(source: Ipv4Addr, port: u16, path: &str, headers: &[&str]) -> String {
    request(source, port, "GET", path, headers).await
}

/// The answer to any request.
pub(crate) async fn request(
    source: Ipv4Addr,
    port: u16,
    method: &str,
    path: &str,
    headers: &[&str],
) -> String {
    let mut stream = requested(source, port, method, path, headers).await;
    let mut answer = Vec::new();
    // Bytes received before a reset count, too.
    let _ = with_timeout(stream.read_to_end(&mut answer)).await;
    String::from_utf8_lossy(&answer).into_owned()
}

/// The answer to `POST path` with a body, whose framing is one of `headers`.
pub(crate) async fn post(source: Ipv4Addr, port: u16, path: &str, headers: &[&str], body: &str) -> String {
    let mut stream = requested(source, port, "POST", path, headers).await;
    // The body may be refused before all of it was sent.
    let _ = stream.write_all(body.as_bytes()).await;
    let mut answer = Vec::new();
    let _ = with_timeout(stream.read_to_end(&mut answer)).await;
    String::from_utf8_lossy(&answer).into_owned()
}

async fn requested(source: Ipv4Addr, port: u16, method: &str, path: &str, headers: &[&str]) -> TcpStream {
    let mut stream = connect(source, port).await.unwrap();
    let mut request = format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\n");
    for header in headers {
        request.push_str(header);
        request.push_str("\r\n");
    }
    if !headers.iter().any(|header| header.starts_with("Connection")) {
        request.push_str("Connection: close\r\n");
    }
    stream.write_all((request + "\r\n").as_bytes()).await.unwrap();
    stream
}

async fn connect(source: Ipv4Addr, port: u16) -> io::Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    socket.bind(SocketAddr::from((source, 0)))?;
    socket
        .connect(SocketAddr::from((Ipv4Addr::LOCALHOST, port)))
        .await
}

async fn with_timeout<T>(wait: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    tokio::time::timeout(TIMEOUT, wait)
        .await
        .unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}
