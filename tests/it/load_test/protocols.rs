//! The protocols of clients besides TCP.

use super::{held, of, verdict};
use crate::harness::{TestCluster, behind_each_balancer, eventually};

behind_each_balancer! {
    http_websockets_and_streams_are_tested,
    clients_without_sessions_are_tested,
}

fn http_websockets_and_streams_are_tested(balancer: &'static str) {
    // With so few clients a small difference is large in percent, and the balancer chooses by
    // streams while messages are on their way.
    let cluster = TestCluster::behind(balancer)
        .set("targets.variance=50")
        .with_any_evenness()
        .started();
    for protocol in ["http", "ws", "sse"] {
        let line = format!("300 2 --json --messages-per-second 300 --protocol {protocol}");
        let ended = of(&cluster, &line).ends();
        let results = ended.results(0);
        assert_eq!(
            (ended.stderr.as_str(), &results["held"]),
            ("", &300.into()),
            "{ended}"
        );
        assert_eq!(results["test"]["protocol"], protocol);
        assert_eq!(results["counts"]["to_target"], 300, "{ended}");
        assert_ne!(verdict(&results, "sticky"), "failed", "{ended}");
        assert!(results["messages"]["answered"].as_u64().unwrap() > 300, "{ended}");
        // No message waits for the next one.
        let fastest = results["latency"]["all"]["min_ms"].as_f64().unwrap();
        assert!(fastest < 100.0, "{ended}");
    }
}

fn clients_without_sessions_are_tested(balancer: &'static str) {
    let cluster = TestCluster::behind(balancer)
        .set("targets.variance=25")
        .with_any_evenness()
        .started();
    let line = "300 2 --json --messages-per-second 600 --protocol http --mcp 2026-07-28";
    let ended = of(&cluster, line).ends();
    let results = ended.results(0);
    assert_eq!(
        (ended.stderr.as_str(), &results["held"]),
        ("", &300.into()),
        "{ended}"
    );
    assert_eq!(results["test"]["mcp"], "2026-07-28");
    assert_eq!(results["counts"]["to_target"], 300, "{ended}");
    assert_ne!(verdict(&results, "sticky"), "failed", "{ended}");
    assert!(results["messages"]["answered"].as_u64().unwrap() > 600, "{ended}");
    assert_eq!(results["messages"]["answered_by_error"], 0, "{ended}");
    // The names come from `server/discover`.
    let names: Vec<_> = results["nodes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|node| &node["name"])
        .collect();
    assert_eq!(names, ["erlmcp1", "erlmcp2", "erlmcp3", "erlmcp4"], "{ended}");
}

/// nginx does not count the streams of a node.
#[test]
fn streams_that_clients_have_closed_are_closed_at_the_balancer() {
    for balancer in ["haproxy", "builtin"] {
        closed_streams_are_closed_behind(balancer);
    }
}

fn closed_streams_are_closed_behind(balancer: &'static str) {
    let cluster = TestCluster::behind(balancer).started();
    let ended = of(&cluster, "100 1 --json --protocol sse").ends();
    assert_eq!(
        serde_json::from_str::<serde_json::Value>(&ended.stdout).unwrap()["held"],
        100,
        "{ended}"
    );
    for node in ["erlmcp1", "erlmcp2", "erlmcp3", "erlmcp4"] {
        eventually("no stream", || {
            (cluster.stat("mcp_sse_backend", node, "scur") == "0").then_some(())
        });
    }
}

/// The node is killed; the length of the failover is not checked: the machine may be busy.
#[test]
fn clients_of_every_protocol_are_served_elsewhere_when_their_node_is_killed() {
    let cluster = TestCluster::behind("builtin")
        .set("targets.failover=30s")
        .set("targets.variance=50")
        .started();
    for protocol in ["http", "ws", "sse"] {
        let line = format!("200 5 --json --protocol {protocol} --failover erlmcp2");
        let ended = of(&cluster, &line).ends();
        let failover = &ended.results(0)["failover"];
        assert!(failover["clients"].as_u64().unwrap() > 0, "{protocol}: {ended}");
        assert_eq!(
            (&failover["homeless"], &failover["bystanders"]),
            (&0.into(), &0.into()),
            "{protocol}: {ended}"
        );
    }
}

/// Of clients with HTTP sessions, those of the drained node would begin again.
#[test]
fn clients_notice_neither_a_reload_nor_a_drain() {
    let cluster = TestCluster::behind("builtin")
        .set("targets.variance=50")
        .started();
    for protocol in ["http --mcp 2026-07-28", "ws"] {
        let line = format!("200 5 --json --messages-per-second 400 --protocol {protocol}");
        let running = of(&cluster, &line);
        held(cluster.address(if protocol == "ws" { 8001 } else { 8080 }), 200);
        cluster.ok(&["reload", "--set", &format!("timeouts.client={}m", protocol.len())]);
        cluster.ok(&["drain", "erlmcp2"]);
        cluster.ok(&["ready", "erlmcp2"]);
        let ended = running.ends();
        let messages = &ended.results(0)["messages"];
        assert_eq!(
            (
                &messages["unanswered"],
                &messages["lost"],
                &messages["answered_by_error"]
            ),
            (&0.into(), &0.into(), &0.into()),
            "{protocol}: {ended}"
        );
    }
}

#[test]
fn a_protocol_without_a_listener_is_refused() {
    let cluster = TestCluster::behind("builtin").set("listen.http=null").started();
    let ended = of(&cluster, "10 1 --protocol http").ends();
    let refusal = ended.refusal();
    assert!(refusal.contains("builtin does not serve http"), "{refusal}");
    assert!(refusal.contains("no `listen.http`"), "{refusal}");
    assert!(refusal.contains("\nhint: `clusterctl status`"), "{refusal}");
}
