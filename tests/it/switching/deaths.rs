//! Processes that are killed during and after a switch.

use std::net::Ipv4Addr;
use std::time::Duration;

use nix::sys::signal::Signal;
use serde_json::json;

use super::refused::{begun, with_slow_haproxy};
use super::{expect_served, expect_whole};
use crate::checking_clients::Load;
use crate::harness::{Client, TestCluster, behind_each_balancer, eventually, is_alive, kill_group, signal};

behind_each_balancer! {
    connections_wait_while_a_dead_balancer_is_started_again,
}

/// They are in the queues of the listeners, which the supervisor keeps open.
fn connections_wait_while_a_dead_balancer_is_started_again(balancer: &'static str) {
    let cluster = TestCluster::switchable(balancer).started();
    let (pid, address) = (cluster.balancer_pid(), cluster.address(8000));
    // A stopped balancer accepts nothing, so that all of these wait.
    kill_group(pid, Signal::SIGSTOP);
    let waiting: Vec<_> = (1..=40)
        .map(|host| {
            std::thread::spawn(move || {
                let mut client = Client::connect(Ipv4Addr::new(127, 9, 1, host), address)?;
                client.node()
            })
        })
        .collect();
    eventually("connected clients", || {
        let table = std::fs::read_to_string("/proc/net/tcp").unwrap();
        let listener = format!("0100007F:{:04X}", address.port());
        let established = table.lines().filter(|line| {
            let fields: Vec<&str> = line.split_whitespace().collect();
            fields.get(1) == Some(&listener.as_str()) && fields.get(3) == Some(&"01")
        });
        (established.count() >= 40).then_some(())
    });
    kill_group(pid, Signal::SIGKILL);
    for client in waiting {
        let node = client.join().unwrap();
        assert!(node.is_ok(), "{balancer}: {node:?}");
    }
    // More clients while the next one starts, and dies again.
    let clients = cluster.checked_by(Load::new(50, 0));
    clients.go_on(1);
    let status = eventually("the balancer to be back", || {
        let status = cluster.status();
        (status["balancer"]["state"] == "running" && status["balancer"]["pids"][0] != pid).then_some(status)
    });
    assert_eq!(status["balancer"]["restarts"], json!(1));
    clients.go_on(2);
    expect_whole(&clients.stop());
}

#[test]
fn a_balancer_gets_its_listeners_although_the_socket_for_them_was_removed() {
    for (balancer, socket) in [
        ("haproxy", "haproxy-listen.sock"),
        ("builtin", "dataplane-listen.sock"),
    ] {
        let cluster = TestCluster::switchable(balancer).started();
        let pid = cluster.balancer_pid();
        std::fs::remove_file(cluster.run_dir().join(socket)).unwrap();
        kill_group(pid, Signal::SIGKILL);
        let mut client = Client::connect(Ipv4Addr::new(127, 9, 4, 1), cluster.address(8000)).unwrap();
        assert!(client.node().is_ok(), "{balancer}");
        let status = eventually("the balancer to be back", || {
            let status = cluster.status();
            (status["balancer"]["state"] == "running").then_some(status)
        });
        assert_eq!(status["balancer"]["restarts"], json!(1), "{balancer}");
    }
}

#[test]
fn a_balancer_that_is_killed_right_after_a_switch_is_started_again() {
    for (first, other) in [("nginx", "haproxy"), ("haproxy", "builtin"), ("builtin", "nginx")] {
        let cluster = TestCluster::switchable(first).started();
        let mut held = Client::connect(Ipv4Addr::new(127, 9, 2, 1), cluster.address(8000)).unwrap();
        held.node().unwrap();
        cluster.ok(&["switch", other]);
        let pid = cluster.balancer_pid();
        kill_group(pid, Signal::SIGKILL);
        signal(pid, Signal::SIGKILL);
        let mut late = Client::connect(Ipv4Addr::new(127, 9, 2, 2), cluster.address(8000)).unwrap();
        assert!(late.node().is_ok(), "{first} -> {other}");
        let status = eventually("the balancer to be back", || {
            let status = cluster.status();
            let back = status["balancer"]["state"] == "running" && status["balancer"]["pids"][0] != pid;
            back.then_some(status)
        });
        assert_eq!(status["balancer"]["kind"], other);
        assert!(
            held.call("ping", &json!({})).is_ok(),
            "the former {first} serves what it had"
        );
    }
}

/// The supervisor dies at moments all over a switch. The next one finishes it or undoes it, and no
/// client notices.
fn supervisor_killed_during(first: &'static str, other: &'static str) {
    let cluster = TestCluster::switchable(first).started();
    let clients = cluster.checked_by(Load::new(100, 100));
    clients.go_on(1);
    // Milliseconds into the command, in an order without a pattern.
    for moment in [420, 60, 250, 150, 700, 20, 330, 110] {
        let from = cluster.kind();
        let to = if from == first { other } else { first };
        let switch = cluster.beside(&["switch", to]).spawn().unwrap();
        // The moment is what varies here.
        std::thread::sleep(Duration::from_millis(moment));
        cluster.kill_supervisor();
        let output = switch.wait_with_output().unwrap();
        let started = cluster.run(&["start"]);
        let text = format!("{}{}", started.stdout, started.stderr);
        assert_eq!(started.code, 0, "after {moment} ms: {text}");
        eventually("a healthy cluster", || {
            let status = cluster.status();
            (status["state"] == "healthy" && status["balancer"]["state"] == "running").then_some(())
        });
        let now = cluster.kind();
        assert!(now == from || now == to, "{now}");
        if output.status.success() {
            assert_eq!(now, to, "the switch was reported as done: {text}");
        }
        let log = std::fs::read_to_string(cluster.run_dir().join("logs/supervisor.log")).unwrap();
        eprintln!("{from} -> {to}, killed after {moment} ms: {now}; {}", text.trim());
        assert!(!log.contains("panicked"), "{log}");
        clients.go_on(2);
    }
    expect_whole(&clients.stop());
}

#[test]
fn a_supervisor_killed_between_builtin_and_haproxy() {
    supervisor_killed_during("builtin", "haproxy");
}

#[test]
fn a_supervisor_killed_between_haproxy_and_nginx() {
    supervisor_killed_during("haproxy", "nginx");
}

#[test]
fn a_supervisor_killed_between_nginx_and_builtin() {
    supervisor_killed_during("nginx", "builtin");
}

#[test]
fn a_switch_that_was_not_finished_is_undone_or_finished_and_reported() {
    let cluster = with_slow_haproxy();
    let clients = cluster.checked_by(Load::new(50, 50));
    clients.go_on(1);
    let switch = begun(&cluster);
    cluster.kill_supervisor();
    let output = switch.wait_with_output().unwrap();
    // Not known: the supervisor is gone.
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    let started = cluster.run(&["start"]);
    let text = format!("{}{}", started.stdout, started.stderr);
    assert_eq!(started.code, 0, "{text}");
    let log = std::fs::read_to_string(cluster.run_dir().join("logs/supervisor.log")).unwrap();
    assert!(format!("{text}{log}").contains("switch"), "{text}{log}");
    eventually("a healthy cluster", || {
        (cluster.status()["state"] == "healthy").then_some(())
    });
    clients.go_on(3);
    expect_whole(&clients.stop());
}

#[test]
fn the_former_balancer_may_die_after_a_switch() {
    let cluster = TestCluster::switchable("haproxy").started();
    let former = cluster.balancer_pid();
    let mut held = Client::connect(Ipv4Addr::new(127, 9, 3, 1), cluster.address(8000)).unwrap();
    held.node().unwrap();
    cluster.ok(&["switch", "builtin"]);
    let clients = cluster.checked_by(Load::new(100, 40));
    clients.go_on(1);
    assert!(is_alive(former));
    signal(former, Signal::SIGKILL);
    eventually("a status without it", || {
        cluster.status()["balancer"]["former"].is_null().then_some(())
    });
    clients.go_on(2);
    let report = clients.stop();
    expect_whole(&report);
    expect_served(&report);
    let status = cluster.status();
    assert_eq!(
        (&status["balancer"]["restarts"], &status["state"]),
        (&json!(0), &json!("healthy"))
    );
}
