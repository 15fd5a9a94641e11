//! MCP over WebSocket.

use futures_util::{SinkExt, StreamExt};
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{WebSocketStream, client_async};

use super::http::web;
use super::*;
use crate::mcp::MAX_MESSAGE;

struct Guest(WebSocketStream<TcpStream>);

impl Guest {
    async fn of(node: &Running) -> Guest {
        Guest::with(node, &[("sec-websocket-protocol", "mcp")])
            .await
            .unwrap()
    }

    async fn with(node: &Running, headers: &[(&'static str, &'static str)]) -> Result<Guest, Error> {
        let mut request = format!("ws://{}/mcp/ws", node.http)
            .into_client_request()
            .unwrap();
        for (name, value) in headers {
            request.headers_mut().insert(*name, value.parse().unwrap());
        }
        let (socket, response) = client_async(request, connect(node.http).await).await?;
        assert_eq!(response.status(), 101);
        Ok(Guest(socket))
    }

    async fn send(&mut self, text: impl ToString) {
        self.0.send(Message::text(text.to_string())).await.unwrap();
    }

    async fn next(&mut self) -> Option<Message> {
        let message = tokio::time::timeout(DEADLINE, self.0.next()).await.unwrap()?;
        Some(message.unwrap())
    }

    async fn message(&mut self) -> Value {
        serde_json::from_str(self.next().await.unwrap().to_text().unwrap()).unwrap()
    }

    async fn ask(&mut self, message: &Value) -> Value {
        self.send(message).await;
        self.message().await
    }

    async fn close_code(&mut self) -> CloseCode {
        match self.next().await {
            Some(Message::Close(Some(frame))) => frame.code,
            other => panic!("no close frame: {other:?}"),
        }
    }
}

#[tokio::test]
async fn a_conversation() {
    let node = Running::start();
    let mut guest = Guest::of(&node).await;
    let params = json!({"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}});
    let answer = guest.ask(&request(1, "initialize", params)).await;
    assert_eq!(answer["result"]["serverInfo"]["name"], "erlmcp1");
    guest
        .send(json!({"jsonrpc": "2.0", "method": "notifications/initialized"}))
        .await;
    let received = guest.ask(&call(2, "notify", json!({"message": "hello"}))).await;
    assert_eq!(received["params"]["data"], "hello");
    assert_eq!(guest.message().await["id"], 2);

    let mut sleep = call(3, "sleep", json!({"milliseconds": 40}));
    sleep["params"]["_meta"] = json!({"progressToken": "t"});
    guest.send(sleep).await;
    for _ in 0..3 {
        assert_eq!(guest.message().await["params"]["progressToken"], "t");
    }
    assert_eq!(guest.message().await["id"], 3);
    assert_eq!(guest.ask(&json!("garbage")).await["error"]["code"], -32600);

    guest.0.send(Message::Ping("x".into())).await.unwrap();
    assert_eq!(guest.next().await, Some(Message::Pong("x".into())));
    guest.0.close(None).await.unwrap();
    assert!(matches!(guest.next().await, Some(Message::Close(_))));
    assert_eq!(guest.next().await, None);
    node.stop().await;
}

#[tokio::test]
async fn a_message_of_16_mib_is_echoed_and_a_longer_one_closes() {
    let node = Running::start();
    let mut guest = Guest::of(&node).await;
    let frame = call(1, "echo", json!({"message": ""})).to_string().len();
    let text = "x".repeat(MAX_MESSAGE - frame);
    let largest = call(1, "echo", json!({"message": text}));
    // An answer is a little longer than the text that it returns.
    guest.send(&largest).await;
    let answer = tokio::time::timeout(DEADLINE, guest.0.next()).await.unwrap();
    match answer {
        Some(Ok(text)) => assert!(text.len() > MAX_MESSAGE - frame),
        Some(Err(Error::Capacity(_))) => {}
        other => panic!("{other:?}"),
    }
    let mut guest = Guest::of(&node).await;
    guest.send(format!("{largest} ")).await;
    assert_eq!(guest.close_code().await, CloseCode::Size);
    node.stop().await;
}

#[tokio::test]
async fn frames_without_text_close_the_connection() {
    let node = Running::start();
    let mut guest = Guest::of(&node).await;
    guest.0.send(Message::binary(b"{}".as_slice())).await.unwrap();
    assert_eq!(guest.close_code().await, CloseCode::Unsupported);

    let mut guest = Guest::of(&node).await;
    // A frame that is not masked: clients must mask.
    guest.0.get_mut().write_all(b"\x81\x02{}").await.unwrap();
    assert_eq!(guest.close_code().await, CloseCode::Protocol);
    node.stop().await;
}

#[tokio::test]
async fn only_handshakes_of_allowed_pages_are_accepted() {
    let node = Running::start();
    let refused = |outcome: Result<Guest, Error>| match outcome {
        Err(Error::Http(response)) => response.status().as_u16(),
        Err(other) => panic!("{other}"),
        Ok(_) => 101,
    };
    for (headers, status) in [
        (&[][..], 101),
        (&[("origin", "http://localhost:3000")], 101),
        (&[("origin", "https://evil.example")], 403),
        (&[("mcp-protocol-version", "1999-01-01")], 400),
        (&[("sec-websocket-version", "8")], 426),
    ] {
        assert_eq!(refused(Guest::with(&node, headers).await), status, "{headers:?}");
    }
    let plain = web().get(format!("http://{}/mcp/ws", node.http)).send().await;
    let plain = plain.unwrap();
    assert_eq!(plain.status(), 426);
    assert_eq!(plain.headers()["upgrade"], "websocket");
    node.stop().await;
}

#[tokio::test]
async fn a_websocket_takes_one_slot_and_a_full_node_refuses() {
    let node = Running::start_with(|settings| settings.max_connections = 1);
    let mut guest = Guest::of(&node).await;
    match Guest::with(&node, &[]).await {
        Err(Error::Http(response)) => assert_eq!(response.status(), 503),
        _ => panic!("accepted"),
    }
    guest.ask(&request(1, "ping", json!({}))).await;
    drop(guest);
    node.welcome().await.ping().await;
    node.stop().await;
}

#[tokio::test]
async fn the_shutdown_answers_requests_and_closes_with_a_code() {
    let node = Running::start();
    let mut idle = Guest::of(&node).await;
    let mut busy = Guest::of(&node).await;
    busy.send(call("s", "sleep", json!({"milliseconds": 100}))).await;
    busy.ask(&request(1, "ping", json!({}))).await;
    node.end.cancel();
    assert_eq!(idle.close_code().await, CloseCode::Away);
    assert_eq!(busy.message().await["id"], "s");
    assert_eq!(busy.close_code().await, CloseCode::Away);
    drop((idle, busy));
    node.stop().await;
}

#[tokio::test]
async fn a_client_that_does_not_read_is_not_read() {
    let node = Running::start();
    let mut guest = Guest::of(&node).await;
    let message = call(1, "echo", json!({"message": "x".repeat(1_000_000)})).to_string();
    let mut sent = 0;
    // Ends when the kernel's buffers are full in both directions and the node holds one answer
    // back.
    while tokio::time::timeout(
        Duration::from_millis(300),
        guest.0.send(Message::text(message.as_str())),
    )
    .await
    .is_ok()
    {
        sent += 1;
        assert!(sent < 100, "the node buffers without end");
    }
    for _ in 0..sent {
        assert_eq!(guest.message().await["id"], 1);
    }
    drop(guest);
    node.stop().await;
}
