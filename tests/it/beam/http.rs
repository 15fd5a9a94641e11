//! The HTTP interface of a BEAM node.

use std::io::{Read, Write};
use std::net::Shutdown;

use super::{connect, log, one_node};
use crate::harness::TestCluster;

const PING: &str = r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#;
const INITIALIZE: &str = r#"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{}}}"#;

/// Everything that the node sends in answer to `bytes`, until it closes the connection.
fn answer_to(cluster: &TestCluster, bytes: &[u8]) -> String {
    let mut stream = connect(cluster, 8081);
    // The node may have closed the connection before all bytes were sent.
    let _reset_or_not = stream
        .write_all(bytes)
        .and_then(|()| stream.shutdown(Shutdown::Write));
    let mut text = Vec::new();
    let _reset_or_not = stream.read_to_end(&mut text);
    String::from_utf8_lossy(&text).into_owned()
}

fn request(method: &str, path: &str, headers: &str, body: &str) -> String {
    let length = body.len();
    format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}\r\n{headers}\r\n{body}")
}

fn post(headers: &str, body: &str) -> String {
    request(
        "POST",
        "/mcp",
        &format!("Content-Type: application/json\r\n{headers}"),
        body,
    )
}

fn chunked(body: &str) -> String {
    let headers = "Content-Type: application/json\r\nTransfer-Encoding: Chunked\r\n";
    format!("POST /mcp HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n{body}")
}

fn header<'a>(answer: &'a str, name: &str) -> Option<&'a str> {
    answer
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
}

#[test]
fn health_is_served() {
    let cluster = one_node();
    let pid = cluster.node_pid("erlmcp1");
    let answer = answer_to(&cluster, b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n");
    assert!(
        answer.starts_with("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"),
        "{answer}"
    );
    let body: serde_json::Value = serde_json::from_str(answer.split_once("\r\n\r\n").unwrap().1).unwrap();
    assert_eq!(
        (&body["status"], &body["node"], &body["pid"]),
        (&"ok".into(), &"erlmcp1".into(), &pid.into())
    );
    let answer = answer_to(&cluster, b"HEAD /health HTTP/1.0\r\n\r\n");
    assert!(
        answer.ends_with("\r\n\r\n") && answer.contains("Content-Length: "),
        "{answer}"
    );
}

#[test]
fn a_session_is_created_found_and_ended() {
    let cluster = one_node();
    let answer = answer_to(&cluster, post("", INITIALIZE).as_bytes());
    let session = header(&answer, "Mcp-Session-Id")
        .unwrap_or_else(|| panic!("{answer}"))
        .to_owned();
    assert!(
        session.len() == 32 && session.bytes().all(|byte| byte.is_ascii_hexdigit()),
        "{session}"
    );
    let with = format!("mcp-session-id: {session}\r\nMCP-Protocol-Version: 2025-11-25\r\n");
    assert!(answer_to(&cluster, post(&with, PING).as_bytes()).starts_with("HTTP/1.1 200 "));
    let notification = post(&with, r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#);
    assert!(answer_to(&cluster, notification.as_bytes()).starts_with("HTTP/1.1 202 "));
    let end = request("DELETE", "/mcp", &with, "");
    assert!(answer_to(&cluster, end.as_bytes()).starts_with("HTTP/1.1 204 "));
    let over = answer_to(&cluster, post(&with, PING).as_bytes());
    assert!(
        over.starts_with("HTTP/1.1 404 ") && over.contains("-32001"),
        "{over}"
    );
    assert_eq!(log(&cluster, "erlmcp1"), "");
}

#[test]
fn a_connection_carries_many_requests() {
    let cluster = one_node();
    let three = [
        post("", PING),
        request("GET", "/health?x=1", "", ""),
        post("Connection: close\r\n", PING),
    ]
    .concat();
    let answer = answer_to(&cluster, format!("{three}GET /never HTTP/1.1\r\n\r\n").as_bytes());
    assert_eq!(answer.matches("HTTP/1.1 200 OK").count(), 3, "{answer}");
    assert_eq!(answer.matches("HTTP/1.1").count(), 3, "{answer}");
    let large = format!(
        r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{"name":"echo","arguments":{{"text":"{}"}}}}}}"#,
        "x".repeat(2_000_000)
    );
    let answer = answer_to(&cluster, post("Expect: 100-continue\r\n", &large).as_bytes());
    assert!(
        answer.starts_with("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK"),
        "{}",
        &answer[..100]
    );
    assert!(answer.len() > 2_000_000);
}

#[test]
fn a_chunked_body_is_read() {
    let cluster = one_node();
    let (first, second) = PING.split_at(7);
    let pieces = format!(
        "7;why=not\r\n{first}\r\n{:X}\r\n{second}\r\n0\r\nX-Late: 1\r\n\r\n",
        second.len()
    );
    let two = [chunked(&pieces), post("Connection: keep-alive, Close\r\n", PING)].concat();
    let answer = answer_to(&cluster, format!("{two}GET /never HTTP/1.1\r\n\r\n").as_bytes());
    assert_eq!(
        answer.matches(r#"{"id":1,"jsonrpc":"2.0","result":{}}"#).count(),
        2,
        "{answer}"
    );
    assert_eq!(answer.matches("HTTP/1.1 200 OK").count(), 2, "{answer}");
    assert_eq!(answer.matches("Connection: close").count(), 1, "{answer}");
}

#[test]
fn unsupported_requests_are_refused_with_the_reason() {
    let cluster = one_node();
    let many: Vec<String> = (0..200).map(|number| format!("X-{number}: 1\r\n")).collect();
    for (asked, status) in [
        (post("Origin: http://localhost:3000\r\n", PING), 200),
        (post("Origin: http://[::1]\r\n", PING), 200),
        (post("Origin: https://evil.example\r\n", PING), 403),
        (post("Origin: http://localhost@evil.example\r\n", PING), 403),
        (post("Origin: null\r\n", PING), 403),
        (post("Mcp-Session-Id: 0123\r\n", PING), 404),
        (post("MCP-Protocol-Version: 1999-01-01\r\n", PING), 400),
        (post("", "{"), 400),
        (request("POST", "/mcp", "", PING), 415),
        (request("POST", "/mcp", "Content-Type: text/plain\r\n", PING), 415),
        (request("GET", "/mcp", "Accept: text/event-stream\r\n", ""), 405),
        (request("PUT", "/health", "", ""), 405),
        (request("DELETE", "/mcp", "", ""), 400),
        (request("GET", "/mcp/ws", "", ""), 404),
        (request("BREW", "/pot", "", ""), 404),
        (chunked("0\r\n\r\n"), 400),
        (chunked("-5\r\n"), 400),
        (chunked("1000001\r\n"), 413),
        (chunked("2\r\n{}}\r\n0\r\n\r\n"), 400),
        (post("Transfer-Encoding: chunked\r\n", PING), 400),
        (
            "POST /mcp HTTP/1.1\r\nContent-Type: application/json\r\nTransfer-Encoding: gzip\r\n\r\n".into(),
            501,
        ),
        (
            post("Origin: http://localhost\r\nOrigin: http://localhost\r\n", PING),
            403,
        ),
        (post("Origin:\r\n", PING), 403),
        (post("Content-Length: 40\r\n", PING), 400),
        (
            "POST /mcp HTTP/1.1\r\nContent-Type: application/json\r\nContent-Length: +2\r\n\r\n{}".into(),
            400,
        ),
        (
            "POST /mcp HTTP/1.1\r\nContent-Type: application/json\r\n\r\n".into(),
            411,
        ),
        (
            "POST /mcp HTTP/1.1\r\nContent-Type: application/json\r\nContent-Length: -1\r\n\r\n".into(),
            400,
        ),
        (
            "POST /mcp HTTP/1.1\r\nContent-Type: application/json\r\nContent-Length: 16777217\r\n\r\n".into(),
            413,
        ),
        ("nonsense\r\n\r\n".into(), 400),
        (format!("GET /health HTTP/1.1\r\n{}\r\n", many.concat()), 431),
        (
            format!("GET /health HTTP/1.1\r\n{}\r\n", "X: 1\r\n".repeat(200)),
            431,
        ),
        (
            format!(
                "GET /health HTTP/1.1\r\n{}\r\n",
                format!("X: {}\r\n", "x".repeat(10_000)).repeat(9)
            ),
            431,
        ),
        ("GET /health HTTP/2.0\r\n\r\n".into(), 505),
    ] {
        let answer = answer_to(&cluster, asked.as_bytes());
        let shown = &asked[..asked.len().min(120)];
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {status} ")),
            "{shown}\n{answer}"
        );
        let is_error = answer.contains(r#""error":{"code":-3"#);
        assert_eq!(
            is_error,
            status != 200 && !answer.contains("no such path"),
            "{shown}\n{answer}"
        );
    }
    let long = "x".repeat(40_000);
    for asked in [
        &b"POST /mcp HTTP/1.1\r\nOrigin: \xff\xfe\r\nContent-Type: \xff\r\n\r\n"[..],
        b"GET /\xff\xfe HTTP/1.1\r\nConnection: \xff\r\n\r\n",
        b"POST /mcp HTTP/1.1\r\nContent-Type: application/json\r\nMcp-Session-Id: \xff\r\nContent-Length: \xff\r\n\r\n",
        b"\0\xff\x16\x03\x01",
        b"GET",
        format!("GET /{long} HTTP/1.1\r\n\r\n").as_bytes(),
        format!("GET /health HTTP/1.1\r\nX: {long}\r\n\r\n").as_bytes(),
    ] {
        let answer = answer_to(&cluster, asked);
        assert!(!answer.starts_with("HTTP/1.1 2"), "{answer}");
    }
    // A crash report is logged a little later, but before the node ends.
    cluster.ok(&["stop"]);
    let log_text = log(&cluster, "erlmcp1");
    assert!(
        !log_text.contains("CRASH") && !log_text.contains("Error in process"),
        "{log_text}"
    );
}
