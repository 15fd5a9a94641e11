//! What a running data plane does with the rendered configuration.

use std::net::Ipv4Addr;

use clusterctl::haproxy_api::ServerHealth;

use super::running::Running;
use crate::gateway;
use crate::haproxy::client::{Stream, get};
use crate::rendered::Running as _;

fn source(number: u8) -> Ipv4Addr {
    Ipv4Addr::new(127, 0, 12, number)
}

const UPGRADE: [&str; 4] = [
    "Connection: Upgrade",
    "Upgrade: WebSocket",
    "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
];

#[tokio::test]
async fn its_own_errors_are_json_rpc_errors_by_status() {
    let closing = Running::start(gateway::of_closing_nodes().await).await;
    gateway::answers_itself(&closing.cluster, &gateway::METHODS, 502, false).await;
    let silent = Running::start(gateway::of_silent_nodes().await).await;
    gateway::answers_itself(&silent.cluster, &gateway::METHODS, 504, false).await;
    for node in &silent.cluster.nodes {
        silent.set_health(&node.name, ServerHealth::Down).await;
    }
    gateway::answers_itself(&silent.cluster, &gateway::METHODS, 503, true).await;
    let status = silent.cluster.listen.status.unwrap().port();
    let health = get(source(1), status, "/health", &[]).await;
    assert!(health.starts_with("HTTP/1.1 503 "), "{health}");
    assert!(
        health.ends_with(r#"{"status":"down","nodes_up":0,"nodes":4}"#),
        "{health}"
    );
}

#[tokio::test]
async fn a_cookie_brings_a_client_back_to_its_node() {
    let running = Running::start(|_| {}).await;
    let first = get(source(1), running.http(), "/mcp", &[]).await;
    let name = node_of(&first);
    let line = format!("Set-Cookie: SERVERID={name}; path=/; HttpOnly\r\n");
    assert!(first.contains(&line), "{first}");
    assert!(first.contains("Cache-Control: private\r\n"), "{first}");
    let cookie = format!("Cookie: a=b; SERVERID={name}; c=d");
    for number in 1..=8 {
        let answer = get(source(number), running.http(), "/mcp", &[&cookie]).await;
        assert_eq!(node_of(&answer), name);
        assert!(!answer.contains("Set-Cookie"), "{answer}");
        // Only the balancer's own cookie is kept from the node.
        assert!(answer.contains("Cookie: a=b; c=d"), "{answer}");
    }
    let headers = [cookie.as_str(), "Accept: text/event-stream"];
    let mut stream = Stream::get(source(9), running.http(), "/mcp", &headers).await;
    stream.until(&format!("data: {name} first")).await;
}

#[tokio::test]
async fn upgrades_go_to_the_websocket_backend() {
    let running = Running::start(|_| {}).await;
    for (port, path) in [
        (running.http(), "/mcp"),
        (running.http(), "/mcp/ws"),
        (running.cluster.listen.websocket.unwrap(), "/mcp/ws"),
    ] {
        let answer = get(source(1), port, path, &UPGRADE).await;
        assert!(answer.starts_with("HTTP/1.1 101 "), "{path}: {answer}");
        assert!(answer.ends_with(" upgraded\n"), "{path}: {answer}");
    }
    let rows = running.socket.stat().await.unwrap();
    let backend = rows
        .iter()
        .find(|row| row.proxy() == "mcp_websocket_backend" && row.name() == "BACKEND");
    assert_eq!(backend.unwrap().number("stot"), Some(3));
}

#[tokio::test]
async fn statistics_and_metrics_have_all_proxies() {
    let running = Running::start(|_| {}).await;
    let stats = running.cluster.listen.stats.unwrap().port();
    for page in ["/stats", "/stats;csv", "/metrics"] {
        let page = get(source(1), stats, page, &[]).await;
        for proxy in ["mcp_frontend_http", "mcp_http_backend", "mcp_sse_backend"] {
            assert!(page.contains(proxy), "{page}");
        }
    }
}

#[tokio::test]
async fn a_node_set_down_loses_its_connections_and_its_clients_return_when_up() {
    let running = Running::start(|_| {}).await;
    let echo = [&UPGRADE[..], &["Sec-WebSocket-Protocol: echo"]].concat();
    let mut tunnel = Stream::get(source(1), running.http(), "/mcp/ws", &echo).await;
    let text = tunnel.until(" upgraded\n").await;
    let name = running.cluster.nodes.iter().map(|node| node.name.clone());
    let name = name
        .into_iter()
        .find(|name| text.contains(&format!("{name} upgraded")))
        .unwrap();
    let cookie = format!("Cookie: SERVERID={name}");
    running.set_health(&name, ServerHealth::Down).await;
    tunnel.ends().await;
    for backend in ["mcp_http_backend", "mcp_websocket_backend", "mcp_sse_backend"] {
        assert_eq!(running.state(backend, &name).await, "DOWN", "{backend}");
    }
    let elsewhere = get(source(1), running.http(), "/mcp", &[&cookie]).await;
    assert_ne!(node_of(&elsewhere), name);
    assert!(elsewhere.contains("Set-Cookie: SERVERID=erlmcp"), "{elsewhere}");
    running.set_health(&name, ServerHealth::Up).await;
    let back = get(source(1), running.http(), "/mcp", &[&cookie]).await;
    assert_eq!(node_of(&back), name);
}

/// The node that gave an answer.
pub(super) fn node_of(answer: &str) -> String {
    let (_, body) = answer
        .split_once("\r\n\r\n")
        .unwrap_or_else(|| panic!("{answer}"));
    let body: serde_json::Value = serde_json::from_str(body).unwrap_or_else(|_| panic!("{answer}"));
    body["node"].as_str().unwrap().to_owned()
}
