//! Settings made at the balancer by others than this cluster's supervisor are shown, change the
//! state, and are reset by `ready`.

use std::fs;
use std::io::{Read, Write};
use std::net::Ipv4Addr;
use std::os::unix::net::UnixStream;

use nix::sys::signal::Signal;
use serde_json::{Value, json};

use crate::harness::{
    Client, TestCluster, behind_each_balancer, behind_each_sticky_table, eventually, signal,
};

const NODES: [&str; 4] = ["erlmcp1", "erlmcp2", "erlmcp3", "erlmcp4"];

behind_each_balancer! {
    a_balancer_ended_by_others_is_replaced_and_keeps_its_connections,
}

behind_each_sticky_table! {
    nodes_disabled_by_others_are_not_up_and_ready_enables_them,
    a_drain_undone_by_others_is_not_shown_as_drained,
    weight_address_and_health_set_by_others_are_shown_and_reset,
    a_weight_set_by_others_is_shown_and_reset,
    draining_a_node_taken_out_by_others_needs_no_force,
    a_frontend_stopped_by_others_is_shown_and_opened_by_ready,
    a_missing_socket_is_shown_and_created_again_by_a_reload,
    a_new_supervisor_keeps_settings_made_by_others,
    a_restart_reports_that_others_keep_the_node_out,
}

fn state_of(cluster: &TestCluster, node: &str) -> (String, String) {
    let node = cluster.node(node);
    let text = |key: &str| node[key].as_str().unwrap_or_default().to_owned();
    (text("state"), text("reason"))
}

/// Waits until the node has `state`, and returns the reason.
fn reason_when(cluster: &TestCluster, node: &str, state: &str) -> String {
    eventually(&format!("{node} to be {state}"), || {
        let (is, reason) = state_of(cluster, node);
        (is == state).then_some(reason)
    })
}

/// A command over the balancer's socket, as another tool sends it.
fn set_by_others(cluster: &TestCluster, command: &str) {
    let answer = cluster.ask_balancer(command);
    assert!(!answer.contains("No such"), "{answer}");
}

/// Sets the health of a server for good, as another tool does.
fn set_health_by_others(cluster: &TestCluster, node: &str, health: &str) {
    /// The bit of `srv_check_state` of a check in progress.
    const IN_PROGRESS: u32 = 1;
    // After a start the supervisor sends the health of each node. With its answer to an order about
    // the node it has done so.
    cluster.ok(&["ready", node]);
    let server = format!("mcp_cluster_tcp/{node}");
    set_by_others(cluster, &format!("disable health {server}"));
    // HAProxy completes a check in progress, which would set the health to up after the command.
    eventually("the end of the check in progress", || {
        (check_state(cluster, node) & IN_PROGRESS == 0).then_some(())
    });
    set_by_others(cluster, &format!("set server {server} health {health}"));
}

/// The `srv_check_state` of a server for TCP.
fn check_state(cluster: &TestCluster, node: &str) -> u32 {
    let answer = cluster.ask_balancer("show servers state mcp_cluster_tcp");
    let mut lines = answer.lines().skip(1);
    let names = lines.next().unwrap().trim_start_matches("# ").split(' ');
    let (column, _) = names
        .enumerate()
        .find(|(_, name)| *name == "srv_check_state")
        .unwrap();
    let mut rows = lines.map(|line| line.split(' ').collect::<Vec<_>>());
    rows.find(|row| row.get(3) == Some(&node)).unwrap()[column]
        .parse()
        .unwrap()
}

fn is_healthy(cluster: &TestCluster) {
    eventually("a healthy cluster", || {
        (cluster.status()["state"] == "healthy").then_some(())
    });
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

#[test]
fn a_status_page_stopped_by_others_is_shown_and_opened_by_ready() {
    let cluster = TestCluster::behind("haproxy").started();
    set_by_others(&cluster, "disable frontend mcp_status");
    eventually("the stopped status page to be shown", || {
        let overrides = cluster.status()["balancer"]["overrides"].to_string();
        overrides
            .contains("frontend mcp_status accepts no connections")
            .then_some(())
    });
    let ready = cluster.run(&["ready", "erlmcp1"]);
    assert!(
        ready.stderr.contains("took back: frontend mcp_status"),
        "{ready:?}"
    );
    is_healthy(&cluster);
}

fn a_frontend_stopped_by_others_is_shown_and_opened_by_ready(balancer: &'static str) {
    let cluster = TestCluster::behind(balancer).started();
    set_by_others(&cluster, "disable frontend mcp_frontend_tcp");
    let shown = eventually("the frontend to be missed", || {
        let shown = cluster.status()["balancer"]["overrides"][0].as_str()?.to_owned();
        Some(shown)
    });
    assert!(
        shown.contains("frontend mcp_frontend_tcp accepts no connections"),
        "{shown}"
    );
    assert_eq!(cluster.run(&["status"]).code, 1);
    let tried = cluster.run(&["load-test", "4", "0"]);
    assert!(
        tried
            .stderr
            .contains("frontend mcp_frontend_tcp accepts no connections"),
        "{tried:?}"
    );
    let ready = cluster.run(&["ready", "erlmcp1"]);
    assert!(
        ready.stderr.contains("took back: frontend mcp_frontend_tcp"),
        "{ready:?}"
    );
    cluster.client(1);
    // A frontend that was shut down cannot be enabled, but a reload opens it.
    set_by_others(&cluster, "shutdown frontend mcp_frontend_tcp");
    eventually("the frontend to be missed again", || {
        cluster.status()["balancer"]["overrides"][0].as_str().map(drop)
    });
    cluster.ok(&["reload"]);
    cluster.client(2);
    is_healthy(&cluster);
    if balancer == "haproxy" {
        // The page that shows other balancers and monitoring whether the cluster is up.
        set_by_others(&cluster, "shutdown frontend mcp_status");
        eventually("the page to be missed", || {
            let shown = cluster.status()["balancer"]["overrides"][0].as_str()?.to_owned();
            shown
                .contains("frontend mcp_status accepts no connections")
                .then_some(())
        });
        cluster.ok(&["reload"]);
        is_healthy(&cluster);
    }
}

fn a_missing_socket_is_shown_and_created_again_by_a_reload(balancer: &'static str) {
    let cluster = TestCluster::behind(balancer).started();
    let (mut held, _) = cluster.client(1);
    let pid = cluster.balancer_pid();
    let path = cluster.run_dir().join(cluster.socket());
    fs::remove_file(&path).unwrap();
    let shown = eventually("the socket to be missed", || {
        let shown = cluster.status()["balancer"]["overrides"][0].as_str()?.to_owned();
        Some(shown)
    });
    assert!(shown.contains("is gone"), "{shown}");
    assert_eq!(cluster.status()["state"], "degraded");
    assert_eq!(cluster.status()["balancer"]["state"], "running");
    let reload = cluster.run(&["reload"]);
    assert_eq!(reload.code, 0, "{reload:?}");
    is_healthy(&cluster);
    assert_ne!(cluster.balancer_pid(), pid);
    assert!(held.call("ping", &json!({})).is_ok());
    cluster.ok(&["drain", "erlmcp2"]);
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

fn a_balancer_ended_by_others_is_replaced_and_keeps_its_connections(balancer: &'static str) {
    let cluster = TestCluster::behind(balancer).started();
    let (mut held, _) = cluster.client(1);
    let pid = cluster.balancer_pid();
    signal(
        pid,
        if balancer == "nginx" {
            Signal::SIGQUIT
        } else {
            Signal::SIGUSR1
        },
    );
    eventually("another process to take its place", || {
        let pids = cluster.balancer_pids();
        (pids.len() == 2 && pids.contains(&pid)).then_some(())
    });
    eventually("a new client to be served", || {
        let mut client = Client::connect(Ipv4Addr::new(127, 9, 0, 1), cluster.address(8000)).ok()?;
        client.node().ok()
    });
    assert!(held.call("ping", &json!({})).is_ok());
    is_healthy(&cluster);
    drop(held);
    eventually("the old process to end", || {
        (!cluster.balancer_pids().contains(&pid)).then_some(())
    });
}

#[test]
fn an_edited_nginx_conf_is_shown_and_written_again_by_ready() {
    let cluster = TestCluster::behind("nginx").started();
    let path = cluster.run_dir().join("nginx.conf");
    let written = cluster.mark_down_in_nginx_conf("erlmcp3");
    let warning = |part: &str| {
        eventually(part, || {
            let shown = cluster.status()["balancer"]["overrides"][0].as_str()?.to_owned();
            shown.contains(part).then_some(())
        });
    };
    warning("does not run by it");
    assert_eq!(state_of(&cluster, "erlmcp3").0, "up");
    signal(cluster.balancer_pid(), Signal::SIGHUP);
    warning("runs by the edited file");
    let reason = reason_when(&cluster, "erlmcp3", "maintenance");
    assert!(
        reason.starts_with("taken out in the edited nginx.conf, in "),
        "{reason}"
    );
    assert_eq!(cluster.status()["state"], "degraded");
    let ready = cluster.run(&["ready", "erlmcp3"]);
    assert!(
        ready.code == 0 && ready.stderr.contains("took back: an edit of "),
        "{ready:?}"
    );
    assert_eq!(fs::read_to_string(&path).unwrap(), written);
    is_healthy(&cluster);
    cluster.mark_down_in_nginx_conf("erlmcp3");
    warning("does not run by it");
    cluster.ok(&["reload"]);
    assert_eq!(fs::read_to_string(&path).unwrap(), written);
    is_healthy(&cluster);
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

#[test]
fn suspended_nginx_processes_are_shown_with_the_effect() {
    let cluster = TestCluster::behind("nginx").started();
    let master = cluster.balancer_pids()[0];
    let workers = children(master);
    signal(workers[0], Signal::SIGSTOP);
    let warned = |words: &str| {
        eventually(words, || {
            let status = cluster.status();
            let warnings = status["warnings"].to_string();
            (status["state"] == "degraded" && warnings.contains(words)).then_some(())
        });
    };
    warned(&format!(
        "nginx: its worker process {} is suspended, and its clients wait",
        workers[0]
    ));
    signal(workers[0], Signal::SIGCONT);
    is_healthy(&cluster);

    signal(master, Signal::SIGSTOP);
    warned(&format!("nginx: its master process {master} is suspended"));
    let refused = cluster.run(&["drain", "erlmcp1"]);
    assert!(
        refused.stderr.contains("nginx did not accept the order"),
        "{}",
        refused.stderr
    );
    let reason = reason_when(&cluster, "erlmcp1", "draining");
    assert_eq!(
        reason,
        "drained by an order that nginx did not accept: it gets new connections"
    );
    warned("nginx: does not accept orders");
    signal(master, Signal::SIGCONT);
    reason_when(&cluster, "erlmcp1", "drained");
    is_healthy(&cluster);
}

/// The children of a process with one thread.
fn children(pid: u32) -> Vec<u32> {
    let path = format!("/proc/{pid}/task/{pid}/children");
    let children = fs::read_to_string(path).unwrap();
    children
        .split_whitespace()
        .map(|pid| pid.parse().unwrap())
        .collect()
}
