//! `reload`.

use std::fs;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread;

use nix::sys::signal::Signal;
use serde_json::{Value, json};

use crate::harness::{Client, TestCluster, eventually, is_alive, signal};

#[test]
fn a_reload_takes_over_without_losing_a_connection() {
    let cluster = TestCluster::new();
    let profile = cluster.dir().join("mine.yaml");
    fs::write(&profile, "limits: {per_ip: {connections: 90}}\n").unwrap();
    let cluster = cluster.with(&["--profile", profile.to_str().unwrap()]).started();
    let mut held: Vec<(Client, String)> = (1..=40)
        .map(|host| {
            let mut client = Client::connect(Ipv4Addr::new(127, 5, 0, host), cluster.address(8000)).unwrap();
            let node = client.node().unwrap();
            (client, node)
        })
        .collect();
    cluster.ok(&["drain", "erlmcp1"]);
    let old = cluster.balancer_pid();

    // New connections during the whole reload; none may fail.
    let (stop, made) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU32::new(0)));
    let load = {
        let (stop, made, target) = (stop.clone(), made.clone(), cluster.address(8000));
        thread::spawn(move || {
            while !stop.load(Ordering::Relaxed) {
                let count = made.fetch_add(1, Ordering::Relaxed);
                let source = Ipv4Addr::from_bits(0x7f06_0001 + count);
                let node = Client::connect(source, target).and_then(|mut client| client.node());
                assert!(node.is_ok_and(|node| node != "erlmcp1"), "connection {count}");
            }
        })
    };
    fs::write(&profile, "limits: {per_ip: {connections: 80}}\n").unwrap();
    let reloaded = cluster.run(&["reload"]);
    assert_eq!(reloaded.code, 0, "{}", reloaded.stderr);
    assert!(
        reloaded.stderr.contains("limits.per_ip.connections: 90 -> 80"),
        "{}",
        reloaded.stderr
    );
    let after = made.load(Ordering::Relaxed);
    eventually("connections through the new instance", || {
        (made.load(Ordering::Relaxed) > after + 50).then_some(())
    });
    stop.store(true, Ordering::Relaxed);
    load.join().unwrap();

    let new = cluster.balancer_pid();
    assert_ne!(new, old);
    assert!(is_alive(old), "it has connections");
    for (client, node) in &mut held {
        assert!(client.call("ping", &json!({})).is_ok(), "{node}");
    }
    for (host, (_, node)) in (1..=40).zip(&held) {
        let mut again = Client::connect(Ipv4Addr::new(127, 5, 0, host), cluster.address(8000)).unwrap();
        let home = again.node().unwrap();
        assert!(
            home == *node || (node == "erlmcp1" && home != "erlmcp1"),
            "{host} moved from {node} to {home}"
        );
    }
    drop(held);
    eventually("the old instance to end with its last connection", || {
        (!is_alive(old)).then_some(())
    });
    assert_eq!(cluster.status()["state"], "healthy");
}

#[test]
fn a_failed_reload_leaves_the_old_configuration_in_force() {
    let cluster = TestCluster::new().started();
    let (pid, config) = (
        cluster.balancer_pid(),
        fs::read(cluster.run_dir().join("haproxy.cfg")).unwrap(),
    );
    for (set, part) in [
        ("limits.maxconn=many", "many"),
        ("listen.http=9001", "9001"),
        ("cluster=other", "cannot be changed by a reload"),
    ] {
        let refused = cluster.run(&["reload", "--set", set]);
        assert_eq!(refused.code, 1, "{set}: {}", refused.stderr);
        assert!(refused.stderr.contains(part), "{set}: {}", refused.stderr);
    }
    let templates = cluster.dir().join("templates");
    fs::create_dir(&templates).unwrap();
    fs::write(templates.join("haproxy.cfg.tera"), "global\n    maxcon 5\n").unwrap();
    let refused = cluster.run(&["reload", "--templates", templates.to_str().unwrap()]);
    assert_eq!(refused.code, 1);
    assert!(
        refused.stderr.contains("unknown keyword 'maxcon'"),
        "{}",
        refused.stderr
    );
    assert_eq!(cluster.balancer_pid(), pid);
    assert_eq!(fs::read(cluster.run_dir().join("haproxy.cfg")).unwrap(), config);
    assert_eq!(cluster.status()["state"], "healthy");
}

#[test]
fn an_instance_that_fails_to_take_over_leaves_the_old_one_serving() {
    let cluster = TestCluster::new().started();
    let (pid, config) = (
        cluster.balancer_pid(),
        fs::read(cluster.run_dir().join("haproxy.cfg")).unwrap(),
    );
    // Passes the check, and cannot be bound: no host has this address.
    let refused = cluster.run(&["reload", "--set", "listen.stats=192.0.2.1:8404"]);
    assert_eq!(refused.code, 1, "{}", refused.stderr);
    assert!(refused.stderr.contains("192.0.2.1:"), "{}", refused.stderr);
    assert_eq!(cluster.balancer_pid(), pid);
    assert_eq!(fs::read(cluster.run_dir().join("haproxy.cfg")).unwrap(), config);
    assert!(
        Client::connect(Ipv4Addr::LOCALHOST, cluster.address(8000))
            .unwrap()
            .node()
            .is_ok()
    );
}

#[test]
fn reloads_in_a_row_are_carried_out_together() {
    let cluster = TestCluster::new().started();
    let reloads: Vec<_> = (0..5)
        .map(|index| {
            let mut command = cluster.command(&[
                "reload",
                "--set",
                &format!("limits.per_ip.connections={}", 50 + index),
            ]);
            thread::spawn(move || command.output().unwrap().status.code())
        })
        .collect();
    for reload in reloads {
        assert_eq!(reload.join().unwrap(), Some(0));
    }
    let log = fs::read_to_string(cluster.run_dir().join("logs/supervisor.log")).unwrap();
    // All five in one, unless the machine is so busy that some arrive when others are done.
    let carried_out = log.matches("reloaded").count();
    assert!((1..5).contains(&carried_out), "{log}");
    assert_eq!(cluster.status()["state"], "healthy");
}

#[test]
fn every_instance_is_found_after_a_supervisor_kill_during_a_takeover() {
    use std::os::unix::fs::PermissionsExt;

    let cluster = TestCluster::new();
    // Takes over when it may: a new process fetches the listeners from the supervisor.
    let slow = cluster.dir().join("haproxy");
    let may_begin = cluster.dir().join("may-begin");
    let script = format!(
        "#!/bin/sh\ncase \" $* \" in *' -sf '*)\nfor i in $(seq 600); do [ -e {} ] && break; sleep 0.1; done;;\nesac\nexec /usr/sbin/haproxy \"$@\"\n",
        may_begin.display()
    );
    fs::write(&slow, script).unwrap();
    fs::set_permissions(&slow, fs::Permissions::from_mode(0o755)).unwrap();
    let cluster = cluster
        .set(&format!("binaries.haproxy={}", slow.display()))
        .started();
    let (old, supervisor) = (cluster.balancer_pid(), cluster.supervisor_pid());
    let mut held = Client::connect(Ipv4Addr::new(127, 5, 1, 1), cluster.address(8000)).unwrap();
    held.node().unwrap();
    let mut reload = cluster.command(&["reload", "--set", "limits.per_ip.connections=90"]);
    let reload = thread::spawn(move || reload.output());
    let new = eventually("an instance that is about to take over", || {
        let record: Value =
            serde_json::from_slice(&fs::read(cluster.run_dir().join("state.json")).ok()?).ok()?;
        let children = record["children"].as_array()?;
        let successor = children.iter().find(|child| child["successor"] == true)?;
        u32::try_from(successor["process"]["pid"].as_u64()?).ok()
    });
    signal(supervisor, Signal::SIGKILL);
    eventually("the supervisor's end", || (!is_alive(supervisor)).then_some(()));
    assert!(reload.join().unwrap().is_ok());
    let mut start = cluster.command(&["start", "haproxy"]);
    let start = thread::spawn(move || start.output());
    eventually("the next supervisor", || {
        let log = fs::read_to_string(cluster.run_dir().join("logs/supervisor.log")).ok()?;
        log.contains(&format!("adopted child=\"haproxy\" pid={new}"))
            .then_some(())
    });
    fs::write(may_begin, "").unwrap();
    let started = start.join().unwrap().unwrap();
    assert!(started.status.success(), "{started:?}");
    assert_eq!(cluster.status()["balancer"]["pids"], json!([new, old]));
    assert!(held.call("ping", &json!({})).is_ok(), "what the old one holds");
    cluster.ok(&["stop", "--grace", "0"]);
    assert!(!is_alive(new) && !is_alive(old));
}
