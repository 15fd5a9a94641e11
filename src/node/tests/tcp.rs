//! MCP over TCP: conversations, bad input, limits, shutdown.

use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::TestRunner;
use socket2::SockRef;

use super::*;
use crate::mcp::MAX_MESSAGE;

#[tokio::test]
async fn a_conversation() {
    let node = Running::start();
    let mut client = node.connect().await;
    let params = json!({"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}});
    let answer = client.ask(&request(1, "initialize", params)).await;
    assert_eq!(answer["result"]["serverInfo"]["name"], "erlmcp1");
    assert_eq!(answer["result"]["protocolVersion"], "2025-06-18");
    client
        .send(b"{\"jsonrpc\":\"2.0\",\"method\":\"notifications/initialized\"}\r\n")
        .await;
    client.ping().await;
    let answer = client.ask(&request(2, "tools/list", json!({}))).await;
    assert_eq!(answer["result"]["tools"][0]["inputSchema"]["type"], "object");
    let answer = client.ask(&call(3, "whoami", json!({}))).await;
    assert!(
        answer["result"]["content"][0]["text"]
            .as_str()
            .unwrap()
            .contains("\"erlmcp1\"")
    );
    node.stop().await;
    assert_eq!(client.line().await, None);
}

#[tokio::test]
async fn bad_input_is_answered_and_the_connection_lives() {
    let node = Running::start();
    let mut client = node.connect().await;
    for (line, code) in [
        (&b"garbage\n"[..], -32700),
        (b"{\"jsonrpc\":\"2.0\",\"id\":1,\n", -32700),
        (b"\xff\xfe\x00\n", -32700),
        (b"{}\n", -32600),
        (b"[]\n", -32600),
    ] {
        client.send(line).await;
        let answer = client.line().await.unwrap();
        assert_eq!(
            (&answer["id"], &answer["error"]["code"]),
            (&Value::Null, &json!(code))
        );
    }
    client.ping().await;
    node.stop().await;
}

#[tokio::test]
async fn garbage_does_not_end_a_connection() {
    let node = Running::start();
    let mut client = node.connect().await;
    let mut runner = TestRunner::deterministic();
    let lines = proptest::collection::vec(
        proptest::num::u8::ANY.prop_filter("line end", |byte| *byte != b'\n'),
        1..300,
    );
    for _ in 0..200 {
        let mut line = lines.new_tree(&mut runner).unwrap().current();
        let blank = line.trim_ascii().is_empty();
        line.push(b'\n');
        client.send(&line).await;
        if !blank {
            assert!(client.line().await.unwrap()["error"]["code"].is_i64());
        }
    }
    client.ping().await;
    node.stop().await;
}

#[tokio::test]
async fn a_message_can_arrive_byte_by_byte() {
    let node = Running::start();
    let mut client = node.connect().await;
    for byte in format!("{}\r\n", request(1, "ping", json!({}))).into_bytes() {
        client.send(&[byte]).await;
        tokio::task::yield_now().await;
    }
    assert_eq!(client.line().await.unwrap()["id"], 1);
    node.stop().await;
}

#[tokio::test]
async fn pipelined_requests_are_answered_in_order() {
    const COUNT: u32 = 20_000;
    let node = Running::start();
    let (reader, mut writer) = connect(node.tcp).await.into_split();
    let writing = tokio::spawn(async move {
        let all: Vec<u8> = (0..COUNT)
            .flat_map(|id| line(&request(id, "ping", json!({}))))
            .collect();
        writer.write_all(&all).await.unwrap();
        writer
    });
    let mut lines = BufReader::new(reader).lines();
    for id in 0..COUNT {
        let line = tokio::time::timeout(DEADLINE, lines.next_line())
            .await
            .unwrap()
            .unwrap()
            .unwrap();
        assert_eq!(line, format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{{}}}}"#));
    }
    writing.await.unwrap();
    node.stop().await;
}

#[tokio::test]
async fn a_sleep_does_not_delay_other_requests() {
    let node = Running::start();
    let mut sleeper = node.connect().await;
    let sleep = call("s", "sleep", json!({"seconds": 300}));
    sleeper.send_message(&sleep).await;
    sleeper.ping().await;
    node.connect().await.ping().await;
    let short = call("short", "sleep", json!({"milliseconds": 1}));
    assert_eq!(sleeper.ask(&short).await["id"], "short");
    drop(sleeper);
    node.stop().await;
}

#[tokio::test]
async fn more_sleeps_than_the_limit_are_all_answered() {
    let node = Running::start();
    let mut client = node.connect().await;
    let sleep = |id| line(&call(id, "sleep", json!({"milliseconds": 1})));
    let all: Vec<u8> = (0..500).flat_map(sleep).collect();
    client.send(&all).await;
    let mut ids = Vec::new();
    for _ in 0..500 {
        ids.push(client.line().await.unwrap()["id"].as_u64().unwrap());
    }
    ids.sort_unstable();
    assert!(ids.into_iter().eq(0..500));
    node.stop().await;
}

#[tokio::test]
async fn a_message_of_16_mib_is_echoed_and_a_longer_one_refused() {
    let node = Running::start();
    let (mut reader, mut writer) = connect(node.tcp).await.into_split();
    let frame = call(1, "echo", json!({"message": ""})).to_string().len();
    let text = "x".repeat(MAX_MESSAGE - frame);
    let message = format!("{}\n", call(1, "echo", json!({"message": text})));
    let writing = tokio::spawn(async move {
        writer.write_all(message.as_bytes()).await.unwrap();
        writer
    });
    let mut lines = BufReader::new(&mut reader).lines();
    let line = tokio::time::timeout(DEADLINE, lines.next_line())
        .await
        .unwrap()
        .unwrap()
        .unwrap();
    let answer: Value = serde_json::from_str(&line).unwrap();
    assert_eq!(
        answer["result"]["content"][0]["text"].as_str().map(str::len),
        Some(text.len())
    );

    let mut writer = writing.await.unwrap();
    // Written to the end, though it is refused in the middle: the answer must arrive.
    writer
        .write_all(&vec![b'x'; MAX_MESSAGE + 1_000_000])
        .await
        .unwrap();
    let line = tokio::time::timeout(DEADLINE, lines.next_line())
        .await
        .unwrap()
        .unwrap()
        .unwrap();
    assert!(
        line.contains("-32600") && line.contains("more than 16777216 bytes"),
        "{line}"
    );
    assert_eq!(lines.next_line().await.unwrap(), None);
    node.stop().await;
}

#[tokio::test]
async fn a_client_that_does_not_read_is_not_read() {
    let node = Running::start();
    let mut client = node.connect().await;
    let message = format!("{}\n", call(1, "echo", json!({"message": "x".repeat(1_000_000)})));
    let mut sent = 0;
    // Ends when the kernel's buffers are full in both directions and the node holds one answer
    // back.
    while tokio::time::timeout(Duration::from_millis(300), client.0.write_all(message.as_bytes()))
        .await
        .is_ok()
    {
        sent += 1;
        assert!(sent < 100, "the node buffers without end");
    }
    for _ in 0..sent {
        assert_eq!(client.line().await.unwrap()["id"], 1);
    }
    drop(client);
    node.stop().await;
}

#[tokio::test]
async fn a_client_that_closed_its_sending_side_gets_the_answers() {
    let node = Running::start();
    let mut client = node.connect().await;
    let sleep = call("later", "sleep", json!({"milliseconds": 20}));
    // The last one without a line end.
    client
        .send(format!("{sleep}\n{}", request("now", "ping", json!({}))).as_bytes())
        .await;
    client.0.shutdown().await.unwrap();
    assert_eq!(client.line().await.unwrap()["id"], "now");
    assert_eq!(client.line().await.unwrap()["id"], "later");
    assert_eq!(client.line().await, None);
    node.stop().await;
}

#[tokio::test]
async fn a_full_node_refuses_and_serves_again_later() {
    let node = Running::start_with(|settings| settings.max_connections = 2);
    let mut first = node.connect().await;
    let mut second = node.connect().await;
    first.ping().await;
    second.ping().await;
    let mut third = node.connect().await;
    assert_eq!(
        third.line().await.unwrap()["error"]["message"],
        "too many connections"
    );
    assert_eq!(third.line().await, None);
    drop(first);
    node.welcome().await.ping().await;
    second.ping().await;
    node.stop().await;
}

#[tokio::test]
async fn reset_connections_free_their_places() {
    let node = Running::start_with(|settings| settings.max_connections = 10);
    let sleep = call(1, "sleep", json!({"seconds": 60}));
    for round in 0..20 {
        let mut clients = Vec::new();
        for _ in 0..10 {
            let mut client = node.welcome().await;
            if round % 2 == 1 {
                client.send_message(&sleep).await;
            }
            clients.push(client);
        }
        for client in clients {
            SockRef::from(client.0.get_ref())
                .set_linger(Some(Duration::ZERO))
                .unwrap();
        }
    }
    node.stop().await;
}

#[tokio::test]
async fn the_shutdown_closes_idle_connections_and_answers_requests() {
    let node = Running::start();
    let mut idle = node.connect().await;
    let mut busy = node.connect().await;
    idle.ping().await;
    let sleep = call("s", "sleep", json!({"milliseconds": 100}));
    busy.send_message(&sleep).await;
    busy.ping().await;
    node.end.cancel();
    assert_eq!(idle.line().await, None);
    assert_eq!(busy.line().await.unwrap()["id"], "s");
    assert_eq!(busy.line().await, None);
    node.stop().await;
}
