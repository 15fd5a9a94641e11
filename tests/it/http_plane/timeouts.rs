//! What takes too long.

use super::node::Node;
use super::{Raw, plane_with, with_length};

#[test]
fn a_slow_head_gets_408_and_a_silent_client_nothing() {
    let node = Node::answering(with_length(200, "ok"));
    let plane = plane_with(&[&node], |config| {
        config.timeouts.http_request = "300ms".parse().unwrap();
    });
    let mut client = Raw::connect(&plane);
    client.send("GET /mcp HTTP/1.1\r\n");
    let answer = client.rest_in_order_after_finish();
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
    assert_eq!(Raw::connect(&plane).rest_in_order(), "");
}

#[test]
fn a_silent_body_gets_408() {
    let node = Node::serving(|_, connection| connection.drain());
    let plane = plane_with(&[&node], |config| {
        config.timeouts.client = "300ms".parse().unwrap();
    });
    let mut client = Raw::connect(&plane);
    client.send("POST /mcp HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nabc");
    let answer = client.rest_in_order_after_finish();
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
    node.waits_for_close(0);
}

#[test]
fn a_silent_node_gets_504() {
    let node = Node::serving(|_, connection| connection.drain());
    let plane = plane_with(&[&node], |config| {
        config.timeouts.server = "300ms".parse().unwrap();
    });
    let mut client = Raw::connect(&plane);
    let answer = client.get();
    assert_eq!(answer.status, 504);
    node.waits_for_close(0);
    client.send("GET /other HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(client.answer().status, 404);
}

#[test]
fn a_full_queue_gets_503_after_its_time() {
    let node = Node::serving(|_, connection| {
        connection.request();
        connection.drain();
    });
    let plane = plane_with(&[&node], |config| {
        config.timeouts.queue = "300ms".parse().unwrap();
        config.backends[0].servers[0].maxconn = 1;
    });
    let mut first = Raw::connect(&plane);
    first.send("GET /mcp HTTP/1.1\r\nHost: a\r\n\r\n");
    node.waits_for_bytes(0);
    let answer = Raw::connect(&plane).get();
    assert_eq!((answer.status, answer.header("retry-after")), (503, Some("1")));
    plane.waits_for("BACKEND", "qcur", 0);
}

#[test]
fn an_idle_client_is_closed_after_its_time() {
    let node = Node::answering(with_length(200, "ok"));
    let plane = plane_with(&[&node], |config| {
        config.timeouts.keep_alive = "300ms".parse().unwrap();
    });
    let mut client = Raw::connect(&plane);
    client.get();
    assert_eq!(client.rest_in_order(), "");
}

#[test]
fn an_idle_connection_to_a_node_is_closed_after_its_time() {
    for (configured, announced) in [("300ms", ""), ("1h", "Keep-Alive: timeout=1\r\n")] {
        let node = Node::answering(format!(
            "HTTP/1.1 200 OK\r\n{announced}Content-Length: 2\r\n\r\nok"
        ));
        let plane = plane_with(&[&node], |config| {
            config.timeouts.node_keep_alive = configured.parse().unwrap();
        });
        assert_eq!(Raw::connect(&plane).get().body, "ok");
        node.waits_for_close(0);
    }
}

#[test]
fn a_stream_may_be_silent_for_longer_than_an_answer() {
    let node = Node::serving(|number, connection| {
        connection.request();
        if number > 0 {
            return connection.drain();
        }
        connection.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n");
        connection.waits_for_release();
        connection.send("1\r\nb\r\n0\r\n\r\n");
        connection.drain();
    });
    let plane = plane_with(&[&node], |config| {
        config.timeouts.server = "200ms".parse().unwrap();
        config.timeouts.client = "200ms".parse().unwrap();
    });
    let mut client = Raw::connect(&plane);
    client.send("GET /mcp HTTP/1.1\r\nHost: a\r\n\r\n");
    client.head();
    assert_eq!(client.exactly(6), "1\r\na\r\n");
    // Meanwhile an answer has taken longer than its limit.
    assert_eq!(Raw::connect(&plane).get().status, 504);
    node.releases_one();
    assert_eq!(client.exactly(6), "1\r\nb\r\n");
}

#[test]
fn a_node_that_does_not_read_gets_504_and_a_client_that_does_not_read_is_ended() {
    let large = with_length(200, &"x".repeat(20_000_000));
    let node = Node::serving(move |number, connection| {
        connection.head();
        if number == 0 {
            return connection.waits_for_release();
        }
        connection.send(&large);
        connection.drain();
    });
    let plane = plane_with(&[&node], |config| {
        config.timeouts.server = "500ms".parse().unwrap();
        config.timeouts.client = "1h".parse().unwrap();
    });
    let mut client = Raw::connect(&plane);
    client.send("POST /mcp HTTP/1.1\r\nHost: a\r\nContent-Length: 20000000\r\n\r\n");
    client.send_until_full("x");
    assert_eq!(client.answer().status, 504);
    node.releases_one();

    let mut plane = plane;
    plane.configure(|config| {
        config.timeouts.server = "1h".parse().unwrap();
        config.timeouts.client = "500ms".parse().unwrap();
    });
    plane.reload();
    let mut client = Raw::connect(&plane);
    client.send("GET /mcp HTTP/1.1\r\nHost: a\r\n\r\n");
    plane.waits_for("node1", "cli_abrt", 1);
    drop(client);
}
