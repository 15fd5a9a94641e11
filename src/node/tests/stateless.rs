//! MCP 2026-07-28: requests without a session.

use reqwest::header::{ACCEPT, ALLOW, CONTENT_TYPE};
use reqwest::{Method, Response};

use super::events::Events;
use super::http::web;
use super::*;

const REVISION: &str = "2026-07-28";
const SUBSCRIPTION: &str = "io.modelcontextprotocol/subscriptionId";

/// A request with all that it needs in its headers and its body, which a test may then change.
struct Ask {
    headers: Vec<(&'static str, String)>,
    body: Value,
}

impl Ask {
    fn new(method: &str, params: Value) -> Ask {
        let mut headers = vec![
            ("mcp-protocol-version", REVISION.to_owned()),
            ("mcp-method", method.to_owned()),
        ];
        if let Some(name) = params["name"].as_str() {
            headers.push(("mcp-name", name.to_owned()));
        }
        let mut body = request(7, method, params);
        body["params"]["_meta"] = json!({
            "io.modelcontextprotocol/protocolVersion": REVISION,
            "io.modelcontextprotocol/clientCapabilities": {},
        });
        Ask { headers, body }
    }

    #[expect(clippy::needless_pass_by_value, reason = "reads better where it is called")]
    fn call(tool: &str, arguments: Value) -> Ask {
        Ask::new("tools/call", json!({"name": tool, "arguments": arguments}))
    }

    /// Sets a header; removes it when the value is empty.
    fn header(mut self, name: &'static str, value: &str) -> Ask {
        self.headers.retain(|(other, _)| *other != name);
        if !value.is_empty() {
            self.headers.push((name, value.to_owned()));
        }
        self
    }

    /// Sets a key of `_meta`; removes it when the value is null.
    fn meta(mut self, key: &str, value: Value) -> Ask {
        let meta = self.body["params"]["_meta"].as_object_mut().unwrap();
        if value.is_null() {
            meta.remove(key);
        } else {
            meta.insert(key.to_owned(), value);
        }
        self
    }

    async fn send(&self, node: &Running) -> Response {
        connect(node.http).await;
        let mut request = web()
            .post(format!("http://{}/mcp", node.http))
            .header(CONTENT_TYPE, "application/json")
            .header(ACCEPT, "application/json, text/event-stream");
        for (name, value) in &self.headers {
            request = request.header(*name, value);
        }
        request.body(self.body.to_string()).send().await.unwrap()
    }

    /// The status and the message of the answer.
    async fn answer(&self, node: &Running) -> (u16, Value) {
        let response = self.send(node).await;
        let status = response.status().as_u16();
        assert_eq!(response.headers()[CONTENT_TYPE], "application/json");
        assert!(!response.headers().contains_key("mcp-session-id"));
        (status, response.json().await.unwrap())
    }
}

#[tokio::test]
async fn requests_are_answered_without_a_session() {
    let node = Running::start();
    let (status, discovered) = Ask::new("server/discover", json!({})).answer(&node).await;
    assert_eq!((status, &discovered["id"]), (200, &json!(7)));
    let result = &discovered["result"];
    assert_eq!(result["supportedVersions"], json!([REVISION]));
    let info = &result["_meta"]["io.modelcontextprotocol/serverInfo"];
    assert_eq!(info["name"], "erlmcp1");

    let (_, listed) = Ask::new("tools/list", json!({})).answer(&node).await;
    for result in [result, &listed["result"]] {
        assert_eq!(result["resultType"], "complete");
        assert_eq!(result["cacheScope"], "public");
        assert!(result["ttlMs"].is_u64());
    }
    assert_eq!(listed["result"]["tools"].as_array().unwrap().len(), 4);

    // A session's id is not looked at.
    let echo = Ask::call("echo", json!({"message": "x"})).header("mcp-session-id", "unknown");
    let (status, echoed) = echo.answer(&node).await;
    assert_eq!(status, 200);
    assert_eq!(echoed["result"]["content"][0]["text"], "x");
    assert_eq!(echoed["result"]["resultType"], "complete");
    assert_eq!(echoed["result"]["_meta"], result["_meta"]);
    node.stop().await;
}

#[tokio::test]
async fn headers_have_to_agree_with_the_body() {
    let node = Running::start();
    let whoami = || Ask::call("whoami", json!({}));
    let accepted = [whoami(), whoami().header("mcp-name", "=?base64?d2hvYW1p?=")];
    for ask in accepted {
        assert_eq!(ask.answer(&node).await.0, 200);
    }
    let mut twice = whoami();
    twice.headers.push(("mcp-name", "whoami".to_owned()));
    let revision = "io.modelcontextprotocol/protocolVersion";
    for ask in [
        whoami().header("mcp-method", ""),
        whoami().header("mcp-method", "tools/list"),
        whoami().header("mcp-method", "TOOLS/CALL"),
        whoami().header("mcp-name", ""),
        whoami().header("mcp-name", "echo"),
        whoami().header("mcp-name", "=?base64?d2hvYW1p"),
        whoami().header("mcp-name", "=?base64?*?="),
        whoami().header("mcp-name", "whoämi"),
        whoami().meta(revision, json!("2025-11-25")),
        // By its body, the request is stateless; a balancer has treated it as something else.
        whoami().header("mcp-protocol-version", ""),
        whoami().header("mcp-protocol-version", "2025-11-25"),
        twice,
    ] {
        let (status, answer) = ask.answer(&node).await;
        assert_eq!(status, 400, "{:?}", ask.headers);
        assert_eq!(answer["error"]["code"], -32020, "{:?}: {answer}", ask.headers);
        assert_eq!(answer["id"], 7);
    }
    node.stop().await;
}

#[tokio::test]
async fn invalid_requests_are_refused() {
    let node = Running::start();
    let discover = || Ask::new("server/discover", json!({}));
    let key = |name: &str| format!("io.modelcontextprotocol/{name}");
    let mut without_meta = discover();
    without_meta.body["params"] = json!({});
    let listen = || Ask::new("subscriptions/listen", json!({}));
    for (ask, expected, code) in [
        (without_meta, 400, -32602),
        (discover().meta(&key("protocolVersion"), Value::Null), 400, -32602),
        (discover().meta(&key("protocolVersion"), json!(7)), 400, -32602),
        (
            discover().meta(&key("clientCapabilities"), Value::Null),
            400,
            -32602,
        ),
        (
            discover().meta(&key("clientCapabilities"), json!([])),
            400,
            -32602,
        ),
        (discover().meta(&key("logLevel"), json!("loud")), 400, -32602),
        (listen(), 200, -32602),
        (Ask::call("nonsense", json!({})), 200, -32602),
        (Ask::new("nonsense", json!({})), 404, -32601),
        // Methods of revisions with sessions.
        (Ask::new("initialize", json!({})), 404, -32601),
        (Ask::new("ping", json!({})), 404, -32601),
        (
            Ask::new("logging/setLevel", json!({"level": "info"})),
            404,
            -32601,
        ),
    ] {
        let (status, answer) = ask.answer(&node).await;
        assert_eq!(
            (status, &answer["error"]["code"]),
            (expected, &json!(code)),
            "{answer}"
        );
        assert_eq!(answer["id"], 7, "{answer}");
    }
    for (body, code) in [
        (json!([discover().body]), -32600),
        (
            json!({"jsonrpc": "2.0", "id": null, "method": "tools/list"}),
            -32600,
        ),
        (json!({"jsonrpc": "2.0", "id": 1, "result": {}}), -32600),
        (json!(7), -32600),
    ] {
        let ask = Ask { body, ..discover() };
        let (status, answer) = ask.answer(&node).await;
        assert_eq!(
            (status, &answer["error"]["code"]),
            (400, &json!(code)),
            "{answer}"
        );
        assert_eq!(answer.get("id"), None);
    }
    node.stop().await;
}

#[tokio::test]
async fn other_revisions_are_refused_with_the_supported_ones() {
    let node = Running::start();
    for revision in ["2027-01-01", "1999-01-01", "x", &"9".repeat(1000)] {
        let ask = Ask::new("server/discover", json!({}))
            .header("mcp-protocol-version", revision)
            .meta("io.modelcontextprotocol/protocolVersion", json!(revision));
        let (status, answer) = ask.answer(&node).await;
        assert_eq!(
            (status, &answer["error"]["code"]),
            (400, &json!(-32022)),
            "{answer}"
        );
        let data = json!({"supported": [REVISION], "requested": &revision[..revision.len().min(100)]});
        assert_eq!(answer["error"]["data"], data);
        assert_eq!(answer["id"], 7);
    }
    node.stop().await;
}

#[tokio::test]
async fn streams_and_ends_of_sessions_are_not_allowed() {
    let node = Running::start();
    connect(node.http).await;
    for method in [Method::GET, Method::DELETE] {
        let request = web()
            .request(method, format!("http://{}/mcp", node.http))
            .header("mcp-protocol-version", REVISION)
            .header(ACCEPT, "text/event-stream");
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), 405);
        assert_eq!(response.headers()[ALLOW], "POST");
        let answer: Value = response.json().await.unwrap();
        assert_eq!(
            (answer.get("id"), &answer["error"]["code"]),
            (None, &json!(-32600))
        );
    }
    let notification = Ask {
        body: json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 7}}),
        ..Ask::new("notifications/cancelled", json!({}))
    };
    assert_eq!(notification.send(&node).await.status(), 202);
    node.stop().await;
}

#[tokio::test]
async fn log_messages_come_with_the_answer_if_the_client_asks_for_their_level() {
    let node = Running::start();
    let notify = |level: &str| {
        Ask::call("notify", json!({"message": "hello", "level": "warning"}))
            .meta("io.modelcontextprotocol/logLevel", json!(level))
    };
    let mut events = Events::of(notify("info").send(&node).await);
    let message = events.message().await.unwrap();
    assert_eq!(message["method"], "notifications/message");
    assert_eq!(message["params"]["data"], "hello");
    assert_eq!(events.message().await.unwrap()["result"]["isError"], false);
    assert_eq!(events.message().await, None);

    let silent = Ask::call("notify", json!({"message": "hello"}));
    for ask in [notify("error"), silent] {
        assert_eq!(ask.answer(&node).await.1["result"]["isError"], true);
    }
    node.stop().await;
}

#[tokio::test]
async fn a_slow_answer_is_a_stream_and_ends_when_the_client_leaves() {
    let node = Running::start();
    let sleep =
        |seconds: f64| Ask::call("sleep", json!({"seconds": seconds})).meta("progressToken", json!("t"));
    let mut events = Events::of(sleep(0.04).send(&node).await);
    for _ in 1..4 {
        assert_eq!(events.message().await.unwrap()["params"]["progressToken"], "t");
    }
    let answer = events.message().await.unwrap();
    assert_eq!(
        (&answer["id"], &answer["result"]["resultType"]),
        (&json!(7), &json!("complete"))
    );
    assert_eq!(events.message().await, None);

    let taken = async || {
        let health = web().get(format!("http://{}/health", node.http)).send().await;
        let health: Value = health.unwrap().json().await.unwrap();
        health["connections"].as_u64().unwrap()
    };
    // The node may not have noticed yet that earlier clients have left.
    let all_taken = async |count: u64| {
        let taken = async {
            while taken().await != count {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(DEADLINE, taken).await.unwrap();
    };
    let own = 1;
    all_taken(own).await;
    let running = sleep(300.0).send(&node).await;
    all_taken(own + 1).await;
    drop(running);
    all_taken(own).await;
    node.stop().await;
}

#[tokio::test]
async fn a_subscription_is_acknowledged_and_ended_by_the_node() {
    let node = Running::start();
    let listen = Ask::new(
        "subscriptions/listen",
        json!({"notifications": {"toolsListChanged": true}}),
    );
    let mut events = Events::of(listen.send(&node).await);
    let acknowledgement = events.message().await.unwrap();
    assert_eq!(
        acknowledgement["method"],
        "notifications/subscriptions/acknowledged"
    );
    // The lists of this node never change.
    assert_eq!(
        acknowledgement["params"],
        json!({"_meta": {SUBSCRIPTION: 7}, "notifications": {}})
    );
    node.end.cancel();
    let end = events.message().await.unwrap();
    assert_eq!(
        (&end["id"], &end["result"]["resultType"]),
        (&json!(7), &json!("complete"))
    );
    assert_eq!(end["result"]["_meta"][SUBSCRIPTION], 7);
    assert_eq!(events.message().await, None);
    node.stop().await;
}
