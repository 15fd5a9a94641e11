//! Members whose address is a host name.

use crate::harness::{TestCluster, eventually};

/// A cluster whose only member, `web`, is the host `localhost`.
fn of_localhost() -> TestCluster {
    let cluster = TestCluster::behind("builtin").set("nodes.runtime=external");
    let port = cluster.port(9001);
    let cluster = cluster.set(&format!(
        "nodes.members=[{{name: web, address: localhost, tcp_port: {port}}}]"
    ));
    cluster.set("nodes.http_port=null").started()
}

#[test]
fn a_refused_removal_of_a_host_is_not_an_unknown_node() {
    let cluster = of_localhost();
    eventually("the node of the host", || {
        let nodes = cluster.status()["nodes"].as_array()?.clone();
        nodes
            .iter()
            .any(|node| node["name"] == "web-127.0.0.1")
            .then_some(())
    });
    for (name, code, expected) in [
        (
            "web",
            1,
            "error: a cluster needs a node, and none would be left\nhint: `clusterctl stop` ends the cluster\n",
        ),
        (
            "web-127.0.0.1",
            1,
            "error: `web-127.0.0.1` is one address of the host of `web`\n\
             hint: `clusterctl node remove web` removes all nodes of that host\n",
        ),
        (
            "webb",
            2,
            "error: unknown node `webb`\nhint: did you mean `web`?\n",
        ),
    ] {
        let refused = cluster.run(&["node", "remove", name]);
        assert_eq!((refused.code, refused.stderr.as_str()), (code, expected));
    }
}
