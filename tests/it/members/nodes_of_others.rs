//! Changes of a cluster that was started with `--only balancer`: others start and stop its nodes.

use super::Node;
use crate::harness::{TestCluster, behind_each_balancer, eventually};

behind_each_balancer! {
    nodes_of_others_are_added_and_removed_but_not_started_and_stopped,
}

fn nodes_of_others_are_added_and_removed_but_not_started_and_stopped(balancer: &'static str) {
    let cluster = TestCluster::behind(balancer).set("nodes.count=2");
    let mut nodes: Vec<Node> = (1..=3)
        .map(|number: u16| {
            let (tcp, http) = (cluster.address(9000 + number), cluster.address(8080 + number));
            let addresses = ["--tcp", &tcp.to_string(), "--http", &http.to_string()];
            Node::start(&format!("erlmcp{number}"), &addresses)
        })
        .collect();
    cluster.start(&["--only", "balancer"]);
    cluster.await_nodes(&["erlmcp1", "erlmcp2"]);

    cluster.ok(&["scale", "3"]);
    let own = cluster.await_nodes(&["erlmcp1", "erlmcp2", "erlmcp3"]);
    assert!(own.is_empty(), "{own:?}");
    assert_eq!(cluster.status()["state"], "healthy");
    eventually("clients of the new node", || {
        let clients = cluster.clients(30);
        clients.iter().any(|(_, node)| node == "erlmcp3").then_some(())
    });

    for args in [
        &["restart", "--rolling"][..],
        &["restart", "--rolling", "--dry-run"],
    ] {
        let refused = cluster.run(args);
        let expected = "error: the nodes are external: this cluster neither starts nor stops them\n";
        assert_eq!((refused.code, refused.stderr.as_str()), (1, expected));
    }

    cluster.ok(&["scale", "2"]);
    cluster.await_nodes(&["erlmcp1", "erlmcp2"]);
    cluster.kill_supervisor();
    cluster.start(&["--only", "balancer"]);
    let own = cluster.await_nodes(&["erlmcp1", "erlmcp2"]);
    assert!(own.is_empty(), "{own:?}");
    for Node(child) in &mut nodes {
        assert!(child.try_wait().unwrap().is_none(), "a node was stopped");
    }
}
