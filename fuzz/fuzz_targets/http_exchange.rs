//! A whole exchange: any bytes as a request, and any bytes as its answer.
//!
//! The first byte gives the size of each read, the second one the length of the request.

#![no_main]

use clusterctl::dataplane::http::{
    AnswerHead, Exchange, HeadLimits, HeadScan, Limits, header_room, parse_request, parse_response,
};
use libfuzzer_sys::fuzz_target;

const LIMITS: Limits = Limits {
    head: HeadLimits { bytes: 512, lines: 8 },
    body: Some(300),
};

/// What passed to each side, and whether the request and the answer were complete.
type Passed = Option<(Vec<u8>, Vec<u8>, bool, bool)>;

fuzz_target!(|input: &[u8]| {
    let [read, length, bytes @ ..] = input else {
        return;
    };
    let (request, answer) = bytes.split_at(usize::from(*length).min(bytes.len()));
    let whole = play(request, answer, usize::MAX);
    let parts = play(request, answer, usize::from(*read) + 1);
    // Chunks are written as they come, so only what they decide is compared.
    let decided = |passed: &Passed| passed.as_ref().map(|passed| (passed.2, passed.3));
    assert_eq!(decided(&whole), decided(&parts));
});

/// Passes a request and its answer in reads of this size; `None` if the request is refused.
fn play(request: &[u8], answer: &[u8], read: usize) -> Passed {
    let length = HeadScan::default().request(request, LIMITS.head).ok()??;
    let (head, body) = request.split_at(length);
    let mut room = header_room();
    let mut exchange = Exchange::begin(&parse_request(head, &mut room).ok()?, &LIMITS).ok()?;
    let (mut to_node, mut to_client) = (Vec::new(), Vec::new());
    let mut held = Vec::new();
    for part in body.chunks(read) {
        held.extend_from_slice(part);
        let passed = exchange.pass_request(&held, &LIMITS, &mut to_node).ok()?;
        assert!(passed.consumed <= held.len());
        to_node.extend_from_slice(passed.plain);
        held.drain(..passed.consumed);
    }
    let mut rest = answer;
    while !exchange.is_answered() {
        let Ok(Some(length)) = HeadScan::default().response(rest, LIMITS.head) else {
            break;
        };
        let (head, after) = rest.split_at(length);
        let mut room = header_room();
        let Ok(response) = parse_response(head, &mut room, exchange.is_head()) else {
            break;
        };
        match exchange.answer_head(&response) {
            Ok(AnswerHead::Switched) | Err(_) => break,
            Ok(_) => rest = after,
        }
    }
    held.clear();
    for part in rest.chunks(read) {
        held.extend_from_slice(part);
        let Ok(passed) = exchange.pass_answer(&held, &LIMITS, &mut to_client) else {
            break;
        };
        to_client.extend_from_slice(passed.plain);
        held.drain(..passed.consumed);
    }
    exchange.node_ended(&mut to_client);
    Some((to_node, to_client, exchange.is_request_done(), exchange.is_answer_done()))
}
