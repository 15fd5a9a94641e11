//! Which node gets a request, and what happens when there is none.

use super::node::Node;
use super::{Raw, plane, plane_with, with_length};
use crate::harness::eventually;
use crate::plane::free_address;

#[test]
fn requests_take_turns() {
    let (one, two) = (
        Node::answering(with_length(200, "1")),
        Node::answering(with_length(200, "2")),
    );
    let plane = plane(&[&one, &two]);
    let mut client = Raw::connect(&plane);
    let bodies: Vec<String> = (0..6).map(|_| client.get().body).collect();
    assert_eq!(bodies.concat().replace("12", ""), "", "{bodies:?}");
}

#[test]
fn a_failed_connect_takes_another_node_within_the_request() {
    let one = Node::answering(with_length(200, "1"));
    let mut gone = Node::answering("");
    gone.address = free_address();
    let plane = plane(&[&gone, &one]);
    let mut client = Raw::connect(&plane);
    for _ in 0..4 {
        client.send("POST /mcp HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi");
        assert_eq!(client.answer().body, "1");
    }
}

#[test]
fn without_a_node_the_answer_is_503() {
    let node = Node::answering(with_length(200, "1"));
    let plane = plane(&[&node]);
    plane.order("set server nodes/node1 state maint");
    let mut client = Raw::connect(&plane);
    let answer = client.get();
    assert_eq!(answer.status, 503);
    assert_eq!(answer.header("retry-after"), Some("1"));
    let json: serde_json::Value = serde_json::from_str(&answer.body).unwrap();
    assert_eq!(json["error"]["code"], 503);
    plane.order("set server nodes/node1 state ready");
    assert_eq!(client.get().body, "1");
}

#[test]
fn a_full_node_makes_requests_wait() {
    let node = Node::serving(|_, connection| {
        while connection.request().is_some() {
            connection.waits_for_release();
            connection.send(with_length(200, "ok"));
        }
    });
    let plane = plane_with(&[&node], |config| config.backends[0].servers[0].maxconn = 1);
    let mut clients: Vec<Raw> = (0..3).map(|_| Raw::connect(&plane)).collect();
    for client in &mut clients {
        client.send("GET /mcp HTTP/1.1\r\nHost: a\r\n\r\n");
    }
    plane.waits_for("BACKEND", "qcur", 2);
    assert_eq!(plane.figure("node1", "scur"), 1);
    for _ in 0..3 {
        node.releases_one();
    }
    for client in &mut clients {
        assert_eq!(client.answer().body, "ok");
    }
}

#[test]
fn a_node_that_goes_down_answers_with_502_for_what_it_has() {
    let node = Node::serving(|_, connection| {
        connection.request();
        connection.drain();
    });
    let plane = plane(&[&node]);
    let mut client = Raw::connect(&plane);
    client.send("POST /mcp HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi");
    node.waits_for_bytes(0);
    plane.order("set server nodes/node1 health down");
    assert_eq!(client.answer().status, 502);
    node.waits_for_close(0);
}

#[test]
fn a_drained_process_closes_with_the_next_answer_and_ends() {
    let node = Node::answering(with_length(200, "ok"));
    let mut plane = plane(&[&node]);
    let mut client = Raw::connect(&plane);
    assert_eq!(client.get().header("connection"), None);
    plane.signal(nix::sys::signal::Signal::SIGUSR1);
    plane.waits_for_log("no connection is accepted any more");
    let answer = eventually("the worker drains", || {
        let answer = client.get();
        (answer.header("connection") == Some("close")).then_some(answer)
    });
    assert_eq!(answer.body, "ok");
    assert_eq!(client.rest_in_order(), "");
    assert!(plane.ends().success());
}
