//! Nodes whose answers are unusual, behind every HTTP balancer.

use std::fmt::Write;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use clusterctl::platform::Program;
use clusterctl::profile::{Cluster, HealthKind};

use crate::haproxy::client::{get, request};
use crate::haproxy::nodes;

const SOURCE: Ipv4Addr = Ipv4Addr::new(127, 0, 10, 1);

/// A cluster whose nodes give this answer to each request, and then close the connection.
pub(crate) async fn answering(
    answer: impl Fn(SocketAddr, &str) -> String + Clone + Send + Sync + 'static,
) -> impl FnOnce(&mut Cluster) {
    let at = nodes::answering(answer).await;
    move |cluster: &mut Cluster| {
        for node in &mut cluster.nodes {
            node.http = Some(at);
        }
        cluster.health.kind = HealthKind::Tcp;
        crate::paths::without_limits(cluster);
    }
}

/// Answers after which the node closes the connection, as they announce: without a length, or by
/// HTTP/1.0.
pub(crate) const ANNOUNCED: [&str; 4] = [
    "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nConnection: close\r\n\r\n<html>hello</html>\r\n",
    "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n<html>hello</html>\r\n",
    "HTTP/1.0 200 OK\r\nContent-Type: text/html\r\n\r\n<html>hello</html>\r\n",
    "HTTP/1.0 200 OK\r\nContent-Type: text/html\r\nContent-Length: 20\r\n\r\n<html>hello</html>\r\n",
];

/// An answer after which the node closes the connection, which it does not announce.
pub(crate) const UNANNOUNCED: &str =
    "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 20\r\n\r\n<html>hello</html>\r\n";

/// Twenty requests on one connection of a client are all answered.
pub(crate) async fn every_request_is_answered(cluster: &Cluster) {
    let url = format!("http://127.0.0.1:{}/mcp", cluster.listen.http.unwrap());
    for method in ["GET", "POST"] {
        let mut curl = Program::new("/usr/bin/curl").args(["--silent", "--write-out", "%{http_code}\n"]);
        if method == "POST" {
            curl = curl.args(["--data", "{}"]);
        }
        let output = curl
            .args(vec![url.as_str(); 20])
            .output(Duration::from_secs(20))
            .await
            .unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let answered = text.lines().filter(|line| *line == "200").count();
        assert_eq!(answered, 20, "{method}: {text}");
        assert_eq!(text.matches("<html>hello</html>").count(), 20, "{method}: {text}");
    }
}

/// A request that goes out at the moment at which the node closes the connection can fail, and is
/// never sent twice; the next one is answered.
pub(crate) async fn every_client_is_answered(cluster: &Cluster) {
    let port = cluster.listen.http.unwrap();
    for _ in 0..20 {
        crate::haproxy::running::eventually("an answer", async || {
            let answer = request(SOURCE, port, "POST", "/mcp", &["Content-Length: 0"]).await;
            answer.starts_with("HTTP/1.1 200 ") && answer.ends_with("<html>hello</html>\r\n")
        })
        .await;
    }
}

/// The node redirects to a path, to the name by which the client reached it, and to its own
/// address: `to` answers with the path of the request.
pub(crate) fn redirecting(at: SocketAddr, head: &str) -> String {
    let path = head.split(' ').nth(1).unwrap();
    let port = at.port();
    let location = match path {
        "/mcp/relative" => "/mcp/".to_owned(),
        "/mcp/host" => "http://localhost/mcp/".to_owned(),
        "/mcp/own" => format!("http://{at}/mcp/?a=b,c"),
        "/mcp/own-name" => format!("http://localhost:{port}/mcp/"),
        "/mcp/elsewhere" => "http://example.org:80/mcp/".to_owned(),
        _ => format!("https://example.org/{at}/mcp/"),
    };
    format!("HTTP/1.1 307 Temporary Redirect\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n")
}

/// Clients follow redirects through the balancer.
pub(crate) async fn redirects_stay_at_the_balancer(cluster: &Cluster) {
    let own = cluster.nodes[0].http.unwrap();
    for (path, location) in [
        ("/mcp/relative", "/mcp/".to_owned()),
        ("/mcp/host", "http://localhost/mcp/".to_owned()),
        ("/mcp/own", "/mcp/?a=b,c".to_owned()),
        ("/mcp/own-name", "/mcp/".to_owned()),
        ("/mcp/elsewhere", "http://example.org:80/mcp/".to_owned()),
        ("/mcp/other", format!("https://example.org/{own}/mcp/")),
    ] {
        let answer = get(SOURCE, cluster.listen.http.unwrap(), path, &[]).await;
        assert!(answer.starts_with("HTTP/1.1 307 "), "{path}: {answer}");
        let sent = answer.lines().find_map(|line| {
            line.split_once(": ")
                .filter(|(name, _)| name.eq_ignore_ascii_case("location"))
        });
        assert_eq!(
            sent.map(|(_, value)| value),
            Some(location.as_str()),
            "{path}: {answer}"
        );
    }
}

/// The node wants a token: what OAuth needs passes untouched in both directions.
pub(crate) fn wanting_a_token(_: SocketAddr, head: &str) -> String {
    let body = serde_json::json!({ "head": head }).to_string();
    format!(
        "HTTP/1.1 401 Unauthorized\r\nContent-Type: application/json\r\nWWW-Authenticate: {CHALLENGE}\r\n\
         Access-Control-Allow-Origin: https://app.example\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

const CHALLENGE: &str =
    "Bearer realm=\"a, b\", resource_metadata=\"https://x.example/.well-known/oauth-protected-resource/mcp\"";

/// `Authorization`, `Origin` and `WWW-Authenticate` pass untouched; headers of one connection do
/// not pass.
pub(crate) async fn oauth_passes(cluster: &Cluster) {
    let lines = [
        "Authorization: Bearer eyJ.a-b_c~+/==",
        "Origin: https://app.example",
        "Accept-Encoding: gzip",
        "Keep-Alive: timeout=5",
        "Connection: close",
    ];
    for (method, path) in [
        ("POST", "/mcp"),
        ("GET", "/.well-known/oauth-protected-resource"),
        ("GET", "/.well-known/oauth-protected-resource/mcp"),
        ("GET", "/.well-known/oauth-authorization-server"),
        ("GET", "/.well-known/openid-configuration"),
    ] {
        let answer = request(SOURCE, cluster.listen.http.unwrap(), method, path, &lines).await;
        let (head, body) = answer
            .split_once("\r\n\r\n")
            .unwrap_or_else(|| panic!("{answer}"));
        assert!(head.starts_with("HTTP/1.1 401 "), "{path}: {answer}");
        let head = head.to_lowercase();
        assert!(
            head.contains(&format!("www-authenticate: {}", CHALLENGE.to_lowercase())),
            "{path}: {head}"
        );
        assert!(
            head.contains("access-control-allow-origin: https://app.example"),
            "{path}: {head}"
        );
        let body = &body[body.find('{').unwrap()..=body.rfind('}').unwrap()];
        let body: serde_json::Value = serde_json::from_str(body).unwrap();
        let received = body["head"].as_str().unwrap().to_lowercase();
        for line in &lines[..2] {
            assert!(
                received.contains(&format!("{}\r\n", line.to_lowercase())),
                "{path}: {received}"
            );
        }
    }
}

/// An answer whose head has `length` bytes, in headers of 6 kB or in a single one.
pub(crate) fn long_headed(length: usize, single: bool) -> impl Fn(SocketAddr, &str) -> String + Clone {
    move |_, _| {
        let end = "Content-Length: 2\r\n\r\n";
        let mut head = "HTTP/1.1 200 OK\r\n".to_owned();
        let part = if single { length } else { 6_000 };
        let mut number = 0;
        while head.len() + end.len() < length {
            let room = length - head.len() - end.len();
            let name = format!("X-{number}: ");
            let filled = room.min(part).saturating_sub(name.len() + 2);
            write!(head, "{name}{}\r\n", "x".repeat(filled)).unwrap();
            number += 1;
        }
        format!("{head}{end}ok")
    }
}

/// Heads of `limits.head` pass in both directions.
pub(crate) async fn long_heads_pass(cluster: &Cluster, length: usize) {
    let port = cluster.listen.http.unwrap();
    let answer = get(SOURCE, port, "/mcp", &[]).await;
    assert!(answer.starts_with("HTTP/1.1 200 "), "{length}: {answer:.200}");
    assert!(
        answer.len() > length && answer.ends_with("\r\n\r\nok"),
        "{length}: {}",
        answer.len()
    );
    for headers in [1, 5] {
        let lines: Vec<String> = (0..headers)
            .map(|number| format!("X-{number}: {}", "y".repeat((length - 200) / headers - 8)))
            .collect();
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        let answer = get(SOURCE, port, "/mcp", &lines).await;
        assert!(
            answer.starts_with("HTTP/1.1 200 "),
            "{length} in {headers}: {answer:.200}"
        );
    }
}

/// A head of many short lines is answered with `status`. It has three more lines: `Host`,
/// `Connection` and the request line.
pub(crate) async fn many_headers_meet(cluster: &Cluster, headers: usize, status: u16) {
    let lines: Vec<String> = (0..headers).map(|number| format!("X-{number}: y")).collect();
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    let answer = get(SOURCE, cluster.listen.http.unwrap(), "/mcp", &lines).await;
    assert!(
        answer.starts_with(&format!("HTTP/1.1 {status} ")),
        "{headers}: {answer:.200}"
    );
}

/// An answer with a larger head is a 502.
pub(crate) async fn too_long_a_head_is_a_502(cluster: &Cluster) {
    let answer = get(SOURCE, cluster.listen.http.unwrap(), "/mcp", &[]).await;
    crate::gateway::is_error(&answer, 502, false);
}
