//! `WebSocket`: bytes pass in both directions once the node has agreed.

use super::node::Node;
use super::{Raw, header, plane, with_length};

const UPGRADE: &str = "GET /mcp HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
                       Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";
const SWITCHED: &str = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
                        Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";

#[test]
fn bytes_pass_after_the_switch_and_not_before() {
    let node = Node::serving(|_, connection| {
        let head = connection.head().unwrap();
        assert_eq!(header(&head, "upgrade"), Some("websocket"));
        assert_eq!(
            header(&head, "connection")
                .map(str::to_ascii_lowercase)
                .as_deref(),
            Some("upgrade")
        );
        // The client's early bytes are not here yet.
        connection.waits_for_release();
        connection.send(format!("{SWITCHED}hello"));
        assert_eq!(connection.exactly(5).unwrap(), b"early");
        assert_eq!(connection.exactly(4).unwrap(), b"late");
        connection.send("bye");
    });
    let plane = plane(&[&node]);
    let mut client = Raw::connect(&plane);
    client.send(format!("{UPGRADE}early"));
    node.waits_for_bytes(0);
    assert!(!node.received().contains("early"), "{}", node.received());
    node.releases_one();
    let head = client.head();
    assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
    assert_eq!(header(&head, "upgrade"), Some("websocket"));
    assert!(header(&head, "sec-websocket-accept").is_some());
    assert_eq!(client.exactly(5), "hello");
    client.send("late");
    assert_eq!(client.rest_in_order(), "bye");
}

#[test]
fn a_refused_switch_is_an_answer() {
    let node = Node::serving(|_, connection| {
        while let Some((head, _)) = connection.request() {
            let path = head.split(' ').nth(1).unwrap().to_owned();
            connection.send(with_length(if path == "/mcp" { 400 } else { 200 }, &path));
        }
    });
    let plane = plane(&[&node]);
    let mut client = Raw::connect(&plane);
    // What came early is the next request.
    client.send(format!("{UPGRADE}GET /mcp/next HTTP/1.1\r\nHost: a\r\n\r\n"));
    assert_eq!(client.answer().status, 400);
    assert_eq!(client.answer().body, "/mcp/next");
}

#[test]
fn when_one_side_goes_the_other_one_is_closed() {
    let node = Node::serving(|_, connection| {
        connection.head().unwrap();
        connection.send(SWITCHED);
        connection.drain();
    });
    let plane = plane(&[&node]);
    let mut client = Raw::connect(&plane);
    client.send(UPGRADE);
    client.head();
    drop(client);
    node.waits_for_close(0);
}

#[test]
fn other_protocols_are_not_offered_to_nodes() {
    let node = Node::answering(with_length(200, "ok"));
    let plane = plane(&[&node]);
    for upgrade in ["h2c", "websocket, h2c", "TLS/1.0"] {
        let mut client = Raw::connect(&plane);
        client.send(format!(
            "GET /mcp HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: {upgrade}\r\n\r\n"
        ));
        assert_eq!(client.answer().body, "ok");
    }
    assert!(
        !node.received().to_ascii_lowercase().contains("upgrade"),
        "{}",
        node.received()
    );
}
