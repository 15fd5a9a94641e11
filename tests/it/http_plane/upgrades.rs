//! `WebSocket`: bytes pass in both directions once the node has agreed.

use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

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
fn a_client_that_still_sends_gets_the_last_bytes_of_its_node() {
    // Until the client reads, some of it stays in the data plane's send queue.
    let text = "x".repeat(150_000);
    let last = text.clone();
    let node = Node::serving(move |_, connection| {
        connection.head().unwrap();
        connection.send(format!("{SWITCHED}{last}"));
        connection.finish();
        connection.drain();
    });
    let plane = plane(&[&node]);
    for number in 0..5 {
        let mut client = Raw::connect(&plane);
        client.send(UPGRADE);
        client.head();
        let mut sender = client.0.try_clone().unwrap();
        let ended = Arc::new(AtomicBool::new(false));
        let stop = Arc::clone(&ended);
        let sending = thread::spawn(move || {
            while !stop.load(Ordering::SeqCst) && sender.write_all(&[b'y'; 1000]).is_ok() {
                thread::yield_now();
            }
        });
        node.waits_for_close(number);
        assert_eq!(client.rest().len(), text.len());
        ended.store(true, Ordering::SeqCst);
        drop(client);
        sending.join().unwrap();
    }
}

#[test]
fn a_node_that_still_sends_gets_the_last_bytes_of_its_client() {
    let node = Node::serving(|_, connection| {
        connection.head().unwrap();
        connection.send(SWITCHED);
        connection.waits_for_release();
        connection.send("late");
        connection.drain();
    });
    let plane = plane(&[&node]);
    let mut client = Raw::connect(&plane);
    client.send(UPGRADE);
    client.head();
    let before = node.received().len();
    // Until the node reads, some of it stays in the data plane's send queue.
    let text = "y".repeat(400_000);
    client.send(&text);
    client.finish();
    assert_eq!(client.rest(), "");
    node.releases_one();
    node.waits_for_close(0);
    assert_eq!(node.received().len() - before, text.len());
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
