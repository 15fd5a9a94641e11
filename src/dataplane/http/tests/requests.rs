//! Heads of requests.

use super::*;

const MALFORMED: u16 = 400;

/// A request to a host, with more header lines.
fn with(lines: &str) -> Vec<u8> {
    format!("POST /mcp HTTP/1.1\r\nHost: a\r\n{lines}\r\n").into_bytes()
}

fn status(text: &[u8]) -> Option<u16> {
    request(text).err().map(Rejection::status)
}

fn framing(lines: &str) -> Framing {
    request(&with(lines)).unwrap().0.framing
}

#[test]
fn a_request_is_read() {
    let text = b"POST /mcp?x=1 HTTP/1.1\r\nHost: a:8000\r\nContent-Length: 5\r\nX-Y:  z \r\n\r\nhello";
    let (request, length) = request(text).unwrap();
    assert_eq!(&text[length..], b"hello");
    assert_eq!(
        (request.method, request.target, request.path()),
        ("POST", "/mcp?x=1", "/mcp")
    );
    assert_eq!(request.version, Version::Http11);
    assert_eq!(request.framing, Framing::Length(5));
    assert_eq!(request.headers.len(), 3);
    assert_eq!(
        (request.headers[2].name, request.headers[2].value),
        ("X-Y", &b"z"[..])
    );
    assert!(request.is_persistent() && !request.upgrades && !request.expects_continue);
}

#[test]
fn framing_headers_say_where_the_body_ends() {
    assert_eq!(framing(""), Framing::Empty);
    assert_eq!(framing("Content-Length: 0\r\n"), Framing::Empty);
    assert_eq!(framing("content-length:007\r\n"), Framing::Length(7));
    assert_eq!(framing("CONTENT-LENGTH: \t7 \t\r\n"), Framing::Length(7));
    assert_eq!(
        framing("Content-Length: 18446744073709551615\r\n"),
        Framing::Length(u64::MAX)
    );
    assert_eq!(framing("Transfer-Encoding: chunked\r\n"), Framing::Chunked);
    assert_eq!(framing("transfer-encoding:CHUNKED \r\n"), Framing::Chunked);
}

#[test]
fn a_content_length_that_can_be_read_in_two_ways_is_refused() {
    for value in [
        "",
        "+5",
        "-5",
        "5,5",
        "5, 5",
        "5 5",
        "0x5",
        "5.0",
        "5;",
        "\"5\"",
        "five",
        "18446744073709551616",
        "99999999999999999999999",
    ] {
        assert_eq!(
            status(&with(&format!("Content-Length: {value}\r\n"))),
            Some(MALFORMED),
            "{value}"
        );
    }
    for second in ["5", "6"] {
        let lines = format!("Content-Length: 5\r\ncontent-length: {second}\r\n");
        assert_eq!(status(&with(&lines)), Some(MALFORMED), "{second}");
    }
    assert_eq!(status(&with("Content_Length: 5\r\n")), Some(MALFORMED));
}

#[test]
fn both_framing_headers_are_refused() {
    let both = ["Content-Length: 5\r\n", "Transfer-Encoding: chunked\r\n"];
    assert_eq!(status(&with(&both.concat())), Some(MALFORMED));
    assert_eq!(status(&with(&[both[1], both[0]].concat())), Some(MALFORMED));
    assert_eq!(
        status(&with("Content-Length: 5\r\nTransfer-Encoding: identity\r\n")),
        Some(MALFORMED)
    );
}

#[test]
fn only_the_coding_chunked_is_known() {
    for value in [
        "gzip",
        "identity",
        "xchunked",
        "chunked, chunked",
        "gzip, chunked",
        "chunked, gzip",
        "chunked;q=1",
        "\"chunked\"",
        ", chunked",
        "chunked,",
        "",
    ] {
        assert_eq!(
            status(&with(&format!("Transfer-Encoding: {value}\r\n"))),
            Some(501),
            "{value}"
        );
    }
    let twice = "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n";
    assert_eq!(status(&with(twice)), Some(501));
    let mixed = "Transfer-Encoding: identity\r\nTransfer-Encoding: chunked\r\n";
    assert_eq!(status(&with(mixed)), Some(501));
    let old = b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n";
    assert_eq!(status(old), Some(MALFORMED));
}

#[test]
fn header_lines_are_strict() {
    for lines in [
        "A: b\r\n c\r\n",
        "A: b\r\n\tc\r\n",
        " A: b\r\n",
        "A : b\r\n",
        "A\t: b\r\n",
        ": b\r\n",
        "A\r\n",
        "A(: b\r\n",
        "\u{e4}: b\r\n",
        "A: b\0\r\n",
        "A: b\x01\r\n",
        "A: b\x0b\r\n",
        "A: b\x7f\r\n",
        "A: b\rc\r\n",
        "A: b\r\r\n",
        "A: b\nC: d\r\n",
    ] {
        assert_eq!(status(&with(lines)), Some(MALFORMED), "{lines:?}");
    }
    assert_eq!(status(&with("A:\r\nB: \t\r\nC: \u{e4}\tx\r\n")), None);
}

#[test]
fn a_host_is_needed_once() {
    let status = |line: &str| status(format!("GET / HTTP/1.1\r\n{line}\r\n").as_bytes());
    for host in [
        "a",
        "a:80",
        "a:",
        "A.b-c_d~1",
        "127.0.0.1:8000",
        "[::1]",
        "[::1]:8000",
        "[fe80::1%25eth0]:1",
        "",
    ] {
        assert_eq!(status(&format!("Host: {host}\r\n")), None, "{host}");
    }
    for host in [
        "a b", "a/b", "a@b", "a:b", "a:1:2", "a:65536", "a:000080", ":80", "::1", "[::1", "[::1]x", "[]",
        "a]", "a\\b", "a?b", "a#b", "a<b", "a\"b", "\u{e4}", "a, b",
    ] {
        assert_eq!(status(&format!("Host: {host}\r\n")), Some(MALFORMED), "{host}");
    }
    assert_eq!(status(""), Some(MALFORMED));
    assert_eq!(status("Host: a\r\nhost: a\r\n"), Some(MALFORMED));
    let old = request(b"GET / HTTP/1.0\r\n\r\n").unwrap().0;
    assert!(old.version == Version::Http10 && !old.is_persistent());
    assert_eq!(
        super::requests::status(b"GET / HTTP/1.0\r\nHost: a\r\nHost: a\r\n\r\n"),
        Some(MALFORMED)
    );
}

#[test]
fn a_target_has_one_of_four_forms() {
    let target = |line: &str, host: &str| {
        request(format!("{line} HTTP/1.1\r\nHost: {host}\r\n\r\n").as_bytes())
            .map(|(request, _)| request.target)
    };
    for (line, host, seen) in [
        ("GET /", "a", "/"),
        ("GET //x/../%2e?a#".trim_end_matches('#'), "a", "//x/../%2e?a"),
        ("OPTIONS *", "a", "*"),
        ("GET http://a/x?y", "a", "/x?y"),
        ("GET HTTP://A:80/x", "a", "/x"),
        ("GET http://a/", "A:80", "/"),
        ("GET http://a:/", "a", "/"),
        ("GET https://a/", "a:443", "/"),
        ("GET http://[::1]:8000/x", "[::1]:8000", "/x"),
        ("GET http://a", "a", "/"),
        ("OPTIONS http://a", "a", "*"),
        ("CONNECT a:443", "a:443", "a:443"),
    ] {
        assert_eq!(target(line, host), Ok(seen), "{line}");
    }
    for (line, host) in [
        ("GET", "a"),
        ("GET ", "a"),
        ("GET  /", "a"),
        ("GET / x", "a"),
        ("GET /\t", "a"),
        ("GET /#x", "a"),
        ("GET /\u{e4}", "a"),
        ("GET x", "a"),
        ("GET *", "a"),
        ("GET http://a/", "b"),
        ("GET http://a:81/", "a"),
        ("GET http://a/", "a:81"),
        ("GET https://a/", "a:80"),
        ("GET http://u@a/", "a"),
        ("GET http:///x", ""),
        ("GET http://a?x", "a"),
        ("GET http:/a/x", "a"),
        ("GET ftp://a/", "a"),
        ("CONNECT /", "a"),
        ("CONNECT a", "a"),
        ("CONNECT a:443", "b:443"),
    ] {
        let result = target(line, host);
        assert!(
            matches!(result, Err(Rejection::Malformed(_))),
            "{line}: {result:?}"
        );
    }
    assert_eq!(status(b"GET http://a/ HTTP/1.0\r\n\r\n"), Some(MALFORMED));
}

#[test]
fn other_versions_are_refused() {
    for version in ["HTTP/2.0", "HTTP/1.2", "HTTP/0.9", "HTTP/3.0"] {
        assert_eq!(
            status(format!("GET / {version}\r\nHost: a\r\n\r\n").as_bytes()),
            Some(505),
            "{version}"
        );
    }
    assert_eq!(status(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), Some(505));
    for version in [
        "HTTP/1.1 ",
        "HTTP/1",
        "HTTP/11",
        "http/1.1",
        "HTTP/1.10",
        "HTTP/ 1.1",
        "XTTP/1.1",
        "",
    ] {
        let text = format!("GET / {version}\r\nHost: a\r\n\r\n");
        assert_eq!(status(text.as_bytes()), Some(MALFORMED), "{version}");
    }
    assert_eq!(status(b"GET /\r\n\r\n"), Some(MALFORMED));
}

#[test]
fn the_start_is_checked_at_once() {
    let scan = |bytes: &[u8]| HeadScan::default().request(bytes, LIMITS);
    for bytes in [
        &b"\x16\x03\x01"[..],
        b"{",
        b" ",
        b"\0",
        b"\n",
        b"\rG",
        b"\r\n\r\n\r\n\r\n\r\n",
        b"GET /\n",
    ] {
        assert!(matches!(scan(bytes), Err(Rejection::Malformed(_))), "{bytes:?}");
    }
    for bytes in [
        &b""[..],
        b"\r",
        b"\r\n",
        b"\r\n\r",
        b"G",
        b"GET / HTTP/1.1\r\n",
        b"GET / HTTP/1.1\r\n\r",
    ] {
        assert_eq!(scan(bytes), Ok(None), "{bytes:?}");
    }
    let (request, length) = request(b"\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\nGET").unwrap();
    assert_eq!((request.target, length), ("/", 31));
}

#[test]
fn heads_have_limits() {
    let scan = |bytes: &[u8], limits| HeadScan::default().request(bytes, limits);
    let limits = HeadLimits { bytes: 30, lines: 2 };
    let exact = b"GET / HTTP/1.1\r\nHost: abcd\r\n\r\n";
    assert_eq!(scan(exact, limits), Ok(Some(30)));
    assert_eq!(
        scan(b"GET / HTTP/1.1\r\nHost: abcde\r\n\r\n", limits),
        Err(Rejection::HeadTooLarge)
    );
    assert_eq!(scan(&[b'A'; 29], limits), Ok(None));
    assert_eq!(scan(&[b'A'; 30], limits), Err(Rejection::HeadTooLarge));
    assert_eq!(scan(b"G\r\nA:\r\nB:\r\n\r\n", limits), Ok(Some(13)));
    assert_eq!(
        scan(b"G\r\nA:\r\nB:\r\nC:\r\n", limits),
        Err(Rejection::HeadTooLarge)
    );
    let lines = "A: b\r\n".repeat(MAX_HEADERS);
    let head = with(&lines);
    let mut room = header_room();
    assert_eq!(
        parse_request(&head, &mut room).unwrap_err(),
        Rejection::HeadTooLarge
    );
}

#[test]
fn the_connection_header_is_read() {
    let connection = |lines: &str| request(&with(lines)).unwrap().0.connection;
    assert_eq!(connection(""), Connection::default());
    let close = connection("Connection: Close\r\n");
    assert!(close.close && !close.keep_alive && !close.lists_headers);
    let all = connection("Connection: , keep-alive ,UPGRADE\r\nConnection: close,X-Secret\r\n");
    assert!(all.close && all.keep_alive && all.upgrade && all.lists_headers);
    let (old, _) = request(b"GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n").unwrap();
    assert!(old.is_persistent());
}

#[test]
fn only_a_plain_upgrade_to_websocket_counts() {
    let upgrades = |method: &str, version: &str, lines: &str| {
        let text = format!("{method} / {version}\r\nHost: a\r\n{lines}\r\n");
        request(text.as_bytes()).unwrap().0.upgrades
    };
    let lines = "Connection: keep-alive, Upgrade\r\nUpgrade: WebSocket\r\n";
    assert!(upgrades("GET", "HTTP/1.1", lines));
    assert!(!upgrades("POST", "HTTP/1.1", lines));
    assert!(!upgrades("GET", "HTTP/1.0", lines));
    assert!(!upgrades("GET", "HTTP/1.1", "Upgrade: websocket\r\n"));
    assert!(!upgrades("GET", "HTTP/1.1", "Connection: upgrade\r\n"));
    for other in [
        "h2c",
        "websocket, h2c",
        "websocket/13",
        "h2c\r\nUpgrade: websocket",
        "websocket\r\nUpgrade: h2c",
    ] {
        let lines = format!("Connection: upgrade\r\nUpgrade: {other}\r\n");
        assert!(!upgrades("GET", "HTTP/1.1", &lines), "{other}");
    }
    assert!(!upgrades(
        "GET",
        "HTTP/1.1",
        &format!("{lines}Content-Length: 5\r\n")
    ));
}

#[test]
fn an_expectation_is_read() {
    assert!(
        request(&with("Expect: 100-Continue\r\n"))
            .unwrap()
            .0
            .expects_continue
    );
    assert!(!request(&with("Expect: 200-ok\r\n")).unwrap().0.expects_continue);
    assert!(
        !request(b"POST / HTTP/1.0\r\nExpect: 100-continue\r\n\r\n")
            .unwrap()
            .0
            .expects_continue
    );
}
