//! Answers that try to split or to join: each is refused, or its end is where two readers see it.

use super::*;

/// What becomes of an answer and the bytes behind its head.
#[derive(Debug, PartialEq, Eq)]
enum Outcome {
    Refused,
    /// Its head is passed on; then its body turns out to be invalid.
    Cut,
    /// The body does not end with these bytes.
    Truncated,
    /// It has this content, and these bytes are behind it.
    Whole(&'static str, &'static str),
    /// It lasts until the connection ends, so all that follows belongs to it.
    UntilClose,
}

use Outcome::{Cut, Refused, Truncated, UntilClose, Whole};

fn outcome(text: &str, is_head: bool) -> Outcome {
    let Ok((response, length)) = response(text.as_bytes(), is_head) else {
        return Refused;
    };
    let input: &'static str = text[length..].to_owned().leak();
    match read_body(response.framing, input.as_bytes(), [1, 1, 1]) {
        Err(_) => Cut,
        Ok(None) if Body::new(response.framing).ends_with_connection() => UntilClose,
        Ok(None) => Truncated,
        Ok(Some((content, _, length))) => Whole(String::from_utf8(content).unwrap().leak(), &input[length..]),
    }
}

fn check(status: &str, is_head: bool, cases: &[(&str, &str, Outcome)]) {
    for (name, text, expected) in cases {
        assert_eq!(
            outcome(&format!("HTTP/1.1 {status}\r\n{text}"), is_head),
            *expected,
            "{status}: {name}"
        );
    }
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn answers_with_a_body() {
    check(
        "200 OK",
        false,
        &[
            ("length", "Content-Length: 2\r\n\r\nokHTTP", Whole("ok", "HTTP")),
            ("length 0", "Content-Length: 0\r\n\r\nHTTP", Whole("", "HTTP")),
            ("zeros", "Content-Length: 002\r\n\r\nok", Whole("ok", "")),
            ("short", "Content-Length: 3\r\n\r\nok", Truncated),
            ("neither", "A: b\r\n\r\nok", UntilClose),
            ("close", "Connection: close\r\n\r\nok", UntilClose),
            (
                "chunks",
                "Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\nHTTP",
                Whole("ok", "HTTP"),
            ),
            (
                "no last chunk",
                "Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n",
                Truncated,
            ),
            (
                "bad chunk",
                "Transfer-Encoding: chunked\r\n\r\n2\r\nokHTTP/1.1 200 OK\r\n\r\n",
                Cut,
            ),
            (
                "LF in chunks",
                "Transfer-Encoding: chunked\r\n\r\n2\nok\n0\n\n",
                Cut,
            ),
            (
                "both",
                "Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
                Refused,
            ),
            (
                "both, other order",
                "Transfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\nok",
                Refused,
            ),
            (
                "two equal lengths",
                "Content-Length: 2\r\nContent-Length: 2\r\n\r\nok",
                Refused,
            ),
            (
                "two lengths",
                "Content-Length: 2\r\nContent-Length: 9\r\n\r\nok",
                Refused,
            ),
            ("list of lengths", "Content-Length: 2, 2\r\n\r\nok", Refused),
            ("plus", "Content-Length: +2\r\n\r\nok", Refused),
            ("empty length", "Content-Length:\r\n\r\nok", Refused),
            (
                "overflow",
                "Content-Length: 18446744073709551618\r\n\r\nok",
                Refused,
            ),
            (
                "gzip and chunked",
                "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
                Refused,
            ),
            ("gzip", "Transfer-Encoding: gzip\r\n\r\nok", Refused),
            ("identity", "Transfer-Encoding: identity\r\n\r\nok", Refused),
            (
                "chunked twice",
                "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
                Refused,
            ),
            (
                "obfuscated",
                "Transfer-Encoding: \u{b}chunked\r\n\r\n0\r\n\r\n",
                Refused,
            ),
            ("underscore", "Transfer_Encoding: chunked\r\n\r\nok", Refused),
            (
                "folded",
                "Content-Length: 2\r\nSet-Cookie: a=b;\r\n path=/\r\n\r\nok",
                Refused,
            ),
            ("space before the colon", "Content-Length : 2\r\n\r\nok", Refused),
            (
                "CR in a value",
                "Content-Length: 2\r\nLocation: /\rSet-Cookie: a=b\r\n\r\nok",
                Refused,
            ),
            (
                "LF in a value",
                "Content-Length: 2\r\nLocation: /\nSet-Cookie: a=b\r\n\r\nok",
                Refused,
            ),
            (
                "NUL in a value",
                "Content-Length: 2\r\nLocation: /\0\r\n\r\nok",
                Refused,
            ),
            ("no colon", "Content-Length: 2\r\nok\r\n\r\nok", Refused),
        ],
    );
    for (name, text) in [
        (
            "coding in HTTP/1.0",
            "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        ),
        ("HTTP/2", "HTTP/2 200\r\n\r\n"),
        ("HTTP/0.9", "hello\r\n\r\n"),
        ("empty line before", "\r\nHTTP/1.1 200 OK\r\n\r\n"),
        ("space before", " HTTP/1.1 200 OK\r\n\r\n"),
        ("two digits", "HTTP/1.1 20 OK\r\n\r\n"),
        ("four digits", "HTTP/1.1 2000 OK\r\n\r\n"),
        ("below 100", "HTTP/1.1 099 OK\r\n\r\n"),
        ("signed", "HTTP/1.1 +20 OK\r\n\r\n"),
        ("tab", "HTTP/1.1\t200 OK\r\n\r\n"),
        ("CR in the reason", "HTTP/1.1 200 O\rK\r\n\r\n"),
        ("LF", "HTTP/1.1 200 OK\n\n"),
    ] {
        assert_eq!(outcome(text, false), Refused, "{name}");
    }
}

#[test]
fn answers_without_a_body() {
    let cases: &[(&str, &str, Outcome)] = &[
        ("nothing", "A: b\r\n\r\nHTTP", Whole("", "HTTP")),
        ("length", "Content-Length: 2\r\n\r\nok", Whole("", "ok")),
        (
            "chunks",
            "Transfer-Encoding: chunked\r\n\r\n2\r\n",
            Whole("", "2\r\n"),
        ),
        (
            "both",
            "Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\nok",
            Whole("", "ok"),
        ),
        (
            "unknown coding",
            "Transfer-Encoding: gzip\r\n\r\nok",
            Whole("", "ok"),
        ),
        (
            "two lengths",
            "Content-Length: 2\r\nContent-Length: 9\r\n\r\nok",
            Refused,
        ),
        ("bad length", "Content-Length: x\r\n\r\nok", Refused),
    ];
    for status in [
        "100 Continue",
        "101 Switching Protocols",
        "103 Early Hints",
        "204 No Content",
        "304 Not Modified",
    ] {
        check(status, false, cases);
    }
    check("200 OK", true, cases);
    check("404 Not Found", true, cases);
}
