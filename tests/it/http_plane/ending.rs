//! The end of the process while requests are in flight.

use std::io::Read;
use std::sync::mpsc;
use std::time::Duration;

use nix::sys::signal::Signal;

use super::node::Node;
use super::{Raw, plane_with, with_length};
use crate::harness::eventually;

/// The time is that of the file in which a supervisor announces the end.
#[test]
fn a_request_in_flight_is_answered_before_its_client_is_closed() {
    let node = Node::serving(|_, connection| {
        while let Some((head, _)) = connection.request() {
            if head.contains("/slow") {
                connection.waits_for_release();
            }
            connection.send(with_length(200, "ok"));
        }
    });
    let dir = tempfile::tempdir().unwrap();
    let stopping = dir.path().join("stopping");
    std::fs::write(&stopping, "over 20s\n").unwrap();
    let mut plane = plane_with(&[&node], |config| config.stopping = Some(stopping));
    let (mut idle, mut waiting) = (Raw::connect(&plane), Raw::connect(&plane));
    assert_eq!((idle.get().body, waiting.get().body), ("ok".into(), "ok".into()));
    waiting.send("GET /mcp/slow HTTP/1.1\r\nHost: a\r\n\r\n");
    eventually("the request", || node.received().contains("/slow").then_some(()));
    plane.signal(Signal::SIGTERM);
    assert_eq!(idle.0.read(&mut [0]).unwrap(), 0);
    plane.waits_for_log("connections are closed one after another");
    node.releases_one();
    let answer = waiting.answer();
    assert_eq!((answer.status, answer.body.as_str()), (200, "ok"));
    assert_eq!(answer.header("connection"), Some("close"));
    assert_eq!(waiting.0.read(&mut [0]).unwrap(), 0);
    assert!(plane.ends().success());
}

#[test]
fn an_answer_is_sent_to_a_slow_client_before_it_is_closed() {
    let body = "x".repeat(15_000);
    let answer = with_length(200, &body);
    let (came, comes) = mpsc::channel();
    let node = Node::serving(move |_, connection| {
        while connection.request().is_some() {
            came.send(()).unwrap();
            connection.send(&answer);
        }
    });
    let dir = tempfile::tempdir().unwrap();
    let stopping = dir.path().join("stopping");
    std::fs::write(&stopping, "over 20s\n").unwrap();
    let mut plane = plane_with(&[&node], |config| {
        config.workers = 1;
        config.stopping = Some(stopping);
    });
    // The client reads nothing until the next request is not read, either: an answer waits.
    let mut client = Raw::connect(&plane);
    let mut asked = 0;
    loop {
        client.send("GET /mcp HTTP/1.1\r\nHost: a\r\n\r\n");
        asked += 1;
        if comes.recv_timeout(Duration::from_millis(500)).is_err() {
            break;
        }
    }
    plane.signal(Signal::SIGTERM);
    plane.waits_for_log("connections are closed one after another");
    for number in 1..=asked {
        let answer = client.answer();
        assert!(answer.body == body, "{number} of {asked}");
        let is_last = answer.header("connection") == Some("close");
        assert_eq!(is_last, number == asked);
    }
    assert_eq!(client.rest(), "");
    assert!(plane.ends().success());
}
