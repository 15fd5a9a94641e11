//! Reads may cut a message anywhere.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use super::*;

/// Pieces of heads, right and wrong.
const HEAD: [&str; 32] = [
    "GET / HTTP/1.1\r\n",
    "POST /mcp HTTP/1.1\r\n",
    "HTTP/1.1 200 OK\r\n",
    "HTTP/1.0 204\r\n",
    "Host: a\r\n",
    "host:a:80\r\n",
    "Content-Length: 5\r\n",
    "Content-Length: ",
    "Transfer-Encoding: chunked\r\n",
    "Transfer-Encoding: ",
    "Connection: close, x\r\n",
    "X: y\r\n",
    "X:",
    " y\r\n",
    "\r\n",
    "\r\n",
    "\r\n\r\n",
    "\r",
    "\n",
    "\0",
    " ",
    "\t",
    "/",
    "GET ",
    " HTTP/1.1",
    "5",
    "chunked",
    ",",
    "\u{e4}",
    "*",
    "#",
    "http://a/",
];

/// Pieces of chunked bodies, right and wrong.
const CHUNKS: [&str; 24] = [
    "5\r\nhello\r\n",
    "5\r\nhello\r\n",
    "1\r\nx\r\n",
    "00a;b=\"c\\\"d\";e\r\n0123456789\r\n",
    "0\r\n\r\n",
    "0\r\n",
    "A: b\r\n",
    "C:\r\n",
    "\r\n",
    "\r\n",
    "\r",
    "\n",
    "5",
    "0",
    "f",
    ";",
    "\"",
    "\\",
    " ",
    "\0",
    "hello",
    ":",
    "\u{e4}",
    "0;x\r\nA: b\r\n\r\n",
];

/// The result of a search for the end of a head, where each read adds one of `reads` bytes.
fn scan<E>(
    bytes: &[u8],
    reads: impl IntoIterator<Item = usize>,
    mut scan: impl FnMut(&[u8]) -> Result<Option<usize>, E>,
) -> Result<Option<usize>, E> {
    let mut arrived = 0;
    for read in reads {
        arrived = bytes.len().min(arrived + read);
        match scan(&bytes[..arrived]) {
            Ok(None) => {}
            done => return done,
        }
    }
    scan(bytes)
}

fn check_head(bytes: &[u8], reads: &[usize], limits: HeadLimits) {
    let once = HeadScan::default().request(bytes, limits);
    let mut cut = HeadScan::default();
    assert_eq!(
        scan(bytes, reads.iter().copied(), |bytes| cut.request(bytes, limits)),
        once
    );
    let once = HeadScan::default().response(bytes, limits);
    let mut cut = HeadScan::default();
    assert_eq!(
        scan(bytes, reads.iter().copied(), |bytes| cut.response(bytes, limits)),
        once
    );
}

#[test]
fn a_head_is_found_at_every_cut() {
    let text = b"\r\nPOST /mcp HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello";
    let end = Ok(Some(text.len() - 5));
    for first in 0..text.len() {
        for second in 0..text.len() - first {
            let mut search = HeadScan::default();
            let reads = [first, second];
            assert_eq!(
                scan(text, reads, |bytes| search.request(bytes, LIMITS)),
                end,
                "{reads:?}"
            );
            assert_eq!(search, HeadScan::default());
        }
    }
}

#[test]
fn a_chunked_body_is_read_at_every_cut() {
    let text = b"5;a=\"b\"\r\nhello\r\n0A\r\n0123456789\r\n0\r\nA: b\r\nC: d\r\n\r\nGET";
    let once = read_body(Framing::Chunked, text, []).unwrap().unwrap();
    assert_eq!(
        (&once.0[..], &once.1[..]),
        (&b"hello0123456789"[..], &b"A: b\r\nC: d\r\n"[..])
    );
    for first in 0..text.len() {
        for second in 0..text.len() - first {
            let read = read_body(Framing::Chunked, text, [first, second]);
            assert_eq!(read, Ok(Some(once.clone())), "{first} {second}");
        }
    }
}

proptest! {
    #[test]
    fn cuts_change_nothing_in_a_head(
        pieces in vec(select(&HEAD[..]), 0..16),
        reads in vec(1_usize..40, 0..20),
        bytes in 8_usize..200,
        lines in 0_usize..6,
    ) {
        check_head(pieces.concat().as_bytes(), &reads, LIMITS);
        check_head(pieces.concat().as_bytes(), &reads, HeadLimits { bytes, lines });
    }

    #[test]
    fn cuts_change_nothing_in_a_body(
        pieces in vec(select(&CHUNKS[..]), 0..12),
        reads in vec(1_usize..20, 0..20),
        length in 0_u64..40,
    ) {
        let input = pieces.concat();
        for framing in [Framing::Chunked, Framing::Length(length), Framing::UntilClose] {
            let once = read_body(framing, input.as_bytes(), []);
            prop_assert_eq!(read_body(framing, input.as_bytes(), reads.iter().copied()), once);
        }
    }

    #[test]
    fn written_chunks_are_read_again(
        pieces in vec(vec(any::<u8>(), 0..70), 0..12),
        reads in vec(1_usize..20, 0..20),
    ) {
        let mut out = Vec::new();
        for piece in &pieces {
            write_chunk(piece, &mut out);
        }
        write_last_chunk(b"X-Sum: 1\r\n", &mut out);
        let expected = (pieces.concat(), b"X-Sum: 1\r\n".to_vec(), out.len());
        prop_assert_eq!(read_body(Framing::Chunked, &out, reads), Ok(Some(expected)));
    }

    #[test]
    fn what_is_in_a_head_is_read(
        method in "[A-Z]{1,8}|[!#$%&'*+.^_`|~a-z-]{1,8}",
        target in "/[!-\"$-~]{0,30}",
        headers in vec(("X-[!#$%&'*+.^_`|~0-9a-zA-Z-]{1,12}", "([!-~][!-~ \t]{0,20}[!-~])?", "[ \t]{0,2}"), 0..12),
    ) {
        let lines = headers.iter().map(|(name, value, space)| format!("{name}:{space}{value}{space}\r\n"));
        let text = format!("{method} {target} HTTP/1.1\r\nHost: a\r\n{}\r\n", lines.collect::<String>());
        prop_assume!(method != "CONNECT");
        let (request, length) = request(text.as_bytes()).unwrap();
        prop_assert_eq!((request.method, request.target, length), (&method[..], &target[..], text.len()));
        let read = request.headers[1..].iter().map(|header| (header.name, header.value));
        let sent = headers.iter().map(|(name, value, _)| (&name[..], value.as_bytes()));
        prop_assert!(read.eq(sent));
    }

    #[test]
    fn anything_may_come(bytes in vec(any::<u8>(), 0..200)) {
        for start in [&b""[..], b"GET / HTTP/1.1\r\nHost: a\r\n", b"HTTP/1.1 200 OK\r\n"] {
            let bytes = [start, &bytes, b"\r\n\r\n"].concat();
            let _ = HeadScan::default().request(&bytes, LIMITS).map(|end| {
                end.map(|end| parse_request(&bytes[..end], &mut header_room()).map(|request| request.framing))
            });
            let _ = HeadScan::default().response(&bytes, LIMITS).map(|end| {
                end.map(|end| parse_response(&bytes[..end], &mut header_room(), false).map(|answer| answer.framing))
            });
        }
        let _ = read_body(Framing::Chunked, &bytes, []);
    }
}
