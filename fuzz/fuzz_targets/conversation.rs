//! The input of a load-test client, cut at any point.
//!
//! The first byte selects the protocol, the second how much of a valid beginning comes first, the
//! third how many of the following bytes determine the cuts of the rest. The rest is the input, on
//! the connection and on a side request's.

#![no_main]

use std::sync::Arc;

use clusterctl::load_test::conversation::{CarriedState, Conversation, Received, TargetUrl};
use clusterctl::load_test::{Kind, Protocol};
use clusterctl::mcp::Revision;
use libfuzzer_sys::fuzz_target;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

const WELCOME: &str = r#"{"jsonrpc":"2.0","id":0,"result":{"protocolVersion":"2025-11-25","serverInfo":{"name":"n1"}}}"#;
const ACCEPTED: &str = "HTTP/1.1 202 Accepted\r\ncontent-length: 0\r\n\r\n";
const STREAM: &str = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\nevent: endpoint\ndata: /x\n\n";

fuzz_target!(|input: &[u8]| {
    if let [protocol, known, cuts, rest @ ..] = input {
        let protocol = Protocol::ALL[usize::from(protocol % 4)];
        let (cuts, words) = rest.split_at(usize::from(cuts % 16).min(rest.len()));
        assert_eq!(
            play(protocol, *known, words, cuts),
            play(protocol, *known, words, &[])
        );
    }
});

/// What was received, and the errors: on the connection, on the side request, and when both end
/// then.
type Played = (Vec<Received>, [Option<Kind>; 3], Kind);

fn play(protocol: Protocol, known: u8, words: &[u8], cuts: &[u8]) -> Played {
    let authority = "127.0.0.1:80".into();
    let mut client = Conversation::new(&Arc::new(TargetUrl { protocol, authority, path: protocol.path().to_owned(), revision: Revision::NEWEST_WITH_SESSIONS, nodes: None }), CarriedState::default());
    let mut received = Vec::new();
    let beginning = beginning(protocol, client.unsent());
    for word in &beginning[..usize::from(known) % (beginning.len() + 1)] {
        client.sent(client.unsent().len());
        client.receive(word.as_bytes(), &mut received).unwrap();
    }
    if !received.is_empty() {
        client.ask(7);
    }
    client.side_request();
    let on_connection = pieces(words, cuts)
        .into_iter()
        .try_for_each(|piece| client.receive(piece, &mut received));
    let on_side_request = pieces(words, cuts)
        .into_iter()
        .try_for_each(|piece| client.receive_side_request(piece).map(drop));
    let ends = [on_connection, on_side_request, client.side_request_ended()];
    let ends = ends.map(|end| end.err().map(|failure| failure.kind));
    (received, ends, client.ended().kind)
}

/// The answers of a valid server to a client that has written `sent`.
fn beginning(protocol: Protocol, sent: &[u8]) -> Vec<String> {
    match protocol {
        Protocol::Tcp => vec![format!("{WELCOME}\n")],
        Protocol::Http => {
            let length = WELCOME.len();
            let welcome = format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n{WELCOME}");
            vec![welcome, ACCEPTED.to_owned()]
        }
        Protocol::Ws => {
            let sent = str::from_utf8(sent).unwrap();
            let (_, key) = sent.split_once("Sec-WebSocket-Key: ").unwrap();
            let accept = derive_accept_key(key.split_once("\r\n").unwrap().0.as_bytes());
            vec![format!("HTTP/1.1 101 Hi\r\nsec-websocket-accept: {accept}\r\n\r\n")]
        }
        Protocol::Sse => vec![STREAM.to_owned(), format!("data: {WELCOME}\n\n")],
    }
}

/// The input in pieces whose sizes are the cuts, in turn; whole without cuts.
fn pieces<'a>(words: &'a [u8], cuts: &[u8]) -> Vec<&'a [u8]> {
    let mut rest = words;
    let mut pieces = Vec::new();
    for cut in cuts.iter().cycle() {
        if rest.is_empty() {
            break;
        }
        let (piece, after) = rest.split_at(usize::from(*cut).clamp(1, rest.len()));
        pieces.push(piece);
        rest = after;
    }
    pieces.push(rest);
    pieces
}
