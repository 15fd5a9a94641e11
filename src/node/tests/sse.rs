//! HTTP with SSE, of MCP 2024-11-05.

use reqwest::StatusCode;
use reqwest::header::CONTENT_TYPE;

use super::events::Events;
use super::http::web;
use super::*;

/// A client with a stream.
struct Guest {
    events: Events,
    /// The URL for POST.
    url: String,
}

impl Guest {
    async fn of(node: &Running) -> Guest {
        connect(node.http).await;
        let stream = web().get(format!("http://{}/mcp/sse", node.http)).send().await;
        let mut events = Events::of(stream.unwrap());
        let (name, path) = events.next().await.unwrap();
        assert_eq!(name, "endpoint");
        assert!(path.starts_with("/mcp/sse?sessionId="), "{path}");
        Guest {
            events,
            url: format!("http://{}{path}", node.http),
        }
    }

    async fn post(&self, body: impl ToString) -> StatusCode {
        let request = web().post(&self.url).header(CONTENT_TYPE, "application/json");
        request.body(body.to_string()).send().await.unwrap().status()
    }

    async fn ask(&mut self, message: &Value) -> Value {
        assert_eq!(self.post(message).await, 202);
        self.events.message().await.unwrap()
    }
}

#[tokio::test]
async fn a_conversation() {
    let node = Running::start();
    let mut guest = Guest::of(&node).await;
    let params = json!({"protocolVersion": "2024-11-05", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}});
    let answer = guest.ask(&request(1, "initialize", params)).await;
    assert_eq!(answer["result"]["protocolVersion"], "2024-11-05");
    let initialized = json!({"jsonrpc": "2.0", "method": "notifications/initialized"});
    assert_eq!(guest.post(&initialized).await, 202);
    let received = guest.ask(&call(2, "notify", json!({"message": "hello"}))).await;
    assert_eq!(received["params"]["data"], "hello");
    assert_eq!(guest.events.message().await.unwrap()["id"], 2);

    let sleep = call(3, "sleep", json!({"milliseconds": 30}));
    assert_eq!(guest.post(&sleep).await, 202);
    let answer = guest.ask(&request(4, "ping", json!({}))).await;
    assert_eq!(answer["id"], 4);
    assert_eq!(guest.events.message().await.unwrap()["id"], 3);
    assert_eq!(guest.post("garbage").await, 400);
    node.stop().await;
    assert_eq!(guest.events.next().await, None);
}

#[tokio::test]
async fn answers_come_on_the_stream_of_their_client() {
    let node = Running::start();
    let mut one = Guest::of(&node).await;
    let mut two = Guest::of(&node).await;
    for number in 0..20 {
        let to_one = call(number, "echo", json!({"text": "one"}));
        let to_two = call(number, "echo", json!({"text": "two"}));
        let (to_one, to_two) = tokio::join!(one.ask(&to_one), two.ask(&to_two));
        assert_eq!(to_one["result"]["content"][0]["text"], "one");
        assert_eq!(to_two["result"]["content"][0]["text"], "two");
    }
    node.stop().await;
}

#[tokio::test]
async fn a_session_ends_with_its_stream() {
    let node = Running::start();
    let Guest { events, url } = Guest::of(&node).await;
    drop(events);
    let gone = async {
        loop {
            let request = web().post(&url).header(CONTENT_TYPE, "application/json");
            let ping = request.body(request_text()).send().await.unwrap();
            if ping.status() == 404 {
                return;
            }
            assert_eq!(ping.status(), 202);
        }
    };
    tokio::time::timeout(DEADLINE, gone).await.unwrap();
    let nowhere = url.split_once('?').unwrap().0;
    for (url, status) in [(nowhere.to_owned(), 400), (format!("{nowhere}?sessionId=x"), 404)] {
        let request = web().post(url).header(CONTENT_TYPE, "application/json");
        let answer = request.body(request_text()).send().await.unwrap();
        assert_eq!(answer.status().as_u16(), status);
    }
    node.stop().await;
}

#[tokio::test]
async fn sessions_of_one_transport_are_unknown_to_the_other() {
    let node = Running::start();
    let guest = Guest::of(&node).await;
    let id = guest.url.split_once('=').unwrap().1;
    let (status, _) = node.post(&[("mcp-session-id", id)], request_text()).await;
    assert_eq!(status, 404);
    node.stop().await;
}

#[tokio::test]
async fn more_than_a_few_requests_at_once_are_refused() {
    let node = Running::start();
    let guest = Guest::of(&node).await;
    let sleep = call(1, "sleep", json!({"seconds": 300}));
    for _ in 0..64 {
        assert_eq!(guest.post(&sleep).await, 202);
    }
    assert_eq!(guest.post(&sleep).await, 503);
    node.stop().await;
}

fn request_text() -> String {
    request(1, "ping", json!({})).to_string()
}
