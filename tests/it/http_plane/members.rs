//! Nodes that come and go while clients of HTTP are connected.

use clusterctl::dataplane_config::DataplaneHttpBackend;

use super::node::Node;
use super::{Raw, plane, plane_with, with_length};
use crate::harness::eventually;

#[test]
fn cookies_and_sessions_of_a_node_that_is_gone_go_to_another_one() {
    let answer = |number| {
        Node::answering(format!(
            "HTTP/1.1 200 OK\r\nMcp-Session-Id: abc\r\nContent-Length: 1\r\n\r\n{number}"
        ))
    };
    let (one, two) = (answer(1), answer(2));
    let mut plane = plane_with(&[&one, &two], |config| {
        config.backends[0].http = Some(DataplaneHttpBackend {
            follows_sessions: true,
            names_sessions: true,
            cookie: Some("SERVERID".to_owned()),
            ..DataplaneHttpBackend::default()
        });
    });
    let mut client = Raw::connect(&plane);
    let belongs =
        "GET /mcp HTTP/1.1\r\nHost: a\r\nMcp-Session-Id: abc~node1\r\nCookie: SERVERID=node1\r\n\r\n";
    client.send(belongs);
    assert_eq!(client.answer().body, "1");
    plane.configure(|config| {
        config.backends[0].servers.remove(0);
    });
    plane.reload();
    for _ in 0..3 {
        client.send(belongs);
        let answer = client.answer();
        assert_eq!(answer.body, "2");
        assert_eq!(
            answer.header("set-cookie"),
            Some("SERVERID=node2; path=/; HttpOnly")
        );
    }
    // The node decides about an id that names no node.
    assert!(two.received().contains("Mcp-Session-Id: abc~node1\r\n"));
}

#[test]
fn a_request_to_a_node_that_is_gone_is_answered() {
    let slow = Node::serving(|_, connection| {
        while connection.request().is_some() {
            connection.waits_for_release();
            connection.send(with_length(200, "slow"));
        }
    });
    let other = Node::answering(with_length(200, "other"));
    let mut plane = plane(&[&slow]);
    let mut client = Raw::connect(&plane);
    client.send("POST /mcp HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi");
    slow.waits_for_bytes(0);
    plane.configure(|config| {
        let server = &mut config.backends[0].servers[0];
        (server.name, server.id, server.address) = ("node2".to_owned(), 2, other.address);
    });
    plane.reload();
    slow.releases_one();
    assert_eq!(client.answer().body, "slow");
    assert_eq!(client.get().body, "other");
}

#[test]
fn deleting_a_node_closes_the_idle_connections_to_it() {
    let (one, two) = (
        Node::answering(with_length(200, "1")),
        Node::answering(with_length(200, "2")),
    );
    let plane = plane(&[&one]);
    let address = two.address;
    let added = plane.ask(&format!("add server nodes/new {address} enabled weight 256"));
    assert_eq!(added.trim(), "New server registered.");
    let mut client = Raw::connect(&plane);
    eventually("the new node serves", || (client.get().body == "2").then_some(()));
    plane.order("set server nodes/new state maint");
    assert_eq!(plane.ask("del server nodes/new").trim(), "Server deleted.");
    two.waits_for_close(0);
    assert!((0..4).all(|_| client.get().body == "1"));
}
