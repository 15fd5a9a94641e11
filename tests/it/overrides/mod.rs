//! Settings made at the balancer by others than this cluster's supervisor are shown, change the
//! state, and are reset by `ready`.

mod listeners;
mod processes;
mod servers;

use crate::harness::{TestCluster, eventually};

const NODES: [&str; 4] = ["erlmcp1", "erlmcp2", "erlmcp3", "erlmcp4"];

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
