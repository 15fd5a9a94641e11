//! MCP sessions behind HAProxy as several processes: each process sends a session's requests to the
//! session's node.

use std::io::{Read, Write};
use std::net::Ipv4Addr;
use std::os::unix::net::UnixStream;

use serde_json::{Value, json};

use crate::harness::{TestCluster, connect_from};

/// A session on the client's side.
#[derive(Debug)]
struct Session {
    /// The id that the client got: `ID~NODE`.
    id: String,
    /// The cookie of the first answer.
    cookie: String,
}

/// The answer to a POST request.
#[derive(Debug)]
struct Answer {
    head: String,
    body: Value,
}

impl Session {
    fn begin(cluster: &TestCluster, source: Ipv4Addr) -> Session {
        let params = json!({
            "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}
        });
        let answer = post(cluster, source, "", "initialize", &params);
        let cookie = answer
            .header("set-cookie")
            .unwrap_or_else(|| panic!("{answer:?}"));
        let session = Session {
            id: answer.header("mcp-session-id").unwrap().to_owned(),
            cookie: cookie.split(';').next().unwrap().to_owned(),
        };
        assert_eq!(answer.body["result"]["serverInfo"]["name"], session.node());
        session
    }

    fn node(&self) -> &str {
        self.id.rsplit_once('~').unwrap().1
    }

    /// Asks in the session for the node's name, with the cookie in `jar`.
    fn ask(&self, cluster: &TestCluster, source: Ipv4Addr, jar: &str) -> Answer {
        let headers = format!("Mcp-Session-Id: {}\r\nCookie: {jar}\r\n", self.id);
        let params = json!({"name": "whoami", "arguments": {}});
        post(cluster, source, &headers, "tools/call", &params)
    }
}

impl Answer {
    fn header(&self, name: &str) -> Option<&str> {
        let mut headers = self.head.lines().filter_map(|line| line.split_once(": "));
        let found = headers.find(|(key, _)| key.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value)
    }
}

#[test]
fn two_sessions_in_one_cookie_jar_stay_with_their_nodes() {
    let cluster = TestCluster::sharded().started();
    let first = Session::begin(&cluster, address(1));
    let mut others = (2..40).map(|number| Session::begin(&cluster, address(number)));
    let second = others.find(|session| session.node() != first.node()).unwrap();
    let sessions = [first, second];
    reach_their_nodes(&cluster, &sessions);
    let pids = cluster.balancer_pids();
    cluster.ok(&["reload", "--set", "limits.per_ip.connections=90"]);
    assert!(cluster.balancer_pids().iter().all(|pid| !pids.contains(pid)));
    reach_their_nodes(&cluster, &sessions);
}

/// Asks in each session, with each cookie that the jar can have, at each process.
fn reach_their_nodes(cluster: &TestCluster, sessions: &[Session]) {
    let before = requests_per_process(cluster);
    for (jar, session) in sessions
        .iter()
        .flat_map(|jar| sessions.iter().map(move |it| (jar, it)))
    {
        for number in 100..112 {
            let answer = session.ask(cluster, address(number), &jar.cookie);
            assert!(
                answer.head.starts_with("HTTP/1.1 200 "),
                "{session:?}: {answer:?}"
            );
            let text = answer.body["result"]["content"][0]["text"].as_str().unwrap();
            let tool: Value = serde_json::from_str(text).unwrap();
            assert_eq!(tool["node"], session.node());
            // The jar does not change.
            assert_eq!(answer.header("set-cookie"), None);
        }
    }
    let after = requests_per_process(cluster);
    assert_eq!(after.len(), 3);
    assert!(
        before.iter().zip(&after).all(|(before, after)| before < after),
        "{before:?} {after:?}"
    );
}

fn address(number: u8) -> Ipv4Addr {
    Ipv4Addr::new(127, 8, 0, number)
}

/// HTTP requests that each process has served.
fn requests_per_process(cluster: &TestCluster) -> Vec<u64> {
    let status = cluster.status();
    let sockets = status["balancer"]["stats_sockets"].as_array().unwrap().iter();
    sockets
        .map(|socket| {
            let mut stream = UnixStream::connect(socket.as_str().unwrap()).unwrap();
            writeln!(stream, "show stat").unwrap();
            let csv = std::io::read_to_string(stream).unwrap();
            let row = csv
                .lines()
                .find(|line| line.starts_with("mcp_frontend_http,FRONTEND,"));
            row.unwrap().split(',').nth(7).unwrap().parse().unwrap()
        })
        .collect()
}

/// A JSON-RPC request on a connection of its own, and its answer.
fn post(cluster: &TestCluster, source: Ipv4Addr, headers: &str, method: &str, params: &Value) -> Answer {
    let body = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).to_string();
    let mut stream = connect_from(source.into(), cluster.address(8080)).unwrap();
    write!(
        stream,
        "POST /mcp HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: application/json\r\n\
         Accept: application/json, text/event-stream\r\nContent-Length: {}\r\n{headers}\r\n{body}",
        body.len()
    )
    .unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    Answer {
        head: head.to_owned(),
        body: serde_json::from_str(body).unwrap_or_else(|error| panic!("{error}: {text}")),
    }
}
