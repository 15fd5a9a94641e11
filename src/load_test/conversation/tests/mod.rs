//! Whole conversations with the embedded node, directly and through HAProxy.

mod play;
mod scripts;

use proptest::prelude::*;
use proptest::sample::Index;

use super::*;
use crate::load_test::Kind;
use play::{Step, client, client_of, failure, play, shown};
use scripts::{ANSWER, INITIALIZED, UNAVAILABLE, chunk, json, receives, transcript};

#[test]
fn clients_are_welcomed_and_answered_however_the_bytes_are_cut() {
    for protocol in Protocol::ALL {
        let steps = transcript(protocol);
        for size in (1..300).chain([usize::MAX]) {
            let played = play(&mut client(protocol), &steps, size).unwrap();
            let node = "n1".to_owned();
            // As erlmcp over TCP, which does not know `ping`.
            let refused = protocol == Protocol::Tcp;
            assert_eq!(
                played.received,
                [Received::Welcome { node }, Received::Answer { id: 7, refused }],
                "{protocol} {size}"
            );
            let cookie = (protocol != Protocol::Tcp).then(|| "SERVERID=n1".into());
            assert_eq!(played.cookie, cookie, "{protocol}");
        }
    }
}

#[test]
fn messages_over_tcp() {
    let played = play(&mut client(Protocol::Tcp), &transcript(Protocol::Tcp), 10).unwrap();
    insta::assert_snapshot!(shown(&played.sent), @r#"
    {"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"clusterctl load-test","version":"VERSION"}}}
    {"jsonrpc":"2.0","method":"notifications/initialized"}
    {"jsonrpc":"2.0","id":"s1","result":{}}
    {"jsonrpc":"2.0","id":7,"method":"ping"}
    "#);
}

#[test]
fn messages_over_http() {
    let played = play(&mut client(Protocol::Http), &transcript(Protocol::Http), 10).unwrap();
    insta::assert_snapshot!(shown(&played.sent), @r#"
    POST /mcp HTTP/1.1
    Host: 127.0.0.1:80
    Content-Type: application/json
    Accept: application/json, text/event-stream
    Content-Length: LENGTH

    {"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"clusterctl load-test","version":"VERSION"}}}
    POST /mcp HTTP/1.1
    Host: 127.0.0.1:80
    Content-Type: application/json
    Accept: application/json, text/event-stream
    MCP-Protocol-Version: 2025-11-25
    Mcp-Session-Id: 239d
    Cookie: SERVERID=n1
    Content-Length: 55

    {"jsonrpc":"2.0","method":"notifications/initialized"}
    POST /mcp HTTP/1.1
    Host: 127.0.0.1:80
    Content-Type: application/json
    Accept: application/json, text/event-stream
    MCP-Protocol-Version: 2025-11-25
    Mcp-Session-Id: 239d
    Cookie: SERVERID=n1
    Content-Length: 41

    {"jsonrpc":"2.0","id":7,"method":"ping"}
    "#);
}

#[test]
fn requests_without_a_session() {
    let discovered = |id: u64, node: &str| {
        let info = format!(r#""io.modelcontextprotocol/serverInfo":{{"name":"{node}","version":"1"}}"#);
        format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{{"supportedVersions":[],"_meta":{{{info}}}}}}}"#)
    };
    let steps = [
        json(
            "mcp-session-id: 239d\r\nset-cookie: SERVERID=n1; path=/\r\n",
            &discovered(0, "n1"),
        ),
        Step::Asks(7),
        json("", &discovered(7, "n2")),
        Step::Asks(8),
        json(
            "",
            r#"{"jsonrpc":"2.0","id":8,"error":{"code":503,"message":"full"}}"#,
        ),
    ];
    for size in (1..200).chain([usize::MAX]) {
        let mut client = client_of(Revision::NEWEST, Protocol::Http);
        let played = play(&mut client, &steps, size).unwrap();
        let answer = |id, refused| Received::Answer { id, refused };
        let by = |node: &str| node.to_owned();
        assert_eq!(
            played.received,
            [
                Received::Welcome { node: by("n1") },
                Received::ServedBy { node: by("n2") },
                answer(7, false),
                answer(8, true),
            ]
        );
        assert!(client.held() <= 400, "{}", client.held());
    }
    let mut client = client_of(Revision::NEWEST, Protocol::Http);
    assert_eq!(
        client.ended().detail,
        "the server has closed the connection before it answered `server/discover`"
    );
    let played = play(&mut client, &steps[..3], 10).unwrap();
    insta::assert_snapshot!(shown(&played.sent), @r#"
    POST /mcp HTTP/1.1
    Host: 127.0.0.1:80
    Content-Type: application/json
    Accept: application/json, text/event-stream
    MCP-Protocol-Version: 2026-07-28
    Mcp-Method: server/discover
    Content-Length: LENGTH

    {"jsonrpc":"2.0","id":0,"method":"server/discover","params":{"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientInfo":{"name":"clusterctl load-test","version":"VERSION"},"io.modelcontextprotocol/clientCapabilities":{}}}}
    POST /mcp HTTP/1.1
    Host: 127.0.0.1:80
    Content-Type: application/json
    Accept: application/json, text/event-stream
    MCP-Protocol-Version: 2026-07-28
    Mcp-Method: server/discover
    Cookie: SERVERID=n1
    Content-Length: LENGTH

    {"jsonrpc":"2.0","id":7,"method":"server/discover","params":{"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientInfo":{"name":"clusterctl load-test","version":"VERSION"},"io.modelcontextprotocol/clientCapabilities":{}}}}
    "#);
}

#[test]
fn messages_over_sse() {
    let played = play(&mut client(Protocol::Sse), &transcript(Protocol::Sse), 10).unwrap();
    insta::assert_snapshot!(shown(&played.sent), @r#"
    GET /mcp/sse HTTP/1.1
    Host: 127.0.0.1:80
    Accept: text/event-stream

    > POST /mcp/sse?sessionId=78e52f2aa07a6e3b3b177347de8645fe HTTP/1.1
    Host: 127.0.0.1:80
    Content-Type: application/json
    Accept: application/json, text/event-stream
    Connection: close
    Cookie: SERVERID=n1
    Content-Length: LENGTH

    {"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"clusterctl load-test","version":"VERSION"}}}
    > POST /mcp/sse?sessionId=78e52f2aa07a6e3b3b177347de8645fe HTTP/1.1
    Host: 127.0.0.1:80
    Content-Type: application/json
    Accept: application/json, text/event-stream
    Connection: close
    Cookie: SERVERID=n1
    Content-Length: 55

    {"jsonrpc":"2.0","method":"notifications/initialized"}
    > POST /mcp/sse?sessionId=78e52f2aa07a6e3b3b177347de8645fe HTTP/1.1
    Host: 127.0.0.1:80
    Content-Type: application/json
    Accept: application/json, text/event-stream
    Connection: close
    Cookie: SERVERID=n1
    Content-Length: 41

    {"jsonrpc":"2.0","id":7,"method":"ping"}
    "#);
}

#[test]
fn an_upgrade_is_requested_and_a_websocket_ping_answered() {
    let steps = transcript(Protocol::Ws);
    let mut client = client(Protocol::Ws);
    let played = play(&mut client, &steps[..2], 10).unwrap();
    assert!(
        played
            .sent
            .starts_with("GET /mcp/ws HTTP/1.1\r\nHost: 127.0.0.1:80\r\n")
    );
    let pong = play(&mut client, &steps[2..3], 10).unwrap().sent;
    assert_eq!(
        (pong.chars().count(), &pong[..'\u{8a}'.len_utf8()]),
        (6, "\u{8a}")
    );
}

#[test]
fn an_answer_may_come_as_a_stream_of_events() {
    let mut steps = transcript(Protocol::Http);
    steps.pop();
    steps.push(receives(
        "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n",
    ));
    steps.push(chunk(": keep-alive\n\n"));
    steps.push(chunk(&format!("event: message\ndata: {ANSWER}\n\n")));
    let mut client = client(Protocol::Http);
    assert_eq!(play(&mut client, &steps, 7).unwrap().received.len(), 1);
    let played = play(&mut client, &[receives("0\r\n\r\n")], 7).unwrap();
    assert_eq!(
        played.received,
        [Received::Answer {
            id: 7,
            refused: false
        }]
    );
}

#[test]
fn an_http_error_status_is_reported_with_its_text() {
    let detail = "HTTP status 503: `<html><body><h1>503 Service Unavailable</h1>.No server is available to handle this request..</body><..`";
    for protocol in [Protocol::Http, Protocol::Ws, Protocol::Sse] {
        let refused = (Kind::HttpStatus, detail.to_owned());
        assert_eq!(failure(protocol, &[receives(UNAVAILABLE)]), refused, "{protocol}");
    }
    let mut steps = transcript(Protocol::Sse);
    steps[2] = Step::SideRequestReceives(UNAVAILABLE.into());
    assert_eq!(failure(Protocol::Sse, &steps).0, Kind::HttpStatus);
}

#[test]
fn a_json_rpc_error_is_reported_with_its_message() {
    let full = r#"{"jsonrpc":"2.0","id":null,"error":{"code":503,"message":"too many connections"}}"#;
    let refused = (
        Kind::Denied,
        "the server refused: too many connections".to_owned(),
    );
    assert_eq!(failure(Protocol::Tcp, &[receives(format!("{full}\n"))]), refused);
    assert_eq!(failure(Protocol::Http, &[json("", full)]), refused);
}

#[test]
fn other_protocols_are_garbage() {
    let ssh = receives(&b"SSH-2.0-OpenSSH_9.2\r\n"[..]);
    for protocol in Protocol::ALL {
        assert_eq!(
            failure(protocol, std::slice::from_ref(&ssh)).0,
            Kind::Garbage,
            "{protocol}"
        );
    }
    assert_eq!(
        failure(Protocol::Ws, &[receives(UNAVAILABLE.replace("503", "200"))]).0,
        Kind::Garbage
    );
    assert_eq!(failure(Protocol::Sse, &[json("", INITIALIZED)]).0, Kind::Garbage);
    let mut twice = transcript(Protocol::Http);
    twice.push(json("", ANSWER));
    assert_eq!(failure(Protocol::Http, &twice).0, Kind::Garbage);
}

#[test]
fn the_error_of_a_close_depends_on_when_it_happens() {
    let mut client = client(Protocol::Http);
    assert_eq!(
        client.ended().detail,
        "the server has closed the connection before it answered `initialize`"
    );
    let keeps_nothing = play(&mut client, &[json("connection: close\r\n", INITIALIZED)], 100).unwrap();
    let detail = "the server does not keep connections open: it answers with `Connection: close`";
    assert_eq!(keeps_nothing.ended, Some(LoadError::new(Kind::Closed, detail)));
    let close = [
        &transcript(Protocol::Ws)[..],
        &[receives(&b"\x88\x06\x03\xe9bye."[..])],
    ]
    .concat();
    let detail = "the server has closed the WebSocket: 1001 bye.".to_owned();
    assert_eq!(failure(Protocol::Ws, &close), (Kind::Closed, detail));
}

#[test]
fn a_side_request_may_end_with_its_connection_but_not_before() {
    let steps = transcript(Protocol::Sse);
    let start = |answer: &'static str| {
        let mut client = client(Protocol::Sse);
        play(&mut client, &steps[..2], 100).unwrap();
        assert_eq!(client.receive_side_request(answer.as_bytes()), Ok(false));
        client.side_request_ended()
    };
    assert_eq!(start("HTTP/1.0 202 Accepted\r\n\r\n"), Ok(()));
    assert_eq!(start("HTTP/1.1 202 Acc").unwrap_err().kind, Kind::Closed);
    assert_eq!(
        start("HTTP/1.0 404 Not Found\r\n\r\nno").unwrap_err().detail,
        "HTTP status 404: `no`"
    );
}

#[test]
fn an_idle_client_is_small() {
    for (protocol, most) in [
        (Protocol::Tcp, 100),
        (Protocol::Http, 400),
        (Protocol::Ws, 300),
        (Protocol::Sse, 500),
    ] {
        let mut client = client(protocol);
        play(&mut client, &transcript(protocol), 33).unwrap();
        assert!(client.held() <= most, "{protocol}: {}", client.held());
    }
}

proptest! {
    #[test]
    fn any_input_is_handled_and_cuts_make_no_difference(
        protocol in prop::sample::select(&Protocol::ALL[..]),
        known in any::<Index>(),
        place in any::<Index>(),
        noise in prop::collection::vec(prop_oneof![Just(b'\n'), any::<u8>()], 0..300),
        size in 1usize..100,
    ) {
        let steps = transcript(protocol);
        let known = known.index(steps.len());
        // The next messages, with noise in them.
        let mut bytes = match &steps[known] {
            Step::Receives(bytes) | Step::SideRequestReceives(bytes) => bytes.clone(),
            Step::Asks(_) => Vec::new(),
        };
        let place = place.index(bytes.len() + 1);
        bytes.splice(place..place, noise);
        let result = |size| {
            let mut client = client(protocol);
            play(&mut client, &steps[..known], size).unwrap();
            let mut received = Vec::new();
            let on_stream = bytes.chunks(size).try_for_each(|piece| client.receive(piece, &mut received));
            let on_side_request = bytes.chunks(size).try_for_each(|piece| client.receive_side_request(piece).map(drop));
            assert!(client.held() < 4000, "{}", client.held());
            let ends = [on_stream, on_side_request, client.side_request_ended()].map(|end| end.err().map(|failure| failure.kind));
            (received, ends, client.ended().kind)
        };
        prop_assert_eq!(result(size), result(usize::MAX));
    }
}
