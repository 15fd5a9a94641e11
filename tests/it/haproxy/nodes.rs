//! Small servers in place of nodes: each sends its name in every answer.

use std::collections::HashSet;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

/// How long an event stream is silent before its second event.
pub(crate) const SILENCE: Duration = Duration::from_millis(1500);

/// Serves JSON-RPC lines under `name` until the test ends. A connection stays open as long as its
/// client's.
pub(crate) async fn tcp(name: String) -> SocketAddr {
    serve(name, |name, stream| async move {
        let mut stream = BufReader::new(stream);
        let mut line = String::new();
        while stream.read_line(&mut line).await.is_ok_and(|length| length > 0) {
            let answer = format!("{{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":\"{name}\"}}\n");
            if stream.write_all(answer.as_bytes()).await.is_err() {
                return;
            }
            line.clear();
        }
    })
    .await
}

/// Serves HTTP under `name` until the test ends. It knows the sessions begun here by a request with
/// `Begin: ID`.
pub(crate) async fn http(name: String) -> SocketAddr {
    let sessions = Arc::new(Mutex::new(HashSet::new()));
    serve(name, move |name, mut stream| {
        let sessions = Arc::clone(&sessions);
        async move {
            let Some(head) = head(&mut stream).await else {
                return;
            };
            // The client may be gone and not need the answer.
            let _ = answer(&name, &head, &sessions, &mut stream).await;
        }
    })
    .await
}

/// Answers each request with what `answer` makes of the node's address and of the request's head,
/// and closes the connection.
pub(crate) async fn answering(
    answer: impl Fn(SocketAddr, &str) -> String + Clone + Send + Sync + 'static,
) -> SocketAddr {
    serve(String::new(), move |_, mut stream| {
        let answer = answer.clone();
        async move {
            let Some(head) = head(&mut stream).await else {
                return;
            };
            let length =
                header(&head.to_lowercase(), "content-length").map(|length| length.parse::<u64>().unwrap());
            let mut body = (&mut stream).take(length.unwrap_or(0));
            let _ = tokio::io::copy(&mut body, &mut tokio::io::sink()).await;
            let at = stream.local_addr().unwrap();
            // The client may be gone and not need the answer.
            let _ = stream.write_all(answer(at, &head).as_bytes()).await;
        }
    })
    .await
}

/// Reads requests and closes the connection without an answer.
pub(crate) async fn closing() -> SocketAddr {
    serve(String::new(), |_, mut stream| async move {
        let _request = head(&mut stream).await;
    })
    .await
}

/// Reads requests and never answers.
pub(crate) async fn silent() -> SocketAddr {
    serve(String::new(), |_, mut stream| async move {
        while head(&mut stream).await.is_some() {}
    })
    .await
}

async fn answer(
    name: &str,
    head: &str,
    sessions: &Mutex<HashSet<String>>,
    stream: &mut TcpStream,
) -> std::io::Result<()> {
    let lower = head.to_lowercase();
    if lower.contains("upgrade: websocket") {
        // HAProxy checks the answer against the client's key, which is the one of RFC 6455, section
        // 1.3.
        let switched = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
                        Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";
        stream.write_all(switched.as_bytes()).await?;
        stream.write_all(format!("{name} upgraded\n").as_bytes()).await?;
        if lower.contains("sec-websocket-protocol: echo") {
            let (mut from, mut to) = stream.split();
            tokio::io::copy(&mut from, &mut to).await?;
        }
        return Ok(());
    }
    let asked = header(&lower, "answer-with");
    if let Some(content) = asked.filter(|content| *content != "whole") {
        return parts(name, content, header(&lower, "then").unwrap_or_default(), stream).await;
    }
    if asked.is_none() && lower.contains("accept: text/event-stream") {
        let streaming = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n";
        stream.write_all(streaming.as_bytes()).await?;
        stream
            .write_all(format!("data: {name} first\n\n").as_bytes())
            .await?;
        tokio::time::sleep(SILENCE).await;
        return stream.write_all(b"data: second\n\n").await;
    }
    let session = if let Some(id) = header(&lower, "begin") {
        sessions.lock().unwrap().insert(id.to_owned());
        format!("Mcp-Session-Id: {id}\r\n")
    } else if lower.contains("mcp-session-id") {
        String::new()
    } else {
        format!("Mcp-Session-Id: of-{name}\r\n")
    };
    let known = header(&lower, "mcp-session-id").is_some_and(|id| sessions.lock().unwrap().contains(id));
    let extra = match header(&lower, "answer-header-of") {
        Some(length) => format!("X-Long: {}\r\n", "x".repeat(length.parse().unwrap())),
        None => String::new(),
    };
    let padding = " ".repeat(4000);
    let body =
        serde_json::json!({"node": name, "head": head, "known": known, "padding": padding}).to_string();
    let length = body.len();
    let whole = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n{session}{extra}Connection: close\r\n\r\n{body}"
    );
    stream.write_all(whole.as_bytes()).await
}

/// A stream of `events`, or of JSON for any other `content`: a first part, then what `then` asks
/// for. The content `nothing` sends not even a response head.
async fn parts(name: &str, content: &str, then: &str, stream: &mut TcpStream) -> std::io::Result<()> {
    if content == "nothing" {
        return gone(stream).await;
    }
    let (kind, opening) = match content {
        "events" => ("text/event-stream", "data: "),
        _ => ("application/json", ""),
    };
    let part = |number: &str| {
        let text = format!("{opening}{{\"node\":\"{name}\",\"part\":\"{number}\"}}\n\n");
        format!("{:x}\r\n{text}\r\n", text.len())
    };
    let head = format!("HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nTransfer-Encoding: chunked\r\n\r\n");
    stream.write_all((head + &part("first")).as_bytes()).await?;
    match then {
        "silence" => gone(stream).await,
        // The stream breaks off.
        "death" => Ok(()),
        _ => {
            tokio::time::sleep(SILENCE).await;
            stream.write_all((part("second") + "0\r\n\r\n").as_bytes()).await
        }
    }
}

/// Waits until the other side closes the connection.
async fn gone(stream: &mut TcpStream) -> std::io::Result<()> {
    tokio::io::copy(stream, &mut tokio::io::sink()).await.map(|_| ())
}

/// The value of a header in a lower-case head.
fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    let mut headers = head.lines().filter_map(|line| line.split_once(": "));
    headers.find(|(key, _)| *key == name).map(|(_, value)| value)
}

async fn head(stream: &mut TcpStream) -> Option<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?);
    }
    String::from_utf8(head).ok()
}

async fn serve<F>(name: String, connection: impl Fn(String, TcpStream) -> F + Send + 'static) -> SocketAddr
where
    F: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(connection(name.clone(), stream));
        }
    });
    at
}
