//! Answers that are compressed for clients that accept it.

use std::io::Read;

use super::node::Node;
use super::{Raw, header, plane_with};

const TEXT: &str = "{\"jsonrpc\":\"2.0\"}";

/// The head and the body that a client gets that accepts gzip, for an answer with this head.
#[track_caller]
fn got(head: &str, body: &str, times: usize) -> Vec<(String, Vec<u8>)> {
    let answer = format!(
        "HTTP/1.1 200 OK\r\n{head}Content-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let node = Node::answering(answer);
    let plane = plane_with(&[&node], |config| {
        let settings = config.backends[0].http.as_mut().unwrap();
        settings.compress = vec!["application/json".to_owned()];
    });
    let mut client = Raw::connect(&plane);
    let answers = (0..times).map(|_| {
        client.send("GET /mcp HTTP/1.1\r\nHost: a\r\nAccept-Encoding: gzip, br\r\n\r\n");
        let head = client.head();
        let length = header(&head, "content-length").unwrap().parse().unwrap();
        (head, client.bytes(length))
    });
    let answers = answers.collect();
    assert!(node.received().contains("Accept-Encoding: gzip, br"));
    answers
}

#[test]
fn text_is_compressed() {
    let text = TEXT.repeat(1000);
    let head = "Content-Type: application/json\r\nETag: \"a\"\r\n";
    for (head, body) in got(head, &text, 3) {
        assert_eq!(header(&head, "content-encoding"), Some("gzip"));
        assert_eq!(header(&head, "vary"), Some("Accept-Encoding"));
        assert_eq!(header(&head, "etag"), Some("W/\"a\""));
        assert!(body.len() < text.len() / 10, "{}", body.len());
        let mut read = String::new();
        flate2::read::GzDecoder::new(&body[..])
            .read_to_string(&mut read)
            .unwrap();
        assert!(read == text);
    }
}

#[test]
fn other_answers_are_not() {
    let text = TEXT.repeat(1000);
    for (head, text) in [
        ("Content-Type: application/json\r\n", TEXT),
        ("Content-Type: image/png\r\n", &text),
        (
            "Content-Type: application/json\r\nContent-Encoding: br\r\n",
            &text,
        ),
        (
            "Content-Type: application/json\r\nCache-Control: no-transform\r\n",
            &text,
        ),
        ("Content-Type: application/json\r\n", &TEXT.repeat(20_000)),
    ] {
        for (answer, body) in got(head, text, 2) {
            assert_ne!(header(&answer, "content-encoding"), Some("gzip"), "{head}");
            assert!(body == text.as_bytes(), "{head}");
        }
    }
}

#[test]
fn a_node_that_dies_within_such_an_answer_is_answered_with_502() {
    let node = Node::serving(|_, connection| {
        connection.request();
        connection
            .send("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2000\r\n\r\n{}");
    });
    let plane = plane_with(&[&node], |config| {
        let settings = config.backends[0].http.as_mut().unwrap();
        settings.compress = vec!["application/json".to_owned()];
    });
    let mut client = Raw::connect(&plane);
    client.send("GET /mcp HTTP/1.1\r\nHost: a\r\nAccept-Encoding: gzip\r\n\r\n");
    assert_eq!(client.answer().status, 502);
}
