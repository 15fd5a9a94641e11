//! Requests of public smuggling research: each is refused, or has one meaning for the codec, for
//! hyper and for a plain reader.

use super::forward::{Outcome, forward, hyper_reader, plain_reader};

/// A case: its name, the message, what becomes of it.
pub(super) type Case = (&'static str, &'static str, Outcome);

pub(super) const BAD: Outcome = Outcome::Refused(400);
pub(super) const CODING: Outcome = Outcome::Refused(501);
pub(super) const VERSION: Outcome = Outcome::Refused(505);
pub(super) const CUT: Outcome = Outcome::Cut;
pub(super) const TRUNCATED: Outcome = Outcome::Truncated;

/// The request behind each forwarded one.
pub(super) const NEXT: &str = "GET /next HTTP/1.1\r\nHost: a\r\n\r\n";

pub(super) fn whole(content: &str) -> Outcome {
    followed(content, "")
}

pub(super) fn followed(content: &str, rest: &str) -> Outcome {
    Outcome::Forwarded {
        content: content.to_owned(),
        rest: rest.to_owned(),
    }
}

/// Checks each case, where `before` and `after` surround its text.
pub(super) fn check(before: &str, cases: &[Case], after: &str) {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    for (name, text, expected) in cases {
        let input = [before, text, after].concat();
        check_one(&runtime, name, input.as_bytes(), Some(expected));
    }
}

pub(super) fn check_one(
    runtime: &tokio::runtime::Runtime,
    name: &str,
    input: &[u8],
    expected: Option<&Outcome>,
) {
    let (outcome, forwarded) = forward(input);
    if let Some(expected) = expected {
        assert_eq!(outcome, *expected, "{name}");
    }
    if let Some((message, bytes)) = forwarded {
        let bytes = [&bytes, NEXT.as_bytes()].concat();
        let plain = plain_reader(&bytes);
        assert_eq!(plain.len(), 2, "{name}");
        assert_eq!(plain[0], message, "{name}");
        let hyper = runtime.block_on(hyper_reader(&bytes));
        assert_eq!(hyper, plain, "{name}");
    }
}

#[test]
fn length_and_coding_together_are_refused() {
    let cases: &[Case] = &[
        (
            "CL.TE",
            "Content-Length: 13\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nSMUGGLED",
            BAD,
        ),
        (
            "TE.CL",
            "Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n8\r\nSMUGGLED\r\n0\r\n\r\n",
            BAD,
        ),
        (
            "length 0",
            "Content-Length: 0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            BAD,
        ),
        (
            "identity",
            "Content-Length: 5\r\nTransfer-Encoding: identity\r\n\r\nhello",
            BAD,
        ),
        (
            "empty coding",
            "Content-Length: 5\r\nTransfer-Encoding:\r\n\r\nhello",
            BAD,
        ),
        (
            "unknown coding",
            "Content-Length: 5\r\nTransfer-Encoding: xchunked\r\n\r\nhello",
            BAD,
        ),
        (
            "two codings",
            "Content-Length: 4\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: cow\r\n\r\n5c\r\n",
            BAD,
        ),
        (
            "capitals",
            "CONTENT-LENGTH: 5\r\nTRANSFER-ENCODING: CHUNKED\r\n\r\n0\r\n\r\n",
            BAD,
        ),
        (
            "mixed case",
            "cOnTeNt-LeNgTh: 5\r\ntRaNsFeR-eNcOdInG: cHuNkEd\r\n\r\n0\r\n\r\n",
            BAD,
        ),
        (
            "tab before the coding",
            "Content-Length: 5\r\nTransfer-Encoding:\tchunked\r\n\r\n0\r\n\r\n",
            BAD,
        ),
        (
            "tab behind the coding",
            "Content-Length: 5\r\nTransfer-Encoding: chunked\t\r\n\r\n0\r\n\r\n",
            BAD,
        ),
        (
            "parameter",
            "Content-Length: 5\r\nTransfer-Encoding: chunked;ext=val\r\n\r\nhello",
            BAD,
        ),
        (
            "leading comma",
            "Content-Length: 5\r\nTransfer-Encoding: ,chunked\r\n\r\nhello",
            BAD,
        ),
        (
            "many headers between",
            "Content-Length: 5\r\nA: b\r\nC: d\r\nE: f\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            BAD,
        ),
        (
            "named in Connection",
            "Connection: Content-Length\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            BAD,
        ),
        (
            "with close",
            "Connection: close\r\nContent-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nX",
            BAD,
        ),
    ];
    check("POST / HTTP/1.1\r\nHost: a\r\n", cases, "");
    check("GET / HTTP/1.1\r\nHost: a\r\n", cases, "");
    check("HEAD / HTTP/1.0\r\n", cases, "");
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn codings_are_chunked_or_refused() {
    let cases: &[Case] = &[
        ("plain", "Transfer-Encoding: chunked", whole("hello")),
        ("no space", "Transfer-Encoding:chunked", whole("hello")),
        ("two spaces", "Transfer-Encoding:  chunked", whole("hello")),
        ("space behind", "Transfer-Encoding: chunked ", whole("hello")),
        ("tab before", "Transfer-Encoding:\tchunked", whole("hello")),
        ("tab behind", "Transfer-Encoding: chunked\t", whole("hello")),
        ("capitals", "TRANSFER-ENCODING: CHUNKED", whole("hello")),
        ("sarcasm", "TrAnSFer-EnCODinG: cHuNkeD", whole("hello")),
        (
            "named in Connection",
            "Connection: Transfer-Encoding\r\nTransfer-Encoding: chunked",
            whole("hello"),
        ),
        ("prefix", "Transfer-Encoding: xchunked", CODING),
        ("suffix", "Transfer-Encoding: chunkedx", CODING),
        ("twice in one word", "Transfer-Encoding: chunkedchunked", CODING),
        ("short", "Transfer-Encoding: chunk", CODING),
        ("double quotes", "Transfer-Encoding: \"chunked\"", CODING),
        ("single quotes", "Transfer-Encoding: 'chunked'", CODING),
        ("comma behind", "Transfer-Encoding: chunked,", CODING),
        ("comma before", "Transfer-Encoding: ,chunked", CODING),
        ("cow behind", "Transfer-Encoding: chunked, cow", CODING),
        ("cow before", "Transfer-Encoding: cow, chunked", CODING),
        ("cow around", "Transfer-Encoding: cow chunked bar", CODING),
        ("twice in one line", "Transfer-Encoding: chunked, chunked", CODING),
        (
            "twice",
            "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
            CODING,
        ),
        (
            "cow first",
            "Transfer-Encoding: cow\r\nTransfer-Encoding: chunked",
            CODING,
        ),
        (
            "cow last",
            "Transfer-Encoding: chunked\r\nTransfer-Encoding: cow",
            CODING,
        ),
        (
            "empty first",
            "Transfer-Encoding:\r\nTransfer-Encoding: chunked",
            CODING,
        ),
        (
            "empty last",
            "Transfer-Encoding: chunked\r\nTransfer-Encoding: ",
            CODING,
        ),
        ("empty", "Transfer-Encoding: ", CODING),
        ("gzip", "Transfer-Encoding: gzip", CODING),
        ("gzip before", "Transfer-Encoding: gzip, chunked", CODING),
        ("identity", "Transfer-Encoding: identity", CODING),
        ("identity before", "Transfer-Encoding: identity, chunked", CODING),
        ("parameter", "Transfer-Encoding: chunked;foo=bar", CODING),
        ("colon in value", "Transfer-Encoding: : chunked", CODING),
        ("escaped", "Transfer-Encoding: %63hunked", CODING),
        (
            "encoded word",
            "Transfer-Encoding: =?iso-8859-1?B?Y2h1bmtlZA==?=",
            CODING,
        ),
        ("no-break space", "Transfer-Encoding:\u{a0}chunked", CODING),
        ("accent", "Transfer-Encoding: ch\u{fa}nked", CODING),
        ("long s", "Tran\u{17f}fer-Encoding: chunked", BAD),
        ("kelvin sign", "Transfer-Encoding: chun\u{212a}ed", CODING),
        ("vertical tab", "Transfer-Encoding:\u{b}chunked", BAD),
        ("form feed", "Transfer-Encoding: \u{c}chunked", BAD),
        ("NUL behind", "Transfer-Encoding: chunked\0", BAD),
        ("backspace", "Transfer-Encoding: chunked\u{8}", BAD),
        ("CR behind", "Transfer-Encoding: chunked\r", BAD),
        ("folded", "Transfer-Encoding:\r\n chunked", BAD),
        ("folded with tab", "Transfer-Encoding:\r\n\tchunked", BAD),
        ("folded behind", "Transfer-Encoding: chunked\r\n , identity", BAD),
        ("folded twice", "Transfer-Encoding:\r\n \r\n chunked", BAD),
        ("folded with LF", "Transfer-Encoding:\n chunked", BAD),
        ("LF before the colon", "Transfer-Encoding\n : chunked", BAD),
        ("CRLF before the colon", "Transfer-Encoding\r\n: chunked", BAD),
        ("space before the colon", "Transfer-Encoding : chunked", BAD),
        ("tab before the colon", "Transfer-Encoding\t: chunked", BAD),
        ("junk before the colon", "Transfer-Encoding x: chunked", BAD),
        ("CR in the name", "Tra\rnsfer-Encoding: chunked", BAD),
        ("space in the name", "Transfer Encoding: chunked", BAD),
        ("backslash in the name", "Transfer\\Encoding: chunked", BAD),
        ("underscore in the name", "Transfer_Encoding: chunked", BAD),
        ("soft hyphen in the name", "Transfer\u{ad}Encoding: chunked", BAD),
        ("next-line in the name", "Transfer-Encoding\u{85}: chunked", BAD),
        ("space before the name", " Transfer-Encoding: chunked", BAD),
        (
            "folded behind another header",
            "Foo: bar\r\n Transfer-Encoding: chunked",
            BAD,
        ),
        (
            "folded with tab behind another",
            "Foo: bar\r\n\tTransfer-Encoding: chunked",
            BAD,
        ),
        ("CR before", "Foo: bar\rTransfer-Encoding: chunked", BAD),
        ("LF before", "Foo: bar\nTransfer-Encoding: chunked", BAD),
        ("CRLF CR before", "Foo: bar\r\n\rTransfer-Encoding: chunked", BAD),
        ("LF CR before", "Foo: bar\n\rTransfer-Encoding: chunked", BAD),
        ("no colon", "Transfer-Encoding chunked", BAD),
        ("no name", ": chunked", BAD),
    ];
    check(
        "POST / HTTP/1.1\r\nHost: a\r\n",
        cases,
        "\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    );
    // HTTP/1.0 has no transfer codings.
    let old: &[Case] = &[
        ("chunked", "Transfer-Encoding: chunked", BAD),
        ("gzip", "Transfer-Encoding: gzip", BAD),
        (
            "with keep-alive",
            "Connection: keep-alive\r\nTransfer-Encoding: chunked",
            BAD,
        ),
    ];
    check("POST / HTTP/1.0\r\nHost: a\r\n", old, "\r\n\r\n0\r\n\r\n");
}

#[test]
fn lengths_are_one_number_or_refused() {
    let cases: &[Case] = &[
        ("plain", "Content-Length: 5", followed("hello", "GET")),
        ("no space", "Content-Length:5", followed("hello", "GET")),
        ("two spaces", "Content-Length:  5", followed("hello", "GET")),
        ("tabs around", "Content-Length:\t5\t ", followed("hello", "GET")),
        ("leading zeros", "Content-Length: 005", followed("hello", "GET")),
        (
            "many zeros",
            "Content-Length: 0000000000000000000000000005",
            followed("hello", "GET"),
        ),
        ("not octal", "Content-Length: 08", followed("helloGET", "")),
        ("zero", "Content-Length: 00", followed("", "helloGET")),
        ("none", "Content-Lengths: 5", followed("", "helloGET")),
        ("another name", "X-Content-Length: 5", followed("", "helloGET")),
        (
            "Content-Encoding says chunked",
            "Content-Encoding: chunked\r\nContent-Length: 5",
            followed("hello", "GET"),
        ),
        (
            "TE says chunked",
            "TE: chunked\r\nContent-Length: 5",
            followed("hello", "GET"),
        ),
        (
            "a look-alike of the coding",
            "Transfer-Encoding-: chunked\r\nContent-Length: 5",
            followed("hello", "GET"),
        ),
        (
            "expectation",
            "Expect: 100-continue\r\nContent-Length: 5",
            followed("hello", "GET"),
        ),
        (
            "named in Connection",
            "Connection: close, Content-Length\r\nContent-Length: 5",
            followed("hello", "GET"),
        ),
        ("longer than the content", "Content-Length: 9", TRUNCATED),
        ("largest", "Content-Length: 18446744073709551615", TRUNCATED),
        ("overflow", "Content-Length: 18446744073709551616", BAD),
        ("overflow to 5", "Content-Length: 18446744073709551621", BAD),
        ("32 bits", "Content-Length: 4294967301, 5", BAD),
        ("twice equal", "Content-Length: 5\r\nContent-Length: 5", BAD),
        ("twice", "Content-Length: 5\r\nContent-Length: 8", BAD),
        (
            "twice, first is empty",
            "Content-Length:\r\nContent-Length: 5",
            BAD,
        ),
        ("twice, other case", "Content-Length: 5\r\ncontent-length: 0", BAD),
        ("list equal", "Content-Length: 5,5", BAD),
        ("list", "Content-Length: 5, 8", BAD),
        ("list of three", "Content-Length: 5,5,5", BAD),
        ("comma before", "Content-Length: ,5", BAD),
        ("comma behind", "Content-Length: 5,", BAD),
        ("plus", "Content-Length: +5", BAD),
        ("minus", "Content-Length: -5", BAD),
        ("minus zero", "Content-Length: -0", BAD),
        ("hexadecimal", "Content-Length: 0x5", BAD),
        ("octal prefix", "Content-Length: 0o5", BAD),
        ("hexadecimal digit", "Content-Length: a", BAD),
        ("fraction", "Content-Length: 5.0", BAD),
        ("exponent", "Content-Length: 5e0", BAD),
        ("inner space", "Content-Length: 5 5", BAD),
        ("inner tab", "Content-Length: 5\t5", BAD),
        ("underscore", "Content-Length: 1_0", BAD),
        ("semicolon", "Content-Length: 5;", BAD),
        ("quotes", "Content-Length: \"5\"", BAD),
        ("empty", "Content-Length:", BAD),
        ("blank", "Content-Length: \t ", BAD),
        ("wide digit", "Content-Length: \u{ff15}", BAD),
        ("Arabic digit", "Content-Length: \u{665}", BAD),
        ("no-break space", "Content-Length: 5\u{a0}", BAD),
        ("vertical tab", "Content-Length: \u{b}5", BAD),
        ("NUL", "Content-Length: 5\0", BAD),
        ("CR", "Content-Length: 5\r", BAD),
        ("space before the colon", "Content-Length : 5", BAD),
        ("space before the name", " Content-Length: 5", BAD),
        ("folded", "Content-Length:\r\n 5", BAD),
        ("folded digits", "Content-Length: 1\r\n 0", BAD),
        ("folded behind another", "Foo: bar\r\n Content-Length: 5", BAD),
        ("LF before", "Dummy: x\nContent-Length: 5", BAD),
        ("CR in place of the hyphen", "Content\rLength: 5", BAD),
        ("underscore in the name", "Content_Length: 5", BAD),
        ("both names", "Content-Length: 5\r\nContent_Length: 0", BAD),
    ];
    check("POST / HTTP/1.1\r\nHost: a\r\n", cases, "\r\n\r\nhelloGET");
}

#[test]
fn every_request_may_have_a_body() {
    let after = "a\r\nContent-Length: 5\r\n\r\nhelloGET /x HTTP/1.1\r\n\r\n";
    let next = "GET /x HTTP/1.1\r\n\r\n";
    let cases: &[Case] = &[
        ("GET", "GET / HTTP/1.1\r\nHost: ", followed("hello", next)),
        ("HEAD", "HEAD / HTTP/1.1\r\nHost: ", followed("hello", next)),
        ("DELETE", "DELETE / HTTP/1.1\r\nHost: ", followed("hello", next)),
        ("OPTIONS", "OPTIONS / HTTP/1.1\r\nHost: ", followed("hello", next)),
        (
            "OPTIONS *",
            "OPTIONS * HTTP/1.1\r\nHost: ",
            followed("hello", next),
        ),
        ("TRACE", "TRACE / HTTP/1.1\r\nHost: ", followed("hello", next)),
        ("unknown", "GPOST / HTTP/1.1\r\nHost: ", followed("hello", next)),
        ("HTTP/1.0", "GET / HTTP/1.0\r\nHost: ", followed("hello", next)),
        (
            "upgrade",
            "GET / HTTP/1.1\r\nConnection: upgrade\r\nUpgrade: websocket\r\nHost: ",
            followed("hello", next),
        ),
        (
            "empty lines before",
            "\r\n\r\nPOST / HTTP/1.1\r\nHost: ",
            followed("hello", next),
        ),
    ];
    check("", cases, after);
    check(
        "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
        &[("pipelined", next, followed("", next))],
        "",
    );
}
