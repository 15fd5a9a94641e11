//! Streamable HTTP: sessions and their streams.

use reqwest::header::{ACCEPT, CONTENT_TYPE};
use reqwest::{Method, RequestBuilder, Response};

use super::events::Events;
use super::http::web;
use super::*;

const BOTH: &str = "application/json, text/event-stream";

/// A client with a session.
struct Guest {
    url: String,
    session: String,
}

impl Guest {
    async fn introduced_to(node: &Running) -> Guest {
        connect(node.http).await;
        let mut guest = Guest {
            url: format!("http://{}/mcp", node.http),
            session: String::new(),
        };
        let params = json!({"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}});
        let response = guest.post(&request(1, "initialize", params)).await;
        assert_eq!(response.status(), 200);
        response.headers()["mcp-session-id"]
            .to_str()
            .unwrap()
            .clone_into(&mut guest.session);
        assert_eq!(guest.session.len(), 32);
        guest
    }

    fn request(&self, method: Method) -> RequestBuilder {
        let request = web().request(method, &self.url).header(ACCEPT, BOTH);
        if self.session.is_empty() {
            request
        } else {
            request.header("mcp-session-id", &self.session)
        }
    }

    async fn post(&self, message: &Value) -> Response {
        let request = self
            .request(Method::POST)
            .header(CONTENT_TYPE, "application/json");
        request.body(message.to_string()).send().await.unwrap()
    }

    async fn listen(&self) -> Events {
        Events::of(self.request(Method::GET).send().await.unwrap())
    }

    async fn notify(&self, text: &str) {
        let answer = self.post(&call(2, "notify", json!({"message": text}))).await;
        let answer: Value = answer.json().await.unwrap();
        assert_eq!(answer["result"]["isError"], false, "{answer}");
    }
}

async fn next_text(events: &mut Events) -> Option<String> {
    let message = events.message().await?;
    assert_eq!(message["method"], "notifications/message");
    Some(message["params"]["data"].as_str().unwrap().to_owned())
}

#[tokio::test]
async fn each_session_receives_only_its_own_messages() {
    let node = Running::start();
    let one = Guest::introduced_to(&node).await;
    let two = Guest::introduced_to(&node).await;
    assert_ne!(one.session, two.session);
    // Before there is a stream: the message waits.
    one.notify("first").await;
    let mut to_one = one.listen().await;
    let mut to_two = two.listen().await;
    assert_eq!(next_text(&mut to_one).await.unwrap(), "first");
    for number in 0..20 {
        two.notify(&format!("two {number}")).await;
        one.notify(&format!("one {number}")).await;
    }
    for number in 0..20 {
        assert_eq!(next_text(&mut to_one).await.unwrap(), format!("one {number}"));
        assert_eq!(next_text(&mut to_two).await.unwrap(), format!("two {number}"));
    }
    node.stop().await;
    assert_eq!(next_text(&mut to_one).await, None);
    assert_eq!(next_text(&mut to_two).await, None);
}

#[tokio::test]
async fn a_newer_stream_takes_over() {
    let node = Running::start();
    let guest = Guest::introduced_to(&node).await;
    let mut old = guest.listen().await;
    guest.notify("to the old").await;
    assert_eq!(next_text(&mut old).await.unwrap(), "to the old");
    let mut new = guest.listen().await;
    assert_eq!(next_text(&mut old).await, None);
    guest.notify("to the new").await;
    assert_eq!(next_text(&mut new).await.unwrap(), "to the new");
    node.stop().await;
}

#[tokio::test]
async fn ending_a_session_ends_its_stream() {
    let node = Running::start();
    let guest = Guest::introduced_to(&node).await;
    let mut events = guest.listen().await;
    let ended = guest.request(Method::DELETE).send().await.unwrap();
    assert_eq!(ended.status(), 204);
    assert_eq!(next_text(&mut events).await, None);

    let ping = request(1, "ping", json!({}));
    let lost = guest.post(&ping).await;
    assert_eq!(lost.status(), 404);
    assert_eq!(lost.json::<Value>().await.unwrap()["error"]["code"], -32001);
    for method in [Method::GET, Method::DELETE] {
        assert_eq!(guest.request(method).send().await.unwrap().status(), 404);
    }
    node.stop().await;
}

#[tokio::test]
async fn get_and_delete_need_a_session() {
    let node = Running::start();
    let guest = Guest::introduced_to(&node).await;
    let stranger = Guest {
        session: String::new(),
        ..guest
    };
    let ping = stranger.post(&request(1, "ping", json!({}))).await;
    assert_eq!(ping.status(), 200);
    assert!(!ping.headers().contains_key("mcp-session-id"));
    let answer = stranger.post(&call(2, "notify", json!({"message": "x"}))).await;
    assert_eq!(answer.json::<Value>().await.unwrap()["result"]["isError"], true);
    for method in [Method::GET, Method::DELETE] {
        assert_eq!(stranger.request(method).send().await.unwrap().status(), 400);
    }
    for session in ["x", "ä", &"0".repeat(32), &"f".repeat(10_000)] {
        let stranger = Guest {
            session: session.to_owned(),
            url: stranger.url.clone(),
        };
        assert_eq!(stranger.post(&request(1, "ping", json!({}))).await.status(), 404);
    }
    node.stop().await;
}

#[tokio::test]
async fn slow_answers_are_streamed_with_their_progress() {
    let node = Running::start();
    let guest = Guest::introduced_to(&node).await;
    let mut sleep = call("s", "sleep", json!({"milliseconds": 40}));
    sleep["params"]["_meta"] = json!({"progressToken": 7});
    let mut events = Events::of(guest.post(&sleep).await);
    for step in 1..4 {
        let message = events.message().await.unwrap();
        assert_eq!(message["method"], "notifications/progress");
        assert_eq!(message["params"]["progressToken"], 7);
        assert_eq!(message["params"]["progress"], f64::from(step) * 0.01);
    }
    assert_eq!(events.message().await.unwrap()["id"], "s");
    assert_eq!(events.message().await, None);

    let simple = guest.post(&call(1, "echo", json!({"message": "x"}))).await;
    assert_eq!(simple.headers()[CONTENT_TYPE], "application/json");
    node.stop().await;
}

#[tokio::test]
async fn a_request_can_be_cancelled_from_another_connection_of_its_session_only() {
    let node = Running::start();
    let guest = Guest::introduced_to(&node).await;
    let other = Guest::introduced_to(&node).await;
    let mut events = Events::of(guest.post(&call("s", "sleep", json!({"seconds": 300}))).await);
    let cancel = json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": "s"}});
    let mut sleep = call("s", "sleep", json!({"milliseconds": 50}));
    sleep["params"]["_meta"] = json!({"progressToken": "t"});
    let mut undisturbed = Events::of(other.post(&sleep).await);
    undisturbed.message().await.unwrap();
    assert_eq!(guest.post(&cancel).await.status(), 202);
    assert_eq!(events.message().await.unwrap()["error"]["code"], -32800);
    while let Some(message) = undisturbed.message().await {
        assert!(message["error"].is_null());
    }
    node.stop().await;
}

#[tokio::test]
async fn a_stream_that_is_not_read_is_closed() {
    let node = Running::start();
    let guest = Guest::introduced_to(&node).await;
    // By hand, with a small receive buffer that is never read.
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    let mut stream = socket.connect(node.http).await.unwrap();
    let get = format!(
        "GET /mcp HTTP/1.1\r\nhost: x\r\naccept: text/event-stream\r\nmcp-session-id: {}\r\n\r\n",
        guest.session
    );
    stream.write_all(get.as_bytes()).await.unwrap();
    let mut head = [0; 12];
    tokio::io::AsyncReadExt::read_exact(&mut stream, &mut head)
        .await
        .unwrap();
    assert_eq!(&head, b"HTTP/1.1 200");

    let batch: Vec<Value> = (0..100)
        .map(|id| call(id, "notify", json!({"message": "x".repeat(4000)})))
        .collect();
    let batch = Value::from(batch);
    let cut = async {
        loop {
            let answers: Value = guest.post(&batch).await.json().await.unwrap();
            let lost = |answer: &Value| answer["result"]["isError"] == true;
            if answers.as_array().unwrap().iter().any(lost) {
                return;
            }
        }
    };
    tokio::time::timeout(DEADLINE, cut).await.unwrap();
    // The session continues, with a new stream.
    let mut events = guest.listen().await;
    guest.notify("still here").await;
    while next_text(&mut events).await.unwrap() != "still here" {}
    drop(events);
    let end = async {
        while tokio::io::AsyncReadExt::read(&mut stream, &mut [0; 4096])
            .await
            .is_ok_and(|read| read > 0)
        {}
    };
    tokio::time::timeout(DEADLINE, end).await.unwrap();
    node.stop().await;
}

#[tokio::test]
async fn the_shutdown_of_a_node_ends_its_streams_at_once() {
    let node = Running::start();
    let guest = Guest::introduced_to(&node).await;
    let mut events = guest.listen().await;
    node.end.cancel();
    assert_eq!(next_text(&mut events).await, None);
    node.stop().await;
}
