//! The listeners that HAProxy gets from the supervisor.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};

use super::client::{get, node_for};
use super::running::Running;

const SOCKETS: u16 = 3;

/// How many listeners of each address the running process has.
async fn counts(running: &Running) -> BTreeMap<SocketAddr, usize> {
    let mut counts = BTreeMap::new();
    for listener in running.socket.listeners().await.unwrap() {
        *counts.entry(listener.local_addr().unwrap()).or_default() += 1;
    }
    counts
}

/// Connects from so many addresses that each socket gets some of them.
async fn all_are_served(running: &Running) {
    for number in 1..=40 {
        let source = Ipv4Addr::new(127, 0, 11, number);
        node_for(source, running.tcp()).await.unwrap();
    }
}

#[tokio::test]
async fn one_process_serves_several_sockets_of_an_address_across_a_reload() {
    let mut running = Running::start_on(SOCKETS, |cluster| {
        cluster.limits.per_ip.connection_rate = 0;
    })
    .await;
    let listen = running.cluster.listen.clone();
    let at = |port: u16| SocketAddr::from(([127, 0, 0, 1], port));
    let clients = [listen.tcp, listen.http, listen.websocket, listen.sse];
    let expected: BTreeMap<SocketAddr, usize> = clients
        .into_iter()
        .flatten()
        .map(|port| (at(port), usize::from(SOCKETS)))
        .chain(listen.pages().map(|(_, page)| (page, 1)))
        .collect();
    assert_eq!(counts(&running).await, expected);
    all_are_served(&running).await;
    running.reload().await;
    assert_eq!(counts(&running).await, expected);
    all_are_served(&running).await;
    let health = get(Ipv4Addr::LOCALHOST, listen.status.unwrap().port(), "/health", &[]).await;
    assert!(health.contains("\"status\":\"up\""), "{health}");
    // Neither process has opened a socket itself.
    assert_eq!(running.open_listeners(), expected);
    assert!(!running.log().contains("[ALERT]"), "{}", running.log());
}
