//! Connections to nodes: when they are used again, and what happens when they break.

use std::fmt::Write;
use std::sync::mpsc;

use nix::sys::signal::Signal;

use super::node::Node;
use super::{Raw, plane, plane_with, with_length};
use crate::harness::TIMEOUT;

#[test]
fn a_connection_is_used_again_by_other_clients() {
    let node = Node::answering(with_length(200, "ok"));
    let plane = plane(&[&node]);
    // Connections are kept per worker, of which there are two.
    for _ in 0..20 {
        assert_eq!(Raw::connect(&plane).get().body, "ok");
    }
    assert!(node.records().len() <= 2, "{}", node.records().len());
}

#[test]
fn a_connection_that_the_node_closes_is_not_used_again() {
    for (answer, closes) in [
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok",
            false,
        ),
        ("HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok", false),
        // It closes without a word.
        ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", true),
    ] {
        let node = Node::serving(move |_, connection| {
            while connection.request().is_some() {
                connection.send(answer);
                if closes {
                    return;
                }
            }
        });
        let plane = plane(&[&node]);
        let mut client = Raw::connect(&plane);
        for number in 0..5 {
            client.send("GET /mcp HTTP/1.1\r\nHost: a\r\n\r\n");
            assert_eq!(client.answer().body, "ok");
            if !closes {
                node.waits_for_close(number);
            }
        }
        assert_eq!(node.records().len(), 5, "{answer}");
    }
}

/// Seven digits for each number, so that a missing or repeated part shows.
fn numbers(count: u32) -> String {
    let mut text = String::new();
    for number in 0..count {
        write!(text, "{number:07}").unwrap();
    }
    text
}

#[test]
fn requests_go_to_the_new_address_of_a_server() {
    let (old, new) = (
        Node::answering(with_length(200, "old")),
        Node::answering(with_length(200, "new")),
    );
    let mut plane = plane(&[&old]);
    let mut client = Raw::connect(&plane);
    assert_eq!(client.get().body, "old");
    let port = new.address.port();
    let _changed = plane.ask(&format!(
        "set server nodes/node1 addr {} port {port}",
        new.address.ip()
    ));
    assert_eq!(client.get().body, "new");
    plane.configure(|config| config.backends[0].servers[0].address = new.address);
    plane.reload();
    assert_eq!(client.get().body, "new");
}

/// A node whose second request on a connection gets no answer, but the end of the connection.
fn dying_on_reuse() -> Node {
    Node::serving(|_, connection| {
        connection.request();
        connection.send(with_length(200, "ok"));
        connection.request();
    })
}

#[test]
fn an_idempotent_request_is_sent_again_when_a_used_connection_dies() {
    let node = dying_on_reuse();
    let plane = plane(&[&node]);
    let mut client = Raw::connect(&plane);
    for _ in 0..4 {
        assert_eq!(client.get().body, "ok");
    }
    assert!(plane.figure("node1", "wretr") > 0);
}

#[test]
fn a_post_is_not_sent_again_when_a_used_connection_dies() {
    let node = dying_on_reuse();
    let plane = plane(&[&node]);
    let mut client = Raw::connect(&plane);
    let post = "POST /mcp HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi";
    client.send(post);
    assert_eq!(client.answer().body, "ok");
    client.send(post);
    assert_eq!(client.rest(), "");
    assert_eq!(node.received().matches("POST ").count(), 2);
}

#[test]
fn a_request_behind_one_that_the_node_refuses_is_not_lost() {
    let (answered, is_answered) = mpsc::channel();
    let node = Node::serving(move |_, connection| {
        connection.head();
        connection.waits_for_release();
        // The data plane may see this before the reset, and must not use the connection again.
        connection.send("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 5\r\n\r\nearly");
        connection.reset();
        answered.send(()).unwrap();
    });
    let plane = plane(&[&node]);
    for number in 0..10 {
        let mut client = Raw::connect(&plane);
        client.send("POST /mcp HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n");
        node.waits_for_bytes(number);
        // The data plane notices first what the client sends.
        plane.signal(Signal::SIGSTOP);
        client.send("helloGET /other HTTP/1.1\r\nHost: a\r\n\r\n");
        node.releases_one();
        is_answered.recv_timeout(TIMEOUT).unwrap();
        plane.signal(Signal::SIGCONT);
        let answer = client.answer();
        if answer.header("connection") != Some("close") {
            assert_eq!(client.answer().status, 404, "behind {answer:?}");
        }
    }
}

#[test]
fn a_session_stays_with_its_node_when_an_idle_connection_is_reset() {
    // Some of the resets come just when the next request is written.
    let resetting = Node::serving(|_, connection| {
        for _ in 0..4 {
            if connection.request().is_none() {
                return;
            }
            connection.send(with_length(200, "ok"));
        }
        connection.reset();
    });
    let other = Node::answering(with_length(200, "other"));
    let plane = plane_with(&[&resetting, &other], |config| {
        let http = config.backends[0].http.as_mut().unwrap();
        (http.follows_sessions, http.names_sessions) = (true, true);
    });
    for _ in 0..200 {
        let mut client = Raw::connect(&plane);
        client.send("GET /mcp HTTP/1.1\r\nHost: a\r\nMcp-Session-Id: s~node1\r\n\r\n".repeat(12));
        for _ in 0..12 {
            assert_eq!(client.answer().body, "ok");
        }
    }
    assert_eq!(plane.figure("node1", "econ"), 0);
}

#[test]
fn an_upload_is_not_sent_again_from_its_middle() {
    let node = Node::serving(|number, connection| {
        connection.request();
        connection.send(with_length(200, "ok"));
        if number == 0 {
            // It reads no more of the upload than this, and breaks down.
            connection.head();
            connection.waits_for_release();
            connection.reset();
        }
    });
    let plane = plane(&[&node]);
    let mut client = Raw::connect(&plane);
    assert_eq!(client.get().body, "ok");
    client.send("PUT /mcp HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nfffffff\r\n");
    client.send_until_full("x");
    node.releases_one();
    assert_eq!(client.rest(), "");
    assert_eq!(
        node.records().len(),
        1,
        "the rest of a body came on a new connection"
    );
}

#[test]
fn what_follows_a_large_answer_is_not_the_next_answer() {
    let body = "x".repeat(100_000);
    let large = with_length(200, &body) + &with_length(200, "wrong");
    let node = Node::serving(move |_, connection| {
        while let Some((head, _)) = connection.request() {
            if head.starts_with("GET /mcp/large ") {
                connection.send(&large);
            } else {
                connection.send(with_length(200, "right"));
            }
        }
    });
    let plane = plane(&[&node]);
    let mut client = Raw::connect(&plane);
    let paths = ["/mcp", "/mcp", "/mcp/large", "/mcp"].repeat(10);
    for path in &paths {
        client.send(format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n"));
    }
    for path in &paths {
        let expected = if *path == "/mcp" { "right" } else { &body };
        assert!(client.answer().body == expected, "{path}");
    }
}

#[test]
fn a_node_that_fails_is_answered_with_502() {
    let node = Node::serving(|_, connection| {
        connection.request();
    });
    let plane = plane(&[&node]);
    let mut client = Raw::connect(&plane);
    client.send("POST /mcp HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi");
    let answer = client.answer();
    assert_eq!(answer.status, 502);
    assert_eq!(answer.header("content-type"), Some("application/json"));
    let json: serde_json::Value = serde_json::from_str(&answer.body).unwrap();
    assert_eq!(json["error"]["code"], 502);
    // The connection stays.
    client.send("GET /other HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(client.answer().status, 404);
}

#[test]
fn when_the_client_goes_the_node_s_connection_ends() {
    let node = Node::serving(|_, connection| {
        connection.request();
        connection.drain();
    });
    let plane = plane(&[&node]);
    let mut client = Raw::connect(&plane);
    client.send("POST /mcp HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi");
    node.waits_for_bytes(0);
    drop(client);
    node.waits_for_close(0);
    // The end of the stream after a complete request counts as gone, too.
    let mut client = Raw::connect(&plane);
    client.send("POST /mcp HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi");
    node.waits_for_bytes(1);
    client.finish();
    node.waits_for_close(1);
    assert_eq!(client.rest(), "");
}

#[test]
fn when_the_client_goes_within_its_request_the_request_ends() {
    let node = Node::serving(|_, connection| {
        connection.head();
        connection.waits_for_release();
    });
    let plane = plane_with(&[&node], |config| config.backends[0].servers[0].maxconn = 1);
    // The node does not read, and the client sends all that is taken.
    let mut client = Raw::connect(&plane);
    let upload = format!(
        "POST /mcp HTTP/1.1\r\nHost: a\r\nContent-Length: 4000000\r\n\r\n{}",
        "x".repeat(4_000_000)
    );
    client.send(&upload[..100]);
    node.waits_for_bytes(0);
    // Another one waits in the queue, with half of its body.
    let mut waiting = Raw::connect(&plane);
    waiting.send("POST /mcp HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nabc");
    plane.waits_for("BACKEND", "qcur", 1);
    waiting.finish();
    plane.waits_for("BACKEND", "qcur", 0);
    let sender = std::thread::spawn(move || {
        client.send_some(&upload[100..]);
        drop(client);
    });
    sender.join().unwrap();
    plane.waits_for("node1", "scur", 0);
    node.releases_one();
}

#[test]
fn when_the_node_goes_the_client_s_connection_ends() {
    let node = Node::serving(|_, connection| {
        connection.request();
        connection.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n");
        connection.reset();
    });
    let plane = plane(&[&node]);
    let mut client = Raw::connect(&plane);
    client.send("GET /mcp HTTP/1.1\r\nHost: a\r\n\r\n");
    client.head();
    assert!(!client.rest().contains("0\r\n\r\n"));
}

#[test]
fn answers_that_break_off_or_become_invalid_are_counted() {
    let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n";
    let node = Node::serving(move |number, connection| {
        connection.request();
        connection.send(head);
        if number > 0 {
            connection.waits_for_release();
            connection.send("invalid\r\n");
        }
    });
    let plane = plane(&[&node]);
    for broken in 1..=2 {
        let mut client = Raw::connect(&plane);
        client.send("GET /mcp HTTP/1.1\r\nHost: a\r\n\r\n");
        client.head();
        if broken == 2 {
            node.releases_one();
        }
        client.rest();
        for row in ["node1", "BACKEND"] {
            plane.waits_for(row, "eresp", broken);
        }
    }
}

#[test]
fn the_body_of_an_upload_passes_whole() {
    let body = numbers(200_000);
    let expected = body.clone();
    let node = Node::serving(move |_, connection| {
        while let Some((_, body)) = connection.request() {
            let is_same = String::from_utf8(body).is_ok_and(|body| body.contains(&expected));
            connection.send(with_length(200, if is_same { "same" } else { "different" }));
        }
    });
    let plane = plane(&[&node]);
    let mut client = Raw::connect(&plane);
    client.send(format!(
        "POST /mcp HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    ));
    assert_eq!(client.answer().body, "same");
}

#[test]
fn a_large_answer_passes_whole_to_a_slow_reader() {
    let body = numbers(500_000);
    let node = Node::answering(with_length(200, &body));
    let plane = plane(&[&node]);
    let mut client = Raw::connect(&plane);
    client.send("GET /mcp HTTP/1.1\r\nHost: a\r\n\r\n");
    // Others are served meanwhile.
    for _ in 0..3 {
        let mut other = Raw::connect(&plane);
        other.send("GET /other HTTP/1.1\r\nHost: a\r\n\r\n");
        assert_eq!(other.answer().status, 404);
    }
    assert!(client.answer().body == body);
}
