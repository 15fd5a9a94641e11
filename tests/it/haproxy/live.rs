//! What a running HAProxy does with the rendered configuration.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use clusterctl::haproxy_api::{RuntimeError, ServerHealth};
use clusterctl::render::health_targets;

use super::client::{Line, check_pages, get, node_for};
use super::nodes::SILENCE;
use super::running::{Running, eventually};
use crate::{gateway, odd_nodes};

fn source(number: u8) -> Ipv4Addr {
    Ipv4Addr::new(127, 0, 3, number)
}

#[tokio::test]
async fn sources_are_spread_evenly_and_each_sticks_to_its_node() {
    let running = Running::start(|_| {}).await;
    let mut by_source = BTreeMap::new();
    for number in 1..=40 {
        let node = node_for(source(number), running.tcp()).await.unwrap();
        by_source.insert(number, node);
    }
    for node in &running.cluster.nodes {
        let share = by_source.values().filter(|name| **name == node.name).count();
        // Each of two threads does its own round robin, so the shares may differ by a turn.
        assert!((8..=12).contains(&share), "{share} of 40 on {}", node.name);
    }
    for (number, node) in &by_source {
        assert_eq!(&node_for(source(*number), running.tcp()).await.unwrap(), node);
    }
}

#[tokio::test]
async fn connections_are_limited_per_source() {
    let running = Running::start(|cluster| {
        cluster.limits.per_ip.connections = 5;
        cluster.limits.per_ip.connection_rate = 0;
    })
    .await;
    let mut held = Vec::new();
    for _ in 0..5 {
        let mut line = Line::open(source(1), running.tcp()).await.unwrap();
        line.node().await.unwrap();
        held.push(line);
    }
    for _ in 0..20 {
        node_for(source(1), running.tcp()).await.unwrap_err();
    }
    node_for(source(2), running.tcp()).await.unwrap();
    // Refused connections do not count: with one closed, there is room for one.
    held.pop();
    eventually("a freed slot is used", async || {
        node_for(source(1), running.tcp()).await.is_ok()
    })
    .await;
}

#[tokio::test]
async fn new_connections_are_limited_per_second_unless_exempt() {
    let running = Running::start(|cluster| {
        cluster.limits.per_ip.connection_rate = 10;
        cluster
            .limits
            .per_ip
            .exempt
            .insert("127.0.3.2/32".parse().unwrap());
    })
    .await;
    let mut served = [0, 0];
    for _ in 0..60 {
        served[0] += usize::from(node_for(source(1), running.tcp()).await.is_ok());
        served[1] += usize::from(node_for(source(2), running.tcp()).await.is_ok());
    }
    assert!(served[0] >= 10 && served[0] < 60, "{} of 60", served[0]);
    assert_eq!(served[1], 60);
    eventually("a second later it is served again", async || {
        node_for(source(1), running.tcp()).await.is_ok()
    })
    .await;
}

#[tokio::test]
async fn haproxys_own_errors_are_json_rpc_errors_by_status() {
    let closing = Running::start(gateway::of_closing_nodes().await).await;
    gateway::answers_itself(&closing.cluster, &gateway::METHODS, 502, false).await;
    let silent = Running::start(gateway::of_silent_nodes().await).await;
    gateway::answers_itself(&silent.cluster, &gateway::METHODS, 504, false).await;
    for node in &silent.cluster.nodes {
        for target in health_targets(&silent.cluster, &node.name) {
            let set = silent
                .socket
                .set_health(target.backend, &target.server, ServerHealth::Down);
            set.await.unwrap();
        }
    }
    gateway::answers_itself(&silent.cluster, &gateway::METHODS, 503, true).await;
}

#[tokio::test]
async fn a_cookie_brings_a_client_back_to_its_node() {
    let running = Running::start(|_| {}).await;
    let first = get(source(1), running.http(), "/mcp", &[]).await;
    let node = running
        .cluster
        .nodes
        .iter()
        .find(|node| first.contains(&format!("set-cookie: SERVERID={};", node.name)));
    let name = &node.unwrap().name;
    let cookie = format!("Cookie: SERVERID={name}");
    for number in 1..=8 {
        let answer = get(source(number), running.http(), "/mcp", &[&cookie]).await;
        assert!(answer.contains(&format!(r#""node":"{name}""#)), "{answer}");
        assert!(!answer.contains("set-cookie"), "{answer}");
    }
    let streamed = get(
        source(9),
        running.http(),
        "/mcp",
        &[&cookie, "Accept: text/event-stream"],
    )
    .await;
    assert!(streamed.contains(&format!("data: {name} first")), "{streamed}");
}

#[tokio::test]
async fn json_is_compressed_and_nodes_learn_the_clients_address() {
    let running = Running::start(|_| {}).await;
    let plain = get(source(7), running.http(), "/mcp", &[]).await;
    assert!(plain.contains("x-forwarded-for: 127.0.3.7"), "{plain}");
    // An `Accept` of HTML excludes a stream, for every version of HAProxy.
    let headers = ["Accept-Encoding: gzip", "Accept: text/html"];
    let packed = get(source(7), running.http(), "/mcp", &headers).await;
    assert!(packed.contains("content-encoding: gzip"), "{packed}");
    assert!(packed.len() < plain.len() / 2);
}

#[tokio::test]
async fn an_event_stream_may_be_silent_for_longer_than_a_request() {
    let running = Running::start(|cluster| {
        let timeouts = &mut cluster.timeouts;
        let short = std::time::Duration::from_millis(300).into();
        (timeouts.client, timeouts.server, timeouts.keep_alive) = (short, short, short);
        assert!(SILENCE > timeouts.client.duration() * 2);
    })
    .await;
    let headers = ["Accept: text/event-stream", "Accept-Encoding: gzip"];
    for (port, path) in [
        (running.http(), "/mcp"),
        (running.http(), "/mcp/sse"),
        (running.cluster.listen.sse.unwrap(), "/mcp/sse"),
    ] {
        let stream = get(source(1), port, path, &headers).await;
        assert!(stream.contains("data: second"), "{path}: {stream}");
        assert!(!stream.contains("content-encoding"), "{path}: {stream}");
    }
}

#[tokio::test]
async fn upgrades_go_to_the_websocket_backend() {
    let running = Running::start(|_| {}).await;
    let upgrade = [
        "Connection: Upgrade",
        "Upgrade: WebSocket",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    ];
    for (port, path) in [
        (running.http(), "/mcp"),
        (running.http(), "/mcp/ws"),
        (running.cluster.listen.websocket.unwrap(), "/mcp/ws"),
    ] {
        let answer = get(source(1), port, path, &upgrade).await;
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
async fn statistics_metrics_and_health_pages_are_served() {
    let running = Running::start(|_| {}).await;
    let listen = &running.cluster.listen;
    let stats = listen.stats.unwrap().port();
    let page = get(source(1), stats, "/stats", &[]).await;
    assert!(page.contains("mcp_cluster_tcp"), "{page}");
    assert!(
        !page.contains("action_form"),
        "the page must be read-only: {page}"
    );
    let csv = get(source(1), stats, "/stats;csv", &[]).await;
    assert!(csv.contains("# pxname,svname,"), "{csv}");
    let metrics = get(source(1), stats, "/metrics", &[]).await;
    assert!(metrics.contains("haproxy_server_status"), "{metrics}");
    let health = get(source(1), listen.status.unwrap().port(), "/health", &[]).await;
    assert!(
        health.contains(r#"{"status":"up","nodes_up":4,"nodes":4}"#),
        "{health}"
    );
}

#[tokio::test]
async fn an_announced_stop_makes_it_unready_in_a_new_process_too() {
    let mut running = Running::start(|_| {}).await;
    let status = running.cluster.listen.status.unwrap().port();
    check_pages(source(1), status, false).await;
    running.write_announcement(true);
    let orders = running.orders();
    orders.announce(&running.socket, true).await.unwrap();
    // An order can be repeated.
    orders.announce(&running.socket, true).await.unwrap();
    for is_new in [false, true] {
        if is_new {
            running.kill_and_start_again().await;
        }
        check_pages(source(1), status, true).await;
        let mut client = Line::open(source(2), running.tcp()).await.unwrap();
        client.node().await.unwrap();
    }
    running.orders().announce(&running.socket, false).await.unwrap();
    check_pages(source(1), status, false).await;
}

#[tokio::test]
async fn a_node_set_down_loses_its_connections_and_its_clients_return_when_up() {
    let running = Running::start(|_| {}).await;
    let mut line = Line::open(source(1), running.tcp()).await.unwrap();
    let node = line.node().await.unwrap();
    let targets = health_targets(&running.cluster, &node);
    assert_eq!(targets.len(), 2, "{targets:?}");
    for target in &targets {
        running
            .socket
            .set_health(target.backend, &target.server, ServerHealth::Down)
            .await
            .unwrap();
    }
    line.node().await.unwrap_err();
    let other = node_for(source(1), running.tcp()).await.unwrap();
    assert_ne!(other, node);
    for backend in [
        "mcp_cluster_tcp",
        "mcp_http_backend",
        "mcp_websocket_backend",
        "mcp_sse_backend",
    ] {
        assert_eq!(running.state(backend, &node).await, "DOWN", "{backend}");
    }
    for target in &targets {
        running
            .socket
            .set_health(target.backend, &target.server, ServerHealth::Up)
            .await
            .unwrap();
    }
    assert_eq!(running.state("mcp_sse_backend", &node).await, "UP");
    assert!(
        running
            .log()
            .contains(&format!("Server mcp_cluster_tcp/{node} is DOWN")),
        "{}",
        running.log()
    );
}

#[tokio::test]
async fn a_refused_command_is_an_error_with_haproxys_text() {
    let running = Running::start(|_| {}).await;
    for (backend, server, words) in [
        ("nowhere", "erlmcp1", "No such backend."),
        ("mcp_cluster_tcp", "nobody", "No such server."),
        (
            "mcp_sse_backend",
            "erlmcp1",
            "cannot change health on a tracking server.",
        ),
    ] {
        let error = running
            .socket
            .set_health(backend, server, ServerHealth::Down)
            .await
            .unwrap_err();
        let RuntimeError::Refused { source, .. } = error else {
            panic!("{error}");
        };
        assert_eq!(source.to_string(), words);
    }
    let info = running.socket.info().await.unwrap();
    assert_eq!(
        (info.name.as_str(), info.maxconn, info.stopping),
        ("HAProxy", 300, false)
    );
}

#[tokio::test]
async fn a_reload_keeps_connections_clients_and_orders() {
    let mut running = Running::start(|_| {}).await;
    let mut held = Line::open(source(1), running.tcp()).await.unwrap();
    let node = held.node().await.unwrap();
    running
        .socket
        .order("set server mcp_cluster_tcp/erlmcp4 state drain")
        .await
        .unwrap();
    running.reload().await;
    assert_eq!(held.node().await.unwrap(), node);
    node_for(source(1), running.tcp()).await.unwrap();
    assert_eq!(running.state("mcp_cluster_tcp", "erlmcp4").await, "DRAIN");
    assert!(!running.log().contains("[ALERT]"), "{}", running.log());
}

#[tokio::test]
async fn a_second_process_on_the_same_ports_does_not_start() {
    let mut running = Running::start(|_| {}).await;
    assert!(running.second().await);
    let at = format!("for [127.0.0.1:{}]", running.tcp());
    assert!(running.log().contains(&at), "{}", running.log());
    node_for(source(1), running.tcp()).await.unwrap();
}

#[tokio::test]
async fn a_node_that_answers_only_errors_is_taken_out() {
    let broken = |_, head: &str| {
        let status = if head.starts_with("GET /health ") {
            "200 OK"
        } else {
            "500 Internal Server Error"
        };
        format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n")
    };
    let all_broken = odd_nodes::answering(broken).await;
    let running = Running::start(|cluster| {
        all_broken(cluster);
        cluster.health.eject = Some(3);
        cluster.nodes.truncate(1);
    })
    .await;
    let name = running.cluster.nodes[0].name.clone();
    let down = format!("Server mcp_http_backend/{name} is DOWN");
    for _ in 0..4 {
        get([127, 0, 7, 8].into(), running.http(), "/mcp", &[]).await;
    }
    eventually("the node is down", async || running.log().contains(&down)).await;
}
