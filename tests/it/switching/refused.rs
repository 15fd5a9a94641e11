//! Switches that are refused, and switches that only plan.

use std::process::{Child, Stdio};

use serde_json::json;

use super::{expect_whole, haproxy_that};
use crate::checking_clients::Load;
use crate::harness::{TestCluster, behind_each_balancer, eventually};

behind_each_balancer! {
    a_dry_run_prints_the_plan_and_changes_nothing,
    a_switch_to_what_runs_is_refused,
}

/// The first balancer that is not this one.
fn other_than(balancer: &str) -> &'static str {
    if balancer == "haproxy" { "nginx" } else { "haproxy" }
}

fn a_dry_run_prints_the_plan_and_changes_nothing(balancer: &'static str) {
    let cluster = TestCluster::switchable(balancer).started();
    let (pids, to) = (cluster.balancer_pids(), other_than(balancer));
    let files = || {
        let files = std::fs::read_dir(cluster.run_dir()).unwrap();
        let mut names: Vec<_> = files.map(|file| file.unwrap().file_name()).collect();
        names.sort();
        names
    };
    let before = files();
    let ran = cluster.run(&["switch", to, "--dry-run"]);
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    let printed = format!("{}{}", ran.stdout, ran.stderr);
    assert!(!printed.trim().is_empty());
    if "nginx" == balancer || "nginx" == to {
        assert!(printed.contains("address"), "sticky clients may move: {printed}");
    }
    assert_eq!(
        (cluster.kind().as_str(), cluster.balancer_pids()),
        (balancer, pids)
    );
    assert_eq!(files(), before);
}

fn a_switch_to_what_runs_is_refused(balancer: &'static str) {
    let cluster = TestCluster::switchable(balancer).started();
    let pids = cluster.balancer_pids();
    let ran = cluster.run(&["switch", balancer]);
    assert_eq!(ran.code, 1, "{}{}", ran.stdout, ran.stderr);
    assert!(ran.stderr.contains(balancer), "{}", ran.stderr);
    assert_eq!(cluster.balancer_pids(), pids);
}

#[test]
fn a_switch_needs_a_cluster_and_a_known_balancer() {
    let cluster = TestCluster::switchable("builtin");
    let stopped = cluster.run(&["switch", "haproxy"]);
    assert_eq!(stopped.code, 1, "{}", stopped.stderr);
    let unknown = cluster.run(&["switch", "traefik"]);
    assert_eq!(unknown.code, 2, "{}", unknown.stderr);
    assert!(
        unknown.stderr.contains("`builtin`, `haproxy`, `nginx`"),
        "{}",
        unknown.stderr
    );
}

#[test]
fn a_switch_to_what_is_not_installed_is_refused() {
    let cluster = TestCluster::switchable("builtin")
        .set("binaries.nginx=/nonexistent/nginx")
        .started();
    let pids = cluster.balancer_pids();
    for arguments in [&["switch", "nginx"][..], &["switch", "nginx", "--dry-run"]] {
        let ran = cluster.run(arguments);
        assert_eq!(ran.code, 1, "{}{}", ran.stdout, ran.stderr);
        assert!(ran.stderr.contains("/nonexistent/nginx"), "{}", ran.stderr);
    }
    assert_eq!(
        (cluster.kind().as_str(), cluster.balancer_pids()),
        ("builtin", pids)
    );
}

#[test]
fn a_switch_to_what_cannot_serve_the_profile_is_refused() {
    let cluster = TestCluster::switchable("haproxy")
        .set("tls={self_signed: true}")
        .started();
    let pids = cluster.balancer_pids();
    let ran = cluster.run(&["switch", "builtin"]);
    assert_eq!(ran.code, 1, "{}{}", ran.stdout, ran.stderr);
    assert!(ran.stderr.to_lowercase().contains("https"), "{}", ran.stderr);
    assert_eq!(
        (cluster.kind().as_str(), cluster.balancer_pids()),
        ("haproxy", pids)
    );
}

#[test]
fn a_balancer_that_fails_to_serve_leaves_the_former_one_alone() {
    for serves in ["echo cannot serve today >&2; exit 1", "kill -9 $$"] {
        let cluster = TestCluster::switchable("builtin");
        let fails = haproxy_that(&cluster, serves);
        let cluster = cluster.set(&fails).started();
        let pids = cluster.balancer_pids();
        let clients = cluster.checked_by(Load::new(100, 100));
        clients.go_on(1);
        let ran = cluster.run(&["switch", "haproxy"]);
        assert_eq!(ran.code, 1, "{}{}", ran.stdout, ran.stderr);
        assert!(ran.stderr.contains("haproxy"), "{}", ran.stderr);
        clients.go_on(2);
        expect_whole(&clients.stop());
        let status = cluster.status();
        assert_eq!(
            (cluster.kind().as_str(), cluster.balancer_pids()),
            ("builtin", pids)
        );
        assert_eq!(
            (
                &status["state"],
                &status["balancer"]["state"],
                &status["balancer"]["switching_to"]
            ),
            (&json!("healthy"), &json!("running"), &json!(null))
        );
        // Another one takes over all the same.
        cluster.ok(&["switch", "nginx"]);
    }
}

/// A switch to a haproxy that begins to serve late, seen in the status.
fn slow_switch(cluster: &TestCluster) -> Child {
    let switch = cluster
        .beside(&["switch", "haproxy"])
        .stdin(Stdio::null())
        .spawn()
        .unwrap();
    eventually("a switch in progress", || {
        let status = cluster.status();
        let balancer = &status["balancer"];
        (balancer["switching_to"] == "haproxy" && balancer["state"] == "reloading").then_some(())
    });
    switch
}

/// A cluster behind builtin, where haproxy begins to serve late.
pub(super) fn with_slow_haproxy() -> TestCluster {
    let cluster = TestCluster::switchable("builtin");
    let slow = haproxy_that(&cluster, "sleep 6\nexec /usr/sbin/haproxy \"$@\"");
    cluster.set(&slow).started()
}

pub(super) fn begun(cluster: &TestCluster) -> Child {
    slow_switch(cluster)
}

#[test]
fn nothing_else_begins_during_a_switch() {
    let cluster = with_slow_haproxy();
    let switch = slow_switch(&cluster);
    for arguments in [
        &["switch", "nginx"][..],
        &["switch", "haproxy"],
        &["reload", "--set", "timeouts.client=4m"],
    ] {
        let ran = cluster.run(arguments);
        assert_eq!(ran.code, 1, "{arguments:?}: {}{}", ran.stdout, ran.stderr);
        // On a slow machine, the switch may have been completed since the order was prepared.
        assert!(
            ran.stderr.contains("takes over from")
                || ran.stderr.contains("meanwhile")
                || ran.stderr.contains("runs"),
            "{arguments:?}: {}",
            ran.stderr
        );
    }
    let output = switch.wait_with_output().unwrap();
    assert!(output.status.success(), "{output:?}");
    assert_eq!(cluster.kind(), "haproxy");
    // What was refused can be done now.
    cluster.ok(&["reload", "--set", "timeouts.client=4m"]);
}

#[test]
fn a_node_can_be_drained_and_die_during_a_switch() {
    let cluster = with_slow_haproxy();
    let switch = slow_switch(&cluster);
    cluster.ok(&["drain", "erlmcp3"]);
    let output = switch.wait_with_output().unwrap();
    assert!(output.status.success(), "{output:?}");
    assert_eq!(cluster.kind(), "haproxy");
    assert_eq!(cluster.node("erlmcp3")["state"], "drained");
    for (_, node) in cluster.clients(20) {
        assert_ne!(node, "erlmcp3");
    }
}

#[test]
fn a_switch_while_a_drain_waits_leaves_the_wait_alone() {
    let cluster = TestCluster::switchable("builtin").started();
    let held = cluster.clients(8);
    let drain = cluster
        .beside(&["drain", "erlmcp1", "--wait", "--deadline", "1m"])
        .spawn()
        .unwrap();
    eventually("the drain", || {
        (cluster.node("erlmcp1")["state"] == "draining").then_some(())
    });
    cluster.ok(&["switch", "haproxy"]);
    assert_eq!(
        cluster.node("erlmcp1")["state"],
        "draining",
        "its clients are at the former balancer"
    );
    drop(held);
    let output = drain.wait_with_output().unwrap();
    assert!(output.status.success(), "{output:?}");
    assert_eq!(cluster.node("erlmcp1")["state"], "drained");
}

#[test]
fn a_switch_while_a_load_test_runs_is_carried_out() {
    let cluster = TestCluster::switchable("builtin").with_any_evenness().started();
    let test = cluster
        .beside(&["load-test", "200", "6", "--json"])
        .spawn()
        .unwrap();
    eventually("the connections of the load test", || {
        let nodes = cluster.status()["nodes"].as_array().unwrap().clone();
        let held: u64 = nodes.iter().filter_map(|node| node["connections"].as_u64()).sum();
        (held >= 200).then_some(())
    });
    cluster.ok(&["switch", "haproxy"]);
    let output = test.wait_with_output().unwrap();
    let results: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(results["held"], 200, "{output:?}");
    eventually("the end of the former balancer", || {
        cluster.status()["balancer"]["former"].is_null().then_some(())
    });
}
