//! Commands that overlap: at the same time, interrupted, or after one that has not finished.

use std::fs;
use std::net::Ipv4Addr;

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

/// A cluster whose nodes start slowly, so that something can happen before they serve.
fn starting_slowly(balancer: &'static str) -> TestCluster {
    let node = "sleep 2\nexec $BIN node --name \"$1\" --tcp \"127.0.0.1:$2\" --http \"127.0.0.1:$3\"";
    TestCluster::behind(balancer).scripted(node)
}

fn a_stop_during_a_start_ends_both(balancer: &'static str) {
    let cluster = starting_slowly(balancer);
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
    let cluster = starting_slowly(balancer);
    let start = cluster.beside(&["start", balancer]).spawn().unwrap();
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
