//! Commands that overlap: at the same time, interrupted, or after one that has not finished.

use std::fs;
use std::net::Ipv4Addr;
use std::os::unix::fs::PermissionsExt;

use nix::sys::signal::Signal;

use crate::harness::{Client, TestCluster, behind_each_balancer, eventually, is_alive, signal};

behind_each_balancer! {
    two_starts_at_once_both_find_the_cluster_running,
    a_stop_during_a_start_ends_both,
    an_interrupted_start_reports_that_the_cluster_goes_on_starting,
    stop_cleans_up_after_a_host_crash,
    stop_succeeds_although_the_supervisor_is_killed_meanwhile,
}

fn two_starts_at_once_both_find_the_cluster_running(balancer: &'static str) {
    let cluster = TestCluster::behind(balancer);
    let starts = [(); 3].map(|()| cluster.beside(&["start", balancer]).spawn().unwrap());
    for start in starts {
        let output = start.wait_with_output().unwrap();
        assert!(output.status.success(), "{output:?}");
    }
    assert_eq!(cluster.status()["state"], "healthy");
}

/// Stops what `start` starts, as soon as the run directory has a file called `sign`: both commands
/// must end as documented.
pub(crate) fn stopped_while_it_starts(cluster: &TestCluster, start: &[&str], sign: &str) {
    let start = cluster.beside(start).spawn().unwrap();
    eventually("a supervisor", || {
        cluster.run_dir().join(sign).exists().then_some(())
    });
    cluster.ok(&["stop"]);
    let output = start.wait_with_output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert!(
        stderr.contains("error: the cluster was stopped before the start was done"),
        "{stderr}"
    );
}

fn a_stop_during_a_start_ends_both(balancer: &'static str) {
    let cluster = TestCluster::behind(balancer);
    stopped_while_it_starts(&cluster, &["start", balancer], "lock");
    let mut left: Vec<_> = fs::read_dir(cluster.run_dir())
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    left.sort();
    let mut expected = [cluster.config(), "logs"];
    expected.sort_unstable();
    assert_eq!(left, expected);
}

fn an_interrupted_start_reports_that_the_cluster_goes_on_starting(balancer: &'static str) {
    let cluster = TestCluster::behind(balancer);
    // The nodes start slowly, so that there is time to interrupt the start.
    let node = cluster.dir().join("node");
    let script = format!(
        "#!/bin/sh\nsleep 2\nexec {} node --name \"$1\" --tcp \"$2\" --http \"$3\"\n",
        env!("CARGO_BIN_EXE_clusterctl")
    );
    fs::write(&node, script).unwrap();
    fs::set_permissions(&node, fs::Permissions::from_mode(0o755)).unwrap();
    let command = format!(
        "nodes.command=[{}, '{{name}}', '{{address}}:{{tcp_port}}', '{{address}}:{{http_port}}']",
        node.display()
    );
    let args = [
        "start",
        balancer,
        "--set",
        "nodes.runtime=command",
        "--set",
        &command,
    ];
    let start = cluster.beside(&args).spawn().unwrap();
    eventually("a supervisor", || {
        cluster.run_dir().join("lock").exists().then_some(())
    });
    signal(start.id(), Signal::SIGINT);
    let output = start.wait_with_output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(130), "{stderr}");
    assert!(
        stderr.contains("error: interrupted, but the start continues\nhint: "),
        "{stderr}"
    );
    eventually("a healthy cluster", || {
        (cluster.status()["state"] == "healthy").then_some(())
    });
}

#[test]
fn stop_returns_when_the_supervisor_has_ended() {
    let cluster = TestCluster::new().started();
    let supervisor = cluster.supervisor_pid();
    cluster.ok(&["stop"]);
    assert!(!is_alive(supervisor));
    assert!(!cluster.run_dir().join("lock").exists());
}

fn stop_cleans_up_after_a_host_crash(balancer: &'static str) {
    let cluster = TestCluster::behind(balancer).started();
    cluster.kill_supervisor();
    for pid in cluster.processes() {
        signal(pid, Signal::SIGKILL);
    }
    eventually("their end", || cluster.processes().is_empty().then_some(()));
    assert_eq!(cluster.run(&["stop"]).stderr, "nothing is running\n");
    assert!(!cluster.run_dir().join("lock").exists());
    assert!(!cluster.run_dir().join("state.json").exists());
}

fn stop_succeeds_although_the_supervisor_is_killed_meanwhile(balancer: &'static str) {
    let cluster = TestCluster::behind(balancer).started();
    let supervisor = cluster.supervisor_pid();
    let mut client = Client::connect(Ipv4Addr::LOCALHOST, cluster.address(8000)).unwrap();
    client.node().unwrap();
    let stop = cluster.beside(&["stop", "--grace", "60s"]).spawn().unwrap();
    eventually("no new connections", || {
        std::net::TcpStream::connect(cluster.address(8000))
            .is_err()
            .then_some(())
    });
    let processes = cluster.processes();
    signal(supervisor, Signal::SIGKILL);
    drop(client);
    let output = stop.wait_with_output().unwrap();
    assert!(output.status.success(), "{output:?}");
    assert!(!processes.into_iter().any(is_alive));
    assert!(!cluster.run_dir().join("state.json").exists());
}
