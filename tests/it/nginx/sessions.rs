//! Sessions stay with their nodes behind nginx.

use super::running::Running;
use crate::sessions;

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
