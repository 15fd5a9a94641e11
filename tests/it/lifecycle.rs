//! From `start` to `stop`.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, TcpListener};

use nix::sys::signal::Signal;
use serde_json::{Value, json};

use crate::harness::{Client, TestCluster, behind_each_balancer, close, eventually, is_alive, signal};

behind_each_balancer! {
    start_serves_and_stop_leaves_nothing,
    clients_are_spread_evenly_and_stick,
    a_second_start_reports_the_running_cluster,
    a_killed_node_is_restarted_and_the_balancer_knows,
    a_stopped_node_is_found_hung_and_comes_back,
    a_killed_balancer_is_restarted,
    a_new_supervisor_adopts_the_children_of_a_killed_one,
    stop_ends_the_children_of_a_killed_supervisor,
    two_clusters_run_side_by_side,
    a_second_cluster_on_the_same_ports_is_refused,
    restart_replaces_one_node_or_everything,
    nodes_and_balancer_can_be_started_separately,
}

fn start_serves_and_stop_leaves_nothing(balancer: &'static str) {
    let cluster = TestCluster::behind(balancer).started();
    let status = cluster.status();
    assert_eq!(status["cluster"], "erlmcp");
    assert_eq!(status["state"], "healthy");
    assert_eq!(
        (&status["balancer"]["kind"], &status["balancer"]["state"]),
        (&json!(balancer), &json!("running"))
    );
    assert_eq!(
        status["balancer"]["endpoints"]["tcp"],
        cluster.address(8000).to_string()
    );
    assert_eq!(
        status["balancer"]["endpoints"]["stats_socket"],
        status["balancer"]["stats_sockets"][0]
    );
    // nginx has no runtime API.
    assert_eq!(
        status["balancer"]["stats_sockets"] == json!([]),
        balancer == "nginx"
    );
    assert_eq!(status["distribution"]["verdict"], "idle");
    let nodes = status["nodes"].as_array().unwrap();
    assert_eq!(nodes.len(), 4);
    for (index, node) in (0u16..).zip(nodes) {
        assert_eq!(node["name"], format!("erlmcp{}", index + 1));
        assert_eq!((&node["state"], &node["restarts"]), (&json!("up"), &json!(0)));
        assert_eq!(node["tcp"], cluster.address(9001 + index).to_string());
        assert_eq!(node["http"], cluster.address(8081 + index).to_string());
        assert_eq!(node["connections_by"], json!({"tcp": 0, "http": 0}));
    }
    let mut pids = cluster.processes();
    assert_eq!(pids.len(), 5);
    pids.push(cluster.supervisor_pid());

    cluster.ok(&["stop"]);
    eventually("the end of every process", || {
        pids.iter().all(|pid| !is_alive(*pid)).then_some(())
    });
    let left: BTreeSet<String> = std::fs::read_dir(cluster.run_dir())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    assert_eq!(
        left,
        BTreeSet::from([cluster.config().to_owned(), "logs".to_owned()])
    );
    let again = cluster.run(&["stop"]);
    assert_eq!(
        (again.code, again.stderr.contains("nothing is running")),
        (0, true),
        "{}{}",
        again.stdout,
        again.stderr
    );
    let stopped = cluster.run(&["status", "--json"]);
    assert_eq!(stopped.code, 1);
    let stopped: serde_json::Value = serde_json::from_str(&stopped.stdout).unwrap();
    assert_eq!(
        (&stopped["state"], &stopped["balancer"], &stopped["nodes"]),
        (&json!("down"), &json!(null), &json!([]))
    );
}

fn clients_are_spread_evenly_and_stick(balancer: &'static str) {
    let cluster = TestCluster::behind(balancer).started();
    let mut held = Vec::new();
    let mut homes = BTreeMap::new();
    for host in 1..=200 {
        let source = Ipv4Addr::new(127, 1, 0, host);
        let mut client = Client::connect(source, cluster.address(8000)).unwrap();
        homes.insert(source, client.node().unwrap());
        held.push(client);
    }
    for (source, home) in &homes {
        let mut client = Client::connect(*source, cluster.address(8000)).unwrap();
        assert_eq!(client.node().unwrap(), *home, "{source} moved");
    }
    let status = eventually("the second connections to be gone", || {
        Some(cluster.status()).filter(|status| status["distribution"]["total"] == 200)
    });
    let shares: Vec<u64> = ["erlmcp1", "erlmcp2", "erlmcp3", "erlmcp4"]
        .map(|node| cluster.connections(node))
        .into();
    if balancer == "nginx" {
        // The share of a few clients is random: nginx hashes their addresses.
        assert!(shares.iter().all(|share| (25..=75).contains(share)), "{status}");
    } else {
        assert_eq!(shares, [50, 50, 50, 50], "{status}");
        assert_eq!(status["distribution"]["verdict"], "pass");
        assert_eq!(status["distribution"]["variance_percent"], 0.0);
    }
    let shown = cluster.ok(&["status"]);
    let expected = format!("erlmcp1: UP ({} connections) ", shares[0]);
    assert!(shown.contains(&expected), "{shown}");
}

fn a_second_start_reports_the_running_cluster(balancer: &'static str) {
    let cluster = TestCluster::behind(balancer).started();
    let pids = cluster.processes();
    let again = cluster.run(&["start", balancer]);
    assert_eq!(again.code, 0);
    assert!(
        again.stdout.contains("already running"),
        "{}{}",
        again.stdout,
        again.stderr
    );
    assert_eq!(cluster.processes(), pids);
}

fn a_killed_node_is_restarted_and_the_balancer_knows(balancer: &'static str) {
    let cluster = TestCluster::behind(balancer).with_short_hold().started();
    let pid = cluster.node_pid("erlmcp2");
    let mut others = Vec::new();
    for host in 1..=8 {
        let mut client = Client::connect(Ipv4Addr::new(127, 2, 0, host), cluster.address(8000)).unwrap();
        let node = client.node().unwrap();
        others.push((client, node));
    }
    signal(pid, Signal::SIGKILL);
    eventually("the balancer to see it go down", || {
        // Also while it is held back after its return.
        cluster
            .balancer_state("erlmcp2")
            .starts_with("DOWN")
            .then_some(())
    });
    let node = eventually("the node to be back", || {
        Some(cluster.node("erlmcp2")).filter(|node| node["state"] == "up" && node["pid"] != pid)
    });
    assert_eq!(node["restarts"], 1);
    eventually("the balancer to use it again", || {
        cluster.balancer_state("erlmcp2").starts_with("UP").then_some(())
    });
    for (mut client, node) in others {
        let answer = client.call("ping", &json!({}));
        assert_eq!(answer.is_ok(), node != "erlmcp2", "{node}: {answer:?}");
    }
}

fn a_stopped_node_is_found_hung_and_comes_back(balancer: &'static str) {
    let cluster = TestCluster::behind(balancer).started();
    let pid = cluster.node_pid("erlmcp3");
    signal(pid, Signal::SIGSTOP);
    eventually("the node to be down", || {
        (cluster.node("erlmcp3")["state"] == "down").then_some(())
    });
    assert_eq!(cluster.status()["state"], "degraded");
    eventually("the balancer to get the state", || {
        cluster
            .balancer_state("erlmcp3")
            .starts_with("DOWN")
            .then_some(())
    });
    signal(pid, Signal::SIGCONT);
    let node = eventually("the node to answer", || {
        Some(cluster.node("erlmcp3")).filter(|node| node["state"] != "down")
    });
    assert_eq!((&node["pid"], &node["state"]), (&json!(pid), &json!("held-back")));
    // Its clients were cut off, and need some time to find another node.
    let reason = node["reason"].as_str().unwrap_or_default();
    assert!(reason.starts_with("held back for "), "{node}");
    assert_eq!(cluster.status()["state"], "degraded");
    eventually("the balancer to give it clients again", || {
        cluster.balancer_state("erlmcp3").starts_with("UP").then_some(())
    });
    eventually("the node to be up", || {
        (cluster.node("erlmcp3")["state"] == "up").then_some(())
    });
    assert_eq!(cluster.node("erlmcp3")["reason"], Value::Null);
}

fn a_killed_balancer_is_restarted(balancer: &'static str) {
    let cluster = TestCluster::behind(balancer).started();
    let pid = cluster.balancer_pid();
    signal(pid, Signal::SIGKILL);
    let status = eventually("the balancer to be back", || {
        let status = cluster.status();
        let back = status["balancer"]["state"] == "running" && status["balancer"]["pids"][0] != pid;
        back.then_some(status)
    });
    assert_eq!(
        (&status["balancer"]["restarts"], &status["state"]),
        (&json!(1), &json!("healthy"))
    );
    assert!(
        Client::connect(Ipv4Addr::LOCALHOST, cluster.address(8000))
            .unwrap()
            .node()
            .is_ok()
    );
}

fn a_new_supervisor_adopts_the_children_of_a_killed_one(balancer: &'static str) {
    let cluster = TestCluster::behind(balancer).started();
    let mut client = Client::connect(Ipv4Addr::new(127, 3, 0, 1), cluster.address(8000)).unwrap();
    let home = client.node().unwrap();
    let pids = cluster.processes();
    cluster.kill_supervisor();
    let orphaned = cluster.run(&["status"]);
    assert_eq!(orphaned.code, 2, "{}", orphaned.stderr);
    assert!(
        orphaned.stdout.contains("`clusterctl start` adopts them"),
        "{}",
        orphaned.stdout
    );
    assert_eq!(client.node().unwrap(), home);

    let restarted = cluster.run(&["start", balancer]);
    assert!(
        restarted.code == 0 && restarted.stderr.contains("adopted"),
        "{}{}",
        restarted.stdout,
        restarted.stderr
    );
    assert_eq!(cluster.processes(), pids);
    assert_eq!(cluster.status()["state"], "healthy");
    assert_eq!(client.node().unwrap(), home);
    // An adopted child is supervised like any other.
    signal(cluster.node_pid("erlmcp4"), Signal::SIGKILL);
    eventually("the node to be back", || {
        (cluster.node("erlmcp4")["restarts"] == 1).then_some(())
    });
}

fn stop_ends_the_children_of_a_killed_supervisor(balancer: &'static str) {
    let cluster = TestCluster::behind(balancer).started();
    let pids = cluster.processes();
    cluster.kill_supervisor();
    cluster.ok(&["stop"]);
    assert!(pids.iter().all(|pid| !is_alive(*pid)));
    assert!(!cluster.run_dir().join("state.json").exists());
}

fn two_clusters_run_side_by_side(balancer: &'static str) {
    let (one, other) = (
        TestCluster::behind(balancer).started(),
        TestCluster::behind(balancer).set("cluster=other").started(),
    );
    for cluster in [&one, &other] {
        assert_eq!(cluster.status()["state"], "healthy");
        assert!(
            Client::connect(Ipv4Addr::LOCALHOST, cluster.address(8000))
                .unwrap()
                .node()
                .is_ok()
        );
    }
    one.ok(&["stop"]);
    assert_eq!(other.status()["state"], "healthy");
}

fn a_second_cluster_on_the_same_ports_is_refused(balancer: &'static str) {
    let cluster = TestCluster::behind(balancer).started();
    let elsewhere = cluster.dir().join("other");
    let second = cluster.run(&["start", balancer, "--run-dir", elsewhere.to_str().unwrap()]);
    assert_eq!(second.code, 1);
    let expected = format!("127.0.0.1:{} is taken by", cluster.port(9001));
    assert!(second.stderr.contains(&expected), "{}", second.stderr);
    assert!(!elsewhere.join("state.json").exists());
    assert_eq!(cluster.status()["state"], "healthy");
}

fn restart_replaces_one_node_or_everything(balancer: &'static str) {
    let cluster = TestCluster::behind(balancer).started();
    let before = cluster.processes();
    cluster.ok(&["restart", "erlmcp1"]);
    let after = cluster.processes();
    assert_eq!(before.iter().filter(|pid| after.contains(pid)).count(), 4);
    cluster.ok(&["restart"]);
    let last = cluster.processes();
    assert_eq!(
        (last.len(), last.iter().filter(|pid| after.contains(pid)).count()),
        (5, 0)
    );
    assert_eq!(cluster.status()["state"], "healthy");
    let unknown = cluster.run(&["restart", "erlmcp5"]);
    assert_eq!(unknown.code, 2);
    assert!(unknown.stderr.contains("did you mean"), "{}", unknown.stderr);
}

fn nodes_and_balancer_can_be_started_separately(balancer: &'static str) {
    let cluster = TestCluster::behind(balancer);
    cluster.ok(&["start", balancer, "--only", "nodes"]);
    assert_eq!(cluster.processes().len(), 4);
    assert_eq!(cluster.status()["balancer"]["state"], "stopped");
    cluster.ok(&["start", balancer, "--only", "balancer"]);
    assert_eq!(cluster.processes().len(), 5);
    assert_eq!(cluster.status()["state"], "healthy");
}

#[test]
fn a_balancer_that_cannot_start_leaves_running_nodes_supervised() {
    let cluster = TestCluster::new();
    cluster.ok(&["start", "haproxy", "--only", "nodes"]);
    let held = TcpListener::bind(cluster.address(8002)).unwrap();
    let refused = cluster.run(&["start", "haproxy"]);
    close(held);
    assert_eq!(refused.code, 1);
    let expected = format!("error: haproxy: 0.0.0.0:{} is taken by ", cluster.port(8002));
    assert!(refused.stderr.contains(&expected), "{}", refused.stderr);
    assert_eq!(cluster.status()["balancer"]["state"], "stopped");
    signal(cluster.node_pid("erlmcp1"), Signal::SIGKILL);
    eventually("the node to be back", || {
        let node = cluster.node("erlmcp1");
        (node["state"] == "up" && node["restarts"] == 1).then_some(())
    });
}

#[test]
fn a_taken_port_is_named_with_its_holder() {
    let cluster = TestCluster::new();
    let _held = TcpListener::bind(cluster.address(8002)).unwrap();
    let refused = cluster.run(&["start", "haproxy"]);
    assert_eq!(refused.code, 1);
    let expected = format!(":{} is taken by", cluster.port(8002));
    let holder = format!("pid {}", std::process::id());
    assert!(
        refused.stderr.contains(&expected) && refused.stderr.contains(&holder),
        "{}",
        refused.stderr
    );
    assert!(cluster.processes().is_empty());
}
