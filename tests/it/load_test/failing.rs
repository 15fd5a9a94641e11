//! A node that the test makes fail in mid-hold, and its clients.

use serde_json::Value;

use super::of;
use crate::harness::{TestCluster, behind_each_balancer, eventually, is_alive};

behind_each_balancer! {
    clients_of_a_killed_node_are_served_elsewhere,
    a_stopped_node_is_found_and_goes_on,
}

/// The length of the failover is not checked here: the machine may be busy.
fn cluster_behind(balancer: &'static str) -> TestCluster {
    TestCluster::behind(balancer)
        .set("targets.failover=30s")
        .with_any_evenness()
}

fn clients_of_a_killed_node_are_served_elsewhere(balancer: &'static str) {
    // The node is held back for 12 seconds, longer than the first test lasts.
    let cluster = cluster_behind(balancer).set("health.rise=4").started();
    let ended = of(&cluster, "2000 7 --failover erlmcp2 --json").ends();
    let results = ended.results(0);
    let failover = complete(&results, "kill");
    assert_eq!(failover["bystanders"], 0, "{failover}");
    assert_eq!(cluster.node("erlmcp2")["restarts"], 1);
    for node in failover["after"].as_array().unwrap() {
        let connections = node["connections"].as_u64().unwrap();
        let share = match (node["name"].as_str().unwrap(), balancer) {
            ("erlmcp2", _) => 0..=0,
            // Some 30 more or less, by chance.
            (_, "nginx") => 540..=800,
            _ => 650..=683,
        };
        assert!(share.contains(&connections), "{failover}");
    }
    // The second test waits until the node gets clients again.
    let ended = of(&cluster, "400 1 --json").ends();
    let results = ended.results(0);
    assert!(ended.stderr.contains("waiting: erlmcp2 is held back"), "{ended}");
    assert_eq!(
        results["distribution"]["nodes"].as_array().unwrap().len(),
        4,
        "{ended}"
    );
}

#[test]
fn a_node_that_takes_no_clients_is_not_judged() {
    let cluster = TestCluster::behind("builtin").started();
    cluster.ok(&["drain", "erlmcp3"]);
    let ended = of(&cluster, "300 1 --json").ends();
    let results = ended.results(0);
    assert!(
        ended
            .stderr
            .contains("warning: erlmcp3 takes no clients: drained"),
        "{ended}"
    );
    let judged = results["distribution"]["nodes"].as_array().unwrap();
    assert_eq!(judged.len(), 3, "{ended}");
    assert_eq!(results["distribution"]["mean"], 100.0, "{ended}");
}

fn a_stopped_node_is_found_and_goes_on(balancer: &'static str) {
    let cluster = cluster_behind(balancer).started();
    let pid = cluster.node_pid("erlmcp2");
    let ended = of(&cluster, "1000 12 --failover erlmcp2 --failover-mode stop --json").ends();
    let results = ended.results(0);
    let failover = complete(&results, "stop");
    assert!(failover["detected_ms"].as_f64().unwrap() < 8_000.0, "{failover}");
    let node = eventually("the node to be back", || {
        Some(cluster.node("erlmcp2")).filter(|node| node["state"] == "up")
    });
    assert_eq!(
        (&node["pid"], &node["restarts"]),
        (&pid.into(), &0.into()),
        "{failover}"
    );
    assert!(is_alive(pid));
}

/// The failover in `results`, which must have every field.
fn complete<'a>(results: &'a Value, mode: &str) -> &'a Value {
    let failover = &results["failover"];
    assert_eq!(
        (&failover["node"], &failover["mode"]),
        (&"erlmcp2".into(), &mode.into()),
        "{results}"
    );
    let clients = failover["clients"].as_u64().unwrap();
    let times = [
        "detected_ms",
        "cut_p50_ms",
        "cut_p100_ms",
        "rehomed_p50_ms",
        "rehomed_p100_ms",
        "back_ms",
    ];
    for time in times {
        assert!(
            failover[time].as_f64().is_some_and(|ms| ms >= 0.0),
            "{time}: {failover}"
        );
    }
    assert!(
        failover["cut_p50_ms"].as_f64() <= failover["rehomed_p50_ms"].as_f64(),
        "{failover}"
    );
    assert_eq!(failover["homeless"], 0, "{failover}");
    let rehomed = failover["rehomed_to"].as_array().unwrap().iter();
    let rehomed: u64 = rehomed.map(|node| node["connections"].as_u64().unwrap()).sum();
    assert!(clients > 0 && rehomed == clients, "{failover}");
    failover
}
