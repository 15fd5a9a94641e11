//! Requests and answers as they pass, in reads of any size.

use proptest::collection::vec;
use proptest::prelude::*;

use super::super::rules::ClientFraming;
use super::{LIMITS, read_body, request, response};
use crate::dataplane::http::{
    AnswerHead, Exchange, Framing, InvalidAnswer, Limits, Passed, Rejection, write_chunk, write_last_chunk,
};

const UNLIMITED: Limits = Limits {
    head: LIMITS,
    body: None,
};

/// The exchange that begins with this head.
fn begun(head: &str) -> Exchange {
    begun_within(head, &UNLIMITED).unwrap()
}

fn begun_within(head: &str, limits: &Limits) -> Result<Exchange, Rejection> {
    Exchange::begin(&request(head.as_bytes()).unwrap().0, limits)
}

fn answered(exchange: &mut Exchange, head: &str) -> Result<AnswerHead, InvalidAnswer> {
    let is_head = exchange.is_head();
    exchange.answer_head(&response(head.as_bytes(), is_head).unwrap().0)
}

/// `content` in chunks of these sizes.
fn chunked(content: &[u8], sizes: &[usize]) -> Vec<u8> {
    let mut out = Vec::new();
    let (mut rest, mut sizes) = (content, sizes.iter().cycle());
    while let Some(size) = sizes.next().filter(|_| !rest.is_empty()) {
        let (chunk, after) = rest.split_at((*size).clamp(1, rest.len()));
        write_chunk(chunk, &mut out);
        rest = after;
    }
    write_last_chunk(&[], &mut out);
    out
}

/// Passes `input` in reads of these sizes; what came out, and what was left.
fn passed<E: std::fmt::Debug>(
    input: &[u8],
    reads: &[usize],
    mut pass: impl FnMut(&[u8], &mut Vec<u8>) -> Result<(usize, Vec<u8>), E>,
) -> Result<(Vec<u8>, Vec<u8>), E> {
    let (mut out, mut held) = (Vec::new(), Vec::new());
    let (mut rest, mut reads) = (input, reads.iter().cycle());
    while !rest.is_empty() {
        let size = reads.next().copied().unwrap_or(1).clamp(1, rest.len());
        let (read, after) = rest.split_at(size);
        held.extend_from_slice(read);
        let (consumed, plain) = pass(&held, &mut out)?;
        out.extend(plain);
        held.drain(..consumed);
        rest = after;
    }
    Ok((out, held))
}

fn owned(passed: Passed<'_>) -> (usize, Vec<u8>) {
    (passed.consumed, passed.plain.to_vec())
}

proptest! {
    #[test]
    fn a_request_s_body_arrives_whole_and_nothing_behind_it(
        content in vec(any::<u8>(), 0..300),
        sizes in vec(1_usize..50, 1..6),
        reads in vec(1_usize..60, 1..6),
        is_chunked: bool,
    ) {
        let (head, framing, mut input) = if is_chunked {
            ("Transfer-Encoding: chunked".to_owned(), Framing::Chunked, chunked(&content, &sizes))
        } else if content.is_empty() {
            ("Content-Length: 0".to_owned(), Framing::Empty, Vec::new())
        } else {
            let length = content.len();
            (format!("Content-Length: {length}"), Framing::Length(length as u64), content.clone())
        };
        input.extend_from_slice(b"GET / HTTP/1.1");
        let mut exchange = begun(&format!("POST /mcp HTTP/1.1\r\nHost: a\r\n{head}\r\n\r\n"));
        let (out, left) = passed(&input, &reads, |bytes, out| {
            exchange.pass_request(bytes, &UNLIMITED, out).map(owned)
        })
        .unwrap();
        prop_assert!(exchange.is_request_done());
        prop_assert_eq!(left, b"GET / HTTP/1.1");
        let (read, _, length) = read_body(framing, &out, []).unwrap().unwrap();
        prop_assert_eq!((read, length), (content, out.len()));
    }

    #[test]
    fn an_answer_s_body_arrives_whole(
        content in vec(any::<u8>(), 1..300),
        sizes in vec(1_usize..50, 1..6),
        reads in vec(1_usize..60, 1..6),
        kind in 0_usize..3,
        is_old: bool,
    ) {
        let (head, input) = match kind {
            0 => (format!("Content-Length: {}\r\n", content.len()), content.clone()),
            1 => ("Transfer-Encoding: chunked\r\n".to_owned(), chunked(&content, &sizes)),
            _ => (String::new(), content.clone()),
        };
        let version = if is_old { "1.0" } else { "1.1" };
        let mut exchange = begun(&format!("GET /mcp HTTP/{version}\r\nHost: a\r\n\r\n"));
        let head = answered(&mut exchange, &format!("HTTP/1.1 200 OK\r\n{head}\r\n")).unwrap();
        let AnswerHead::Final { framing, closes } = head else {
            panic!("{head:?}");
        };
        let (mut out, left) = passed(&input, &reads, |bytes, out| {
            exchange.pass_answer(bytes, &UNLIMITED, out).map(owned)
        })
        .unwrap();
        prop_assert_eq!(left, Vec::<u8>::new());
        if kind == 2 {
            prop_assert!(!exchange.is_answer_done() && exchange.is_stream());
            prop_assert!(exchange.node_ended(&mut out));
        }
        prop_assert!(exchange.is_answer_done());
        prop_assert_eq!(exchange.node_persists(), kind != 2);
        prop_assert_eq!(closes, is_old);
        let framing = match framing {
            ClientFraming::AsIs => Framing::Length(content.len() as u64),
            ClientFraming::Chunked => Framing::Chunked,
            ClientFraming::UntilClose => {
                prop_assert_eq!(out, content);
                return Ok(());
            }
        };
        let (read, _, length) = read_body(framing, &out, []).unwrap().unwrap();
        prop_assert_eq!((read, length), (content, out.len()));
    }
}

#[test]
fn a_body_beyond_the_limit_is_rejected() {
    let limits = Limits {
        body: Some(5),
        ..UNLIMITED
    };
    let head = |framing: &str| format!("POST /mcp HTTP/1.1\r\nHost: a\r\n{framing}\r\n\r\n");
    let too_large = begun_within(&head("Content-Length: 6"), &limits);
    assert_eq!(too_large.unwrap_err(), Rejection::BodyTooLarge);
    assert!(begun_within(&head("Content-Length: 5"), &limits).is_ok());
    let mut exchange = begun_within(&head("Transfer-Encoding: chunked"), &limits).unwrap();
    let mut out = Vec::new();
    let passed = exchange.pass_request(b"5\r\nabcde\r\n", &limits, &mut out);
    assert_eq!(passed.unwrap().consumed, 10);
    let rejected = exchange.pass_request(b"1\r\nf\r\n", &limits, &mut out);
    assert_eq!(rejected.unwrap_err(), Rejection::BodyTooLarge);
}

#[test]
fn an_answer_before_the_end_of_its_request_ends_both_connections() {
    let mut exchange = begun("POST /mcp HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n");
    let head = answered(&mut exchange, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").unwrap();
    let framing = ClientFraming::AsIs;
    assert_eq!(
        head,
        AnswerHead::Final {
            framing,
            closes: true
        }
    );
    assert!(exchange.is_answer_done() && !exchange.is_request_done() && !exchange.node_persists());
}

#[test]
fn only_the_asked_for_protocol_is_switched_to() {
    let plain = "GET /mcp HTTP/1.1\r\nHost: a\r\n\r\n";
    let upgrade = "GET /mcp HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n";
    let switched = |protocols: &str| {
        format!("HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\n{protocols}\r\n")
    };
    let websocket = switched("Upgrade: WebSocket\r\n");
    assert_eq!(
        answered(&mut begun(upgrade), &websocket),
        Ok(AnswerHead::Switched)
    );
    assert!(answered(&mut begun(plain), &websocket).is_err());
    for other in ["", "Upgrade: h2c\r\n", "Upgrade: websocket\r\nUpgrade: h2c\r\n"] {
        assert!(
            answered(&mut begun(upgrade), &switched(other)).is_err(),
            "{other}"
        );
    }
}

#[test]
fn interim_answers_are_for_clients_of_http_1_1() {
    for (version, head) in [("1.1", AnswerHead::Interim), ("1.0", AnswerHead::Ignored)] {
        let mut exchange = begun(&format!("GET /mcp HTTP/{version}\r\nHost: a\r\n\r\n"));
        for _ in 0..3 {
            assert_eq!(
                answered(&mut exchange, "HTTP/1.1 103 Early Hints\r\n\r\n"),
                Ok(head)
            );
            assert!(!exchange.is_answered());
        }
    }
}

#[test]
fn a_truncated_answer_is_not_complete() {
    for head in ["Content-Length: 9", "Transfer-Encoding: chunked"] {
        let mut exchange = begun("GET /mcp HTTP/1.1\r\nHost: a\r\n\r\n");
        answered(&mut exchange, &format!("HTTP/1.1 200 OK\r\n{head}\r\n\r\n")).unwrap();
        let mut out = Vec::new();
        exchange.pass_answer(b"3\r\n", &UNLIMITED, &mut out).unwrap();
        assert!(!exchange.node_ended(&mut out), "{head}");
    }
}
