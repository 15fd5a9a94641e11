//! Heads of answers.

use std::time::Duration;

use super::*;

fn framing(text: &str) -> Result<Framing, InvalidAnswer> {
    response(text.as_bytes(), false).map(|(response, _)| response.framing)
}

/// An answer 200 with header lines.
fn with(lines: &str) -> String {
    format!("HTTP/1.1 200 OK\r\n{lines}\r\n")
}

#[test]
fn an_answer_is_read() {
    let text = b"HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\nKeep-Alive: max=9, Timeout=5\r\n\r\n{}";
    let (response, length) = response(text, false).unwrap();
    assert_eq!(&text[length..], b"{}");
    assert_eq!((response.status, response.reason), (404, "Not Found"));
    assert_eq!(response.framing, Framing::Length(2));
    assert_eq!(response.keep_alive_timeout, Some(Duration::from_secs(5)));
    assert!(response.is_persistent());
}

#[test]
fn the_status_line_is_strict_but_for_the_reason() {
    for (line, reason) in [
        ("HTTP/1.1 200 OK", "OK"),
        ("HTTP/1.1 200 ", ""),
        ("HTTP/1.1 200", ""),
        ("HTTP/1.0 999 a  b\tc", "a  b\tc"),
    ] {
        let (response, _) = response(format!("{line}\r\n\r\n").as_bytes(), false).unwrap();
        assert_eq!(response.reason, reason, "{line}");
    }
    for line in [
        "HTTP/1.1 99 x",
        "HTTP/1.1 099 x",
        "HTTP/1.1 000",
        "HTTP/1.1 2000 x",
        "HTTP/1.1 20x",
        "HTTP/1.1  200",
        "HTTP/1.1",
        "HTTP/2.0 200",
        "HTTP/1.2 200 OK",
        "HTTP/1.1 200 a\0",
        "ICY 200 OK",
        "http/1.1 200 OK",
        "\r\nHTTP/1.1 200 OK",
    ] {
        assert!(
            response(format!("{line}\r\n\r\n").as_bytes(), false).is_err(),
            "{line}"
        );
    }
    let scan = |bytes: &[u8]| HeadScan::default().response(bytes, LIMITS);
    assert!(scan(b"\x15").is_err() && scan(b"HTTP/1.1 200 OK\n").is_err());
    assert_eq!(scan(b"HTTP/1.1 200 OK\r\n"), Ok(None));
}

#[test]
fn framing_headers_say_where_the_body_ends() {
    assert_eq!(framing(&with("")), Ok(Framing::UntilClose));
    assert_eq!(framing(&with("Content-Length: 0\r\n")), Ok(Framing::Empty));
    assert_eq!(
        framing(&with("Transfer-Encoding: Chunked\r\n")),
        Ok(Framing::Chunked)
    );
    let (until_close, _) = response(with("").as_bytes(), false).unwrap();
    assert!(!until_close.is_persistent());
}

#[test]
fn some_answers_have_no_body() {
    for status in [100, 101, 103, 204, 304] {
        let text = format!("HTTP/1.1 {status} x\r\nContent-Length: 5\r\n\r\n");
        assert_eq!(framing(&text), Ok(Framing::Empty), "{status}");
        let text = format!("HTTP/1.1 {status} x\r\nTransfer-Encoding: chunked\r\n\r\n");
        assert_eq!(framing(&text), Ok(Framing::Empty), "{status}");
    }
    let (head, _) = response(with("Content-Length: 5\r\n").as_bytes(), true).unwrap();
    assert_eq!(head.framing, Framing::Empty);
    assert!(head.is_persistent());
}

#[test]
fn framing_that_can_be_read_in_two_ways_is_refused() {
    for lines in [
        "Content-Length: 5\r\nContent-Length: 5\r\n",
        "Content-Length: 5, 5\r\n",
        "Content-Length: +5\r\n",
        "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: gzip, chunked\r\n",
        "Transfer-Encoding: identity\r\n",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
        "Content_Length: 5\r\n",
        "Transfer_Encoding: chunked\r\n",
        "A: b\r\n c\r\n",
        "A : b\r\n",
        "A: b\0\r\n",
        "A: b\nC: d\r\n",
    ] {
        assert!(framing(&with(lines)).is_err(), "{lines:?}");
    }
    assert!(framing("HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n").is_err());
}

#[test]
fn keep_alive_without_a_timeout_says_nothing() {
    for (value, expected) in [
        ("max=5", None),
        ("timeout=", None),
        ("timeout=x", None),
        ("timeout=4", Some(4)),
    ] {
        let text = with(&format!("Keep-Alive: {value}\r\n"));
        let (response, _) = response(text.as_bytes(), false).unwrap();
        assert_eq!(
            response.keep_alive_timeout,
            expected.map(Duration::from_secs),
            "{value}"
        );
    }
}
