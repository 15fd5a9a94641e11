//! Sessions stay with their nodes behind nginx.

use clusterctl::profile::Sticky;

use super::running::Running;
use crate::haproxy::running::free_ports;
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
async fn a_session_comes_back_when_its_node_does() {
    let running = Running::start(|_| {}).await;
    let at = running.entrance();
    let session = at.begin(1, "s").await;
    running.take_away(&[&session.node]).await;
    sessions::is_served_by_others(at, &session).await;
    running.take_away(&[]).await;
    at.keeps(&session).await;
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
