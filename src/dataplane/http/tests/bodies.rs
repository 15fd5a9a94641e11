//! Bodies, and chunks as we write them.

use super::*;

fn chunked(input: &[u8]) -> super::ReadBody {
    read_body(Framing::Chunked, input, [])
}

#[test]
fn a_length_is_read_and_no_more() {
    let (content, trailers, length) = read_body(Framing::Length(5), b"helloGET", [3]).unwrap().unwrap();
    assert_eq!(
        (&content[..], &trailers[..], length),
        (&b"hello"[..], &b""[..], 5)
    );
    assert_eq!(read_body(Framing::Length(5), b"hell", []), Ok(None));
    let mut body = Body::new(Framing::Length(2));
    assert!(!body.is_done() && !body.ends_with_connection());
    assert_eq!(
        body.next(b"abc", LIMITS),
        Ok(Piece::Data {
            consumed: 2,
            data: b"ab"
        })
    );
    assert!(body.is_done() && body.ends_with_connection());
    assert!(Body::new(Framing::Empty).is_done());
}

#[test]
fn the_end_of_the_connection_ends_a_body() {
    let mut body = Body::new(Framing::UntilClose);
    assert_eq!(
        body.next(b"abc", LIMITS),
        Ok(Piece::Data {
            consumed: 3,
            data: b"abc"
        })
    );
    assert!(!body.is_done() && body.ends_with_connection());
    assert!(!Body::new(Framing::Chunked).ends_with_connection());
}

#[test]
fn chunks_are_joined() {
    for (input, content) in [
        (&b"0\r\n\r\n"[..], &b""[..]),
        (b"000\r\n\r\n", b""),
        (b"5\r\nhello\r\n0\r\n\r\n", b"hello"),
        (b"05\r\nhello\r\n00\r\n\r\n", b"hello"),
        (b"2\r\n\r\n\r\n0\r\n\r\n", b"\r\n"),
        (
            b"a\r\n0123456789\r\nB\r\n0123456789a\r\n0\r\n\r\n",
            b"01234567890123456789a",
        ),
        (b"0000000000000001\r\nx\r\n0\r\n\r\n", b"x"),
        (b"1;a=b;c;d=\"x y;\\\"\"\r\nx\r\n0;e\r\n\r\n", b"x"),
    ] {
        let with_more = [input, b"GET / HTTP/1.1"].concat();
        let result = chunked(&with_more).unwrap();
        assert_eq!(
            result,
            Some((content.to_vec(), Vec::new(), input.len())),
            "{input:?}"
        );
    }
}

#[test]
fn trailers_are_headers() {
    let (_, trailers, length) = chunked(b"0\r\nA: b\r\nC:\r\n\r\nGET").unwrap().unwrap();
    assert_eq!((&trailers[..], length), (&b"A: b\r\nC:\r\n"[..], 15));
    for trailers in [
        "A\r\n",
        " A: b\r\n",
        "A : b\r\n",
        "A: b\r\n c\r\n",
        "A: b\nC: d\r\n",
        "A: \0\r\n",
        ": b\r\n",
        "\r: b\r\n",
        "A: b\r\r\n",
    ] {
        let input = format!("0\r\n{trailers}\r\n");
        assert!(chunked(input.as_bytes()).is_err(), "{trailers:?}");
    }
    let long = format!("0\r\nA: {}\r\n\r\n", "x".repeat(LIMITS.bytes));
    assert!(chunked(long.as_bytes()).is_err());
    let many = format!("0\r\n{}\r\n", "A: b\r\n".repeat(LIMITS.lines + 2));
    assert!(chunked(many.as_bytes()).is_err());
}

#[test]
fn chunks_are_strict() {
    for input in [
        &b"\r\n"[..],
        b";a\r\n",
        b"5\nhello\r\n0\r\n\r\n",
        b"5\r\nhello\n0\r\n\r\n",
        b"5\r\nhello0\r\n\r\n",
        b"5\r\nhello!\r\n0\r\n\r\n",
        b"5\r\nhello\r\n\r\n0\r\n\r\n",
        b"5 \r\nhello\r\n0\r\n\r\n",
        b" 5\r\nhello\r\n0\r\n\r\n",
        b"5 ;a\r\nhello\r\n0\r\n\r\n",
        b"5\t\r\n",
        b"+5\r\n",
        b"-5\r\n",
        b"0x5\r\n",
        b"5h\r\n",
        b"5_\r\n",
        b"00000000000000005\r\n",
        b"fffffffffffffffff\r\n",
        b"5\rhello",
        b"5\r\r\n",
        b"5;\0\r\n",
        b"5;a\nhello",
        b"5;a\rb\r\n",
        b"5;a=\"\r\nhello",
        b"5;a=\"b\n\"\r\n",
        b"5;a=\"b\\\r\n",
        b"5; a\r\n",
        b"5;a = b\r\n",
        b"5;\r\nhello",
        b"5;;a\r\nhello",
        b"5;a=\r\nhello",
        b"5;=b\r\nhello",
        b"5;a=\"b\"c\r\nhello",
        b"5;a=b=c\r\nhello",
        b"5;\x80\r\n",
        b"0\n\n",
        b"0\r\n\n",
        b"0\r\n\rX",
    ] {
        assert!(chunked(input).is_err(), "{:?}", String::from_utf8_lossy(input));
    }
    let long = format!("5;{}\r\nhello\r\n", "a".repeat(1025));
    assert!(chunked(long.as_bytes()).is_err());
    assert_eq!(chunked(b"ffffffffffffffff\r\nabc"), Ok(None));
}

#[test]
fn what_is_written_can_be_read() {
    let mut out = Vec::new();
    write_chunk(b"", &mut out);
    assert!(out.is_empty());
    for length in [1, 9, 10, 15, 16, 17, 255, 256, 4095, 4096, 70_000] {
        let data = vec![b'x'; length];
        out.clear();
        write_chunk(&data, &mut out);
        assert!(out.starts_with(format!("{length:x}\r\n").as_bytes()));
        write_last_chunk(b"", &mut out);
        assert_eq!(chunked(&out), Ok(Some((data, Vec::new(), out.len()))));
    }
}

#[test]
fn trailers_that_frame_route_or_authenticate_are_dropped() {
    let trailers = b"Content-Length: 5\r\nX-Sum: 1\r\ntransfer-encoding: chunked\r\nHOST: b\r\nMcp-Session-Id: x\r\n\
        MCP-Protocol-Version: y\r\nX_Forwarded_For: z\r\nAuthorization: z\r\nSet-Cookie: a=b\r\nServer-Timing: t\r\n\
        Transfer_Encoding: chunked\r\n";
    let mut out = Vec::new();
    write_last_chunk(trailers, &mut out);
    assert_eq!(out, b"0\r\nX-Sum: 1\r\nServer-Timing: t\r\n\r\n");
}
