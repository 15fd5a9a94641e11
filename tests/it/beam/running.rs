//! A cluster of BEAM nodes, from `start` to `stop`.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::net::{Ipv4Addr, TcpStream};
use std::os::unix::fs::PermissionsExt;

use nix::sys::signal::Signal;

use super::log;
use crate::harness::{Client, TestCluster, behind_each_balancer, eventually, is_alive, signal};

behind_each_balancer! {
    start_serves_and_stop_leaves_nothing,
    a_killed_node_is_restarted_and_its_clients_served_elsewhere,
    a_node_that_halts_leaves_a_dump_and_is_restarted,
    a_stopped_node_is_found_hung_and_comes_back,
    a_drained_node_keeps_its_connections_and_stops_when_empty,
    a_new_supervisor_adopts_nodes_with_their_cookie,
}

const NAMES: [&str; 4] = ["erlmcp1", "erlmcp2", "erlmcp3", "erlmcp4"];

/// Every process with the cluster's home directory, whichever process started it.
fn at_home(cluster: &TestCluster) -> Vec<u32> {
    let home = format!("HOME={}", cluster.run_dir().join("erlang/home").display());
    let processes = fs::read_dir("/proc").unwrap().filter_map(|entry| {
        let entry = entry.unwrap();
        let pid = entry.file_name().to_str()?.parse().ok()?;
        let environment = fs::read(entry.path().join("environ")).ok()?;
        let mut variables = environment.split(|byte| *byte == 0);
        variables
            .any(|variable| variable == home.as_bytes())
            .then_some(pid)
    });
    processes.filter(|pid| is_alive(*pid)).collect()
}

fn start_serves_and_stop_leaves_nothing(balancer: &'static str) {
    let cluster = TestCluster::of_beams(balancer).started();
    let status = cluster.status();
    assert_eq!(status["state"], "healthy", "{status}");
    let mut served: BTreeMap<String, u32> = BTreeMap::new();
    let held = cluster.clients(200);
    for (_, node) in &held {
        *served.entry(node.clone()).or_default() += 1;
    }
    assert!(served.keys().eq(NAMES), "{served:?}");
    for name in NAMES {
        // A check of the balancer may be in progress, too.
        eventually("the clients' connections alone", || {
            (cluster.connections(name) == u64::from(served[name])).then_some(())
        });
    }

    // Each emulator has a helper process for port programs.
    let beams = at_home(&cluster);
    assert!(beams.len() >= NAMES.len(), "{beams:?}");
    let path = cluster.run_dir().join("erlang/home/.erlang.cookie");
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o400);
    let cookie = fs::read_to_string(path).unwrap();
    for pid in &beams {
        let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        assert!(!String::from_utf8_lossy(&line).contains(&cookie), "{pid}");
    }

    cluster.ok(&["stop"]);
    eventually("the end of every process", || {
        at_home(&cluster).is_empty().then_some(())
    });
    let names = |directory: &str| -> BTreeSet<String> {
        let entries = fs::read_dir(cluster.run_dir().join(directory)).unwrap();
        entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect()
    };
    let left = ["cluster.config", cluster.config(), "erlang", "logs"];
    assert_eq!(names(""), left.map(str::to_owned).into());
    let code: Vec<_> = names("erlang").into_iter().collect();
    assert!(
        matches!(code.as_slice(), [one] if one.starts_with("mcp_node-")),
        "{code:?}"
    );
}

#[test]
fn distribution_listens_on_loopback_only() {
    let cluster = TestCluster::of_beams("builtin");
    cluster.ok(&["start", "--only", "nodes"]);
    for number in 0..4 {
        let port = cluster.port(9101 + number);
        assert!(TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok());
        // Another address of this host than the one that they listen on.
        assert!(TcpStream::connect((Ipv4Addr::new(127, 0, 0, 2), port)).is_err());
    }
}

#[test]
fn clusters_with_the_same_names_do_not_connect() {
    let (a, b) = (
        TestCluster::of_beams("builtin").started(),
        TestCluster::of_beams("builtin").started(),
    );
    a.ok(&["stop"]);
    assert_eq!(b.status()["state"], "healthy");
    assert_eq!(log(&b, "erlmcp1"), "");
    let served: BTreeSet<String> = b.clients(100).into_iter().map(|(_, node)| node).collect();
    assert_eq!(served, NAMES.map(str::to_owned).into());
}

#[test]
fn nodes_can_listen_on_ipv6() {
    let cluster = TestCluster::of_beams("builtin")
        .set("nodes.count=2")
        .set("nodes.address=::1")
        .started();
    let served: BTreeSet<String> = cluster.clients(50).into_iter().map(|(_, node)| node).collect();
    assert_eq!(served, ["erlmcp1", "erlmcp2"].map(str::to_owned).into());
}

fn a_killed_node_is_restarted_and_its_clients_served_elsewhere(balancer: &'static str) {
    let cluster = TestCluster::of_beams(balancer).with_short_hold().started();
    let mut held = cluster.clients(40);
    let pid = cluster.node_pid("erlmcp2");
    signal(pid, Signal::SIGKILL);
    eventually("a new process", || {
        let node = cluster.node("erlmcp2");
        (node["state"] == "up" && node["restarts"] == 1).then_some(())
    });
    assert_ne!(cluster.node_pid("erlmcp2"), pid);
    for (client, node) in &mut held {
        let answer = client.call("ping", &serde_json::json!({}));
        assert_eq!(answer.is_ok(), node != "erlmcp2", "{node}");
    }
    // Earlier clients are sticky, so each attempt uses another address.
    let mut address = Ipv4Addr::new(127, 5, 0, 0);
    eventually("a client on that node", || {
        address = Ipv4Addr::from_bits(address.to_bits() + 1);
        let mut client = Client::connect(address, cluster.address(8000)).unwrap();
        (client.node().unwrap() == "erlmcp2").then_some(())
    });
}

fn a_node_that_halts_leaves_a_dump_and_is_restarted(balancer: &'static str) {
    let cluster = TestCluster::of_beams(balancer).with_short_hold().started();
    // The emulator halts on it, as by `erlang:halt("..")`.
    signal(cluster.node_pid("erlmcp3"), Signal::SIGUSR1);
    eventually("a new process", || {
        let node = cluster.node("erlmcp3");
        (node["state"] == "up" && node["restarts"] == 1).then_some(())
    });
    let dump = cluster.run_dir().join("logs/erlmcp3.crash.dump");
    let text = String::from_utf8_lossy(&fs::read(dump).unwrap()).into_owned();
    assert!(text.starts_with("=erl_crash_dump"), "{text}");
}

fn a_stopped_node_is_found_hung_and_comes_back(balancer: &'static str) {
    let cluster = TestCluster::of_beams(balancer).with_short_hold().started();
    let pid = cluster.node_pid("erlmcp1");
    signal(pid, Signal::SIGSTOP);
    eventually("the hang to be seen", || {
        (cluster.node("erlmcp1")["state"] == "down").then_some(())
    });
    assert_eq!(cluster.status()["state"], "degraded");
    for host in 1..=40 {
        // The balancer may be marking the node down just now, which closes connections that it
        // opened there.
        let served = eventually("another node", || {
            let mut client = Client::connect(Ipv4Addr::new(127, 4, 0, host), cluster.address(8000)).ok()?;
            client.node().ok()
        });
        assert_ne!(served, "erlmcp1");
    }
    signal(pid, Signal::SIGCONT);
    eventually("its return", || {
        (cluster.node("erlmcp1")["state"] == "up").then_some(())
    });
    assert_eq!(cluster.node_pid("erlmcp1"), pid);
}

fn a_drained_node_keeps_its_connections_and_stops_when_empty(balancer: &'static str) {
    let cluster = TestCluster::of_beams(balancer).started();
    let mut held = cluster.clients(40);
    let pid = cluster.node_pid("erlmcp4");
    cluster.ok(&["drain", "erlmcp4", "--stop"]);
    for host in 1..=40 {
        assert_ne!(cluster.client(host).1, "erlmcp4");
    }
    for (client, node) in &mut held {
        assert!(client.call("ping", &serde_json::json!({})).is_ok(), "{node}");
    }
    held.retain(|(_, node)| node != "erlmcp4");
    eventually("the node to end", || (!is_alive(pid)).then_some(()));
    assert!(log(&cluster, "erlmcp4").contains("SIGTERM received"));
    cluster.ok(&["ready", "erlmcp4"]);
    eventually("the node to be used again", || {
        (41..=120)
            .any(|host| cluster.client(host).1 == "erlmcp4")
            .then_some(())
    });
}

fn a_new_supervisor_adopts_nodes_with_their_cookie(balancer: &'static str) {
    let cluster = TestCluster::of_beams(balancer).started();
    let mut held = cluster.clients(8);
    let pids: Vec<u32> = NAMES.iter().map(|name| cluster.node_pid(name)).collect();
    let path = cluster.run_dir().join("erlang/home/.erlang.cookie");
    let cookie = fs::read_to_string(&path).unwrap();
    cluster.kill_supervisor();
    cluster.start(&[]);
    let adopted: Vec<u32> = NAMES.iter().map(|name| cluster.node_pid(name)).collect();
    assert_eq!(adopted, pids);
    assert_eq!(fs::read_to_string(&path).unwrap(), cookie);
    for (client, node) in &mut held {
        assert!(client.call("ping", &serde_json::json!({})).is_ok(), "{node}");
    }
}
