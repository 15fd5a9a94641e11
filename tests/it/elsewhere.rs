//! Nodes that run elsewhere: each in a network namespace of its own, behind a cable that can be unplugged.

use std::fs::File;
use std::net::{Ipv4Addr, SocketAddr};
use std::process::{Child, Command, Stdio};

use nix::sys::signal::Signal;
use serde_json::{Value, json};

use crate::harness::{Client, TestCluster, behind_each_balancer, behind_those_with_http, eventually, signal};

behind_each_balancer! {
    nodes_elsewhere_are_balanced_counted_drained_and_never_touched,
    an_unplugged_node_is_found_its_clients_settle_elsewhere_and_it_comes_back,
}

behind_those_with_http! {
    nodes_elsewhere_serve_http,
}

/// How far apart the ports of two tests are, by which their networks are told apart, too.
const SLOT: u16 = 1_100;

/// A host with a node: a network namespace, and a cable to it. Gone with its node when dropped.
struct Host {
    name: String,
    cable: String,
    address: Ipv4Addr,
    node: Child,
}

impl Host {
    /// The host `number` of those that `cluster` may have, with a node called `node`.
    fn new(cluster: &TestCluster, number: u8, node: &str) -> Host {
        let slot = u8::try_from(cluster.port(0) / SLOT).unwrap();
        let (name, cable) = (format!("cctl{slot}-{number}"), format!("cctl{slot}-{number}"));
        // Addresses that are nobody's: those for tests of networks (RFC 2544).
        let ours = Ipv4Addr::new(198, 18, slot, number * 4 + 1);
        let address = Ipv4Addr::new(198, 18, slot, number * 4 + 2);
        // What a killed test has left.
        let _nothing_or_so = Command::new("ip").args(["netns", "del", &name]).output();
        ip(&["netns", "add", &name]);
        ip(&[
            "link", "add", &cable, "type", "veth", "peer", "name", "eth0", "netns", &name,
        ]);
        ip(&["addr", "add", &format!("{ours}/30"), "dev", &cable]);
        ip(&["link", "set", &cable, "up"]);
        ip(&[
            "-n",
            &name,
            "addr",
            "add",
            &format!("{address}/30"),
            "dev",
            "eth0",
        ]);
        ip(&["-n", &name, "link", "set", "eth0", "up"]);
        let log = File::create(cluster.dir().join(format!("{node}.log"))).unwrap();
        let node = Command::new("ip")
            .args([
                "netns",
                "exec",
                &name,
                env!("CARGO_BIN_EXE_clusterctl"),
                "node",
                "--name",
                node,
            ])
            .args([
                "--tcp",
                &format!("{address}:9001"),
                "--http",
                &format!("{address}:8081"),
            ])
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        let host = Host {
            name,
            cable,
            address,
            node,
        };
        eventually("the node to serve", || host.client().ok());
        host
    }

    /// A client of its node itself.
    fn client(&self) -> std::io::Result<Client> {
        Client::connect(Ipv4Addr::UNSPECIFIED, SocketAddr::from((self.address, 9001)))
    }

    /// From now on nothing reaches it, and nobody is told.
    fn unplug(&self) {
        ip(&["-n", &self.name, "link", "set", "eth0", "down"]);
    }

    fn plug_in(&self) {
        ip(&["-n", &self.name, "link", "set", "eth0", "up"]);
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        signal(self.node.id(), Signal::SIGKILL);
        let _ended = self.node.wait();
        let _gone = Command::new("ip").args(["link", "del", &self.cable]).output();
        let _gone = Command::new("ip").args(["netns", "del", &self.name]).output();
    }
}

/// Runs `ip`, which must succeed.
fn ip(args: &[&str]) {
    let output = Command::new("ip").args(args).output().unwrap();
    assert!(
        output.status.success(),
        "network namespaces are needed, and only root (or CAP_NET_ADMIN) may make them: ip {args:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
}

/// A running cluster of nodes on hosts of their own, called `a`, `b`, ..
fn cluster(balancer: &'static str, names: &[&str]) -> (TestCluster, Vec<Host>) {
    let cluster = TestCluster::behind(balancer);
    let hosts: Vec<Host> = (0..)
        .zip(names)
        .map(|(number, name)| Host::new(&cluster, number, name))
        .collect();
    let members: Vec<String> = hosts
        .iter()
        .zip(names)
        .map(|(host, name)| {
            format!(
                "{{name: {name}, address: {}, tcp_port: 9001, http_port: 8081}}",
                host.address
            )
        })
        .collect();
    let cluster = cluster
        .set("nodes.runtime=external")
        .set(&format!("nodes.members=[{}]", members.join(", ")))
        .started();
    // Nobody waits for nodes elsewhere.
    eventually("all nodes to be up", || {
        (cluster.status()["state"] == "healthy").then_some(())
    });
    (cluster, hosts)
}

/// A client of its own address, and the node that serves it.
fn client(cluster: &TestCluster, host: u8) -> (Client, String) {
    cluster.client_from(Ipv4Addr::new(127, 9, 0, host))
}

fn on(held: &[(Client, String)], node: &str) -> u64 {
    held.iter().filter(|(_, name)| name == node).count() as u64
}

fn nodes_elsewhere_are_balanced_counted_drained_and_never_touched(balancer: &'static str) {
    let (cluster, hosts) = cluster(balancer, &["a", "b"]);
    let mut held: Vec<(Client, String)> = (1..=40).map(|host| client(&cluster, host)).collect();
    assert!(on(&held, "a") > 5 && on(&held, "b") > 5);
    for node in ["a", "b"] {
        let known = cluster.node(node);
        let own = (
            &known["pid"],
            &known["restarts"],
            &known["memory_bytes"],
            &known["uptime_seconds"],
        );
        assert_eq!(own, (&Value::Null, &json!(0), &json!(0), &json!(0)), "{known}");
        eventually("its connections to be counted", || {
            (cluster.connections(node) == on(&held, node)).then_some(())
        });
    }
    cluster.ok(&["drain", "a"]);
    for host in 1..=60 {
        assert_eq!(client(&cluster, host).1, "b");
    }
    for (client, node) in &mut held {
        assert!(client.call("ping", &json!({})).is_ok(), "{node}");
    }
    held.retain(|(_, node)| node != "a");
    cluster.ok(&["drain", "a", "--wait", "--deadline", "30s"]);
    cluster.ok(&["ready", "a"]);
    eventually("the node to be used again", || {
        (61..=90)
            .any(|host| client(&cluster, host).1 == "a")
            .then_some(())
    });
    let unknown = cluster.run(&["erlang", "a", "memory"]);
    let expected = "error: `a` is no BEAM node of this cluster's making\nhint: ";
    assert!(unknown.stderr.starts_with(expected), "{}", unknown.stderr);
    for order in [&["restart", "a"][..], &["drain", "a", "--stop"]] {
        let refused = cluster.run(order);
        let expected = "error: `a` runs elsewhere: this cluster neither starts nor stops it";
        assert!(
            refused.code == 1 && refused.stderr.contains(expected),
            "{}",
            refused.stderr
        );
    }
    cluster.ok(&["stop"]);
    for host in &hosts {
        host.client().unwrap().node().unwrap();
    }
}

fn an_unplugged_node_is_found_its_clients_settle_elsewhere_and_it_comes_back(balancer: &'static str) {
    let (cluster, hosts) = cluster(balancer, &["a", "b"]);
    let mut held: Vec<(Client, String)> = (1..=40).map(|host| client(&cluster, host)).collect();
    assert!(on(&held, "a") > 5 && on(&held, "b") > 5);
    hosts[0].unplug();
    for (client, node) in &mut held {
        // Whoever was on it waits for an answer until it is cut off, and nobody else is.
        assert_eq!(client.call("ping", &json!({})).is_ok(), node == "b", "{node}");
    }
    assert_eq!(cluster.node("a")["state"], "down");
    assert_eq!(cluster.status()["state"], "degraded");
    for host in 1..=40 {
        assert_eq!(client(&cluster, host).1, "b");
    }
    hosts[0].plug_in();
    eventually("it to be up again", || {
        (cluster.node("a")["state"] == "up").then_some(())
    });
    // Whoever came while it was held back is at home on the other one.
    let mut unknown = 41..=u8::MAX;
    eventually("it to be used again", || {
        let held_back = cluster.node("a")["reason"] != Value::Null;
        (!held_back && client(&cluster, unknown.next()?).1 == "a").then_some(())
    });
    let log = std::fs::read_to_string(cluster.run_dir().join("logs/supervisor.log")).unwrap();
    assert!(log.contains("failover: hung"), "{log}");
}

fn nodes_elsewhere_serve_http(balancer: &'static str) {
    let (cluster, _hosts) = cluster(balancer, &["a", "b"]);
    let test = cluster.run(&["load-test", "40", "2", "--protocol", "http"]);
    assert!(
        test.stdout.contains("Errors: PASSED (none)"),
        "{}{}",
        test.stdout,
        test.stderr
    );
}
