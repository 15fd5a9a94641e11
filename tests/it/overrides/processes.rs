//! Processes of the balancer that others have ended or suspended, and its configuration that they have
//! edited.

use std::fs;
use std::net::Ipv4Addr;

use nix::sys::signal::Signal;
use serde_json::json;

use super::{is_healthy, reason_when, state_of};
use crate::harness::{Client, TestCluster, behind_each_balancer, eventually, signal};

behind_each_balancer! {
    a_balancer_ended_by_others_is_replaced_and_keeps_its_connections,
}

fn a_balancer_ended_by_others_is_replaced_and_keeps_its_connections(balancer: &'static str) {
    let cluster = TestCluster::behind(balancer).started();
    let (mut held, _) = cluster.client(1);
    let pid = cluster.balancer_pid();
    signal(
        pid,
        if balancer == "nginx" {
            Signal::SIGQUIT
        } else {
            Signal::SIGUSR1
        },
    );
    eventually("another process to take its place", || {
        let pids = cluster.balancer_pids();
        (pids.len() == 2 && pids.contains(&pid)).then_some(())
    });
    eventually("a new client to be served", || {
        let mut client = Client::connect(Ipv4Addr::new(127, 9, 0, 1), cluster.address(8000)).ok()?;
        client.node().ok()
    });
    assert!(held.call("ping", &json!({})).is_ok());
    is_healthy(&cluster);
    drop(held);
    eventually("the old process to end", || {
        (!cluster.balancer_pids().contains(&pid)).then_some(())
    });
}

#[test]
fn an_edited_nginx_conf_is_shown_and_written_again_by_ready() {
    let cluster = TestCluster::behind("nginx").started();
    let path = cluster.run_dir().join("nginx.conf");
    let written = cluster.mark_down_in_nginx_conf("erlmcp3");
    let warning = |part: &str| {
        eventually(part, || {
            let shown = cluster.status()["balancer"]["overrides"][0].as_str()?.to_owned();
            shown.contains(part).then_some(())
        });
    };
    warning("does not run by it");
    assert_eq!(state_of(&cluster, "erlmcp3").0, "up");
    signal(cluster.balancer_pid(), Signal::SIGHUP);
    warning("runs by the edited file");
    let reason = reason_when(&cluster, "erlmcp3", "maintenance");
    assert!(
        reason.starts_with("taken out in the edited nginx.conf, in "),
        "{reason}"
    );
    assert_eq!(cluster.status()["state"], "degraded");
    let ready = cluster.run(&["ready", "erlmcp3"]);
    assert!(
        ready.code == 0 && ready.stderr.contains("took back: an edit of "),
        "{ready:?}"
    );
    assert_eq!(fs::read_to_string(&path).unwrap(), written);
    is_healthy(&cluster);
    cluster.mark_down_in_nginx_conf("erlmcp3");
    warning("does not run by it");
    cluster.ok(&["reload"]);
    assert_eq!(fs::read_to_string(&path).unwrap(), written);
    is_healthy(&cluster);
}

#[test]
fn suspended_nginx_processes_are_shown_with_the_effect() {
    let cluster = TestCluster::behind("nginx").started();
    let master = cluster.balancer_pids()[0];
    let workers = children(master);
    signal(workers[0], Signal::SIGSTOP);
    let warned = |words: &str| {
        eventually(words, || {
            let status = cluster.status();
            let warnings = status["warnings"].to_string();
            (status["state"] == "degraded" && warnings.contains(words)).then_some(())
        });
    };
    warned(&format!(
        "nginx: its worker process {} is suspended, and its clients wait",
        workers[0]
    ));
    signal(workers[0], Signal::SIGCONT);
    is_healthy(&cluster);

    signal(master, Signal::SIGSTOP);
    warned(&format!("nginx: its master process {master} is suspended"));
    let refused = cluster.run(&["drain", "erlmcp1"]);
    assert!(
        refused.stderr.contains("nginx did not accept the order"),
        "{}",
        refused.stderr
    );
    let reason = reason_when(&cluster, "erlmcp1", "draining");
    assert_eq!(
        reason,
        "drained by an order that nginx did not accept: it gets new connections"
    );
    warned("nginx: does not accept orders");
    signal(master, Signal::SIGCONT);
    reason_when(&cluster, "erlmcp1", "drained");
    is_healthy(&cluster);
}

/// The children of a process with one thread.
fn children(pid: u32) -> Vec<u32> {
    let path = format!("/proc/{pid}/task/{pid}/children");
    let children = fs::read_to_string(path).unwrap();
    children
        .split_whitespace()
        .map(|pid| pid.parse().unwrap())
        .collect()
}
