//! How answers of nodes are framed for clients.

use super::node::Node;
use super::{Raw, header, plane, with_length};

/// What a client of HTTP/1.1 gets for a `GET`, up to the end of the connection.
#[track_caller]
fn passed(answer: &str) -> String {
    passed_to(
        "GET /mcp HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
        answer,
    )
}

#[track_caller]
fn passed_to(request: &str, answer: &str) -> String {
    let answer = answer.to_owned();
    let node = Node::serving(move |_, connection| {
        if connection.request().is_some() {
            connection.send(&answer);
        }
    });
    let plane = plane(&[&node]);
    let mut client = Raw::connect(&plane);
    client.send(request);
    client.rest()
}

fn body(answer: &str) -> &str {
    answer.split_once("\r\n\r\n").unwrap().1
}

#[test]
fn a_body_without_length_becomes_chunks() {
    let answer = passed("HTTP/1.1 200 OK\r\n\r\nabc");
    assert_eq!(header(&answer, "transfer-encoding"), Some("chunked"), "{answer}");
    assert_eq!(body(&answer), "3\r\nabc\r\n0\r\n\r\n");
    let answer = passed("HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n\r\nabc");
    assert_eq!(body(&answer), "3\r\nabc\r\n0\r\n\r\n");
}

#[test]
fn a_body_without_length_stays_so_for_http_1_0() {
    let answer = passed_to("GET /mcp HTTP/1.0\r\n\r\n", "HTTP/1.1 200 OK\r\n\r\nabc");
    assert_eq!(body(&answer), "abc");
    assert_eq!(header(&answer, "connection"), Some("close"));
}

#[test]
fn answers_without_body_have_none() {
    for (request, answer, expected) in [
        ("GET", "HTTP/1.1 204 No Content\r\n\r\n", ""),
        (
            "GET",
            "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n",
            "",
        ),
        ("HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", ""),
        (
            "HEAD",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
            "",
        ),
        ("GET", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", ""),
    ] {
        let node = Node::answering(answer);
        let plane = plane(&[&node]);
        let mut client = Raw::connect(&plane);
        for _ in 0..3 {
            client.send(format!("{request} /mcp HTTP/1.1\r\nHost: a\r\n\r\n"));
            let head = client.head();
            assert!(head.starts_with(&answer[..12]), "{head}");
        }
        // A body would be taken for the next head.
        client.send("GET /other HTTP/1.1\r\nHost: a\r\n\r\n");
        assert_eq!(client.answer().status, 404, "{answer} {expected}");
        assert_eq!(node.records().len(), 1, "{answer}");
    }
}

#[test]
fn a_head_keeps_its_length_when_there_is_no_body() {
    let answer = passed_to(
        "HEAD /mcp HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n",
    );
    assert_eq!(header(&answer, "content-length"), Some("5"));
    assert_eq!(body(&answer), "");
}

#[test]
fn interim_answers_pass() {
    let node = Node::serving(|_, connection| {
        let head = connection.head().unwrap();
        assert_eq!(header(&head, "expect"), Some("100-continue"));
        connection.send("HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n");
        connection.send("HTTP/1.1 100 Continue\r\n\r\n");
        assert_eq!(connection.exactly(2).unwrap(), b"hi");
        connection.send(with_length(200, "ok"));
        connection.drain();
    });
    let plane = plane(&[&node]);
    let mut client = Raw::connect(&plane);
    client.send("POST /mcp HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n");
    assert!(client.head().starts_with("HTTP/1.1 103 Early Hints\r\n"));
    assert!(client.head().starts_with("HTTP/1.1 100 Continue\r\n"));
    client.send("hi");
    assert_eq!(client.answer().body, "ok");
}

#[test]
fn truncated_bodies_are_seen_as_truncated() {
    for answer in [
        "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nabc",
    ] {
        let got = passed(answer);
        assert!(body(&got).contains("abc"), "{got}");
        assert!(!body(&got).contains("0\r\n\r\n"), "{got}");
    }
}

#[test]
fn an_answer_with_two_lengths_is_not_passed_on() {
    for answer in [
        "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
        "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\nabc",
        "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nX: a\r\n b\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\nContent-Length: 0\n\n",
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n",
        "{\"jsonrpc\":\"2.0\"}\r\n\r\n",
        "",
    ] {
        let got = passed(answer);
        assert!(got.starts_with("HTTP/1.1 502 "), "{answer:?} passed as {got:?}");
    }
}

#[test]
fn an_answer_whose_body_is_invalid_from_the_start_is_not_passed_on() {
    for body in ["g\r\n", "-1\r\n", "3\nabc\r\n"] {
        let got = passed(&format!(
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{body}"
        ));
        assert!(got.starts_with("HTTP/1.1 502 "), "{body:?} passed as {got:?}");
    }
}

#[test]
fn what_follows_an_answer_is_dropped() {
    let node = Node::serving(|_, connection| {
        while connection.request().is_some() {
            connection.send(with_length(200, "ok") + &with_length(200, "smuggled"));
        }
    });
    let plane = plane(&[&node]);
    let mut client = Raw::connect(&plane);
    for _ in 0..3 {
        assert_eq!(client.get().body, "ok");
    }
    assert_eq!(node.records().len(), 3, "each had a connection of its own");
}

#[test]
fn headers_between_two_hops_stay_there() {
    let answer = passed(
        "HTTP/1.1 200 Fine, thanks\r\nContent-Length: 2\r\nConnection: keep-alive, X-Private\r\n\
         Keep-Alive: timeout=5\r\nX-Private: 1\r\nX-Public: 2\r\nUpgrade: h2c\r\n\r\nok",
    );
    assert!(answer.starts_with("HTTP/1.1 200 Fine, thanks\r\n"), "{answer}");
    let lower = answer.to_ascii_lowercase();
    assert!(lower.contains("\r\nx-public: 2\r\n"), "{answer}");
    for dropped in ["keep-alive", "x-private", "upgrade"] {
        assert!(!lower.contains(dropped), "{dropped} in {answer}");
    }
}

#[test]
fn an_early_answer_arrives_whole_although_the_request_goes_on() {
    let node = Node::serving(|_, connection| {
        connection.head().unwrap();
        connection.send(with_length(403, "no"));
        connection.drain();
    });
    let plane = plane(&[&node]);
    let mut client = Raw::connect(&plane);
    client.send("POST /mcp HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n");
    let answer = client.answer();
    assert_eq!((answer.status, answer.body.as_str()), (403, "no"));
    assert_eq!(answer.header("connection"), Some("close"));
    client.send("x".repeat(1_000_000));
    client.finish();
    assert_eq!(client.rest_in_order(), "");
    node.waits_for_close(0);
}

#[test]
fn events_are_passed_on_at_once() {
    let node = Node::serving(|_, connection| {
        connection.request().unwrap();
        connection
            .send("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n");
        for _ in 0..3 {
            connection.send("9\r\ndata: x\n\n\r\n");
            // The next event follows only when the client has sent a request on another connection.
            connection.waits_for_release();
        }
        connection.send("0\r\n\r\n");
        connection.drain();
    });
    let plane = plane(&[&node]);
    let mut client = Raw::connect(&plane);
    client.send("GET /mcp HTTP/1.1\r\nHost: a\r\nAccept: text/event-stream\r\n\r\n");
    client.head();
    for _ in 0..3 {
        assert_eq!(client.exactly(14), "9\r\ndata: x\n\n\r\n");
        node.releases_one();
    }
    assert_eq!(client.exactly(5), "0\r\n\r\n");
}
