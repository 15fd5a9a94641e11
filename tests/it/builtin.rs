//! The built-in balancer, where it differs from the others: what it does not serve, what it keeps
//! over a restart, how it reloads.

use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread;
use std::time::SystemTime;

use nix::sys::signal::Signal;
use serde_json::{Value, json};

use crate::harness::{Client, TestCluster, eventually, signal};

/// The client with address `host`, and the node that serves it.
fn client(cluster: &TestCluster, host: u8) -> std::io::Result<(Client, String)> {
    let mut client = Client::connect(Ipv4Addr::new(127, 9, 0, host), cluster.address(8000))?;
    let node = client.node()?;
    Ok((client, node))
}

/// The nodes of clients 1 to `count`, which disconnect again.
fn homes(cluster: &TestCluster, count: u8) -> Vec<String> {
    (1..=count).map(|host| client(cluster, host).unwrap().1).collect()
}

/// The node of each of `count` clients once the balancer serves again.
fn homes_again(cluster: &TestCluster, count: u8) -> Vec<String> {
    eventually("the balancer to serve", || client(cluster, 1).ok());
    homes(cluster, count)
}

#[test]
fn a_bare_start_runs_builtin_with_every_listener() {
    let cluster = TestCluster::behind("builtin");
    let started = cluster.run(&["start"]);
    assert_eq!(started.code, 0, "{}", started.stderr);
    assert!(!started.stderr.contains("not served"), "{}", started.stderr);
    for shown in ["MCP over TCP", "MCP over HTTP", "WebSocket", "Event streams"] {
        assert!(started.stdout.contains(shown), "{}", started.stdout);
    }
    let status = cluster.status();
    assert_eq!(status["balancer"]["kind"], "builtin");
    let endpoints: Vec<&String> = status["balancer"]["endpoints"]
        .as_object()
        .unwrap()
        .keys()
        .collect();
    assert_eq!(
        endpoints,
        [
            "http",
            "paths",
            "sse",
            "stats",
            "stats_socket",
            "status",
            "tcp",
            "websocket"
        ]
    );
}

#[test]
fn https_is_not_served_and_named() {
    let cluster = TestCluster::behind("builtin").set("tls={self_signed: true}");
    // No effect on the built-in balancer: it has no TLS.
    let _held = TcpListener::bind(cluster.address(8443)).unwrap();
    let started = cluster.run(&["start"]);
    assert_eq!(started.code, 0, "{}", started.stderr);
    let warning = format!("the HTTPS listener ({}) is not served", cluster.port(8443));
    assert!(started.stderr.contains(&warning), "{}", started.stderr);
    let status = cluster.status();
    let warnings = status["warnings"].as_array().unwrap();
    assert!(
        warnings
            .iter()
            .any(|text| text.as_str().unwrap().contains(&warning)),
        "{warnings:?}"
    );
}

#[test]
fn health_checks_do_not_count_as_clients() {
    let cluster = TestCluster::behind("builtin")
        .set("health.interval=50ms")
        .started();
    let (_held, home) = client(&cluster, 1).unwrap();
    eventually("its checks", || {
        (cluster.stat("mcp_cluster_tcp", "erlmcp1", "check_status") == "L7OK").then_some(())
    });
    for _ in 0..20 {
        for node in cluster.status()["nodes"].as_array().unwrap() {
            let expected = u64::from(node["name"] == home.as_str());
            assert_eq!(node["connections"], expected, "{node}");
        }
    }
}

#[test]
fn a_low_descriptor_limit_is_compensated_by_more_threads() {
    const HELD: u32 = 1_500;
    clusterctl::platform::descriptors::raise_limit().unwrap();
    let cluster = TestCluster::behind("builtin")
        .set("nodes.count=2")
        .set("limits.maxconn=3000")
        .set("limits.per_ip.connection_rate=0");
    let started = Command::new("prlimit")
        .arg("--nofile=700:700")
        .arg(env!("CARGO_BIN_EXE_clusterctl"))
        .args(["start", "--port-offset", &cluster.port(0).to_string()])
        .args(cluster.args())
        .env("CLUSTERCTL_RUN_DIR", cluster.run_dir())
        .output()
        .unwrap();
    assert!(started.status.success(), "{started:?}");
    let held: Vec<Client> = (1..=HELD)
        .map(|number| {
            let source = Ipv4Addr::from_bits(0x7f0b_0000 + number);
            let mut client = Client::connect(source, cluster.address(8000)).unwrap();
            client.node().unwrap();
            client
        })
        .collect();
    let status = cluster.status();
    let distribution = &status["distribution"];
    assert_eq!(
        (&distribution["total"], &distribution["capacity"]),
        (&json!(held.len()), &json!(3_000)),
        "{status}"
    );
    assert_eq!(distribution["verdict"], "pass");
}

#[test]
fn sticky_entries_survive_a_restart() {
    let cluster = TestCluster::behind("builtin").started();
    let before = homes(&cluster, 40);
    cluster.ok(&["restart"]);
    assert_eq!(homes_again(&cluster, 40), before);
    assert!(
        !fs::read(cluster.run_dir().join("dataplane.memory"))
            .unwrap()
            .is_empty()
    );
    cluster.ok(&["drain", before[0].as_str()]);
    let elsewhere = homes(&cluster, 40);
    cluster.ok(&["restart"]);
    assert_eq!(
        homes_again(&cluster, 40),
        elsewhere,
        "drained from the first connection on"
    );
}

#[test]
fn sticky_entries_survive_a_kill() {
    let cluster = TestCluster::behind("builtin").started();
    let before = homes(&cluster, 40);
    // The built-in balancer regularly writes its sticky entries to a file.
    let known = SystemTime::now();
    eventually("its memory", || {
        client(&cluster, 41).unwrap();
        let memory = fs::metadata(cluster.run_dir().join("dataplane.memory")).ok()?;
        (memory.modified().unwrap() > known).then_some(())
    });
    let pid = cluster.balancer_pid();
    signal(pid, Signal::SIGKILL);
    eventually("another one", || {
        let balancer = &cluster.status()["balancer"];
        (balancer["state"] == "running" && balancer["pids"][0] != pid).then_some(())
    });
    assert_eq!(homes_again(&cluster, 40), before);
}

#[test]
fn a_reload_happens_within_the_process_and_loses_no_connection() {
    let cluster = TestCluster::behind("builtin")
        .set("limits.per_ip.connections=90")
        .started();
    let mut held: Vec<(Client, String)> = (1..=40).map(|host| client(&cluster, host).unwrap()).collect();
    cluster.ok(&["drain", "erlmcp1"]);
    let pid = cluster.balancer_pid();

    // New connections during the whole reload; none may fail.
    let (stop, made) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU32::new(0)));
    let load = {
        let (stop, made, target) = (stop.clone(), made.clone(), cluster.address(8000));
        thread::spawn(move || {
            while !stop.load(Ordering::Relaxed) {
                let count = made.fetch_add(1, Ordering::Relaxed);
                let source = Ipv4Addr::from_bits(0x7f0a_0001 + count);
                let node = Client::connect(source, target).and_then(|mut client| client.node());
                assert!(node.is_ok_and(|node| node != "erlmcp1"), "connection {count}");
            }
        })
    };
    for connections in [80, 70, 60] {
        let reloaded = cluster.ok(&[
            "reload",
            "--json",
            "--set",
            &format!("limits.per_ip.connections={connections}"),
        ]);
        let reloaded: Value = serde_json::from_str(&reloaded).unwrap();
        assert_eq!(
            (&reloaded["pid"], &reloaded["changed"]),
            (&json!(pid), &json!(true))
        );
        let config = fs::read_to_string(cluster.run_dir().join("dataplane.yaml")).unwrap();
        assert!(
            config.contains(&format!("connections: {connections}\n")),
            "{config}"
        );
    }
    let after = made.load(Ordering::Relaxed);
    eventually("connections after the last reload", || {
        (made.load(Ordering::Relaxed) > after + 50).then_some(())
    });
    stop.store(true, Ordering::Relaxed);
    load.join().unwrap();

    assert_eq!(cluster.status()["balancer"]["pids"], json!([pid]));
    for (client, node) in &mut held {
        assert!(client.call("ping", &json!({})).is_ok(), "{node}");
    }
    for (host, (_, node)) in (1..=40).zip(&held) {
        let home = client(&cluster, host).unwrap().1;
        assert!(
            home == *node || (node == "erlmcp1" && home != "erlmcp1"),
            "{host} moved from {node} to {home}"
        );
    }
    assert_eq!(cluster.status()["state"], "healthy");
}

#[test]
fn reloaded_settings_apply_at_once() {
    let cluster = TestCluster::behind("builtin").started();
    cluster.ok(&["reload", "--set", "limits.per_ip.connections=2"]);
    let held = [client(&cluster, 1).unwrap(), client(&cluster, 1).unwrap()];
    assert!(client(&cluster, 1).is_err(), "the third of two");
    drop(held);
    cluster.ok(&["reload", "--set", "limits.per_ip.connections=0"]);
    let held: Vec<_> = (0..20).map(|_| client(&cluster, 1).unwrap()).collect();
    assert_eq!(held.len(), 20);
}

#[test]
fn a_failed_reload_leaves_the_old_configuration_in_force_and_on_disk() {
    let cluster = TestCluster::behind("builtin")
        .set("limits.maxconn=1000")
        .started();
    let config = || fs::read_to_string(cluster.run_dir().join("dataplane.yaml")).unwrap();
    let (pid, before) = (cluster.balancer_pid(), config());
    cluster.ok(&["drain", "erlmcp2"]);
    for (set, part) in [
        // A valid configuration that cannot be bound: no host has this address.
        ("listen.address=[192.0.2.1]", "192.0.2.1:"),
        ("limits.maxconn=many", "many"),
    ] {
        let refused = cluster.run(&["reload", "--set", set]);
        assert_eq!(refused.code, 1, "{set}: {}", refused.stderr);
        assert!(refused.stderr.contains(part), "{set}: {}", refused.stderr);
    }
    assert_eq!((cluster.balancer_pid(), config()), (pid, before));
    let drained = fs::read_to_string(cluster.run_dir().join("dataplane.drained")).unwrap();
    assert!(drained.ends_with("\nerlmcp2\n"), "{drained}");
    assert!(homes(&cluster, 20).iter().all(|home| home != "erlmcp2"));
    assert_eq!(cluster.status()["state"], "healthy");
}

#[test]
fn a_reload_that_needs_a_new_process_disconnects_nobody() {
    let cluster = TestCluster::behind("builtin")
        .set("limits.maxconn=1000")
        .started();
    let first = cluster.balancer_pid();
    let (mut held, node) = client(&cluster, 1).unwrap();
    for set in ["listen.stats=127.0.0.1:8406", "limits.maxconn=60000"] {
        let before = cluster.balancer_pid();
        cluster.ok(&["reload", "--set", set]);
        assert_ne!(cluster.balancer_pid(), before, "{set}");
        assert_eq!(held.node().unwrap(), node);
    }
    assert_eq!(cluster.status()["balancer"]["former"][0]["pid"], first);
    drop(held);
    eventually("the former process to end with its last connection", || {
        cluster.status()["balancer"].get("former").is_none().then_some(())
    });
}
