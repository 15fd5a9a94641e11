//! What of a request reaches the node, and which requests are rejected.

use crate::harness::eventually;

use super::node::Node;
use super::{Raw, dechunked, plane, plane_with, with_length};

/// A message that two readers of RFC 9112 could read in two ways is answered with `status`, and
/// none of it reaches the node.
#[track_caller]
fn rejected(status: u16, requests: &[&str]) {
    let node = Node::answering(with_length(200, "ok"));
    let plane = plane(&[&node]);
    for request in requests {
        let mut client = Raw::connect(&plane);
        client.send(request);
        let answer = client.rest_in_order_after_finish();
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {status} ")),
            "{request:?} got {answer:?}"
        );
        assert!(
            answer.to_ascii_lowercase().contains("\r\nconnection: close\r\n"),
            "{answer:?}"
        );
    }
    assert_eq!(node.received(), "");
}

/// The head and the body that a node gets for `request`.
#[track_caller]
fn forwarded(request: &str) -> String {
    let node = Node::answering(with_length(200, "ok"));
    let plane = plane(&[&node]);
    let mut client = Raw::connect(&plane);
    client.send(request);
    assert_eq!(client.answer().status, 200);
    node.received()
}

#[test]
fn two_lengths_are_rejected() {
    rejected(
        400,
        &[
            "POST /mcp HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            "POST /mcp HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\nabc",
            "POST /mcp HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
            "POST /mcp HTTP/1.1\r\nHost: a\r\nContent-Length: 3, 3\r\n\r\nabc",
            "POST /mcp HTTP/1.1\r\nHost: a\r\nContent-Length: +3\r\n\r\nabc",
            "POST /mcp HTTP/1.1\r\nHost: a\r\nContent-Length: 0x3\r\n\r\nabc",
            "POST /mcp HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999999999999\r\n\r\nabc",
            "POST /mcp HTTP/1.1\r\nHost: a\r\nContent-Length:\r\n\r\nabc",
            "POST /mcp HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        ],
    );
}

#[test]
fn other_codings_are_not_implemented() {
    rejected(
        501,
        &[
            "POST /mcp HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n",
            "POST /mcp HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
            "POST /mcp HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
            "POST /mcp HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
            "POST /mcp HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: \"chunked\"\r\n\r\n0\r\n\r\n",
        ],
    );
}

#[test]
fn heads_that_can_be_read_in_two_ways_are_rejected() {
    let many_options = format!(
        "GET /mcp HTTP/1.1\r\nHost: a\r\nConnection: x{}\r\n\r\n",
        ", x".repeat(32)
    );
    rejected(
        400,
        &[
            "GET /mcp HTTP/1.1\r\nHost: a\r\nX: a\r\n b\r\n\r\n",
            "GET /mcp HTTP/1.1\r\nHost : a\r\n\r\n",
            "GET /mcp HTTP/1.1\r\nHost: a\r\nX: a\0b\r\n\r\n",
            "GET /mcp HTTP/1.1\r\nHost: a\r\nX: a\rb\r\n\r\n",
            "GET /mcp HTTP/1.1\r\nHost: a\r\nX: a\n\r\n",
            "GET /mcp HTTP/1.1\nHost: a\n\n",
            "GET /mcp HTTP/1.1\r\n\r\n",
            "GET /mcp HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n",
            "GET /mcp HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
            "GET http://b/mcp HTTP/1.1\r\nHost: a\r\n\r\n",
            "GET /mcp#x HTTP/1.1\r\nHost: a\r\n\r\n",
            "GET  /mcp HTTP/1.1\r\nHost: a\r\n\r\n",
            &many_options,
            "{\"jsonrpc\":\"2.0\"}\r\n\r\n",
            "\u{16}\u{3}\u{1}\r\n",
        ],
    );
}

#[test]
fn chunks_that_can_be_read_in_two_ways_are_rejected() {
    let node = Node::serving(|_, connection| connection.drain());
    let plane = plane(&[&node]);
    for body in [
        "0x3\r\nabc\r\n0\r\n\r\n",
        "3 \r\nabc\r\n0\r\n\r\n",
        "3\nabc\r\n0\r\n\r\n",
        "3\r\nabcd\r\n0\r\n\r\n",
        "-3\r\nabc\r\n0\r\n\r\n",
        "3;a\nb\r\nabc\r\n0\r\n\r\n",
        "ffffffffffffffff1\r\nabc\r\n0\r\n\r\n",
        "g\r\n",
        "3\r\nabc\r\n0\r\nX : y\r\n\r\n",
    ] {
        let mut client = Raw::connect(&plane);
        client.send("POST /mcp HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
        client.send(body);
        let answer = client.rest_in_order_after_finish();
        assert!(answer.starts_with("HTTP/1.1 400 "), "{body:?} got {answer:?}");
    }
}

#[test]
fn a_request_whose_first_chunk_is_invalid_never_comes_to_the_backend() {
    let node = Node::answering(with_length(200, "ok"));
    let plane = plane(&[&node]);
    let mut client = Raw::connect(&plane);
    client.send("POST /mcp HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n");
    assert_eq!(client.answer().status, 400);
    plane.waits_for("FRONTEND", "hrsp_4xx", 1);
    for column in ["scur", "req_tot", "hrsp_4xx", "h1_open_streams"] {
        assert_eq!(plane.figure("BACKEND", column), 0, "{column}");
    }
}

#[test]
fn chunk_extensions_are_dropped_and_trailers_filtered() {
    let received = forwarded(
        "POST /mcp HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n\
         3;name=value;q=\"; x\"\r\nabc\r\nA\r\n0123456789\r\n0;last\r\n\
         X-Sum: 7\r\nContent-Length: 3\r\nAuthorization: x\r\nHost: b\r\nMcp-Session-Id: x\r\n\r\n",
    );
    let (head, body) = received.split_once("\r\n\r\n").unwrap();
    assert!(
        head.to_ascii_lowercase().contains("transfer-encoding: chunked"),
        "{head}"
    );
    assert_eq!(
        body.to_ascii_lowercase(),
        "3\r\nabc\r\na\r\n0123456789\r\n0\r\nx-sum: 7\r\n\r\n"
    );
}

#[test]
fn headers_between_two_hops_stay_there() {
    let received = forwarded(
        "POST /mcp HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\
         Connection: keep-alive, X-Private, Host, Content-Length, Mcp-Session-Id, Authorization\r\n\
         Keep-Alive: timeout=5\r\nTE: trailers\r\nProxy-Connection: keep-alive\r\nUpgrade: h2c\r\n\
         HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\nX-Private: 1\r\nX-Public: 2\r\n\
         Mcp-Session-Id: abc\r\nAuthorization: Bearer x\r\n\r\nhi",
    );
    let received = received.to_ascii_lowercase();
    for kept in [
        "host: a",
        "content-length: 2",
        "x-public: 2",
        "mcp-session-id: abc",
        "authorization: bearer x",
    ] {
        assert_eq!(
            received.matches(&format!("\r\n{kept}\r\n")).count(),
            1,
            "{kept} in {received}"
        );
    }
    for dropped in [
        "keep-alive",
        "\r\nte:",
        "proxy-connection",
        "upgrade",
        "http2-settings",
        "x-private",
    ] {
        assert!(!received.contains(dropped), "{dropped} in {received}");
    }
    assert!(received.ends_with("\r\n\r\nhi"), "{received}");
}

#[test]
fn an_absolute_form_becomes_a_path() {
    let received = forwarded("GET http://a/mcp?x=1 HTTP/1.1\r\nHost: a\r\n\r\n");
    assert!(received.starts_with("GET /mcp?x=1 HTTP/1.1\r\n"), "{received}");
}

#[test]
fn a_request_of_http_1_0_is_forwarded_as_1_1() {
    let node = Node::answering("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n");
    let plane = plane(&[&node]);
    let mut client = Raw::connect(&plane);
    client.send("GET /mcp HTTP/1.0\r\n\r\n");
    let answer = client.rest_in_order();
    assert!(
        node.received().starts_with("GET /mcp HTTP/1.1\r\n"),
        "{}",
        node.received()
    );
    // The client knows no chunks.
    assert!(answer.ends_with("\r\n\r\nabc"), "{answer}");
    assert!(
        !answer.to_ascii_lowercase().contains("transfer-encoding"),
        "{answer}"
    );
}

#[test]
fn the_own_answers_to_http_1_0_announce_that_the_connection_stays() {
    let node = Node::answering("not HTTP");
    let plane = plane(&[&node]);
    let mut client = Raw::connect(&plane);
    for (path, status) in [("/other", 404), ("/mcp//", 400), ("/mcp", 502)] {
        client.send(format!("GET {path} HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"));
        let answer = client.answer();
        assert_eq!(answer.status, status);
        assert_eq!(answer.header("connection"), Some("keep-alive"), "{path}");
    }
    client.send("GET /other HTTP/1.0\r\n\r\n");
    assert_eq!(client.answer().header("connection"), Some("close"));
}

#[test]
fn heads_and_bodies_have_limits() {
    let node = Node::answering(with_length(200, "ok"));
    let plane = plane_with(&[&node], |config| {
        config.http.head = "4kB".parse().unwrap();
        config.http.body = Some("1kB".parse().unwrap());
    });
    let long = format!("GET /mcp HTTP/1.1\r\nHost: a\r\nX: {}\r\n\r\n", "x".repeat(5000));
    let many = format!("GET /mcp HTTP/1.1\r\nHost: a\r\n{}\r\n", "X: y\r\n".repeat(101));
    let body = "x".repeat(1025);
    let with_a_length = format!("POST /mcp HTTP/1.1\r\nHost: a\r\nContent-Length: 1025\r\n\r\n{body}");
    for (request, status) in [(long, 431), (many, 431), (with_a_length, 413)] {
        let mut client = Raw::connect(&plane);
        client.send(&request);
        let answer = client.rest_in_order_after_finish();
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{answer}");
    }
    assert_eq!(node.received(), "");
    // The length of this one is known only when it is too much.
    let mut client = Raw::connect(&plane);
    client.send("POST /mcp HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
    node.waits_for_bytes(0);
    client.send(format!("401\r\n{body}\r\n"));
    let answer = client.rest_in_order_after_finish();
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
    node.waits_for_close(0);
}

#[test]
fn a_body_beyond_its_limit_ends_the_connection_even_if_it_came_whole() {
    let node = Node::serving(|_, connection| connection.drain());
    let plane = plane_with(&[&node], |config| config.http.body = Some("10".parse().unwrap()));
    let mut client = Raw::connect(&plane);
    client.send("POST /mcp HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
    node.waits_for_bytes(0);
    client.send("b\r\nhello world\r\n0\r\n\r\nGET /other HTTP/1.1\r\nHost: a\r\n\r\n");
    let answer = client.answer();
    assert_eq!((answer.status, answer.header("connection")), (413, Some("close")));
    assert_eq!(client.rest(), "");
}

#[test]
fn a_rejected_head_request_gets_no_body() {
    let node = Node::answering(with_length(200, "ok"));
    let plane = plane_with(&[&node], |config| config.http.body = Some("10".parse().unwrap()));
    for (framing, status) in [
        ("Content-Length: 11\r\n\r\n", 413),
        ("Transfer-Encoding: chunked\r\n\r\nx\r\n", 400),
    ] {
        let mut client = Raw::connect(&plane);
        client.send(format!("HEAD /mcp HTTP/1.1\r\nHost: a\r\n{framing}"));
        let answer = client.rest_in_order_after_finish();
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{answer}");
        assert!(answer.ends_with("\r\n\r\n"), "{answer}");
    }
}

#[test]
fn pipelined_requests_are_answered_in_order_one_at_a_time() {
    let node = Node::serving(|_, connection| {
        while let Some((head, _)) = connection.request() {
            let path = head.split(' ').nth(1).unwrap().to_owned();
            // A second request would have come with the first one.
            connection.send(with_length(200, &path));
        }
    });
    let plane = plane(&[&node]);
    let mut client = Raw::connect(&plane);
    let requests: Vec<String> = (0..20)
        .map(|number| format!("POST /mcp/{number} HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi"))
        .collect();
    client.send(requests.concat());
    for number in 0..20 {
        assert_eq!(client.answer().body, format!("/mcp/{number}"));
    }
    assert_eq!(node.records().len(), 1);
}

#[test]
fn requests_that_come_byte_by_byte_are_the_same() {
    let node = Node::answering(with_length(200, "ok"));
    let plane = plane(&[&node]);
    let mut client = Raw::connect(&plane);
    let request = "POST /mcp HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n\
                   3;x\r\nabc\r\n0\r\nX-Sum: 1\r\n\r\n";
    for byte in request.bytes() {
        client.send([byte]);
    }
    assert_eq!(client.answer().body, "ok");
    let received = node.received().to_ascii_lowercase();
    let (_, body) = received.split_once("\r\n\r\n").unwrap();
    // One chunk or several: how many depends on how the bytes arrive.
    assert_eq!(dechunked(body), ("abc".to_owned(), ""));
    assert!(body.ends_with("\r\n0\r\nx-sum: 1\r\n\r\n"), "{body}");
}

#[test]
fn trailers_in_several_reads_arrive() {
    let node = Node::answering(with_length(200, "ok"));
    let plane = plane(&[&node]);
    let head = "POST /mcp HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n";
    for (first, second) in [
        ("0\r\nX-Su", "m: 1\r\n\r\n"),
        ("0\r\nX-Sum: 1\r\n", "\r\n"),
        ("0\r\nX-Sum: 1\r\n\r", "\n"),
        ("0\r", "\nX-Sum: 1\r\n\r\n"),
    ] {
        let before = node.received().matches("abc").count();
        let mut client = Raw::connect(&plane);
        client.send(format!("{head}{first}"));
        eventually("the chunk has come", || {
            (node.received().matches("abc").count() > before).then_some(())
        });
        client.send(second);
        assert_eq!(client.answer().body, "ok", "{first:?}");
    }
    assert_eq!(
        node.received().to_ascii_lowercase().matches("x-sum: 1").count(),
        4
    );
}

#[test]
fn ambiguous_and_unknown_paths_are_refused_and_the_connection_stays() {
    let node = Node::answering(with_length(200, "ok"));
    let plane = plane(&[&node]);
    let mut client = Raw::connect(&plane);
    for (path, status) in [
        ("/mcp/../x", 400),
        ("/mcp//x", 400),
        ("/mcp/%2e%2e/x", 400),
        ("/other", 404),
        ("/mcpx", 404),
        ("/mcp/x", 200),
    ] {
        client.send(format!(
            "POST {path} HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi"
        ));
        assert_eq!(client.answer().status, status, "{path}");
    }
}
