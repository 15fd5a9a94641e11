//! Sessions stay with their nodes behind HAProxy, whatever happens to its process.

use clusterctl::balancer::Expected;

use super::running::Running;
use crate::sessions;

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
