//! A drained node gets no new requests; its streams go on. A session's node is the same after a drain,
//! a reload and a crash.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use clusterctl::balancer::Expected;

use super::live::node_of;
use super::running::Running;
use crate::haproxy::client::{Stream, get};
use crate::haproxy::running::eventually;
use crate::rendered::Running as _;
use crate::{paths, sessions};

const SOURCE: Ipv4Addr = Ipv4Addr::new(127, 0, 13, 1);

/// The former state of a node that is made ready again.
const DRAINED: Expected = Expected {
    drained: true,
    up: true,
};

#[tokio::test]
async fn a_session_outlives_a_drain_a_reload_and_the_process() {
    let mut running = Running::start(|_| {}).await;
    let (at, orders) = (running.entrance(), running.orders());
    let mut others = Vec::new();
    for number in 1..=8 {
        others.push(at.begin(number, &format!("s{number}")).await);
    }
    let drained = others[0].node.clone();
    let (gone, others): (Vec<_>, Vec<_>) = others.into_iter().partition(|session| session.node == drained);
    running.write_orders(&[&drained]);
    orders.drain(&running.socket, &drained).await.unwrap();
    sessions::is_served_by_others(at, &gone[0]).await;
    running.reload(|_| {}).await;
    sessions::is_served_by_others(at, &gone[0]).await;
    running.kill_and_start_again().await;
    sessions::is_served_by_others(at, &gone[0]).await;
    for session in &others {
        at.keeps(session).await;
    }
    running.write_orders(&[]);
    orders.ready(&running.socket, &drained, DRAINED).await.unwrap();
    for session in &gone {
        at.keeps(session).await;
    }
}

#[tokio::test]
async fn a_drained_nodes_cookie_is_replaced_by_another_nodes_and_its_streams_go_on() {
    let running = Running::start(paths::without_limits).await;
    let orders = running.orders();
    let cookie = "Cookie: a=1; SERVERID=erlmcp1; b=2";
    let stream = ["Accept: text/event-stream", cookie];
    let mut held = Stream::get(SOURCE, running.http(), "/mcp", &stream).await;
    held.until("data: erlmcp1 first").await;
    orders.drain(&running.socket, "erlmcp1").await.unwrap();
    for _ in 0..40 {
        let answer = get(SOURCE, running.http(), "/mcp", &[cookie]).await;
        assert_ne!(node_of(&answer), "erlmcp1");
        assert!(answer.contains("Set-Cookie: SERVERID=erlmcp"), "{answer}");
        assert!(answer.contains("Cookie: a=1; b=2"), "{answer}");
    }
    let mut other = Stream::get(SOURCE, running.http(), "/mcp", &stream).await;
    assert!(!other.until(" first").await.contains("erlmcp1"));
    held.until("data: second").await;
    orders.ready(&running.socket, "erlmcp1", DRAINED).await.unwrap();
    let back = get(SOURCE, running.http(), "/mcp", &[cookie]).await;
    assert_eq!(node_of(&back), "erlmcp1");
}

#[tokio::test]
async fn a_cut_ends_the_nodes_streams_and_no_other() {
    let running = Running::start(paths::without_limits).await;
    let orders = running.orders();
    let mut held = Vec::new();
    for node in ["erlmcp1", "erlmcp2"] {
        let cookie = format!("Cookie: SERVERID={node}");
        let stream = ["Accept: text/event-stream", &cookie];
        let mut stream = Stream::get(SOURCE, running.http(), "/mcp", &stream).await;
        stream.until(&format!("data: {node} first")).await;
        held.push(stream);
    }
    orders.drain(&running.socket, "erlmcp1").await.unwrap();
    orders.cut(&running.socket, "erlmcp1").await.unwrap();
    let cut = held.remove(0).ends().await;
    assert!(!cut.contains("second"), "{cut}");
    held[0].until("data: second").await;
}

#[tokio::test]
async fn requests_during_reloads_are_all_answered() {
    let mut running = Running::start(paths::without_limits).await;
    let (stop, served) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU32::new(0)));
    let clients: Vec<_> = (1..=4)
        .map(|number| {
            let (stop, served, port) = (stop.clone(), served.clone(), running.http());
            tokio::spawn(async move {
                while !stop.load(Ordering::Relaxed) {
                    let answer = get(Ipv4Addr::new(127, 0, 14, number), port, "/mcp", &[]).await;
                    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
                    served.fetch_add(1, Ordering::Relaxed);
                }
            })
        })
        .collect();
    for minutes in 1..=5 {
        let before = served.load(Ordering::Relaxed);
        running
            .reload(|cluster| cluster.timeouts.client = std::time::Duration::from_mins(minutes).into())
            .await;
        let more = || served.load(Ordering::Relaxed) > before + 50;
        eventually("requests after a reload", async || more()).await;
    }
    stop.store(true, Ordering::Relaxed);
    for client in clients {
        client.await.unwrap();
    }
}
