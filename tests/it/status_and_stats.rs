//! `status`, `stats` and the other views of a running cluster.

use std::io::Write;

use serde_json::Value;

use crate::harness::{TestCluster, behind_each_balancer, eventually, http_get};

behind_each_balancer!(a_running_cluster_shows_its_state);

fn a_running_cluster_shows_its_state(balancer: &'static str) {
    let cluster = TestCluster::behind(balancer).started();

    let health: Value = serde_json::from_str(&eventually("every node to be probed", || {
        let health = cluster.ok(&["health", "--json"]);
        let parsed: Value = serde_json::from_str(&health).unwrap();
        (parsed["latency"]["nodes"].as_array().unwrap().len() == 4).then_some(health)
    }))
    .unwrap();
    assert_eq!(
        (&health["state"], &health["latency"]["class"]),
        (&"healthy".into(), &"excellent".into())
    );
    assert_eq!(health["alerts"], serde_json::json!([]));

    let shown = cluster.ok(&["health"]);
    for part in [
        match balancer {
            "builtin" => "Load Balancer: built-in RUNNING",
            "nginx" => "Load Balancer: nginx RUNNING",
            _ => "Load Balancer: HAProxy RUNNING",
        },
        "erlmcp4: UP (0 connections) ✓",
        "Total Connections: 0 / ",
    ] {
        assert!(shown.contains(part), "`{part}` is not in:\n{shown}");
    }

    let stats = cluster.ok(&["stats"]);
    let proxy = if balancer == "nginx" {
        "erlmcp_tcp_cluster"
    } else {
        "mcp_cluster_tcp"
    };
    assert!(stats.contains(proxy) && stats.contains("erlmcp1"), "{stats}");
    let stats: Value = serde_json::from_str(&cluster.ok(&["stats", "--json"])).unwrap();
    assert!(
        stats["rows"]
            .as_array()
            .unwrap()
            .iter()
            .any(|row| row["name"] == "erlmcp2" && row["status"] == "UP")
    );

    let metrics = http_get(cluster.address(8405), "/metrics");
    assert!(
        metrics.contains("clusterctl_node_up{cluster=\"erlmcp\",node=\"erlmcp3\"} 1"),
        "{metrics}"
    );
    assert!(http_get(cluster.address(8888), "/health").starts_with("HTTP/1.1 200"));
    // nginx has no such page.
    if balancer != "nginx" {
        assert!(http_get(cluster.address(8404), "/stats").contains("mcp_cluster_tcp"));
    }

    assert!(
        cluster
            .ok(&["logs", "supervisor", "-n", "500"])
            .contains("supervisor runs")
    );
    let all = cluster.ok(&["logs"]);
    assert!(all.contains("erlmcp1"), "{all}");
    cluster.ok(&["logs", balancer]);
}

#[test]
fn curl_speaks_to_the_control_socket() {
    let cluster = TestCluster::new().started();
    let mut stream = std::os::unix::net::UnixStream::connect(cluster.run_dir().join("control.sock")).unwrap();
    write!(
        stream,
        "GET /v1/status HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    )
    .unwrap();
    let answer = std::io::read_to_string(stream).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    assert_eq!(serde_json::from_str::<Value>(body).unwrap()["cluster"], "erlmcp");

    let mut stream = std::os::unix::net::UnixStream::connect(cluster.run_dir().join("control.sock")).unwrap();
    let head = "POST /v1/drain HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/json";
    write!(stream, "{head}\r\nContent-Length: 1\r\n\r\n{{").unwrap();
    let answer = std::io::read_to_string(stream).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 400"), "{head}");
    assert!(
        serde_json::from_str::<Value>(body).unwrap()["error"].is_string(),
        "{body}"
    );
}

#[test]
fn configurations_are_rendered_and_checked_without_a_running_cluster() {
    let cluster = TestCluster::new();
    let config = cluster.ok(&["render", "haproxy"]);
    for part in [
        "frontend mcp_frontend_tcp",
        "backend mcp_cluster_tcp",
        "backend mcp_sse_backend",
    ] {
        assert!(config.contains(part), "`{part}` is not in:\n{config}");
    }
    cluster.ok(&["check", "haproxy"]);
    let config = cluster.ok(&["render"]);
    assert!(
        config.contains("\nbackends:\n- name: mcp_cluster_tcp\n"),
        "{config}"
    );
    cluster.ok(&["check"]);
    assert!(!cluster.run_dir().join("state.json").exists());
}
