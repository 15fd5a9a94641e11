//! Members whose address is a host name.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use super::Node;
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

/// A cluster whose processes find host names in a file of their own.
struct OwnHosts {
    cluster: TestCluster,
    hosts: PathBuf,
}

impl OwnHosts {
    /// `cluster`, where `web.test` has these addresses.
    fn of(mut cluster: TestCluster, addresses: &[&str]) -> OwnHosts {
        let (hosts, program) = (cluster.dir().join("hosts"), cluster.dir().join("clusterctl"));
        let text = format!(
            "#!/bin/sh\nexec unshare -m sh -c 'mount --bind {} /etc/hosts && exec {} \"$@\"' clusterctl \"$@\"\n",
            hosts.display(),
            env!("CARGO_BIN_EXE_clusterctl"),
        );
        std::fs::write(&program, text).unwrap();
        std::fs::set_permissions(&program, Permissions::from_mode(0o755)).unwrap();
        cluster.use_program(program);
        let hosts = OwnHosts { cluster, hosts };
        hosts.set(addresses);
        hosts
    }

    fn set(&self, addresses: &[&str]) {
        let lines = addresses.iter().map(|address| format!("{address} web.test\n"));
        std::fs::write(&self.hosts, lines.collect::<String>()).unwrap();
    }

    /// Waits until exactly these nodes are in these states.
    fn await_states(&self, expected: &[(&str, &str)]) {
        eventually("the nodes of the host", || {
            let status = self.cluster.status();
            let nodes = status["nodes"].as_array()?;
            let found = nodes
                .iter()
                .map(|node| (node["name"].as_str(), node["state"].as_str()));
            let expected = expected.iter().map(|(name, state)| (Some(*name), Some(*state)));
            found.eq(expected).then_some(())
        });
    }
}

#[test]
fn a_client_of_an_address_that_has_left_dns_keeps_no_other_change_waiting() {
    let cluster = TestCluster::behind("builtin").set("nodes.runtime=external");
    let port = cluster.port(9001);
    let cluster = cluster.set(&format!(
        "nodes.members=[{{name: web, address: web.test, tcp_port: {port}}}]"
    ));
    let addresses = ["127.0.0.1", "127.0.0.2", "127.0.0.3"];
    let _nodes: Vec<Node> = addresses
        .iter()
        .map(|address| Node::start(address, &["--tcp", &format!("{address}:{port}")]))
        .collect();
    let hosts = OwnHosts::of(cluster.set("nodes.http_port=null"), &addresses[..2]);
    let cluster = &hosts.cluster;
    cluster.start(&[]);
    let (first, second, third) = ("web-127.0.0.1", "web-127.0.0.2", "web-127.0.0.3");
    hosts.await_states(&[(first, "up"), (second, "up")]);
    let mut clients = cluster.clients(20);
    clients.retain(|(_, node)| node == addresses[0]);
    assert!(!clients.is_empty());

    hosts.set(&addresses[1..2]);
    hosts.await_states(&[(first, "draining"), (second, "up")]);
    cluster.ok(&["drain", second, "--force"]);
    cluster.ok(&["ready", second]);
    let refused = cluster.run(&["ready", first]);
    assert!(
        refused
            .stderr
            .starts_with("error: a change of addresses in DNS by DNS runs since "),
        "{}",
        refused.stderr
    );

    hosts.set(&addresses[1..]);
    hosts.await_states(&[(first, "draining"), (second, "up"), (third, "up")]);
    let status = cluster.status();
    assert_eq!(status["rollout"]["kind"], "resolve");
    for (client, node) in &mut clients {
        assert_eq!(client.node().unwrap(), *node, "a client was closed");
    }
    cluster.kill_supervisor();
    cluster.start(&[]);
    hosts.await_states(&[(first, "draining"), (second, "up"), (third, "up")]);
    // The next change by DNS takes over the drain with its deadline.
    cluster.ok(&["drain", first, "--close", "--deadline", "12s"]);
    hosts.set(&addresses[1..2]);
    hosts.await_states(&[(second, "up")]);
    for (client, _) in &mut clients {
        client.waits_for_end();
    }

    hosts.set(&[]);
    eventually("a warning about the host that is not found", || {
        let status = cluster.status();
        let mut warnings = status["warnings"].as_array()?.iter();
        let is_kept = |text: &str| {
            text.starts_with("host web.test: ") && text.ends_with("; its last known addresses stay in use")
        };
        warnings.find(|it| it.as_str().is_some_and(is_kept)).cloned()
    });
    hosts.await_states(&[(second, "up")]);
}
