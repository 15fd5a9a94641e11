//! What every HTTP balancer does with a request besides passing it on. Each balancer's tests call
//! these checks.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;
use std::path::Path;
use std::time::Duration;

use clusterctl::platform::Program;
use clusterctl::profile::{Cluster, HealthKind};

use crate::haproxy::client::{get, request};
use crate::haproxy::nodes;

const SOURCE: Ipv4Addr = Ipv4Addr::new(127, 0, 7, 1);

/// The request that clients send to `/mcp`.
pub(crate) const METHODS: [&str; 3] = ["POST", "GET", "DELETE"];

/// Nodes get `X-Forwarded-Proto` on every listener, whatever a client sends.
pub(crate) async fn forwards_the_scheme_of_plain_http(cluster: &Cluster) {
    let listen = &cluster.listen;
    for (port, path) in [
        (listen.http.unwrap(), "/mcp"),
        (listen.http.unwrap(), "/mcp/ws"),
        (listen.websocket.unwrap(), "/mcp/ws"),
        (listen.http.unwrap(), "/mcp/sse"),
        (listen.sse.unwrap(), "/mcp/sse"),
    ] {
        for sent in [&[][..], &["X-Forwarded-Proto: https"], &["x-forwarded-proto:"]] {
            let answer = get(SOURCE, port, path, sent).await.to_lowercase();
            let line = r"x-forwarded-proto: http\r\n";
            assert!(answer.contains(line), "{port}{path} {sent:?}: {answer}");
            assert_eq!(answer.matches("x-forwarded-proto").count(), 1, "{answer}");
        }
    }
}

/// Makes the proxies at `127.0.8.0/24` trusted.
pub(crate) fn trust(cluster: &mut Cluster) {
    cluster.listen.trusted.insert("127.0.8.0/24".parse().unwrap());
    cluster.listen.trusted.insert("fd00::/8".parse().unwrap());
}

/// What proxies send about their clients.
const SENT: [&str; 10] = [
    "X-Forwarded-For: 192.0.2.1, 192.0.2.2",
    "X-Forwarded-Proto: ftp",
    "X-Forwarded-Host: public.example",
    "X-Forwarded-Port: 4",
    "X-Forwarded-Prefix: /p",
    "X-Forwarded-Scheme: ftp",
    "X-Forwarded-Server: s",
    "X-Forwarded-Ssl: on",
    "X-Real-IP: 192.0.2.3",
    "Forwarded: for=192.0.2.4",
];

/// What a trusted proxy sends is passed on, with its address added; what others send is replaced.
pub(crate) async fn believes_trusted_proxies_only(cluster: &Cluster, authority: &Path) {
    believes_no_proxy(cluster, authority).await;
    let proxy = "127.0.8.3";
    for scheme in schemes(cluster) {
        let received = forwarded(cluster, authority, scheme, proxy, &SENT).await;
        let mut expected: Vec<String> = SENT.iter().map(|line| line.to_lowercase()).collect();
        expected[0].push_str(", 127.0.8.3");
        expected.sort();
        assert_eq!(received, expected, "{scheme}");
        // A trusted proxy that says nothing is a client like others.
        for silent in [&[][..], &["X-Forwarded-Proto;", "X-Forwarded-Host;"]] {
            let received = forwarded(cluster, authority, scheme, proxy, silent).await;
            assert_eq!(received, own(cluster, scheme, proxy), "{scheme} {silent:?}");
        }
    }
}

/// The clients of a trusted proxy are told apart by the address that it adds, those of other
/// proxies by their proxy.
pub(crate) async fn tells_the_clients_of_a_trusted_proxy_apart(cluster: &Cluster) {
    let port = cluster.listen.websocket.unwrap();
    let node = async |source: [u8; 4], client: &str| {
        let header = format!("X-Forwarded-For: {client}");
        let answer = get(source.into(), port, "/mcp/ws", &[&header]).await;
        let body = &answer[answer.find("{\"").unwrap_or_else(|| panic!("{answer}"))..];
        let body: serde_json::Value = serde_json::from_str(body).unwrap_or_else(|_| panic!("{answer}"));
        body["node"].as_str().unwrap().to_owned()
    };
    for (proxy, several) in [([127, 0, 8, 4], true), ([127, 0, 7, 4], false)] {
        let mut nodes = BTreeMap::new();
        for number in 0..40 {
            nodes.insert(number, node(proxy, &format!("1.1.1.1, 192.0.2.{number}")).await);
        }
        let used: BTreeSet<&String> = nodes.values().collect();
        assert_eq!(used.len() > 1, several, "{proxy:?}: {nodes:?}");
        for (number, served) in &nodes {
            assert_eq!(
                &node(proxy, &format!("192.0.2.{number}")).await,
                served,
                "{proxy:?} {number}"
            );
        }
    }
    // What is not an address does not count.
    let unknown = node([127, 0, 8, 4], "unknown").await;
    assert_eq!(node([127, 0, 8, 4], "").await, unknown);
}

/// What clients send is replaced.
pub(crate) async fn believes_no_proxy(cluster: &Cluster, authority: &Path) {
    let client = "127.0.7.5";
    for scheme in schemes(cluster) {
        for sent in [&[][..], &SENT] {
            let received = forwarded(cluster, authority, scheme, client, sent).await;
            assert_eq!(received, own(cluster, scheme, client), "{scheme} {sent:?}");
        }
    }
}

/// Headers in either direction can be long, and have any name that HTTP allows.
pub(crate) async fn passes_long_and_unusual_headers(cluster: &Cluster) {
    let port = cluster.listen.http.unwrap();
    let long = format!("X-Long: {}", "y".repeat(9000));
    let headers = [
        long.as_str(),
        "Mcp-Param-user_id: 7",
        "X.Y!z: 8",
        "Answer-Header-Of: 9000",
        "X_Forwarded_For: 192.0.2.9",
    ];
    let answer = request(SOURCE, port, "GET", "/mcp", &headers).await;
    let (head, body) = answer
        .split_once("\r\n\r\n")
        .unwrap_or_else(|| panic!("{answer}"));
    assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
    assert!(
        head.to_lowercase()
            .contains(&format!("x-long: {}", "x".repeat(9000)))
    );
    let body: serde_json::Value = serde_json::from_str(body).unwrap();
    let received = body["head"].as_str().unwrap().to_lowercase();
    for header in &headers[..3] {
        assert!(received.contains(&header.to_lowercase()), "{header}: {received}");
    }
    assert!(!received.contains("192.0.2.9"), "{received}");
}

/// A cluster whose nodes close each connection instead of answering.
pub(crate) async fn of_closing_nodes() -> impl FnOnce(&mut Cluster) {
    all_at(nodes::closing().await)
}

/// A cluster whose nodes never answer, with a short timeout.
pub(crate) async fn of_silent_nodes() -> impl FnOnce(&mut Cluster) {
    all_at(nodes::silent().await)
}

/// The balancer answers these methods by itself, with a status and the same number as JSON-RPC
/// code.
pub(crate) async fn answers_itself(cluster: &Cluster, methods: &[&str], status: u16, retry_after: bool) {
    for method in methods {
        let port = cluster.listen.http.unwrap();
        let headers = ["Content-Length: 0", "Accept: application/json"];
        let answer = request(SOURCE, port, method, "/mcp", &headers).await;
        is_error(&answer, status, retry_after);
    }
}

/// `answer` is one of the table of errors.
pub(crate) fn is_error(answer: &str, status: u16, retry_after: bool) {
    let (head, body) = answer
        .split_once("\r\n\r\n")
        .unwrap_or_else(|| panic!("{answer}"));
    let head = head.to_lowercase();
    assert!(head.starts_with(&format!("http/1.1 {status} ")), "{answer}");
    assert!(head.contains("content-type: application/json"), "{answer}");
    assert_eq!(head.contains("retry-after: 1"), retry_after, "{answer}");
    let body: serde_json::Value = serde_json::from_str(body).unwrap();
    assert_eq!(body["error"]["code"], status, "{answer}");
    assert!(!body["error"]["message"].as_str().unwrap().is_empty(), "{answer}");
    assert!(body["jsonrpc"] == "2.0" && body["id"].is_null(), "{answer}");
}

// Private

/// The schemes that the balancer serves.
fn schemes(cluster: &Cluster) -> &'static [&'static str] {
    match cluster.tls {
        Some(_) => &["http", "https"],
        None => &["http"],
    }
}

/// The headers that a node gets about the client at `address`.
fn own(cluster: &Cluster, scheme: &str, address: &str) -> Vec<String> {
    let port = port_of(cluster, scheme);
    vec![
        format!("x-forwarded-for: {address}"),
        format!("x-forwarded-host: localhost:{port}"),
        format!("x-forwarded-proto: {scheme}"),
    ]
}

fn port_of(cluster: &Cluster, scheme: &str) -> u16 {
    let listen = &cluster.listen;
    if scheme == "https" {
        listen.https
    } else {
        listen.http
    }
    .unwrap()
}

/// The headers about the client that a node received, sorted and in lower case, those with the same
/// name joined.
async fn forwarded(
    cluster: &Cluster,
    authority: &Path,
    scheme: &str,
    from: &str,
    sent: &[&str],
) -> Vec<String> {
    let port = port_of(cluster, scheme);
    let curl = Program::new("/usr/bin/curl")
        .args(["--silent", "--show-error", "--interface", from, "--cacert"])
        .arg(authority)
        .args(["--resolve", &format!("localhost:{port}:127.0.0.1")])
        .args(sent.iter().flat_map(|header| ["-H", header]))
        .arg(format!("{scheme}://localhost:{port}/mcp"));
    let output = curl.output(Duration::from_secs(20)).await.unwrap();
    let body: serde_json::Value =
        serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{output:?}"));
    let mut headers: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let head = body["head"].as_str().unwrap().to_lowercase();
    for (name, value) in head.lines().filter_map(|line| line.split_once(": ")) {
        if name.starts_with("x-forwarded") || name == "forwarded" || name == "x-real-ip" {
            headers.entry(name.to_owned()).or_default().push(value.to_owned());
        }
    }
    headers
        .iter()
        .map(|(name, values)| format!("{name}: {}", values.join(", ")))
        .collect()
}

fn all_at(address: std::net::SocketAddr) -> impl FnOnce(&mut Cluster) {
    move |cluster: &mut Cluster| {
        for node in &mut cluster.nodes {
            node.http = Some(address);
        }
        cluster.health.kind = HealthKind::Tcp;
        cluster.timeouts.server = std::time::Duration::from_millis(300).into();
    }
}
