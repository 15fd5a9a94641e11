//! What every HTTP balancer does with a request besides passing it on. Each balancer's tests call
//! these checks.

use std::net::Ipv4Addr;

use clusterctl::profile::{Cluster, HealthKind};

use crate::haproxy::client::{get, request};
use crate::haproxy::nodes;

const SOURCE: Ipv4Addr = Ipv4Addr::new(127, 0, 7, 1);

/// The request that clients send to `/mcp`.
pub(crate) const METHODS: [&str; 3] = ["POST", "GET", "DELETE"];

/// Nodes get `X-Forwarded-Proto` on every listener: the value that the client's balancer has set,
/// else `http`.
pub(crate) async fn forwards_the_scheme_of_plain_http(cluster: &Cluster) {
    let listen = &cluster.listen;
    for (port, path) in [
        (listen.http.unwrap(), "/mcp"),
        (listen.http.unwrap(), "/mcp/ws"),
        (listen.websocket.unwrap(), "/mcp/ws"),
        (listen.http.unwrap(), "/mcp/sse"),
        (listen.sse.unwrap(), "/mcp/sse"),
    ] {
        for (sent, forwarded) in [
            (&[][..], "http"),
            (&["X-Forwarded-Proto: https"], "https"),
            (&["x-forwarded-proto:"], "http"),
        ] {
            let answer = get(SOURCE, port, path, sent).await.to_lowercase();
            let line = format!(r"x-forwarded-proto: {forwarded}\r\n");
            assert!(answer.contains(&line), "{port}{path} {sent:?}: {answer}");
            assert_eq!(answer.matches("x-forwarded-proto").count(), 1, "{answer}");
        }
    }
}

/// Headers in either direction can be long, and have any name that HTTP allows.
pub(crate) async fn passes_long_and_unusual_headers(cluster: &Cluster) {
    let port = cluster.listen.http.unwrap();
    let long = format!("X-Long: {}", "y".repeat(9000));
    let headers = [
        long.as_str(),
        "Mcp-Param-user_id: 7",
        "X.Y!z: 8",
        "Answer-Header-Of: 9000",
    ];
    let answer = request(SOURCE, port, "GET", "/mcp", &headers).await;
    let (head, body) = answer
        .split_once("\r\n\r\n")
        .unwrap_or_else(|| panic!("{answer}"));
    assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
    assert!(
        head.to_lowercase()
            .contains(&format!("x-long: {}", "x".repeat(9000)))
    );
    let body: serde_json::Value = serde_json::from_str(body).unwrap();
    let received = body["head"].as_str().unwrap().to_lowercase();
    for header in &headers[..3] {
        assert!(received.contains(&header.to_lowercase()), "{header}: {received}");
    }
}

/// A cluster whose nodes close each connection instead of answering.
pub(crate) async fn of_closing_nodes() -> impl FnOnce(&mut Cluster) {
    all_at(nodes::closing().await)
}

/// A cluster whose nodes never answer, with a short timeout.
pub(crate) async fn of_silent_nodes() -> impl FnOnce(&mut Cluster) {
    all_at(nodes::silent().await)
}

/// The balancer answers these methods by itself, with a status and the same number as JSON-RPC
/// code.
pub(crate) async fn answers_itself(cluster: &Cluster, methods: &[&str], status: u16, retry_after: bool) {
    for method in methods {
        let port = cluster.listen.http.unwrap();
        let headers = ["Content-Length: 0", "Accept: application/json"];
        let answer = request(SOURCE, port, method, "/mcp", &headers).await;
        is_error(&answer, status, retry_after);
    }
}

/// `answer` is one of the table of errors.
pub(crate) fn is_error(answer: &str, status: u16, retry_after: bool) {
    let (head, body) = answer
        .split_once("\r\n\r\n")
        .unwrap_or_else(|| panic!("{answer}"));
    let head = head.to_lowercase();
    assert!(head.starts_with(&format!("http/1.1 {status} ")), "{answer}");
    assert!(head.contains("content-type: application/json"), "{answer}");
    assert_eq!(head.contains("retry-after: 1"), retry_after, "{answer}");
    let body: serde_json::Value = serde_json::from_str(body).unwrap();
    assert_eq!(body["error"]["code"], status, "{answer}");
    assert!(!body["error"]["message"].as_str().unwrap().is_empty(), "{answer}");
    assert!(body["jsonrpc"] == "2.0" && body["id"].is_null(), "{answer}");
}

// Private

fn all_at(address: std::net::SocketAddr) -> impl FnOnce(&mut Cluster) {
    move |cluster: &mut Cluster| {
        for node in &mut cluster.nodes {
            node.http = Some(address);
        }
        cluster.health.kind = HealthKind::Tcp;
        cluster.timeouts.server = std::time::Duration::from_millis(300).into();
    }
}
