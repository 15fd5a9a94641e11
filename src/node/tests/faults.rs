//! Deliberate faults.

use super::http::web;
use super::*;
use crate::node::{Faults, Port};

#[tokio::test]
async fn a_slow_node_answers_later() {
    let delay = Duration::from_millis(50);
    let node = Running::start_with(|settings| settings.faults.delay = delay);
    let mut client = node.connect().await;
    for id in 0..3 {
        client.send_message(&request(id, "ping", json!({}))).await;
    }
    for id in 0..3 {
        assert_eq!(client.line().await.unwrap()["id"], id);
    }
    let health = web().get(format!("http://{}/health", node.http));
    let began = std::time::Instant::now();
    assert_eq!(health.send().await.unwrap().status(), 200);
    assert!(began.elapsed() >= delay);
    node.stop().await;
}

#[tokio::test]
async fn a_mute_port_accepts_without_an_answer_and_the_other_works() {
    let mute = Faults {
        mute: Some(Port::Http),
        ..Faults::default()
    };
    let node = Running::start_with(|settings| settings.faults = mute);
    let mut client = node.connect().await;
    client.ping().await;
    let mut http = connect(node.http).await;
    http.write_all(b"GET /health HTTP/1.1\r\nhost: x\r\n\r\n")
        .await
        .unwrap();
    client.ping().await;
    assert!(
        futures_util::FutureExt::now_or_never(tokio::io::AsyncReadExt::read(&mut http, &mut [0])).is_none()
    );
    node.stop().await;
}
