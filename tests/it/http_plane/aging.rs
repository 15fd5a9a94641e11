//! Connections end by their age, but never a request.

use std::time::Duration;

use super::node::Node;
use super::{Raw, plane_with, with_length};
use crate::harness::eventually;
use crate::plane::Plane;

fn short_lived(nodes: &[&Node]) -> Plane {
    plane_with(nodes, |config| {
        config.timeouts.max_age = Some(Duration::from_secs(1).into());
    })
}

#[test]
fn an_idle_connection_is_closed() {
    let node = Node::answering(with_length(200, "ok"));
    let plane = short_lived(&[&node]);
    let mut client = Raw::connect(&plane);
    assert_eq!(client.get().header("connection"), None);
    assert_eq!(client.rest_in_order(), "");
}

#[test]
fn an_answer_that_takes_longer_than_the_age_arrives() {
    let node = Node::serving(|_, connection| {
        while connection.request().is_some() {
            connection.waits_for_release();
            connection.send(with_length(200, "ok"));
        }
    });
    let plane = short_lived(&[&node]);
    let mut client = Raw::connect(&plane);
    client.send("POST /mcp HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi");
    assert!(!client.receives_within(Duration::from_millis(2_500)));
    node.releases_one();
    let answer = client.answer();
    assert_eq!(
        (answer.header("connection"), answer.body.as_str()),
        (Some("close"), "ok")
    );
    assert_eq!(client.rest_in_order(), "");
}

#[test]
fn a_reload_applies_to_connections_that_are_open() {
    let node = Node::answering(with_length(200, "ok"));
    let mut plane = plane_with(&[&node], |_| {});
    let mut client = Raw::connect(&plane);
    assert_eq!(client.get().body, "ok");
    plane.configure(|config| config.timeouts.max_age = Some(Duration::from_secs(1).into()));
    plane.reload();
    assert_eq!(client.rest_in_order(), "");
    eventually("it has ended", || {
        (plane.figure("FRONTEND", "scur") == 0).then_some(())
    });
}
