//! The TCP interface of a BEAM node.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpStream};

use proptest::prelude::*;
use serde_json::{Value, json};

use super::{connect, log, one_node};
use crate::harness::TestCluster;

/// A connection that is read and written by lines.
struct Lines(BufReader<TcpStream>);

impl Lines {
    fn with(cluster: &TestCluster) -> Lines {
        Lines(BufReader::new(connect(cluster, 9001)))
    }

    fn send(&mut self, bytes: &[u8]) {
        self.0.get_mut().write_all(bytes).unwrap();
    }

    fn receive(&mut self) -> Value {
        let mut line = String::new();
        self.0.read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line:?}"))
    }

    fn ask(&mut self, text: &[u8]) -> Value {
        self.send(&[text, b"\n"].concat());
        self.receive()
    }

    /// Everything that the node sends until it closes the connection.
    fn rest(mut self) -> String {
        let mut rest = String::new();
        // The node may reset the connection, because it has not read the last bytes sent.
        let _reset_or_not = self.0.read_to_string(&mut rest);
        rest
    }
}

#[test]
fn the_methods_of_mcp_are_answered() {
    let cluster = one_node();
    let mut lines = Lines::with(&cluster);
    let pid = cluster.node_pid("erlmcp1");
    for (request, answer) in [
        (
            r#"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2024-11-05","capabilities":{}}}"#,
            json!({"id": 1, "result": {"protocolVersion": "2024-11-05", "capabilities": {"tools": {"listChanged": false}},
                "serverInfo": {"name": "erlmcp1", "version": env!("CARGO_PKG_VERSION")}}}),
        ),
        (
            r#"{"jsonrpc":"2.0","id":"ü","method":"ping"}"#,
            json!({"id": "ü", "result": {}}),
        ),
        (
            r#"{"jsonrpc":"2.0","id":-1.5e3,"method":"tools/call","params":{"name":"whoami"}}"#,
            json!({"id": -1500.0, "result": {"content": [{"type": "text", "text": format!(r#"{{"node": "erlmcp1", "pid": {pid}}}"#)}],
                "isError": false}}),
        ),
        (
            r#"{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"echo","arguments":{"text":"\ud83d\ude00\n"}}}"#,
            json!({"id": 2, "result": {"content": [{"type": "text", "text": "😀\n"}], "isError": false}}),
        ),
        (
            r#"{"jsonrpc":"2.0","id":3,"method":"tools/call","params":{"name":"echo"}}"#,
            json!({"id": 3, "result": {"content": [{"type": "text", "text": "message: not a string"}], "isError": true}}),
        ),
        (
            r#"{"jsonrpc":"2.0","id":4,"method":"tools/call","params":{"name":"fly"}}"#,
            json!({"id": 4, "error": {"code": -32602, "message": "no tool `fly`"}}),
        ),
        (
            r#"{"jsonrpc":"2.0","id":5,"method":"resources/list"}"#,
            json!({"id": 5, "error": {"code": -32601, "message": "no method `resources/list`"}}),
        ),
        (
            r#"{"jsonrpc":"2.0","id":6,"method":"initialize","params":{}}"#,
            json!({"id": 6, "error": {"code": -32602, "message": "protocolVersion: not a string"}}),
        ),
        (
            r#"{"jsonrpc":"1.0","id":7,"method":"ping"}"#,
            json!({"id": 7, "error": {"code": -32600, "message": r#"jsonrpc: not "2.0""#}}),
        ),
        (
            r#"{"jsonrpc":"2.0","id":null,"method":"ping"}"#,
            json!({"id": null, "error": {"code": -32600, "message": "id: not a string or number"}}),
        ),
        (
            r#"{"jsonrpc":"2.0","id":8,"result":{},"error":{}}"#,
            json!({"id": 8, "error": {"code": -32600, "message": "both result and error"}}),
        ),
        (
            "[]",
            json!({"id": null, "error": {"code": -32600, "message": "an empty batch"}}),
        ),
        (
            "{nonsense}",
            json!({"id": null, "error": {"code": -32700, "message": "not JSON: no key at byte 1"}}),
        ),
    ] {
        let mut expected = answer;
        expected["jsonrpc"] = "2.0".into();
        assert_eq!(lines.ask(request.as_bytes()), expected, "{request}");
    }
    let tools = lines.ask(br#"{"jsonrpc":"2.0","id":8,"method":"tools/list"}"#);
    let tools = tools["result"]["tools"].as_array().unwrap();
    let names: Vec<&str> = tools.iter().map(|tool| tool["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["echo", "whoami"]);
    let batch = lines.ask(br#"[{"jsonrpc":"2.0","id":1,"method":"ping"},{"jsonrpc":"2.0","method":"x"},1]"#);
    assert_eq!(batch.as_array().unwrap().len(), 2, "{batch}");
    assert_eq!(log(&cluster, "erlmcp1"), "");
}

#[test]
fn messages_can_arrive_in_pieces_and_notifications_get_no_answer() {
    let cluster = one_node();
    let mut lines = Lines::with(&cluster);
    for piece in [
        "\r\n \n{\"jsonrpc\":\"2.0\",\"method\":\"notifications/initialized\"}\n{\"jsonrpc\":\"2.0\",\"id\":",
        "1,\"method\"",
        ":\"ping\"}\r",
        "\n{\"jsonrpc\":\"2.0\",\"id\":9,\"result\":{}}\n{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"ping\"}\n\n",
    ] {
        lines.send(piece.as_bytes());
    }
    assert_eq!(lines.receive()["id"], 1);
    assert_eq!(lines.receive()["id"], 2);
    // A client that has closed its sending side still gets its answer.
    for end in ["\n", ""] {
        let mut lines = Lines::with(&cluster);
        lines.send(format!("{{\"jsonrpc\":\"2.0\",\"id\":3,\"method\":\"ping\"}}{end}").as_bytes());
        lines.0.get_ref().shutdown(Shutdown::Write).unwrap();
        assert_eq!(lines.rest(), "{\"id\":3,\"jsonrpc\":\"2.0\",\"result\":{}}\n");
    }
}

#[test]
fn an_answer_is_never_much_larger_than_its_request() {
    let cluster = one_node();
    let mut lines = Lines::with(&cluster);
    let many = |count: usize| format!("[{}1]", "1,".repeat(count - 1)).into_bytes();
    assert_eq!(lines.ask(&many(100)).as_array().unwrap().len(), 100);
    for count in [101, 1_000_000] {
        let answer = lines.ask(&many(count));
        assert_eq!(answer["error"]["message"], "a batch of more than 100", "{answer}");
    }
    // One letter for a human reader.
    let method = format!("e{}", "\u{301}".repeat(100_000));
    let answer = lines.ask(
        json!({"jsonrpc": "2.0", "id": 1, "method": method})
            .to_string()
            .as_bytes(),
    );
    assert!(answer.to_string().len() < 1_000, "{answer}");
    assert_eq!(log(&cluster, "erlmcp1"), "");
}

#[test]
fn a_message_that_is_too_long_is_refused_and_other_clients_are_served() {
    let cluster = one_node();
    let mut other = Lines::with(&cluster);
    let mut lines = Lines::with(&cluster);
    let megabyte = vec![b'x'; 1 << 20];
    for _ in 0..17 {
        // The node need not read all of it.
        if lines.0.get_mut().write_all(&megabyte).is_err() {
            break;
        }
    }
    let refusal = lines.rest();
    assert!(
        refusal.contains("a message of more than 16777216 bytes"),
        "{refusal}"
    );
    assert_eq!(other.ask(br#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#)["id"], 1);
    assert_eq!(log(&cluster, "erlmcp1"), "");
}

/// A mix of valid and invalid JSON.
const TEXTS: &[&str] = &[
    "null",
    "true",
    "false",
    "tru",
    "nulll",
    "0",
    "-0",
    "00",
    "01",
    "-",
    "--1",
    "-01",
    "-a",
    "+1",
    "1.",
    ".5",
    "1.5",
    "1e5",
    "1E+5",
    "1e-5",
    "1e",
    "1e+",
    "-1.25e2",
    "1e400",
    "-1e400",
    "1e-400",
    "0x1",
    "NaN",
    "Infinity",
    "18446744073709551616",
    "\"\"",
    "\"a",
    "\"\\\"",
    "\"\\u00e9\"",
    "\"\\uD83D\\uDE00\"",
    "\"\\uD83D\"",
    "\"\\uDE00\"",
    "\"\\uD83D\\u0041\"",
    "\"\\u12\"",
    "\"\\u+123\"",
    "\"\\x\"",
    "\"\\/\\b\\f\\n\\r\\t\"",
    "\"\t\"",
    "\"\u{7f}\u{80}\u{ffff}\u{10ffff}\"",
    "[]",
    "[ ]",
    "[1,]",
    "[,1]",
    "[1 2]",
    "[1",
    "]",
    "{}",
    "{ }",
    "{\"a\":1}",
    "{\"a\":1,}",
    "{\"a\"}",
    "{\"a\":}",
    "{a:1}",
    "{1:1}",
    "{\"a\":1 \"b\":2}",
    "{\"a\":1",
    "{\"a\":1,\"a\":2}",
    "[{\"a\":[{}]}]",
    "'a'",
    "/**/1",
    "1 1",
    "",
    "\u{feff}1",
    "\u{a0}1",
    "\u{b}1",
];

/// Invalid UTF-8, in strings and elsewhere.
const BYTES: &[&[u8]] = &[
    b"\"\xff\"",
    b"\"\xc0\x80\"",
    b"\"\xed\xa0\x80\"",
    b"\"\xf4\x90\x80\x80\"",
    b"\xff",
];

#[test]
fn valid_json_is_accepted_and_anything_else_refused() {
    let cluster = one_node();
    let mut lines = Lines::with(&cluster);
    let deep = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth)).into_bytes();
    let texts = TEXTS
        .iter()
        .map(|text| text.as_bytes().to_vec())
        .chain([100, 1_000, 100_000].map(deep))
        .chain(BYTES.iter().map(|bytes| bytes.to_vec()));
    for text in texts {
        let shown = String::from_utf8_lossy(&text[..text.len().min(60)]).into_owned();
        let is_json = serde_json::from_slice::<Value>(&text).is_ok();
        let request = [
            br#"{"jsonrpc":"2.0","id":7,"method":"ping","params":{"it":"#,
            text.as_slice(),
            b"}}",
        ]
        .concat();
        let answer = lines.ask(&request);
        assert_eq!(answer["id"] == 7, is_json, "{shown}: {answer}");
        assert_eq!(answer["error"]["code"] == -32700, !is_json, "{shown}: {answer}");
    }
    // JSON of any size is accepted, but long numbers are not parsed.
    let long = format!(
        r#"{{"jsonrpc":"2.0","id":7,"method":"ping","params":{}}}"#,
        "1".repeat(1_000)
    );
    let answer = lines.ask(long.as_bytes());
    assert!(
        answer["error"]["message"]
            .as_str()
            .unwrap()
            .contains("a number too long"),
        "{answer}"
    );
    assert_eq!(log(&cluster, "erlmcp1"), "");
}

#[test]
fn any_text_is_echoed_unchanged() {
    let cluster = one_node();
    let lines = std::cell::RefCell::new(Lines::with(&cluster));
    let config = ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::with_cases(300)
    };
    proptest!(config, |(text in any::<String>(), id in any::<i64>())| {
        let request = json!({"jsonrpc": "2.0", "id": id, "method": "tools/call",
            "params": {"name": "echo", "arguments": {"message": text}}});
        let answer = lines.borrow_mut().ask(request.to_string().as_bytes());
        prop_assert_eq!(&answer["id"], &json!(id));
        prop_assert_eq!(&answer["result"]["content"][0]["text"], &json!(text));
    });
    assert_eq!(log(&cluster, "erlmcp1"), "");
}

#[test]
fn arbitrary_bytes_do_no_harm() {
    let cluster = one_node();
    let config = ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::with_cases(100)
    };
    proptest!(config, |(mut bytes in proptest::collection::vec(any::<u8>(), 0..2_000))| {
        let mut lines = Lines::with(&cluster);
        bytes.push(b'\n');
        lines.send(&bytes);
        let answer = {
            lines.send(b"{\"jsonrpc\":\"2.0\",\"id\":\"after\",\"method\":\"ping\"}\n");
            lines.0.get_ref().shutdown(Shutdown::Write).unwrap();
            lines.rest()
        };
        prop_assert!(answer.lines().last().unwrap().contains("after"), "{}", answer);
    });
    assert_eq!(log(&cluster, "erlmcp1"), "");
}
