//! `scale` and `restart --rolling`.

use super::expect_answered;
use crate::harness::{TestCluster, behind_each_balancer, eventually};

behind_each_balancer! {
    nodes_come_and_go_and_are_started_again,
    sticky_clients_leave_a_drained_node_that_had_come_again,
}

fn nodes_come_and_go_and_are_started_again(balancer: &'static str) {
    let cluster = TestCluster::of_versions(balancer).started();
    let two = ["erlmcp1", "erlmcp2"];
    let clients = cluster.with_checking_clients();

    cluster.ok(&["scale", "3"]);
    cluster.await_nodes(&["erlmcp1", "erlmcp2", "erlmcp3"]);
    clients.go_on(2);
    assert!(
        clients.report().served.contains_key("erlmcp3"),
        "{}",
        clients.report()
    );

    cluster.ok(&["scale", "2", "--close", "--deadline", "1s"]);
    let before = cluster.await_nodes(&two);
    clients.go_on(2);

    cluster.ok(&["restart", "--rolling", "--close", "--deadline", "1s"]);
    let after = cluster.await_nodes(&two);
    assert!(
        after.iter().all(|pid| !before.contains(pid)),
        "{before:?} {after:?}"
    );
    clients.go_on(2);
    expect_answered(&clients.stop());
}

/// The server of such a node has another id at the balancer than the first one of that name.
fn sticky_clients_leave_a_drained_node_that_had_come_again(balancer: &'static str) {
    let cluster = TestCluster::behind(balancer).set("nodes.count=2").started();
    for (count, names) in [
        ("3", &["erlmcp1", "erlmcp2", "erlmcp3"][..]),
        ("2", &["erlmcp1", "erlmcp2"]),
        ("3", &["erlmcp1", "erlmcp2", "erlmcp3"]),
    ] {
        cluster.ok(&["scale", count]);
        cluster.await_nodes(names);
    }
    let served = |node: &str| cluster.clients(60).iter().any(|(_, own)| own == node);
    eventually("clients of the new node", || served("erlmcp3").then_some(()));
    cluster.ok(&["drain", "erlmcp3"]);
    assert!(!served("erlmcp3"));
}

#[test]
fn haproxy_reaches_and_checks_nodes_at_their_new_ports() {
    let cluster = TestCluster::behind("haproxy")
        .set("nodes.count=2")
        .set("health.kind=http")
        .with_short_hold()
        .started();
    // The rollout does not make it ready.
    cluster.ok(&["drain", "erlmcp2"]);
    let reload = ["reload", "--yes", "--set", "nodes.http_port=8091"];
    let reloaded = cluster.run_without_flags(&reload);
    assert_eq!(reloaded.code, 0, "{}", reloaded.stderr);
    let ports = |backend: &str, column: &str| -> Vec<String> {
        let answer = cluster.ask_balancer(&format!("show servers state {backend}"));
        let header = answer.lines().find_map(|line| line.strip_prefix("# ")).unwrap();
        let column = header.split(' ').position(|name| name == column).unwrap();
        let servers = answer.lines().filter(|line| line.contains(backend));
        servers
            .filter_map(|line| line.split(' ').nth(column).map(str::to_owned))
            .collect()
    };
    let moved = [8091, 8092].map(|port| cluster.port(port).to_string());
    assert_eq!(ports("mcp_cluster_tcp", "srv_check_port"), moved);
    assert_eq!(ports("mcp_http_backend", "srv_port"), moved);
}
