//! Nodes that serve MCP over HTTP alone, as most MCP servers do: no raw TCP, often no health path.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::thread;
use std::time::Duration;

use nix::sys::signal::Signal;
use serde_json::{Value, json};

use crate::harness::{TestCluster, behind_each_balancer, eventually, signal};

behind_each_balancer! {
    own_nodes_without_tcp_pass_a_load_test_and_drain,
    a_server_without_a_health_path_is_checked_by_mcp,
    a_server_with_a_health_path_is_checked_there,
    a_server_that_is_killed_is_restarted_and_serves_again,
    a_server_that_hangs_is_found_and_comes_back,
    a_server_that_blocks_for_2500_ms_is_slow_and_not_down,
    a_mixed_cluster_is_warned_of,
    clients_are_assigned_to_nodes_whose_servers_all_have_one_name,
}

/// A cluster of the small server, with `options` for all nodes.
fn servers(balancer: &'static str, options: &str) -> TestCluster {
    let cluster = TestCluster::behind(balancer).set("nodes.tcp_port=null");
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/http_nodes/server.py");
    let words: Vec<String> = options
        .split_whitespace()
        .map(|word| format!(", '{word}'"))
        .collect();
    let command = format!(
        "nodes.command=[python3, {script}, '{{name}}', '{{http_port}}'{}]",
        words.concat()
    );
    cluster.set("nodes.runtime=command").set(&command)
}

/// The status and the body of the answer to a request.
fn request(cluster: &TestCluster, base: u16, head: &str, body: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(cluster.address(base)).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    let length = body.len();
    write!(
        stream,
        "{head} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: application/json\r\n\
         Accept: application/json, text/event-stream\r\nContent-Length: {length}\r\n\r\n{body}"
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let status = answer.split(' ').nth(1).unwrap().parse().unwrap();
    let body = answer.split_once("\r\n\r\n").unwrap().1;
    (status, body.to_owned())
}

fn own_nodes_without_tcp_pass_a_load_test_and_drain(balancer: &'static str) {
    let cluster = TestCluster::behind(balancer).set("nodes.tcp_port=null");
    let cluster = cluster.set("targets.variance=200%").started();
    let status = cluster.status();
    assert_eq!(status["state"], "healthy", "{status}");
    assert_eq!(status["balancer"]["endpoints"]["tcp"], Value::Null, "{status}");
    for node in status["nodes"].as_array().unwrap() {
        assert_eq!(
            (&node["tcp"], &node["state"]),
            (&Value::Null, &json!("up")),
            "{node}"
        );
    }
    let report = cluster.ok(&["load-test", "200", "2s", "--json"]);
    let report: Value = serde_json::from_str(&report).unwrap();
    assert_eq!(report["test"]["protocol"], "http", "{report}");
    cluster.ok(&["drain", "erlmcp2", "--wait", "--deadline", "30s", "--stop"]);
    assert_eq!(cluster.node("erlmcp2")["state"], "stopped");
    cluster.ok(&["ready", "erlmcp2"]);
    eventually("a node that is back", || {
        (cluster.node("erlmcp2")["state"] == "up").then_some(())
    });
}

fn a_server_without_a_health_path_is_checked_by_mcp(balancer: &'static str) {
    let cluster = servers(balancer, "").started();
    check_kind(&cluster, "`POST /mcp`", "meth POST uri /mcp ");
    let eras = eventually("known revisions", || {
        let eras = cluster.node("erlmcp4")["eras"].clone();
        (eras != json!([])).then_some(eras)
    });
    assert_eq!(eras, json!(["2025-11-25"]));
    // Neither checks nor the question for the revision leave a session behind.
    for base in 8081..=8084 {
        assert_eq!(
            request(&cluster, base, "GET /sessions", ""),
            (200, "0".to_owned())
        );
    }
    // What was found out lasts: a reload and a supervisor that is started again change nothing.
    let before = fs::read_to_string(cluster.run_dir().join(cluster.config())).unwrap();
    cluster.ok(&["reload"]);
    cluster.kill_supervisor();
    cluster.start(&[]);
    let after = fs::read_to_string(cluster.run_dir().join(cluster.config())).unwrap();
    assert_eq!(after, before);
}

fn a_server_with_a_health_path_is_checked_there(balancer: &'static str) {
    let cluster = servers(balancer, "health").started();
    check_kind(&cluster, "`GET /health`", "meth GET uri /health ");
}

/// Checks what the supervisor's and the balancer's checks send.
fn check_kind(cluster: &TestCluster, question: &str, line: &str) {
    let log = fs::read_to_string(cluster.run_dir().join("logs/supervisor.log")).unwrap();
    assert!(
        log.contains(&format!("the checks over HTTP send {question}")),
        "{log}"
    );
    if cluster.balancer() == "haproxy" {
        let config = fs::read_to_string(cluster.run_dir().join(cluster.config())).unwrap();
        assert!(config.contains(line), "{config}");
    }
}

fn a_server_that_is_killed_is_restarted_and_serves_again(balancer: &'static str) {
    let cluster = servers(balancer, "").with_short_hold().started();
    signal(cluster.node_pid("erlmcp1"), Signal::SIGKILL);
    eventually("a restarted node", || {
        let node = cluster.node("erlmcp1");
        (node["restarts"] == 1 && node["state"] == "up").then_some(())
    });
    let ping = json!({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {}}).to_string();
    for _ in 0..8 {
        assert_eq!(request(&cluster, 8080, "POST /mcp", &ping).0, 200);
    }
}

fn a_server_that_hangs_is_found_and_comes_back(balancer: &'static str) {
    let cluster = servers(balancer, "").with_short_hold().started();
    let pid = cluster.node_pid("erlmcp3");
    signal(pid, Signal::SIGSTOP);
    let node = eventually("a node that is down", || {
        let node = cluster.node("erlmcp3");
        (node["state"] == "down").then_some(node)
    });
    assert_eq!(cluster.node_pid("erlmcp3"), pid, "{node}");
    signal(pid, Signal::SIGCONT);
    eventually("a node that is up", || {
        (cluster.node("erlmcp3")["state"] == "up").then_some(())
    });
}

fn a_server_that_blocks_for_2500_ms_is_slow_and_not_down(balancer: &'static str) {
    let cluster = servers(balancer, "single revision=2026-07-28").started();
    let call = json!({
        "jsonrpc": "2.0", "id": 1, "method": "tools/call",
        "params": {"name": "sleep", "arguments": {"seconds": 2.5}},
    })
    .to_string();
    thread::scope(|scope| {
        let calls: Vec<_> = (0..4)
            .map(|_| scope.spawn(|| request(&cluster, 8080, "POST /mcp", &call).0))
            .collect();
        while !calls.iter().all(thread::ScopedJoinHandle::is_finished) {
            let status = cluster.status();
            let nodes = status["nodes"].as_array().unwrap();
            assert!(nodes.iter().all(|node| node["state"] == "up"), "{status}");
        }
        for call in calls {
            assert_eq!(call.join().unwrap(), 200);
        }
    });
    for node in cluster.status()["nodes"].as_array().unwrap() {
        assert_eq!(
            (&node["state"], &node["restarts"]),
            (&json!("up"), &json!(0)),
            "{node}"
        );
    }
}

fn a_mixed_cluster_is_warned_of(balancer: &'static str) {
    let cluster = TestCluster::behind(balancer)
        .set("nodes.tcp_port=null")
        .set("nodes.count=2");
    let server = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/http_nodes/server.py");
    let script = format!(
        "case $1 in erlmcp1) r=2025-11-25;; *) r=2026-07-28;; esac\nexec python3 {server} \"$1\" \"$2\" revision=$r"
    );
    let cluster = cluster.scripted_over_http(&script).started();
    let warning = eventually("a warning", || {
        let warnings = cluster.status()["warnings"].as_array().unwrap().clone();
        warnings
            .iter()
            .filter_map(Value::as_str)
            .find(|warning| warning.contains("without sessions"))
            .map(str::to_owned)
    });
    assert!(
        warning.contains("erlmcp2 serves only MCP revisions without sessions"),
        "{warning}"
    );
    assert_eq!(cluster.node("erlmcp2")["eras"], json!(["2026-07-28"]));
}

fn clients_are_assigned_to_nodes_whose_servers_all_have_one_name(balancer: &'static str) {
    let cluster = TestCluster::behind(balancer)
        .set("nodes.tcp_port=null")
        .set("nodes.count=2")
        .set("targets.variance=200%");
    let server = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/http_nodes/server.py");
    let cluster = cluster
        .scripted_over_http(&format!("exec python3 {server} weather \"$2\""))
        .started();
    let results = cluster.ok(&["load-test", "100", "2s", "--json"]);
    let results: Value = serde_json::from_str(&results).unwrap();
    let mut names: Vec<&str> = results["nodes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|node| node["name"].as_str().unwrap())
        .collect();
    names.sort_unstable();
    assert_eq!(names, ["erlmcp1", "erlmcp2"], "{results}");
}

#[test]
fn a_wrong_path_is_reported_at_the_start() {
    let cluster = servers("haproxy", "path=/");
    let ran = cluster.run(&["start", "haproxy"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(
        ran.stderr
            .contains("`POST /mcp` is answered with 404; `POST /` is answered by an MCP server"),
        "{ran:?}"
    );
}

#[test]
fn event_streams_alone_are_the_oldest_revision() {
    let cluster = servers("haproxy", "path=/none sse");
    let ran = cluster.run(&["start", "haproxy"]);
    assert!(ran.code == 0 && !ran.stderr.contains("no MCP"), "{ran:?}");
    let eras = eventually("known revisions", || {
        let eras = cluster.node("erlmcp1")["eras"].clone();
        (eras != json!([])).then_some(eras)
    });
    assert_eq!(eras, json!(["2024-11-05"]));
}

#[test]
fn a_wrong_port_is_reported_at_the_start() {
    let cluster = TestCluster::new().set("nodes.tcp_port=null").set("nodes.count=1");
    let other = cluster.port(9001);
    let server = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/http_nodes/server.py");
    let cluster = cluster.scripted_over_http(&format!("exec python3 {server} \"$1\" {other}"));
    let ran = cluster.run(&["start", "haproxy", "--timeout", "4s"]);
    assert_eq!(ran.code, 1, "{ran:?}");
    let expected = format!("it listens on 127.0.0.1:{other} instead");
    assert!(
        ran.stderr.contains(&expected) && ran.stderr.contains("nodes.environment"),
        "{ran:?}"
    );
}
