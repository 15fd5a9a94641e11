//! MCP over HTTP: conversations and refusals.

use reqwest::StatusCode;
use reqwest::header::{ALLOW, CONTENT_TYPE};

use super::*;
use crate::mcp::MAX_MESSAGE;

impl Running {
    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.http)
    }

    /// Posts `body` to /mcp with these headers besides the content type.
    pub(super) async fn post(
        &self,
        headers: &[(&str, &str)],
        body: impl Into<reqwest::Body>,
    ) -> (StatusCode, Value) {
        connect(self.http).await;
        let mut request = web()
            .post(self.url("/mcp"))
            .header(CONTENT_TYPE, "application/json");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = request.body(body).send().await.unwrap();
        let status = response.status();
        let text = response.text().await.unwrap();
        (
            status,
            if text.is_empty() {
                Value::Null
            } else {
                serde_json::from_str(&text).unwrap()
            },
        )
    }
}

pub(super) fn web() -> reqwest::Client {
    reqwest::Client::builder()
        .no_proxy()
        .timeout(DEADLINE)
        .build()
        .unwrap()
}

#[tokio::test]
async fn a_conversation() {
    let node = Running::start();
    let params = json!({"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}});
    let accept = ("accept", "application/json, text/event-stream");
    let (status, answer) = node
        .post(&[accept], request(1, "initialize", params).to_string())
        .await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(answer["result"]["serverInfo"]["name"], "erlmcp1");

    let version = ("mcp-protocol-version", "2025-11-25");
    let initialized = json!({"jsonrpc": "2.0", "method": "notifications/initialized"}).to_string();
    assert_eq!(
        node.post(&[accept, version], initialized).await,
        (StatusCode::ACCEPTED, Value::Null)
    );

    let (_, answer) = node
        .post(
            &[accept, version],
            call(2, "echo", json!({"text": "x"})).to_string(),
        )
        .await;
    assert_eq!(answer["result"]["content"][0]["text"], "x");
    let (_, answer) = node
        .post(&[], call(3, "sleep", json!({"milliseconds": 1})).to_string())
        .await;
    assert_eq!(answer["result"]["isError"], false);
    node.stop().await;
}

#[tokio::test]
async fn refusals_have_their_status() {
    let node = Running::start_with(|settings| settings.allowed_origins.push("mcp.example.org".into()));
    let ping = request(1, "ping", json!({})).to_string();
    for (headers, body, status) in [
        (
            &[("content-type", "application/json; charset=utf-8")][..],
            ping.as_str(),
            200,
        ),
        (&[("content-type", "text/plain")], &ping, 415),
        (&[("origin", "http://localhost:6274")], &ping, 200),
        (&[("origin", "https://mcp.example.org")], &ping, 200),
        (&[("origin", "https://evil.example")], &ping, 403),
        (&[("mcp-protocol-version", "1999-01-01")], &ping, 400),
        (&[], "garbage", 400),
        (&[], "", 400),
    ] {
        connect(node.http).await;
        let mut request = web().post(node.url("/mcp"));
        if headers.iter().all(|(name, _)| *name != "content-type") {
            request = request.header(CONTENT_TYPE, "application/json");
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = request.body(body.to_owned()).send().await.unwrap();
        assert_eq!(response.status().as_u16(), status, "{headers:?} {body}");
        let answer: Value = response.json().await.unwrap();
        assert_eq!(answer["error"].is_null(), status == 200, "{answer}");
    }
    node.stop().await;
}

#[tokio::test]
async fn a_body_of_16_mib_is_read_and_a_larger_one_is_413() {
    let node = Running::start();
    let frame = call(1, "echo", json!({"message": ""})).to_string().len();
    let largest = call(1, "echo", json!({"message": "x".repeat(MAX_MESSAGE - frame)})).to_string();
    assert_eq!(node.post(&[], largest.clone()).await.0, StatusCode::OK);
    let (status, answer) = node.post(&[], largest + " ").await;
    assert_eq!((status.as_u16(), &answer["error"]["code"]), (413, &json!(-32600)));
    node.stop().await;
}

#[tokio::test]
async fn each_path_has_its_methods() {
    let node = Running::start();
    connect(node.http).await;
    let health = web().get(node.url("/health")).send().await.unwrap();
    assert_eq!(health.status(), 200);
    let health: Value = health.json().await.unwrap();
    assert_eq!(
        (&health["status"], &health["node"]),
        (&json!("ok"), &json!("erlmcp1"))
    );
    assert_eq!(
        web().head(node.url("/health")).send().await.unwrap().status(),
        200
    );

    let no_stream = web().get(node.url("/mcp")).send().await.unwrap();
    assert_eq!(no_stream.status(), 405);
    assert_eq!(no_stream.headers()[ALLOW], "POST, DELETE");
    assert_eq!(web().put(node.url("/mcp")).send().await.unwrap().status(), 405);
    assert_eq!(
        web().post(node.url("/health")).send().await.unwrap().status(),
        405
    );
    let lost = web().get(node.url("/nowhere")).send().await.unwrap();
    assert_eq!(lost.status(), 404);
    assert!(lost.json::<Value>().await.unwrap()["error"].is_string());
    node.stop().await;
}

#[tokio::test]
async fn a_full_node_still_answers_health_checks() {
    let node = Running::start_with(|settings| settings.max_connections = 1);
    let mut guest = node.connect().await;
    guest.ping().await;
    let health = web().get(node.url("/health")).send().await.unwrap();
    assert_eq!(health.status(), 200);
    let (status, answer) = node.post(&[], request(1, "ping", json!({})).to_string()).await;
    assert_eq!(
        (status.as_u16(), &answer["error"]["message"]),
        (503, &json!("too many connections"))
    );
    node.stop().await;
}

#[tokio::test]
async fn both_probes_find_a_node_healthy() {
    let node = Running::start();
    connect(node.tcp).await;
    connect(node.http).await;
    for (target, question) in [
        (node.tcp, crate::probe::Question::Mcp),
        (node.http, crate::probe::Question::Get("/health".into())),
        (node.tcp, crate::probe::Question::Tcp),
    ] {
        let probe = crate::probe::Probe {
            target,
            question,
            source: Some("127.0.0.9".parse().unwrap()),
            timeout: DEADLINE,
        };
        probe.ask().await.unwrap();
    }
    node.stop().await;
}
