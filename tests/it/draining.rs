//! `drain` and `ready`.

use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, TcpStream};

use nix::sys::signal::Signal;
use serde_json::json;

use crate::harness::{Client, TestCluster, behind_each_balancer, eventually, is_alive, signal};

behind_each_balancer! {
    a_drained_node_gets_no_new_connections_and_keeps_its_own,
    waiting_ends_with_the_last_connection_or_at_the_deadline,
    connections_left_at_the_deadline_are_closed_and_the_node_stops,
    the_last_node_needs_force,
    orders_outlive_the_balancer_and_the_supervisor,
    a_drain_wait_continues_under_the_next_supervisor,
    a_stopped_node_stays_stopped_until_ready,
    connections_from_before_a_reload_are_closed_too,
    connections_that_no_client_uses_do_not_keep_a_node_from_being_empty,
}

fn a_drained_node_gets_no_new_connections_and_keeps_its_own(balancer: &'static str) {
    let cluster = TestCluster::behind(balancer).started();
    let mut held = cluster.clients(200);
    cluster.ok(&["drain", "erlmcp1"]);
    cluster.ok(&["drain", "erlmcp1"]);
    assert_eq!(cluster.node("erlmcp1")["state"], "draining");
    assert_eq!(cluster.status()["state"], "healthy");
    for host in 1..=200 {
        assert_ne!(cluster.client(host).1, "erlmcp1", "address {host}");
    }
    for (client, node) in &mut held {
        assert!(client.call("ping", &json!({})).is_ok(), "{node}");
    }
    held.retain(|(_, node)| node != "erlmcp1");
    eventually("the node to be empty", || {
        (cluster.node("erlmcp1")["state"] == "drained").then_some(())
    });
    cluster.ok(&["ready", "erlmcp1"]);
    assert_eq!(cluster.node("erlmcp1")["state"], "up");
    eventually("the node to be used again", || {
        (201..=250)
            .any(|host| cluster.client(host).1 == "erlmcp1")
            .then_some(())
    });
}

fn waiting_ends_with_the_last_connection_or_at_the_deadline(balancer: &'static str) {
    let cluster = TestCluster::behind(balancer).started();
    let mut held = cluster.clients(8);
    let had = held.iter().filter(|(_, node)| node == "erlmcp2").count();
    let late = cluster.run(&["drain", "erlmcp2", "--wait", "--deadline", "500ms"]);
    assert_eq!(late.code, 1);
    let expected = format!("still has {had} connection");
    assert!(late.stderr.contains(&expected), "{}", late.stderr);
    held.retain(|(_, node)| node != "erlmcp2");
    cluster.ok(&["drain", "erlmcp2", "--wait", "--deadline", "1m"]);
}

fn connections_left_at_the_deadline_are_closed_and_the_node_stops(balancer: &'static str) {
    let cluster = TestCluster::behind(balancer).started();
    let mut held = cluster.clients(8);
    let pid = cluster.node_pid("erlmcp3");
    cluster.ok(&[
        "drain",
        "erlmcp3",
        "--wait",
        "--deadline",
        "300ms",
        "--close",
        "--stop",
    ]);
    assert!(!is_alive(pid));
    let node = cluster.node("erlmcp3");
    assert_eq!(
        (&node["state"], &node["pid"], &node["restarts"]),
        (&json!("stopped"), &json!(null), &json!(0))
    );
    assert_eq!(cluster.status()["state"], "healthy");
    for (client, node) in &mut held {
        assert_eq!(
            client.call("ping", &json!({})).is_ok(),
            node != "erlmcp3",
            "{node}"
        );
    }
    cluster.ok(&["ready", "erlmcp3"]);
    assert_eq!(cluster.node("erlmcp3")["state"], "up");
}

fn the_last_node_needs_force(balancer: &'static str) {
    let cluster = TestCluster::behind(balancer).set("nodes.count=2").started();
    cluster.ok(&["drain", "erlmcp1"]);
    let refused = cluster.run(&["drain", "erlmcp2"]);
    assert_eq!(refused.code, 1);
    assert!(
        refused.stderr.contains("last node") && refused.stderr.contains("--force"),
        "{}",
        refused.stderr
    );
    cluster.ok(&["drain", "erlmcp2", "--force"]);
    assert!(
        Client::connect(Ipv4Addr::new(127, 4, 1, 1), cluster.address(8000))
            .unwrap()
            .node()
            .is_err()
    );
    let unknown = cluster.run(&["drain", "erlmcp3"]);
    assert_eq!(unknown.code, 2);
    assert!(unknown.stderr.contains("did you mean"), "{}", unknown.stderr);
}

fn orders_outlive_the_balancer_and_the_supervisor(balancer: &'static str) {
    let cluster = TestCluster::behind(balancer).started();
    let homes: Vec<String> = cluster.clients(40).into_iter().map(|(_, node)| node).collect();
    assert!(homes.iter().any(|node| node == "erlmcp4"));
    cluster.ok(&["drain", "erlmcp4"]);
    let balancer = cluster.balancer_pid();
    signal(balancer, Signal::SIGKILL);
    // From the first connection on.
    for host in 1..=40 {
        let node = eventually("the balancer to serve", || {
            Client::connect(Ipv4Addr::new(127, 4, 0, host), cluster.address(8000))
                .ok()?
                .node()
                .ok()
        });
        assert_ne!(node, "erlmcp4", "address {host}");
    }
    cluster.kill_supervisor();
    cluster.start(&[]);
    assert!(["draining", "drained"].contains(&cluster.node("erlmcp4")["state"].as_str().unwrap()));
    for host in 1..=40 {
        assert_ne!(cluster.client(host).1, "erlmcp4", "address {host}");
    }
    cluster.ok(&["ready", "erlmcp4"]);
    eventually("the node to be used again", || {
        (41..=90)
            .any(|host| cluster.client(host).1 == "erlmcp4")
            .then_some(())
    });
}

fn a_drain_wait_continues_under_the_next_supervisor(balancer: &'static str) {
    let cluster = TestCluster::behind(balancer).started();
    // Enough connections that each node has some with every algorithm.
    let held = cluster.clients(40);
    let mut waiting = std::process::Command::new(env!("CARGO_BIN_EXE_clusterctl"))
        .env("CLUSTERCTL_RUN_DIR", cluster.run_dir())
        .args(["drain", "erlmcp1", "--wait", "--deadline", "1m", "--stop"])
        .spawn()
        .unwrap();
    eventually("the drain", || {
        (cluster.node("erlmcp1")["state"] == "draining").then_some(())
    });
    cluster.kill_supervisor();
    cluster.start(&[]);
    drop(held);
    assert_eq!(waiting.wait().unwrap().code(), Some(0));
    assert_eq!(cluster.node("erlmcp1")["state"], "stopped");
}

fn a_stopped_node_stays_stopped_until_ready(balancer: &'static str) {
    let cluster = TestCluster::behind(balancer).started();
    let state = || cluster.node("erlmcp2")["state"].clone();
    cluster.ok(&["drain", "erlmcp2", "--wait", "--stop"]);
    cluster.kill_supervisor();
    for command in [
        &["start", balancer][..],
        &["start", balancer],
        &["restart"],
        &["drain", "erlmcp2"],
    ] {
        cluster.ok(command);
        assert_eq!(state(), "stopped", "{command:?}");
        assert_eq!(cluster.status()["state"], "healthy", "{command:?}");
    }
    cluster.ok(&["ready", "erlmcp2"]);
    assert_eq!(state(), "up");
}

fn connections_from_before_a_reload_are_closed_too(balancer: &'static str) {
    let cluster = TestCluster::behind(balancer).started();
    let mut held = cluster.clients(8);
    cluster.ok(&["reload", "--set", "limits.per_ip.connections=90"]);
    cluster.ok(&["drain", "erlmcp1", "--wait", "--deadline", "0s", "--close"]);
    for (client, node) in &mut held {
        assert_eq!(
            client.call("ping", &json!({})).is_ok(),
            node != "erlmcp1",
            "{node}"
        );
    }
}

fn connections_that_no_client_uses_do_not_keep_a_node_from_being_empty(balancer: &'static str) {
    let cluster = TestCluster::behind(balancer).started();
    let mut stream = TcpStream::connect(cluster.address(8080)).unwrap();
    write!(stream, "GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
    let mut line = String::new();
    BufReader::new(&stream).read_line(&mut line).unwrap();
    assert!(line.contains(" 200 "), "{line}");
    // The balancer keeps its connection for the next request.
    drop(stream);
    for node in ["erlmcp1", "erlmcp2", "erlmcp3"] {
        cluster.ok(&["drain", node, "--wait", "--deadline", "2s"]);
    }
    cluster.ok(&["drain", "erlmcp4", "--force", "--wait", "--deadline", "2s"]);
}
