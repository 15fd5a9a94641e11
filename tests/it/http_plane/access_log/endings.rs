//! What a line says of a request, and of its end.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use serde_json::{Value, json};

use super::{Logged, ending};
use crate::http_plane::node::Node;
use crate::http_plane::{Raw, with_length};
use crate::plane::free_address;

const UPGRADE: &str = "GET /mcp HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
                       Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";
const SWITCHED: &str =
    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n";

#[test]
fn a_request_is_a_line() {
    let node = Node::answering(with_length(200, "hello"));
    let logged = Logged::start(&[&node], |config| {
        let http = config.backends[0].http.as_mut().unwrap();
        (http.follows_sessions, http.names_sessions) = (true, true);
    });
    let mut client = logged.client();
    let request = "POST /mcp/a?token=secret HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\
                   MCP-Protocol-Version: 2025-11-25\r\nMcp-Session-Id: secret~node1\r\nCookie: a=secret\r\n\
                   Authorization: Bearer secret\r\nMcp-Method: resources/read\r\n\
                   Mcp-Name: file:///x?token=secret\r\nX-Request-ID: r1\r\n\r\nhi";
    client.send(request);
    let answer = client.answer();
    client.get();
    let lines = logged.lines(2);
    let line = &lines[0];
    let expected = json!({
        "frontend": "clients",
        "method": "POST",
        "path": "/mcp/a",
        "mcp_method": "resources/read",
        "mcp_name": "file:///x",
        "mcp_version": "2025-11-25",
        "request_id": "r1",
        "backend": "nodes",
        "session_node": "node1",
        "node": "node1",
        "reused": false,
        "retries": 0,
        "status": 200,
        "bytes_in": request.len(),
        "bytes_out": answer.head.len() + answer.body.len(),
        "end": "finished",
        "state": "--",
    });
    for (field, expected) in expected.as_object().unwrap() {
        assert_eq!(line[field], *expected, "{field}: {line}");
    }
    let from = client.0.local_addr().unwrap().ip().to_string();
    assert_eq!(line["client"], from);
    let time = line["time"].as_str().unwrap();
    assert_eq!((time.len(), &time[23..]), (24, "Z"), "{time}");
    let times = ["TR", "Tw", "Tc", "Tr", "Ta"].map(|field| line[field].as_u64().unwrap());
    assert!(times[..4].iter().sum::<u64>() <= times[4], "{line}");
    let second = &lines[1];
    assert_eq!((&second["reused"], &second["Tc"]), (&true.into(), &0.into()));
    for field in ["mcp_method", "mcp_name", "mcp_version", "session_node"] {
        assert_eq!(second[field], Value::Null, "{second}");
    }
    // The id that the node got.
    let made = second["request_id"].as_str().unwrap();
    assert!(
        node.received().contains(&format!("X-Request-ID: {made}\r\n")),
        "{second}"
    );
    assert!(
        !fs::read_to_string(logged.path("access.json"))
            .unwrap()
            .contains("secret")
    );
    let permissions = fs::metadata(logged.path("access.json"))
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(permissions & 0o777 & !0o640, 0);
}

#[test]
fn hostile_texts_stay_in_their_fields() {
    let node = Node::answering(with_length(200, ""));
    let logged = Logged::start(&[&node], |_| {});
    let mut client = logged.client();
    client.send(
        b"GET /mcp/\"},{\"status\":1 HTTP/1.1\r\nHost: a\r\nMcp-Name: \"\\\t\xc3\xa9\r\n\
          Mcp-Method: {}}\\n\r\n\r\n",
    );
    assert_eq!(client.answer().status, 200);
    let long = "x".repeat(5_000);
    client.send(format!(
        "GET /mcp/{long} HTTP/1.1\r\nHost: a\r\nMcp-Name: {long}\r\nMcp-Method: {long}\r\n\r\n"
    ));
    assert_eq!(client.answer().status, 200);
    let lines = logged.lines(2);
    assert_eq!(lines[0]["path"], "/mcp/\"},{\"status\":1");
    assert_eq!(lines[0]["mcp_name"], "\"\\\té");
    assert_eq!(lines[0]["mcp_method"], "{}}\\n");
    assert_eq!(lines[0]["status"], 200);
    for (field, limit) in [("path", 1024), ("mcp_name", 256), ("mcp_method", 256)] {
        let text = lines[1][field].as_str().unwrap();
        assert!(text.ends_with("x…"), "{text}");
        assert_eq!(text.chars().count(), limit + 1, "{field}");
    }
}

#[test]
fn own_answers_are_logged() {
    let node = Node::answering(with_length(200, ""));
    let logged = Logged::start(&[&node], |config| {
        config.http.body = Some("10".parse().unwrap());
        config.frontends[0].limits.message_rate = 1;
    });
    let plane = &logged.plane;
    let ask = |request: &str| {
        let mut client = Raw::connect(plane);
        client.send(request);
        client.answer()
    };
    let too_large = "POST /mcp HTTP/1.1\r\nHost: a\r\nContent-Length: 11\r\n\r\n";
    let answer = ask("GET /mcp\r\n\r\n");
    assert_eq!(answer.status, 400);
    assert_eq!(ask(too_large).status, 413);
    assert_eq!(ask("GET /other HTTP/1.1\r\nHost: a\r\n\r\n").status, 404);
    assert_eq!(ask("GET /mcp HTTP/1.1\r\nHost: a\r\n\r\n").status, 429);
    let lines = logged.lines(4);
    let endings: Vec<_> = lines.iter().map(ending).collect();
    let rejected = |status| (status, "rejected", "PR");
    assert_eq!(endings, [400, 413, 404, 429].map(rejected));
    for line in &lines {
        for field in ["backend", "node", "reused", "Tw", "Tc", "Tr", "request_id"] {
            assert_eq!(line[field], Value::Null, "{field}: {line}");
        }
        assert!(line["Ta"].is_u64() && line["client"].is_string(), "{line}");
    }
    assert_eq!((&lines[0]["path"], &lines[0]["TR"]), (&Value::Null, &Value::Null));
    assert_eq!(lines[0]["bytes_out"], answer.head.len() + answer.body.len());
    assert_eq!(lines[2]["path"], "/other");
}

#[test]
fn times_that_run_out_are_logged() {
    let silent = Node::serving(|_, connection| connection.drain());
    let logged = Logged::start(&[&silent], |config| {
        config.timeouts.http_request = "300ms".parse().unwrap();
        config.timeouts.server = "300ms".parse().unwrap();
        config.timeouts.client = "300ms".parse().unwrap();
    });
    let mut slow = logged.client();
    slow.send("GET /mcp");
    assert_eq!(slow.answer().status, 408);
    let mut unanswered = logged.client();
    unanswered.send("GET /mcp HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(unanswered.answer().status, 504);
    let mut sending = logged.client();
    sending.send("POST /mcp HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhi");
    assert_eq!(sending.answer().status, 408);
    let lines = logged.lines(3);
    let endings: Vec<_> = lines.iter().map(ending).collect();
    assert_eq!(
        endings,
        [
            (408, "timeout", "cR"),
            (504, "timeout", "sH"),
            (408, "timeout", "cD")
        ]
    );
    assert!(lines[0]["Ta"].as_u64().unwrap() >= 299, "{lines:?}");
    assert_eq!(
        (&lines[1]["Tr"], &lines[1]["node"]),
        (&Value::Null, &"node1".into())
    );
}

#[test]
fn failures_of_nodes_are_logged() {
    let node = Node::serving(|number, connection| {
        connection.request();
        if number > 0 {
            connection.send("HTTP/1.1 200 X\r\nContent-Length: 9\r\n\r\nhalf");
        }
    });
    let logged = Logged::start(&[&node], |_| {});
    assert_eq!(logged.client().get().status, 502);
    let mut half = logged.client();
    half.send("GET /mcp HTTP/1.1\r\nHost: a\r\n\r\n");
    half.rest();
    logged.lines(2);
    logged.plane.order("set server nodes/node1 state maint");
    assert_eq!(logged.client().get().status, 503);
    let lines = logged.lines(3);
    let endings: Vec<_> = lines.iter().map(ending).collect();
    assert_eq!(
        endings,
        [
            (502, "server", "SH"),
            (200, "server", "SD"),
            (503, "no_server", "SC")
        ]
    );
    assert_eq!(
        (&lines[2]["node"], &lines[2]["backend"]),
        (&Value::Null, &"nodes".into())
    );
}

#[test]
fn other_nodes_that_were_tried_are_retries() {
    let node = Node::answering(with_length(200, ""));
    let mut gone = Node::answering("");
    gone.address = free_address();
    let logged = Logged::start(&[&gone, &node], |_| {});
    for _ in 0..2 {
        assert_eq!(logged.client().get().status, 200);
    }
    let lines = logged.lines(2);
    let mut retries: Vec<u64> = lines.iter().filter_map(|line| line["retries"].as_u64()).collect();
    retries.sort_unstable();
    assert_eq!(retries, [0, 1], "{lines:?}");
    assert!(lines.iter().all(|line| line["node"] == "node2"), "{lines:?}");
}

#[test]
fn clients_that_leave_are_logged() {
    let node = Node::serving(|_, connection| {
        connection.request();
        connection.waits_for_release();
        connection.send("HTTP/1.1 200 X\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n");
        connection.drain();
    });
    let logged = Logged::start(&[&node], |config| config.backends[0].servers[0].maxconn = 1);
    let mut first = logged.client();
    first.send("GET /mcp HTTP/1.1\r\nHost: a\r\n\r\n");
    node.waits_for_bytes(0);
    let mut waiting = logged.client();
    waiting.send("GET /mcp HTTP/1.1\r\nHost: a\r\n\r\n");
    logged.plane.waits_for("BACKEND", "qcur", 1);
    drop(waiting);
    logged.lines(1);
    drop(first);
    let mut stream = logged.client();
    logged.lines(2);
    stream.send("GET /mcp HTTP/1.1\r\nHost: a\r\n\r\n");
    node.waits_for_bytes(1);
    // One of them wakes the first connection, which has ended.
    node.releases_one();
    node.releases_one();
    stream.head();
    drop(stream);
    let lines = logged.lines(3);
    let endings: Vec<_> = lines.iter().map(ending).collect();
    assert_eq!(
        endings,
        [(0, "client", "CQ"), (0, "client", "CH"), (200, "client", "CD")]
    );
    assert!(lines[0]["Tw"].is_u64() && lines[0]["Tc"].is_null(), "{lines:?}");
    assert_eq!(lines[1]["status"], Value::Null);
}

#[test]
fn a_web_socket_is_logged_when_it_ends() {
    let node = Node::serving(|_, connection| {
        connection.head();
        connection.send(format!("{SWITCHED}hello"));
        assert_eq!(connection.exactly(9).unwrap(), b"earlylate");
        connection.send("bye");
    });
    let logged = Logged::start(&[&node], |_| {});
    let mut client = logged.client();
    client.send(format!("{UPGRADE}early"));
    let head = client.head();
    assert_eq!(client.exactly(5), "hello");
    assert_eq!(fs::read_to_string(logged.path("access.json")).unwrap(), "");
    client.send("late");
    assert_eq!(client.exactly(3), "bye");
    client.rest();
    let line = logged.line();
    assert_eq!(ending(&line), (101, "finished", "--"));
    assert_eq!(line["bytes_in"], UPGRADE.len() + 9, "{line}");
    assert_eq!(line["bytes_out"], head.len() + 8, "{line}");
}

#[test]
fn a_web_socket_that_its_node_resets_ended_after_the_answer() {
    let node = Node::serving(|_, connection| {
        connection.head();
        connection.send(SWITCHED);
        connection.waits_for_release();
        connection.reset();
    });
    let logged = Logged::start(&[&node], |_| {});
    let mut client = logged.client();
    client.send(UPGRADE);
    client.head();
    node.releases_one();
    client.rest();
    assert_eq!(ending(&logged.line()), (101, "server", "SD"));
}
