//! Servers that others have disabled, or whose weight, address or health they have set.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;

use serde_json::Value;

use super::{NODES, is_healthy, reason_when, set_by_others, set_health_by_others, state_of};
use crate::harness::{TestCluster, behind_each_sticky_table, eventually};

behind_each_sticky_table! {
    nodes_disabled_by_others_are_not_up_and_ready_enables_them,
    a_drain_undone_by_others_is_not_shown_as_drained,
    weight_address_and_health_set_by_others_are_shown_and_reset,
    a_weight_set_by_others_is_shown_and_reset,
    ready_keeps_the_weights_of_a_hash,
    draining_a_node_taken_out_by_others_needs_no_force,
    a_new_supervisor_keeps_settings_made_by_others,
    a_restart_reports_that_others_keep_the_node_out,
}

fn nodes_disabled_by_others_are_not_up_and_ready_enables_them(balancer: &'static str) {
    let cluster = TestCluster::behind(balancer).started();
    for node in NODES {
        set_by_others(&cluster, &format!("disable server mcp_cluster_tcp/{node}"));
    }
    for node in NODES {
        let reason = reason_when(&cluster, node, "maintenance");
        assert_eq!(
            reason,
            "maintenance, set over the balancer's socket in mcp_cluster_tcp"
        );
    }
    // The HTTP listeners are not affected.
    assert_eq!(cluster.status()["state"], "degraded");
    assert_eq!(cluster.run(&["status"]).code, 1);
    let health = cluster.run(&["health"]);
    assert_eq!(health.code, 1);
    assert!(
        health
            .stdout
            .contains("erlmcp2 is not served as ordered: maintenance"),
        "{health:?}"
    );
    let refused = cluster.run(&["load-test", "4", "0"]);
    assert!(
        refused
            .stderr
            .contains("erlmcp3 takes no clients: maintenance, set over"),
        "{refused:?}"
    );

    let ready = cluster.run(&["ready", "erlmcp1"]);
    assert_eq!(ready.code, 0, "{ready:?}");
    assert!(
        ready.stderr.contains("took back: maintenance in mcp_cluster_tcp"),
        "{ready:?}"
    );
    assert_eq!(state_of(&cluster, "erlmcp1").0, "up");
    assert_eq!(cluster.status()["state"], "degraded");
    assert_eq!(cluster.client(1).1, "erlmcp1");
    for node in &NODES[1..] {
        cluster.ok(&["ready", node]);
    }
    is_healthy(&cluster);
}

#[test]
fn a_load_test_without_a_node_that_takes_clients_is_refused() {
    let cluster = TestCluster::behind("builtin")
        .set("nodes.count=1")
        .set("listen.http=null")
        .set("listen.websocket=null")
        .set("listen.sse=null")
        .started();
    set_by_others(&cluster, "disable server mcp_cluster_tcp/erlmcp1");
    reason_when(&cluster, "erlmcp1", "maintenance");
    let refused = cluster.run(&["load-test", "4", "0"]);
    assert!(
        refused.stderr.contains("error: no node takes clients"),
        "{refused:?}"
    );
}

fn a_drain_undone_by_others_is_not_shown_as_drained(balancer: &'static str) {
    let cluster = TestCluster::behind(balancer).started();
    cluster.ok(&["drain", "erlmcp3"]);
    assert_eq!(
        state_of(&cluster, "erlmcp3"),
        ("drained".to_owned(), String::new())
    );
    assert_eq!(cluster.status()["state"], "healthy");
    set_by_others(&cluster, "set server mcp_cluster_tcp/erlmcp3 state ready");
    let reason = eventually("the difference to be shown", || {
        let (_, reason) = state_of(&cluster, "erlmcp3");
        (!reason.is_empty()).then_some(reason)
    });
    assert!(
        reason.contains("made ready over the balancer's socket in mcp_cluster_tcp"),
        "{reason}"
    );
    assert_eq!(state_of(&cluster, "erlmcp3").0, "draining");
    assert_eq!(cluster.status()["state"], "degraded");
    // The same order is carried out again when it is repeated.
    cluster.ok(&["drain", "erlmcp3"]);
    assert_eq!(
        state_of(&cluster, "erlmcp3"),
        ("drained".to_owned(), String::new())
    );
    is_healthy(&cluster);
    let ready = cluster.run(&["ready", "erlmcp3"]);
    assert!(
        ready.code == 0 && !ready.stderr.contains("took back"),
        "{ready:?}"
    );
}

fn weight_address_and_health_set_by_others_are_shown_and_reset(balancer: &'static str) {
    let cluster = TestCluster::behind(balancer).started();
    set_by_others(&cluster, "set weight mcp_cluster_tcp/erlmcp1 0");
    set_by_others(
        &cluster,
        "set server mcp_cluster_tcp/erlmcp2 addr 127.0.0.1 port 9",
    );
    set_health_by_others(&cluster, "erlmcp3", "down");
    let reason = reason_when(&cluster, "erlmcp1", "drained");
    assert_eq!(
        reason,
        "weight 0, set over the balancer's socket in mcp_cluster_tcp"
    );
    let reason = reason_when(&cluster, "erlmcp2", "maintenance");
    let planned = cluster.address(9002);
    let place = "set over the balancer's socket in mcp_cluster_tcp";
    assert_eq!(
        reason,
        format!("address 127.0.0.1:9 instead of {planned}, {place}")
    );
    let reason = reason_when(&cluster, "erlmcp3", "down");
    assert_eq!(reason, format!("health down, {place}"));
    let last = cluster.run(&["drain", "erlmcp4"]);
    assert!(
        last.code == 1 && last.stderr.contains("last node that serves"),
        "{last:?}"
    );
    for node in &NODES[..3] {
        let ready = cluster.run(&["ready", node]);
        assert!(
            ready.code == 0 && ready.stderr.contains("took back: "),
            "{ready:?}"
        );
        assert_eq!(state_of(&cluster, node), ("up".to_owned(), String::new()));
    }
    is_healthy(&cluster);
}

/// Servers of a hash have other weights than their nodes, behind HAProxy.
fn ready_keeps_the_weights_of_a_hash(balancer: &'static str) {
    let hash = "routing.http={algorithm: source, sticky: none}";
    let cluster = TestCluster::behind(balancer).set(hash).started();
    let states = || cluster.ask_balancer("show servers state mcp_http_backend");
    let weights = |states: &str| -> Vec<String> {
        let servers = states.lines().filter(|line| line.contains(" mcp_http_backend "));
        servers
            .filter_map(|line| line.split(' ').nth(7).map(str::to_owned))
            .collect()
    };
    let before = weights(&states());
    assert!(!before.is_empty());
    cluster.ok(&["drain", "erlmcp1"]);
    cluster.ok(&["ready", "erlmcp1"]);
    assert_eq!(weights(&states()), before);
}

fn a_weight_set_by_others_is_shown_and_reset(balancer: &'static str) {
    let cluster = TestCluster::behind(balancer).started();
    set_by_others(&cluster, "set weight mcp_cluster_tcp/erlmcp1 1");
    let shown = "erlmcp1 has weight 1 instead of 100 in mcp_cluster_tcp, set over the balancer's socket";
    eventually("the weight to be shown", || {
        let overrides = cluster.status()["balancer"]["overrides"].to_string();
        overrides.contains(shown).then_some(())
    });
    assert_eq!(state_of(&cluster, "erlmcp1"), ("up".to_owned(), String::new()));
    let ready = cluster.run(&["ready", "erlmcp1"]);
    assert!(
        ready.code == 0
            && ready
                .stderr
                .contains("took back: weight 1 instead of 100 in mcp_cluster_tcp"),
        "{ready:?}"
    );
    is_healthy(&cluster);
}

fn draining_a_node_taken_out_by_others_needs_no_force(balancer: &'static str) {
    let cluster = TestCluster::behind(balancer).started();
    for node in NODES {
        set_by_others(&cluster, &format!("disable server mcp_cluster_tcp/{node}"));
    }
    for node in NODES {
        reason_when(&cluster, node, "maintenance");
    }
    // The node serves no TCP clients any more, and other nodes serve those over HTTP.
    cluster.ok(&["drain", "erlmcp1"]);
}

/// HAProxy gives such a server only the clients that are bound to it.
#[test]
fn a_server_set_to_stopping_by_others_is_not_up() {
    let cluster = TestCluster::behind("haproxy").started();
    set_health_by_others(&cluster, "erlmcp2", "stopping");
    let reason = reason_when(&cluster, "erlmcp2", "drained");
    assert_eq!(
        reason,
        "health stopping, set over the balancer's socket in mcp_cluster_tcp"
    );
    cluster.ok(&["ready", "erlmcp2"]);
    is_healthy(&cluster);
}

fn a_new_supervisor_keeps_settings_made_by_others(balancer: &'static str) {
    let cluster = TestCluster::behind(balancer).started();
    set_by_others(&cluster, "disable server mcp_cluster_tcp/erlmcp1");
    reason_when(&cluster, "erlmcp1", "maintenance");
    cluster.ok(&["drain", "erlmcp2"]);
    cluster.kill_supervisor();
    cluster.start(&[]);
    // It uses the findings of the former supervisor until it has looked itself.
    let (state, reason) = state_of(&cluster, "erlmcp1");
    assert_eq!(state, "maintenance");
    assert!(reason.ends_with("in mcp_cluster_tcp"), "{reason}");
    assert_eq!(
        state_of(&cluster, "erlmcp2"),
        ("drained".to_owned(), String::new())
    );
}

fn a_restart_reports_that_others_keep_the_node_out(balancer: &'static str) {
    let cluster = TestCluster::behind(balancer).started();
    set_by_others(&cluster, "disable server mcp_cluster_tcp/erlmcp1");
    reason_when(&cluster, "erlmcp1", "maintenance");
    let restart = cluster.run(&["restart", "erlmcp1"]);
    assert_eq!(restart.code, 1);
    assert!(
        restart
            .stderr
            .contains("`erlmcp1` was restarted, but gets no new connections: maintenance, set over"),
        "{restart:?}"
    );
    assert!(
        restart.stderr.contains("hint: `clusterctl ready erlmcp1`"),
        "{restart:?}"
    );
    cluster.ok(&["ready", "erlmcp1"]);
    cluster.ok(&["restart", "erlmcp1"]);
    assert_eq!(cluster.status()["state"], "healthy");
}

#[test]
fn a_setting_in_one_of_several_processes_names_the_process() {
    let cluster = TestCluster::sharded().started();
    let sockets = cluster.status()["balancer"]["stats_sockets"].clone();
    let say = |socket: &Value, command: &str| {
        let mut stream = UnixStream::connect(socket.as_str().unwrap()).unwrap();
        writeln!(stream, "{command}").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert_eq!(answer.trim(), "");
    };
    say(&sockets[1], "disable server mcp_http_backend/erlmcp4");
    let reason = reason_when(&cluster, "erlmcp4", "maintenance");
    assert_eq!(
        reason,
        "maintenance, set over the balancer's socket in mcp_http_backend of haproxy-2"
    );
    let ready = cluster.run(&["ready", "erlmcp4"]);
    assert!(
        ready
            .stderr
            .contains("took back: maintenance in mcp_http_backend"),
        "{ready:?}"
    );
    is_healthy(&cluster);
}
