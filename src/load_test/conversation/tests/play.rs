//! Plays a script against a client, step by step.

use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use super::super::*;
use crate::load_test::Kind;

/// A step of the script.
#[derive(Clone, Debug)]
pub(super) enum Step {
    /// The client reads these bytes.
    Receives(Vec<u8>),
    /// The client reads these bytes on its side request.
    SideRequestReceives(Vec<u8>),
    /// The client sends a `ping`.
    Asks(u64),
}

/// The outcome.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Played {
    pub(super) received: Vec<Received>,
    /// Requests and messages in sequence, including those on side requests.
    pub(super) sent: String,
    pub(super) cookie: Option<Box<str>>,
    pub(super) ended: Option<LoadError>,
}

pub(super) fn client(protocol: Protocol) -> Conversation {
    client_of(Revision::NEWEST_WITH_SESSIONS, protocol)
}

pub(super) fn client_of(revision: Revision, protocol: Protocol) -> Conversation {
    let authority = "127.0.0.1:80".into();
    let path = protocol.path().into();
    let url = TargetUrl {
        protocol,
        authority,
        path,
        revision,
        nodes: None,
    };
    Conversation::new(&Arc::new(url), CarriedState::default())
}

/// Plays the steps; the client reads in pieces of this size.
pub(super) fn play(client: &mut Conversation, steps: &[Step], size: usize) -> Result<Played, LoadError> {
    let mut played = Played::default();
    for step in steps {
        write_out(client, &mut played);
        match step {
            Step::Asks(id) => client.ask(*id),
            Step::Receives(bytes) => {
                let bytes = accepted(bytes, &played.sent);
                for piece in bytes.chunks(size) {
                    client.receive(piece, &mut played.received)?;
                    write_out(client, &mut played);
                }
            }
            Step::SideRequestReceives(bytes) => {
                let done = bytes.chunks(size).map(|piece| client.receive_side_request(piece));
                assert!(done.last().unwrap()?);
            }
        }
    }
    write_out(client, &mut played);
    played.cookie = client.carried_state().cookie;
    played.ended = Some(client.ended());
    Ok(played)
}

/// Writes what the client sends on its connection and on side requests, which `> ` marks.
pub(super) fn write_out(client: &mut Conversation, played: &mut Played) {
    // Byte by byte.
    while let Some(byte) = client.unsent().first() {
        played.sent.push(char::from(*byte));
        client.sent(1);
    }
    if let Some(request) = client.side_request() {
        played.sent.push_str("> ");
        played.sent.push_str(std::str::from_utf8(&request).unwrap());
    }
}

/// Completes the handshake of a WebSocket, whose answer depends on the client's key.
pub(super) fn accepted(bytes: &[u8], sent: &str) -> Vec<u8> {
    let key = sent
        .split_once("Sec-WebSocket-Key: ")
        .and_then(|(_, rest)| rest.split_once("\r\n"));
    match (std::str::from_utf8(bytes), key) {
        (Ok(text), Some((key, _))) => text.replace("ACCEPT", &derive_accept_key(key.as_bytes())).into(),
        _ => bytes.to_vec(),
    }
}

/// The sent text, with the version replaced.
pub(super) fn shown(sent: &str) -> String {
    let length = |text: &str| format!("Content-Length: {}", text.len());
    let discover = message::discover(0, Revision::NEWEST);
    sent.replace(env!("CARGO_PKG_VERSION"), "VERSION")
        .replace(&length(message::INITIALIZE), "Content-Length: LENGTH")
        .replace(&length(&discover), "Content-Length: LENGTH")
        .replace('\r', "")
}

pub(super) fn failure(protocol: Protocol, steps: &[Step]) -> (Kind, String) {
    let failure = play(&mut client(protocol), steps, usize::MAX).unwrap_err();
    (failure.kind, failure.detail)
}
