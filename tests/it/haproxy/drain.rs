//! A drained node gets no new connections of any kind; its existing ones go on.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

use clusterctl::balancer::Expected;
use clusterctl::haproxy_api::ServerState;

use super::client::{Line, get, node_for};
use super::running::Running;

const BACKENDS: [&str; 4] = [
    "mcp_cluster_tcp",
    "mcp_http_backend",
    "mcp_websocket_backend",
    "mcp_sse_backend",
];

/// The former state of a node that is made ready again.
const DRAINED: Expected = Expected {
    drained: true,
    up: true,
};

/// The address `number` of 300, counted from 0.
fn source(number: u16) -> Ipv4Addr {
    let [high, low] = number.to_be_bytes();
    Ipv4Addr::new(127, 0, 30 + high, low)
}

/// How many of 300 addresses each node serves over TCP.
async fn served_by_tcp(running: &Running) -> BTreeMap<String, usize> {
    let mut served = BTreeMap::new();
    for number in 0..300 {
        let node = node_for(source(number), running.tcp()).await.unwrap();
        *served.entry(node).or_default() += 1;
    }
    served
}

/// The node that answers a request with more header lines.
async fn served_by_http(running: &Running, number: u16, headers: &[&str]) -> String {
    let answer = get(source(number), running.http(), "/mcp", headers).await;
    let names = running.cluster.nodes.iter().map(|node| &node.name);
    let mut nodes = names.filter(|name| {
        answer.contains(&format!(r#""node":"{name}""#)) || answer.contains(&format!("data: {name} first"))
    });
    nodes.next().unwrap_or_else(|| panic!("{answer}")).clone()
}

#[tokio::test]
async fn sticky_tcp_clients_are_moved_once_and_held_connections_live_on() {
    let running = Running::start(|_| {}).await;
    let orders = running.orders();
    let mut held = Vec::new();
    for number in 0..200 {
        let mut line = Line::open(source(number), running.tcp()).await.unwrap();
        let node = line.node().await.unwrap();
        held.push((line, node));
    }
    assert!(served_by_tcp(&running).await["erlmcp2"] > 50);
    // Twice, because orders are repeated.
    for _ in 0..2 {
        orders.drain(&running.socket, "erlmcp2").await.unwrap();
    }
    let served = served_by_tcp(&running).await;
    assert_eq!((served.get("erlmcp2"), served.len()), (None, 3), "{served:?}");
    for (line, node) in &mut held {
        assert_eq!(&line.node().await.unwrap(), node);
    }
    for backend in BACKENDS {
        assert_eq!(running.state(backend, "erlmcp2").await, "DRAIN", "{backend}");
    }
    // Moved clients are sticky to their new node, also when the drained one is back; others are
    // balanced over all nodes again.
    let moved = node_for(source(0), running.tcp()).await.unwrap();
    for _ in 0..2 {
        orders.ready(&running.socket, "erlmcp2", DRAINED).await.unwrap();
    }
    assert_eq!(node_for(source(0), running.tcp()).await.unwrap(), moved);
    for backend in BACKENDS {
        assert_eq!(running.state(backend, "erlmcp2").await, "UP", "{backend}");
    }
    let mut fresh = BTreeSet::new();
    for number in 300..340 {
        fresh.insert(node_for(source(number), running.tcp()).await.unwrap());
    }
    assert_eq!(fresh.len(), 4, "{fresh:?}");
    orders.drain(&running.socket, "erlmcp2").await.unwrap();
    assert_eq!(served_by_tcp(&running).await.get("erlmcp2"), None);
}

#[tokio::test]
async fn connections_opened_during_a_drain_leave_no_sticky_entry() {
    let running = Running::start(|_| {}).await;
    let orders = running.orders();
    served_by_tcp(&running).await;
    let (_, during) = tokio::join!(orders.drain(&running.socket, "erlmcp3"), served_by_tcp(&running));
    assert_eq!(during.values().sum::<usize>(), 300);
    assert_eq!(served_by_tcp(&running).await.get("erlmcp3"), None);
}

#[tokio::test]
async fn a_drained_nodes_cookie_is_replaced_by_another_nodes() {
    let running = Running::start(|_| {}).await;
    let orders = running.orders();
    let cookies = [
        "Cookie: SERVERID=erlmcp1",
        "Cookie: a=1; SERVERID=erlmcp1",
        "Cookie: SERVERID=erlmcp1; b=2",
        "Cookie: a=1; SERVERID=erlmcp1; b=2",
    ];
    for cookie in cookies {
        assert_eq!(served_by_http(&running, 1, &[cookie]).await, "erlmcp1");
    }
    orders.drain(&running.socket, "erlmcp1").await.unwrap();
    for number in 0..40 {
        for cookie in cookies {
            let answer = get(source(number), running.http(), "/mcp", &[cookie]).await;
            assert!(!answer.contains(r#""node":"erlmcp1""#), "{answer}");
            assert!(answer.contains("set-cookie: SERVERID=erlmcp"), "{answer}");
            assert!(
                answer.contains("a=1") == cookie.contains("a=1")
                    && answer.contains("b=2") == cookie.contains("b=2"),
                "other cookies are not ours: {answer}"
            );
        }
        let stream = ["Accept: text/event-stream", cookies[0]];
        if number < 4 {
            assert_ne!(served_by_http(&running, number, &stream).await, "erlmcp1");
        }
    }
    // Other nodes are not affected.
    let other = "Cookie: XSERVERID=erlmcp1; SERVERID=erlmcp2";
    assert_eq!(served_by_http(&running, 1, &[other]).await, "erlmcp2");
    orders.ready(&running.socket, "erlmcp1", DRAINED).await.unwrap();
    assert_eq!(served_by_http(&running, 1, &[cookies[0]]).await, "erlmcp1");
}

#[tokio::test]
async fn a_cut_ends_the_nodes_connections_and_no_other() {
    let running = Running::start(|_| {}).await;
    let mut held = Vec::new();
    for number in 0..40 {
        let mut line = Line::open(source(number), running.tcp()).await.unwrap();
        let node = line.node().await.unwrap();
        held.push((line, node));
    }
    let orders = running.orders();
    orders.drain(&running.socket, "erlmcp1").await.unwrap();
    orders.cut(&running.socket, "erlmcp1").await.unwrap();
    for (line, node) in &mut held {
        assert_eq!(line.node().await.is_err(), node == "erlmcp1", "{node}");
    }
}

#[tokio::test]
async fn a_drain_outlives_the_haproxy_process() {
    let mut running = Running::start(|_| {}).await;
    served_by_tcp(&running).await;
    let orders = running.orders();
    running.write_orders(&["erlmcp3"]);
    orders.drain(&running.socket, "erlmcp3").await.unwrap();
    running.kill_and_start_again().await;
    // Drained from its start on, before any order can arrive.
    for backend in BACKENDS {
        assert_eq!(running.state(backend, "erlmcp3").await, "DRAIN", "{backend}");
    }
    assert_eq!(served_by_tcp(&running).await.get("erlmcp3"), None);
    assert_ne!(
        served_by_http(&running, 1, &["Cookie: SERVERID=erlmcp3"]).await,
        "erlmcp3"
    );
    // The new process takes orders as the old one did.
    running.write_orders(&[]);
    orders.ready(&running.socket, "erlmcp3", DRAINED).await.unwrap();
    for backend in BACKENDS {
        assert_eq!(running.state(backend, "erlmcp3").await, "UP", "{backend}");
    }
    assert_eq!(
        served_by_http(&running, 1, &["Cookie: SERVERID=erlmcp3"]).await,
        "erlmcp3"
    );
    assert!(!running.log().contains("[ALERT]"), "{}", running.log());
}

#[tokio::test]
async fn ready_undoes_a_manual_drain_or_maintenance() {
    let running = Running::start(|_| {}).await;
    for (backend, state) in [
        ("mcp_sse_backend", ServerState::Drain),
        ("mcp_cluster_tcp", ServerState::Maint),
    ] {
        running.socket.set_state(backend, "erlmcp1", state).await.unwrap();
    }
    running
        .orders()
        .ready(&running.socket, "erlmcp1", DRAINED)
        .await
        .unwrap();
    for backend in BACKENDS {
        assert_eq!(running.state(backend, "erlmcp1").await, "UP", "{backend}");
    }
}

#[tokio::test]
async fn an_unknown_node_is_ignored_and_a_missing_socket_is_an_error() {
    let running = Running::start(|_| {}).await;
    let orders = running.orders();
    orders.drain(&running.socket, "nobody").await.unwrap();
    let nowhere = clusterctl::haproxy_api::Socket::new("/nonexistent/socket");
    orders.drain(&nowhere, "erlmcp1").await.unwrap_err();
}
