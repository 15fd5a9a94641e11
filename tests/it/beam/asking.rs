//! Information that BEAM nodes report about themselves.

use std::collections::BTreeSet;

use nix::sys::signal::Signal;
use serde_json::Value;

use crate::harness::{TestCluster, eventually, signal};

const NAMES: [&str; 4] = ["erlmcp1", "erlmcp2", "erlmcp3", "erlmcp4"];

/// The nodes that each node reports as connected; a node that does not answer is missing.
fn connected(node: &Value) -> Option<BTreeSet<String>> {
    let names = node["erlang"]["connected"].as_array()?;
    Some(
        names
            .iter()
            .map(|name| name.as_str().unwrap().to_owned())
            .collect(),
    )
}

fn is_whole(cluster: &TestCluster) -> bool {
    NAMES.iter().all(|name| {
        let others = NAMES.iter().filter(|other| *other != name);
        let others = others.map(|other| format!("{other}@localhost")).collect();
        connected(&cluster.node(name)) == Some(others)
    })
}

#[test]
fn status_health_and_metrics_show_emulators_and_the_mesh() {
    let cluster = TestCluster::of_beams("builtin").started();
    eventually("a whole mesh", || is_whole(&cluster).then_some(()));
    assert!(
        cluster
            .ok(&["status"])
            .contains("all 4 nodes are connected to one another")
    );
    let health = cluster.run(&["health"]).stdout;
    assert!(health.contains("\nEmulators:\n  erlmcp1:  OTP "), "{health}");
    let vitals = &cluster.node("erlmcp1")["erlang"];
    let number = |path: &str| vitals.pointer(path).unwrap().as_u64().unwrap();
    assert!(number("/memory/total") > number("/memory/binary"), "{vitals}");
    assert!(
        number("/processes") > 10 && number("/process_limit") >= 262_144,
        "{vitals}"
    );
    let url = format!("http://{}/metrics", cluster.address(8405));
    let page = std::process::Command::new("curl")
        .args(["-s", &url])
        .output()
        .unwrap();
    let page = String::from_utf8(page.stdout).unwrap();
    let expected = r#"clusterctl_node_erlang_run_queue{cluster="erlmcp",node="erlmcp4"} "#;
    assert!(page.contains(expected), "{page}");

    // A hung node does not answer; a restarted one is connected again.
    let pid = cluster.node_pid("erlmcp2");
    signal(pid, Signal::SIGSTOP);
    eventually("a node that does not answer", || {
        connected(&cluster.node("erlmcp2")).is_none().then_some(())
    });
    signal(pid, Signal::SIGKILL);
    eventually("a whole mesh again", || is_whole(&cluster).then_some(()));
    assert_eq!(cluster.node("erlmcp2")["restarts"], 1);
}

#[test]
fn a_node_of_the_cluster_is_queried_by_its_name() {
    let cluster = TestCluster::of_beams("builtin").set("nodes.count=2");
    let before = cluster.run(&["erlang", "erlmcp1", "memory"]);
    assert_eq!(before.code, 1, "{}", before.stdout);
    assert!(before.stderr.contains("clusterctl start"), "{}", before.stderr);
    cluster.ok(&["start", "--only", "nodes"]);
    let name = cluster.ok(&["erlang", "erlmcp2", "call", "erlang", "node"]);
    assert_eq!(name, "erlmcp2@localhost\n");
    let memory: Value =
        serde_json::from_str(&cluster.ok(&["erlang", "erlmcp1", "memory", "--json"])).unwrap();
    assert!(
        memory["memory"]["total"].as_u64().unwrap() > 1_000_000,
        "{memory}"
    );
    let halted = cluster.run(&["erlang", "erlmcp1", "call", "erlang", "halt"]);
    assert_eq!(halted.code, 1, "{}", halted.stdout);
    eventually("a new process", || {
        let node = cluster.node("erlmcp1");
        (node["state"] == "up" && node["restarts"] == 1).then_some(())
    });
    let unknown = cluster.run(&["erlang", "erlmcp3", "memory"]);
    assert_eq!(unknown.code, 2, "{}", unknown.stderr);
}
