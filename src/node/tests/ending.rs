//! The end of a node: announced, closed over a time, or at once.

use reqwest::StatusCode;

use super::http::web;
use super::*;

impl Running {
    async fn page(&self, path: &str) -> (StatusCode, Value) {
        let response = web()
            .get(format!("http://{}{path}", self.http))
            .send()
            .await
            .unwrap();
        let status = response.status();
        (
            status,
            serde_json::from_str(&response.text().await.unwrap()).unwrap(),
        )
    }
}

const LONG: Duration = Duration::from_hours(1);

#[tokio::test]
async fn an_announced_end_makes_the_node_unready_while_it_still_accepts() {
    let node = Running::start_with(|settings| settings.announce = LONG);
    connect(node.http).await;
    let (status, body) = node.page("/ready").await;
    assert_eq!((status, &body["status"]), (StatusCode::OK, &json!("up")));
    assert_eq!(body["node"], "erlmcp1");
    let live = (StatusCode::OK, json!({"status": "live"}));
    assert_eq!(node.page("/live").await, live);
    let mut held = node.connect().await;
    held.ping().await;
    node.end.cancel();
    loop {
        let (status, body) = node.page("/ready").await;
        if status == StatusCode::SERVICE_UNAVAILABLE {
            assert_eq!(body["status"], "stopping");
            break;
        }
    }
    assert_eq!(node.page("/live").await, live);
    assert_eq!(node.page("/health").await.0, StatusCode::OK);
    node.connect().await.ping().await;
    held.ping().await;
    // Another signal skips the rest.
    node.at_once.cancel();
    assert_eq!(held.line().await, None);
    node.stop().await;
}

#[tokio::test]
async fn connections_are_closed_one_after_another() {
    let node = Running::start_with(|settings| settings.over = LONG);
    let (mut first, mut second) = (node.connect().await, node.connect().await);
    first.ping().await;
    second.ping().await;
    node.end.cancel();
    // The first turn is due at once, the next one in half of the time.
    let closed = tokio::time::timeout(DEADLINE, async {
        tokio::select! {
            line = first.line() => { assert_eq!(line, None); &mut second }
            line = second.line() => { assert_eq!(line, None); &mut first }
        }
    });
    let left = closed.await.unwrap();
    left.ping().await;
    node.at_once.cancel();
    assert_eq!(left.line().await, None);
    node.stop().await;
}

#[tokio::test]
async fn a_stream_ends_with_its_connection() {
    let node = Running::start_with(|settings| settings.over = LONG);
    let mut connected = connect(node.http).await;
    connected
        .write_all(b"GET /mcp/sse HTTP/1.1\r\nhost: x\r\naccept: text/event-stream\r\n\r\n")
        .await
        .unwrap();
    let mut read = BufReader::new(connected);
    let mut line = String::new();
    while !line.contains("endpoint") {
        assert!(read.read_line(&mut line).await.unwrap() > 0);
    }
    node.end.cancel();
    node.at_once.cancel();
    let end = tokio::io::AsyncReadExt::read_to_string(&mut read, &mut line);
    let _reset_or_end = tokio::time::timeout(DEADLINE, end).await.unwrap();
    node.stop().await;
}

#[tokio::test]
async fn a_full_node_is_alive_and_not_ready() {
    let node = Running::start_with(|settings| settings.max_connections = 1);
    let mut held = node.welcome().await;
    held.ping().await;
    let (status, body) = node.page("/ready").await;
    assert_eq!(
        (status, &body["status"]),
        (StatusCode::SERVICE_UNAVAILABLE, &json!("full"))
    );
    assert_eq!(node.page("/live").await.0, StatusCode::OK);
    let posted = web()
        .post(format!("http://{}/live", node.http))
        .send()
        .await
        .unwrap();
    assert_eq!(posted.status(), StatusCode::METHOD_NOT_ALLOWED);
    node.stop().await;
}
