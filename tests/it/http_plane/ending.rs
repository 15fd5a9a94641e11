//! The end of the process while requests are in flight.

use std::io::Read;

use nix::sys::signal::Signal;

use super::node::Node;
use super::{Raw, plane_with, with_length};

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
    crate::harness::eventually("the request", || node.received().contains("/slow").then_some(()));
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
