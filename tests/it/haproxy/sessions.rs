//! Sessions stay with their nodes behind HAProxy, whatever happens to its process.

use clusterctl::balancer::Expected;
use clusterctl::profile::Sticky;

use super::running::{Running, free_ports};
use crate::sessions;

#[tokio::test]
async fn any_id_is_kept() {
    sessions::any_id_is_kept(Running::start(|_| {}).await.entrance()).await;
}

#[tokio::test]
async fn two_sessions_share_a_cookie_jar() {
    sessions::two_sessions_share_a_cookie_jar(Running::start(|_| {}).await.entrance()).await;
}

#[tokio::test]
async fn foreign_ids_pass_untouched() {
    sessions::foreign_ids_pass_untouched(Running::start(|_| {}).await.entrance()).await;
}

#[tokio::test]
async fn every_kind_of_request_reaches_the_session() {
    for sticky in [Sticky::Cookie, Sticky::McpSession, Sticky::Source] {
        let running = Running::start(|cluster| cluster.routing.http.sticky = sticky).await;
        sessions::every_kind_of_request_reaches_the_session(running.entrance()).await;
    }
}

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
    running.reload().await;
    sessions::is_served_by_others(at, &gone[0]).await;
    running.kill_and_start_again().await;
    sessions::is_served_by_others(at, &gone[0]).await;
    for session in &others {
        at.keeps(session).await;
    }
    running.write_orders(&[]);
    let expected = Expected {
        drained: true,
        up: true,
    };
    orders.ready(&running.socket, &drained, expected).await.unwrap();
    for session in &gone {
        at.keeps(session).await;
    }
    assert!(!running.log().contains("[ALERT]"), "{}", running.log());
}

#[tokio::test]
async fn a_session_whose_node_is_gone_is_served_elsewhere() {
    let [closed] = free_ports();
    let running = Running::start(|cluster| {
        cluster.nodes[1].http = Some(([127, 0, 0, 1], closed).into());
    })
    .await;
    for number in 1..=20 {
        let answer = running
            .entrance()
            .ask(number, &["Mcp-Session-Id: x~erlmcp2", "Cookie: SERVERID=erlmcp2"])
            .await;
        assert_ne!(answer.node, "erlmcp2");
    }
}
