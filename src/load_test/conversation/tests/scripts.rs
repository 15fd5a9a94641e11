//! Answers of servers: the embedded node, directly and through HAProxy.

use super::play::Step;
use crate::load_test::Protocol;

pub(super) const INITIALIZED: &str = r#"{"jsonrpc":"2.0","id":0,"result":{"protocolVersion":"2025-11-25","capabilities":{"logging":{},"tools":{"listChanged":false}},"serverInfo":{"name":"n1","version":"0.1.0"}}}"#;
pub(super) const ANSWER: &str = r#"{"jsonrpc":"2.0","id":7,"result":{}}"#;
pub(super) const ACCEPTED: &str = "HTTP/1.1 202 Accepted\r\ncontent-length: 0\r\ndate: Thu, 26 Nov 2026 03:44:17 GMT\r\nset-cookie: SERVERID=n1; path=/\r\nconnection: close\r\n\r\n";
pub(super) const UNAVAILABLE: &str = "HTTP/1.1 503 Service Unavailable\r\ncontent-length: 107\r\ncache-control: no-cache\r\ncontent-type: text/html\r\nconnection: close\r\n\r\n<html><body><h1>503 Service Unavailable</h1>\nNo server is available to handle this request.\n</body></html>\n";

pub(super) fn receives(text: impl Into<Vec<u8>>) -> Step {
    Step::Receives(text.into())
}

pub(super) fn json(headers: &str, body: &str) -> Step {
    let length = body.len();
    receives(format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n{headers}content-length: {length}\r\n\r\n{body}"
    ))
}

pub(super) fn chunk(event: &str) -> Step {
    receives(format!("{:X}\r\n{event}\r\n", event.len()))
}

pub(super) fn frame(text: &str) -> Step {
    let length = u16::try_from(text.len()).unwrap().to_be_bytes();
    let head = match length {
        [0, length @ ..126] => vec![0x81, length],
        [high, low] => vec![0x81, 126, high, low],
    };
    receives([&head, text.as_bytes()].concat())
}

/// The script of a greeting, a request and its answer.
pub(super) fn transcript(protocol: Protocol) -> Vec<Step> {
    match protocol {
        Protocol::Tcp => vec![
            receives(format!("{INITIALIZED}\n")),
            // As erlmcp does.
            receives("{\"jsonrpc\":\"2.0\",\"method\":\"notifications/initialized\"}\r\n\r\n"),
            receives("{\"jsonrpc\":\"2.0\",\"id\":\"s1\",\"method\":\"ping\"}\n"),
            Step::Asks(7),
            receives(
                "{\"jsonrpc\":\"2.0\",\"id\":7,\"error\":{\"code\":-32601,\"message\":\"Method not found\"}}\n",
            ),
        ],
        Protocol::Http => vec![
            json(
                "mcp-session-id: 239d\r\nset-cookie: SERVERID=n1; path=/\r\n",
                INITIALIZED,
            ),
            receives(ACCEPTED.replace("connection: close\r\n", "")),
            Step::Asks(7),
            json("set-cookie: SERVERID=n1; path=/\r\n", ANSWER),
        ],
        Protocol::Ws => vec![
            receives(
                "HTTP/1.1 101 Switching Protocols\r\nconnection: Upgrade\r\nupgrade: websocket\r\nsec-websocket-accept: ACCEPT\r\nsec-websocket-protocol: mcp\r\ndate: Thu, 26 Nov 2026 03:44:20 GMT\r\nset-cookie: SERVERID=n1; path=/\r\n\r\n",
            ),
            frame(INITIALIZED),
            receives(&b"\x89\x00"[..]),
            Step::Asks(7),
            frame(ANSWER),
        ],
        Protocol::Sse => vec![
            receives(
                "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncache-control: no-cache, no-transform\r\nx-accel-buffering: no\r\ntransfer-encoding: chunked\r\ndate: Thu, 26 Nov 2026 03:44:18 GMT\r\nset-cookie: SERVERID=n1; path=/\r\n\r\n",
            ),
            chunk("event: endpoint\ndata: /mcp/sse?sessionId=78e52f2aa07a6e3b3b177347de8645fe\n\n"),
            Step::SideRequestReceives(ACCEPTED.into()),
            chunk(&format!("event: message\ndata: {INITIALIZED}\n\n")),
            Step::SideRequestReceives(ACCEPTED.into()),
            chunk(": keep-alive\n\n"),
            Step::Asks(7),
            Step::SideRequestReceives(ACCEPTED.into()),
            chunk(&format!("event: message\ndata: {ANSWER}\n\n")),
        ],
    }
}
