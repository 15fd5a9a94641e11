//! External nodes: each in a network namespace of its own, behind a cable that can be unplugged.

use std::fs::File;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use nix::sys::signal::Signal;
use serde_json::{Value, json};

use crate::harness::{Client, Ports, TestCluster, behind_each_balancer, eventually, signal};

behind_each_balancer! {
    external_nodes_are_balanced_counted_and_drained_but_not_managed,
    an_unplugged_node_is_detected_loses_its_clients_and_comes_back,
    a_node_that_never_answered_is_down_with_a_reason_and_gets_no_clients,
    a_start_succeeds_without_any_answering_node_and_the_first_to_answer_serves,
    external_nodes_serve_http,
}

/// A host: a network namespace with a cable to it. Dropping it removes it and its node.
struct Host {
    name: String,
    cable: String,
    address: Ipv4Addr,
    /// The log of its node.
    log: PathBuf,
    node: Option<Child>,
    /// The range of ports names the network.
    _ports: Ports,
}

impl Host {
    /// The host `number` of `cluster`.
    fn new(cluster: &TestCluster, number: u8) -> Host {
        let ports = cluster.ports();
        let slot = ports.slot();
        let (name, cable) = (format!("cctl{slot}-{number}"), format!("cctl{slot}-{number}"));
        // Addresses that are reserved for network tests (RFC 2544).
        let ours = Ipv4Addr::new(198, 18, slot, number * 4 + 1);
        let address = Ipv4Addr::new(198, 18, slot, number * 4 + 2);
        // Removes what a killed test has left; the kernel removes the cable of an ended one later
        // than its namespace.
        for what in [["netns", "del", &name], ["link", "del", &cable]] {
            let _nothing_or_so = Command::new("ip").args(what).output();
        }
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
        Host {
            log: cluster.dir().join(format!("{name}.log")),
            name,
            cable,
            address,
            node: None,
            _ports: ports,
        }
    }

    /// Starts a node called `node` and waits until it serves.
    fn serving(mut self, node: &str) -> Host {
        self.serve(node);
        self
    }

    /// Starts a node called `node`.
    fn serve(&mut self, node: &str) {
        let log = File::create(&self.log).unwrap();
        let (tcp, http) = (format!("{}:9001", self.address), format!("{}:8081", self.address));
        let child = Command::new("ip")
            .args(["netns", "exec", &self.name, env!("CARGO_BIN_EXE_clusterctl")])
            .args(["node", "--name", node, "--tcp", &tcp, "--http", &http])
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        self.node = Some(child);
        eventually("the node to serve", || self.client().ok());
    }

    /// A client connected to its node directly.
    fn client(&self) -> std::io::Result<Client> {
        Client::connect(Ipv4Addr::UNSPECIFIED, SocketAddr::from((self.address, 9001)))
    }

    /// Sends its node a signal.
    fn signal(&self, what: Signal) {
        if let Some(node) = &self.node {
            signal(node.id(), what);
        }
    }

    /// Drops all packets from now on, without any error to either side.
    fn unplug(&self) {
        ip(&["-n", &self.name, "link", "set", "eth0", "down"]);
    }

    fn plug_in(&self) {
        ip(&["-n", &self.name, "link", "set", "eth0", "up"]);
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        self.signal(Signal::SIGKILL);
        if let Some(node) = &mut self.node {
            let _ended = node.wait();
        }
        let _gone = Command::new("ip").args(["link", "del", &self.cable]).output();
        let _gone = Command::new("ip").args(["netns", "del", &self.name]).output();
    }
}

/// An address without a route: `connect` to it fails with an invalid argument.
struct Nowhere {
    address: Ipv4Addr,
    /// The range of ports names the network.
    _ports: Ports,
}

impl Nowhere {
    /// In place of the host `number`.
    fn new(cluster: &TestCluster, number: u8) -> Nowhere {
        let ports = cluster.ports();
        let address = Ipv4Addr::new(198, 18, ports.slot(), number * 4 + 2);
        ip(&["route", "replace", "blackhole", &format!("{address}/32")]);
        Nowhere {
            address,
            _ports: ports,
        }
    }
}

impl Drop for Nowhere {
    fn drop(&mut self) {
        let route = format!("{}/32", self.address);
        let _gone = Command::new("ip")
            .args(["route", "del", "blackhole", &route])
            .output();
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

/// A running cluster with each node on its own host; the nodes are called `a`, `b`, ..
fn cluster(balancer: &'static str, names: &[&str]) -> (TestCluster, Vec<Host>) {
    let cluster = TestCluster::behind(balancer);
    let hosts: Vec<Host> = (0..)
        .zip(names)
        .map(|(number, name)| Host::new(&cluster, number).serving(name))
        .collect();
    let members: Vec<_> = names
        .iter()
        .copied()
        .zip(hosts.iter().map(|host| host.address))
        .collect();
    let cluster = of_members(cluster, &members).started();
    // A start does not wait for external nodes.
    eventually("all nodes to be up", || {
        (cluster.status()["state"] == "healthy").then_some(())
    });
    (cluster, hosts)
}

/// The cluster, of nodes with these names and addresses.
fn of_members(cluster: TestCluster, members: &[(&str, Ipv4Addr)]) -> TestCluster {
    let member = |(name, address): &(&str, Ipv4Addr)| {
        format!("{{name: {name}, address: {address}, tcp_port: 9001, http_port: 8081}}")
    };
    let members: Vec<String> = members.iter().map(member).collect();
    cluster
        .set("nodes.runtime=external")
        .set(&format!("nodes.members=[{}]", members.join(", ")))
}

/// A client with its own address, and the node that serves it.
fn client(cluster: &TestCluster, host: u8) -> (Client, String) {
    cluster.client_from(Ipv4Addr::new(127, 9, 0, host))
}

fn on(held: &[(Client, String)], node: &str) -> u64 {
    held.iter().filter(|(_, name)| name == node).count() as u64
}

fn external_nodes_are_balanced_counted_and_drained_but_not_managed(balancer: &'static str) {
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
        assert_eq!(
            (&known["external"], &known["elsewhere"]),
            (&json!(true), &json!(true))
        );
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
    let expected = "error: `a` is not a BEAM node that this cluster starts\nhint: ";
    assert!(unknown.stderr.starts_with(expected), "{}", unknown.stderr);
    for order in [&["restart", "a"][..], &["drain", "a", "--stop"]] {
        let refused = cluster.run(order);
        let expected = "error: `a` is an external node: this cluster neither starts nor stops it";
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

fn an_unplugged_node_is_detected_loses_its_clients_and_comes_back(balancer: &'static str) {
    let (cluster, hosts) = cluster(balancer, &["a", "b"]);
    let mut held: Vec<(Client, String)> = (1..=40).map(|host| client(&cluster, host)).collect();
    assert!(on(&held, "a") > 5 && on(&held, "b") > 5);
    hosts[0].unplug();
    for (client, node) in &mut held {
        // Clients of the unplugged node wait until they are cut off; all others are answered.
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
    // Clients that connected while it was held back are sticky to the other node.
    let mut unknown = 41..=u8::MAX;
    eventually("it to be used again", || {
        let held_back = cluster.node("a")["reason"] != Value::Null;
        (!held_back && client(&cluster, unknown.next()?).1 == "a").then_some(())
    });
    let log = std::fs::read_to_string(cluster.run_dir().join("logs/supervisor.log")).unwrap();
    assert!(log.contains("failover: hung"), "{log}");
}

fn a_node_that_never_answered_is_down_with_a_reason_and_gets_no_clients(balancer: &'static str) {
    let cluster = TestCluster::behind(balancer);
    let serving = Host::new(&cluster, 0).serving("a");
    // Stopped, it accepts and never answers.
    let late = Host::new(&cluster, 1).serving("late");
    late.signal(Signal::SIGSTOP);
    let nowhere = Nowhere::new(&cluster, 2);
    let members = [
        ("a", serving.address),
        ("late", late.address),
        ("nowhere", nowhere.address),
    ];
    let cluster = of_members(cluster, &members);
    let started = std::thread::scope(|scope| {
        let started = scope.spawn(|| cluster.run(&["start", balancer]));
        // Not even the first clients. (Until its processes run, nginx may test its configuration.)
        while !started.is_finished() && cluster.processes().is_empty() {
            std::thread::yield_now();
        }
        let mut addresses = (0..=u8::MAX).cycle().map(|host| Ipv4Addr::new(127, 9, 1, host));
        while !started.is_finished() {
            let client = Client::connect(addresses.next().unwrap(), cluster.address(8000));
            if let Ok(mut client) = client {
                assert_eq!(client.node().unwrap(), "a");
            }
        }
        started.join().unwrap()
    });
    for (name, address) in &members[1..] {
        let warning = format!("warning: {name} does not answer at {address}:9001");
        assert!(started.stderr.contains(&warning), "{}", started.stderr);
    }
    let all_on_a = |hosts: std::ops::RangeInclusive<u8>| {
        for host in hosts {
            assert_eq!(client(&cluster, host).1, "a");
        }
    };
    all_on_a(1..=40);
    for (name, alert) in [
        ("late", "late does not answer: 198.18."),
        ("nowhere", "nowhere does not answer: cannot connect to 198.18."),
    ] {
        eventually("it to be down, with a reason", || {
            let known = cluster.node(name);
            (known["state"] == "down" && known["reason"] != Value::Null).then_some(())
        });
        let health = cluster.run(&["health"]).stdout;
        assert!(health.contains(&format!("✗ {alert}")), "{health}");
        assert!(
            health.contains(&format!("{name}:")) && !health.contains("no process"),
            "{health}"
        );
    }
    let logs = cluster.run(&["logs", "late"]);
    assert!(
        logs.stderr.contains("error: `late` is an external node"),
        "{}",
        logs.stderr
    );
    all_on_a(41..=60);
    // A new supervisor, and a balancer that is started again, must keep that state.
    cluster.kill_supervisor();
    cluster.start(&[]);
    all_on_a(61..=80);
    cluster.ok(&["reload", "--set", "targets.tolerance=3%"]);
    all_on_a(81..=100);
    let killed = cluster.balancer_pid();
    signal(killed, Signal::SIGKILL);
    eventually("another balancer to serve", || {
        let balancer = &cluster.status()["balancer"];
        (balancer["state"] == "running" && balancer["pids"][0] != killed).then_some(())
    });
    all_on_a(101..=120);
    // Connections of probes do not delay the drain.
    cluster.ok(&["drain", "late", "--wait", "--deadline", "30s"]);
    // The drain is undone, but the node does not serve, and `ready` reports that.
    let ready = cluster.run(&["ready", "late"]);
    assert!(
        ready.code == 1
            && ready
                .stderr
                .contains("`late` is ready, but gets no new connections"),
        "{ready:?}"
    );
    late.signal(Signal::SIGCONT);
    let mut unknown = 121..=u8::MAX;
    eventually("it to be used as soon as it answers", || {
        (client(&cluster, unknown.next()?).1 == "late").then_some(())
    });
}

fn a_start_succeeds_without_any_answering_node_and_the_first_to_answer_serves(balancer: &'static str) {
    let cluster = TestCluster::behind(balancer);
    let mut hosts = [Host::new(&cluster, 0), Host::new(&cluster, 1)];
    let members = [("a", hosts[0].address), ("b", hosts[1].address)];
    let cluster = of_members(cluster, &members).started();
    assert_eq!(cluster.status()["state"], "down");
    assert_eq!(cluster.status()["balancer"]["state"], "running");
    hosts[1].serve("b");
    eventually("the balancer to use the node", || {
        let known = cluster.node("b");
        (known["state"] == "up" && known["reason"] == Value::Null).then_some(())
    });
    for host in 1..=20 {
        assert_eq!(client(&cluster, host).1, "b");
    }
}

fn external_nodes_serve_http(balancer: &'static str) {
    let (cluster, _hosts) = cluster(balancer, &["a", "b"]);
    let test = cluster.run(&["load-test", "40", "2", "--protocol", "http"]);
    assert!(
        test.stdout.contains("Errors: PASSED (none)"),
        "{}{}",
        test.stdout,
        test.stderr
    );
}

#[test]
fn each_address_of_a_host_name_is_a_node_of_the_configuration() {
    for balancer in ["haproxy", "nginx", "builtin"] {
        let members = "nodes.members=[{name: web, address: localhost, tcp_port: 9001}]";
        let cluster = TestCluster::behind(balancer)
            .set("nodes.runtime=external")
            .set(members);
        let rendered = cluster.run(&["render", balancer]);
        assert_eq!(rendered.code, 0, "{}", rendered.stderr);
        assert!(rendered.stdout.contains("127.0.0.1:9001"), "{}", rendered.stdout);
    }
}

#[test]
fn a_host_name_without_address_is_named_before_anything_is_started() {
    let members = "nodes.members=[{name: web, address: no-such-host.invalid, tcp_port: 9001}]";
    let cluster = TestCluster::behind("builtin")
        .set("nodes.runtime=external")
        .set(members);
    for command in ["start", "check", "render"] {
        let refused = cluster.run(&[command]);
        let expected = "error: cannot find the host `no-such-host.invalid` of `nodes.members`: ";
        assert!(
            refused.code != 0 && refused.stderr.contains(expected),
            "{}",
            refused.stderr
        );
        assert!(
            refused
                .stderr
                .contains("hint: `getent hosts no-such-host.invalid`"),
            "{}",
            refused.stderr
        );
    }
}
