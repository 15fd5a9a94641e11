//! Bodies in chunks that two readers could read in two ways.

use super::smuggling::{CUT, Case, TRUNCATED, check, followed, whole};

#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn chunks_have_one_reading() {
    let cases: &[Case] = &[
        ("lower case", "a\r\n0123456789\r\n0\r\n\r\n", whole("0123456789")),
        ("upper case", "A\r\n0123456789\r\n0\r\n\r\n", whole("0123456789")),
        ("leading zeros", "0005\r\nhello\r\n000\r\n\r\n", whole("hello")),
        (
            "the end in the data",
            "5\r\n0\r\n\r\n\r\n0\r\n\r\n",
            whole("0\r\n\r\n"),
        ),
        (
            "a request behind",
            "0\r\n\r\nGET /x HTTP/1.1\r\n\r\n",
            followed("", "GET /x HTTP/1.1\r\n\r\n"),
        ),
        (
            "extension",
            "5;a=b;c\r\nhello\r\n0;d=\"e\"\r\n\r\n",
            whole("hello"),
        ),
        (
            "quoted extension",
            "5;a=\"I \\\"love\\\"; \\\\x\\\\\"\r\nhello\r\n0\r\n\r\n",
            whole("hello"),
        ),
        (
            "size in an extension",
            "5;2\r\nhello\r\n0\r\n\r\n",
            whole("hello"),
        ),
        ("no end", "5\r\nhello\r\n", TRUNCATED),
        ("no last line", "5\r\nhello\r\n0\r\n", TRUNCATED),
        ("huge", "7fffffffffffffff\r\nhello\r\n0\r\n\r\n", TRUNCATED),
        ("largest", "ffffffffffffffff\r\nhello\r\n0\r\n\r\n", TRUNCATED),
        ("overflow", "10000000000000005\r\nhello\r\n0\r\n\r\n", CUT),
        ("17 zeros", "00000000000000000\r\n\r\n", CUT),
        ("no size", "\r\nhello\r\n0\r\n\r\n", CUT),
        ("hexadecimal prefix", "0x5\r\nhello\r\n0\r\n\r\n", CUT),
        ("plus", "+5\r\nhello\r\n0\r\n\r\n", CUT),
        ("minus", "-5\r\nhello\r\n0\r\n\r\n", CUT),
        ("underscore", "0_5\r\nhello\r\n0\r\n\r\n", CUT),
        ("fraction", "5.0\r\nhello\r\n0\r\n\r\n", CUT),
        ("not a digit", "g\r\nhello\r\n0\r\n\r\n", CUT),
        ("junk behind", "5x\r\nhello\r\n0\r\n\r\n", CUT),
        ("word behind", "2 erfrferferf\r\naa\r\n0 rrrr\r\n\r\n", CUT),
        ("space before", " 5\r\nhello\r\n0\r\n\r\n", CUT),
        ("space behind", "5 \r\nhello\r\n0\r\n\r\n", CUT),
        ("tab behind", "5\t\r\nhello\r\n0\r\n\r\n", CUT),
        ("NUL behind", "5\0\r\nhello\r\n0\r\n\r\n", CUT),
        ("comma", "5,5\r\nhello\r\n0\r\n\r\n", CUT),
        ("LF behind the size", "5\nhello\r\n0\r\n\r\n", CUT),
        ("CR behind the size", "5\rhello\r\n0\r\n\r\n", CUT),
        ("CR CR behind the size", "5\r\r;ABCD\r\n34\r\nE\r\n0\r\n\r\n", CUT),
        ("LF behind the data", "5\r\nhello\n0\r\n\r\n", CUT),
        ("CR behind the data", "5\r\nhello\r0\r\n\r\n", CUT),
        ("nothing behind the data", "5\r\nhello0\r\n\r\n", CUT),
        ("two bytes behind the data", "5\r\nhelloXX0\r\n\r\n", CUT),
        ("data longer than the size", "3\r\nhello\r\n0\r\n\r\n", CUT),
        ("empty line behind the data", "5\r\nhello\r\n\r\n0\r\n\r\n", CUT),
        ("LF behind the last size", "0\n\r\n", CUT),
        ("LF at the end", "0\r\n\n", CUT),
        ("CR at the end", "0\r\n\rX", CUT),
        ("semicolon alone", "5;\r\nhello\r\n0\r\n\r\n", CUT),
        (
            "TERM.EXT",
            "2;\nxx\r\n45\r\n0\r\n\r\nGET /x HTTP/1.1\r\n\r\n\r\n0\r\n\r\n",
            CUT,
        ),
        ("EXT.TERM", "5;a\nhello\r\n0\r\n\r\n", CUT),
        ("TERM.SPILL", "5\r\nhello\n\n0\r\n\r\n", CUT),
        ("SPILL.TERM", "5\r\nhello\r0\r\n\r\n", CUT),
        ("CR in an extension", "5;a\rX\r\nhello\r\n0\r\n\r\n", CUT),
        ("NUL in an extension", "5;\0a\r\nhello\r\n0\r\n\r\n", CUT),
        ("not a token in an extension", "5;a@b\r\nhello\r\n0\r\n\r\n", CUT),
        ("space in an extension", "5; a=b\r\nhello\r\n0\r\n\r\n", CUT),
        ("open quote", "5;a=\"b\r\nhello\r\n0\r\n\r\n", CUT),
        ("line end in quotes", "5;a=\"\r\nhello\r\n0\r\n\r\n\"\r\n", CUT),
        ("LF in quotes", "5;a=\"\n\"\r\nhello\r\n0\r\n\r\n", CUT),
        ("escaped line end", "5;a=\"\\\r\nhello\r\n0\r\n\r\n", CUT),
        ("trailer", "0\r\nX-Sum: 1\r\n\r\n", whole("")),
        (
            "framing trailers",
            "0\r\nContent-Length: 9\r\nTransfer-Encoding: chunked\r\nHost: b\r\n\r\n",
            whole(""),
        ),
        (
            "authorising trailer",
            "0\r\nAuthorization: Bearer x\r\nMcp-Session-Id: y\r\n\r\n",
            whole(""),
        ),
        (
            "trailer without colon",
            "0\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
            CUT,
        ),
        ("folded trailer", "0\r\nA: b\r\n c\r\n\r\n", CUT),
        ("space before a trailer", "0\r\n A: b\r\n\r\n", CUT),
        ("space before a trailer's colon", "0\r\nA : b\r\n\r\n", CUT),
        ("LF behind a trailer", "0\r\nA: b\nC: d\r\n\r\n", CUT),
        ("CR in a trailer", "0\r\nA: b\rC: d\r\n\r\n", CUT),
        ("NUL in a trailer", "0\r\nA: \0\r\n\r\n", CUT),
    ];
    check(
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n",
        cases,
        "",
    );
    check(
        "GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n",
        cases,
        "",
    );
}
