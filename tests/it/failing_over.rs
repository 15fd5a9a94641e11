//! Nodes that die, hang, or are only slow.

use std::fs;
use std::net::Ipv4Addr;
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use serde_json::{Value, json};

use crate::harness::{Client, TestCluster, behind_each_balancer, eventually, is_alive, signal};

behind_each_balancer! {
    a_death_is_seen_at_once_and_no_new_connection_fails,
    clients_come_back_to_a_node_as_soon_as_it_is_back,
    a_hang_is_found_and_its_connections_are_cut,
    a_node_that_takes_1300_ms_is_never_cut,
    a_node_that_takes_2900_ms_is_never_cut,
    a_balancer_that_hangs_is_seen_killed_and_restarted,
}

/// A cluster whose last node is run with the arguments `fault`.
fn with_a_fault(balancer: &'static str, fault: &str) -> TestCluster {
    use std::os::unix::fs::PermissionsExt;

    let cluster = TestCluster::behind(balancer);
    let path = cluster.dir().join("node");
    let text = format!(
        "#!/bin/sh\n[ \"$1\" = erlmcp4 ] && fault='{fault}'\nexec {} node --name \"$1\" --tcp \"$2\" --http \"$3\" $fault\n",
        env!("CARGO_BIN_EXE_clusterctl")
    );
    fs::write(&path, text).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    let command = format!(
        "nodes.command=[{}, '{{name}}', '{{address}}:{{tcp_port}}', '{{address}}:{{http_port}}']",
        path.display()
    );
    cluster.set("nodes.runtime=command").set(&command)
}

fn client(cluster: &TestCluster, host: u8) -> (Client, String) {
    let mut client = Client::connect(Ipv4Addr::new(127, 7, 0, host), cluster.address(8000)).unwrap();
    let node = client.node().unwrap();
    (client, node)
}

fn supervisor_log(cluster: &TestCluster) -> String {
    fs::read_to_string(cluster.run_dir().join("logs/supervisor.log")).unwrap()
}

/// The last failover that was logged as complete.
fn failover(cluster: &TestCluster) -> String {
    eventually("a failover, logged with its times", || {
        let log = supervisor_log(cluster);
        let line = log
            .lines()
            .rev()
            .find(|line| line.contains("failover: ") && line.contains(" back="))?;
        Some(line.to_owned())
    })
}

fn a_death_is_seen_at_once_and_no_new_connection_fails(balancer: &'static str) {
    // So long that its clients are elsewhere before it is back, also on a busy machine.
    let cluster = TestCluster::behind(balancer)
        .set("nodes.restart.backoff=2s..30s")
        .started();
    let mut held: Vec<(Client, String)> = (1..=40).map(|host| client(&cluster, host)).collect();
    let pid = cluster.node_pid("erlmcp1");
    signal(pid, Signal::SIGKILL);
    // Its first thread may be gone before the others, which hold the listeners.
    eventually("its last thread's end", || {
        (!std::path::Path::new(&format!("/proc/{pid}")).exists()).then_some(())
    });
    // Everybody comes back at once, those who were sticky to the dead node included.
    for host in 1..=40 {
        client(&cluster, host);
    }
    for (client, node) in &mut held {
        assert_eq!(
            client.call("ping", &json!({})).is_ok(),
            node != "erlmcp1",
            "{node}"
        );
    }
    let logged = failover(&cluster);
    for part in ["died", "detected=", "cut=", "elsewhere=", "back="] {
        assert!(logged.contains(part), "{part}: {logged}");
    }
}

fn clients_come_back_to_a_node_as_soon_as_it_is_back(balancer: &'static str) {
    let cluster = TestCluster::behind(balancer).started();
    let mut held: Vec<(Client, String)> = (1..=40).map(|host| client(&cluster, host)).collect();
    signal(cluster.node_pid("erlmcp1"), Signal::SIGKILL);
    eventually("the node to be back", || {
        let node = cluster.node("erlmcp1");
        (node["state"] == "up" && node["restarts"] == 1).then_some(())
    });
    for (host, (again, node)) in (1..=40).zip(&mut held) {
        if node == "erlmcp1" {
            *again = client(&cluster, host).0;
        }
    }
}

fn a_hang_is_found_and_its_connections_are_cut(balancer: &'static str) {
    let cluster = TestCluster::behind(balancer)
        .set("nodes.restart.hung_after=4s")
        .started();
    let mut held: Vec<(Client, String)> = (1..=8).map(|host| client(&cluster, host)).collect();
    let pid = cluster.node_pid("erlmcp2");
    signal(pid, Signal::SIGSTOP);
    for (client, node) in &mut held {
        // A client of the hung node waits for its answer until it is cut off; all others are served.
        assert_eq!(
            client.call("ping", &json!({})).is_ok(),
            node != "erlmcp2",
            "{node}"
        );
    }
    for host in 1..=8 {
        assert_ne!(client(&cluster, host).1, "erlmcp2");
    }
    // Hung for so long, it is killed and restarted.
    eventually("the hung node's end", || (!is_alive(pid)).then_some(()));
    let node = eventually("the node to be back", || {
        Some(cluster.node("erlmcp2")).filter(|node| node["state"] == "up")
    });
    assert_eq!(node["restarts"], 1);
    assert!(failover(&cluster).contains("hung"));
}

#[test]
fn a_node_whose_http_hangs_is_down_although_its_tcp_lives() {
    let cluster = with_a_fault("haproxy", "--mute http");
    let refused = cluster.run(&["start", "haproxy", "--timeout", "3s"]);
    assert_eq!(refused.code, 1, "a node that does not answer is not ready");
    assert!(refused.stderr.contains("erlmcp4"), "{}", refused.stderr);
}

/// A slow node is slow, reported, and never cut.
fn a_slow_node_is_never_cut(balancer: &'static str, delay: &str) {
    let cluster = with_a_fault(balancer, &format!("--delay {delay}")).started();
    let mut held: Vec<(Client, String)> = (1..=8).map(|host| client(&cluster, host)).collect();
    assert!(held.iter().any(|(_, node)| node == "erlmcp4"));
    let watched = Instant::now() + Duration::from_secs(15);
    while Instant::now() < watched {
        for (client, node) in &mut held {
            assert!(client.call("ping", &json!({})).is_ok(), "{node} was cut");
        }
        assert_eq!(cluster.node("erlmcp4")["state"], "up");
        thread::sleep(Duration::from_millis(200));
    }
    assert_eq!(cluster.stat("mcp_cluster_tcp", "erlmcp4", "chkdown"), "0");
    let health: Value = serde_json::from_str(&cluster.run(&["health", "--json"]).stdout).unwrap();
    let alerts = health["alerts"].as_array().unwrap();
    let slow =
        |alert: &Value| alert["node"] == "erlmcp4" && alert["message"].as_str().unwrap().contains("slow");
    assert!(alerts.iter().any(slow), "{alerts:?}");
}

fn a_node_that_takes_1300_ms_is_never_cut(balancer: &'static str) {
    a_slow_node_is_never_cut(balancer, "1300ms");
}

fn a_node_that_takes_2900_ms_is_never_cut(balancer: &'static str) {
    a_slow_node_is_never_cut(balancer, "2900ms");
}

fn a_balancer_that_hangs_is_seen_killed_and_restarted(balancer: &'static str) {
    let cluster = TestCluster::behind(balancer)
        .set("nodes.restart.hung_after=3s")
        .started();
    let pid = cluster.balancer_pid();
    signal(pid, Signal::SIGSTOP);
    eventually("the balancer to be called failed", || {
        (cluster.status()["balancer"]["state"] == "failed").then_some(())
    });
    let status = eventually("another balancer", || {
        Some(cluster.status())
            .filter(|status| status["balancer"]["state"] == "running" && status["balancer"]["pids"][0] != pid)
    });
    assert_eq!(
        (&status["balancer"]["restarts"], &status["state"]),
        (&json!(1), &json!("healthy"))
    );
    assert!(!is_alive(pid));
}
