//! The messages of clients and nodes over HTTP.

use crate::load::{Answer, Exchange, Protocol};

/// The body of an answer.
const RESULT: &str = r#"{"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"text","text":"3"}]}}"#;
/// The body of a request.
const CALL: &str =
    r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"add","arguments":{"a":1,"b":2}}}"#;

/// The answer to a request that belongs to no session, or to one that is known.
pub(crate) const ANSWER: &[u8] =
    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 74\r\n\r\n\
    {\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"content\":[{\"type\":\"text\",\"text\":\"3\"}]}}";
/// The answer to a request that begins a session.
pub(crate) const INITIALIZED: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\
    Mcp-Session-Id: 3f0f4c1e9d6b4a7f8e2d1c0b9a8f7e6d\r\nContent-Length: 74\r\n\r\n\
    {\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"content\":[{\"type\":\"text\",\"text\":\"3\"}]}}";
/// The beginning of a stream, and its first event.
pub(crate) const EVENT_STREAM: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\
    Cache-Control: no-cache\r\nTransfer-Encoding: chunked\r\n\r\n9\r\n: ready\n\n\r\n";
/// The answer to a WebSocket's handshake.
pub(crate) const SWITCHED: &[u8] =
    b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
    Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";
/// The beginning of an endless download.
pub(crate) const DOWNLOAD: &[u8] =
    b"HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\nContent-Length: 1000000000000\r\n\r\n";
/// Where downloads are.
pub(crate) const DOWNLOAD_PATH: &str = "/mcp/download";
/// A frame of 58 bytes of text, masked with zeros.
pub(crate) const MESSAGE_TO_NODE: &[u8; 64] =
    b"\x81\xba\0\0\0\0{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\",\"params\":{\"a\":\"\"}}";
/// The same frame, not masked.
pub(crate) const MESSAGE_FROM_NODE: &[u8; 60] =
    b"\x81\x3a{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\",\"params\":{\"a\":\"\"}}";

/// Requests without a session, as of MCP 2026-07-28.
pub(crate) fn requests() -> Protocol {
    Protocol::of(post("MCP-Protocol-Version: 2026-07-28\r\n"))
}

/// Requests within a session, which the first one begins.
pub(crate) fn session() -> Protocol {
    Protocol {
        opening: Some(post("")),
        // `Protocol` replaces the id by the one that the first answer has.
        message: post("MCP-Protocol-Version: 2025-11-25\r\nMcp-Session-Id: SESSION\r\n"),
    }
}

/// Streams of events.
pub(crate) fn events() -> Exchange {
    Exchange::new(
        get(
            "/mcp",
            "Accept: text/event-stream\r\nMCP-Protocol-Version: 2025-11-25\r\n",
        ),
        Answer::FirstEvent,
    )
}

/// Upgraded connections.
pub(crate) fn websocket() -> Protocol {
    let upgrade = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
        Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    Protocol {
        opening: Some(Exchange::new(get("/mcp/ws", upgrade), Answer::Http { body: 0 })),
        message: Exchange::new(MESSAGE_TO_NODE.to_vec(), Answer::Bytes(MESSAGE_FROM_NODE.len())),
    }
}

/// The request for an endless download.
pub(crate) fn download() -> Vec<u8> {
    get(DOWNLOAD_PATH, "Accept: application/octet-stream\r\n")
}

/// The head of a request with a body of `length` bytes, and its answer.
pub(crate) fn upload(length: u64) -> Exchange {
    let head = format!(
        "POST /mcp/upload HTTP/1.1\r\nHost: mcp.example.com\r\nContent-Type: application/octet-stream\r\n\
         Accept: application/json\r\nMCP-Protocol-Version: 2026-07-28\r\nContent-Length: {length}\r\n\r\n"
    );
    Exchange::new(head.into_bytes(), Answer::Http { body: RESULT.len() })
}

// Private

fn post(headers: &str) -> Exchange {
    let request = format!(
        "POST /mcp HTTP/1.1\r\nHost: mcp.example.com\r\nUser-Agent: versus/1.0\r\nContent-Type: application/json\r\n\
         Accept: application/json, text/event-stream\r\n{headers}Content-Length: {}\r\n\r\n{CALL}",
        CALL.len()
    );
    Exchange::new(request.into_bytes(), Answer::Http { body: RESULT.len() })
}

fn get(path: &str, headers: &str) -> Vec<u8> {
    format!("GET {path} HTTP/1.1\r\nHost: mcp.example.com\r\nUser-Agent: versus/1.0\r\n{headers}\r\n")
        .into_bytes()
}
