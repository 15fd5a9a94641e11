//! Ctrl-C, at any moment.

use std::time::Duration;

use nix::sys::signal::Signal;
use serde_json::Value;

use super::target::{Behaviour, Target};
use super::{Ended, at, established, held, of};
use crate::harness::{TestCluster, behind_each_balancer, eventually, is_alive};

/// The documentation gives two seconds; this test does not fail a busy machine that needs longer.
const END_TIMEOUT: Duration = Duration::from_secs(30);

behind_each_balancer! {
    an_interrupt_in_mid_ramp_prints_a_partial_report,
    an_interrupt_in_mid_hold_prints_a_partial_report,
}

fn report_so_far(ended: &Ended) -> Value {
    assert!(ended.took < END_TIMEOUT, "{ended}");
    let results = ended.results(1);
    assert_eq!(results["outcome"], "interrupted", "{ended}");
    results
}

#[test]
fn an_interrupt_before_the_ramp_prints_no_report() {
    let target = Target::that(Behaviour::Silent);
    let test = at(target.address, "10 1 --timeout 60s");
    eventually("the first client", || (target.accepted() > 0).then_some(()));
    let ended = test.interrupted();
    assert!(ended.took < END_TIMEOUT, "{ended}");
    assert_eq!(
        (ended.code, ended.stdout.as_str(), ended.stderr.as_str()),
        (130, "", "error: interrupted\n")
    );
}

fn an_interrupt_in_mid_ramp_prints_a_partial_report(balancer: &'static str) {
    let cluster = TestCluster::behind(balancer).started();
    let test = of(&cluster, "1000 5 --rate 50 --json");
    eventually("some connections", || {
        (established(cluster.address(8000)) > 20).then_some(())
    });
    let ended = test.interrupted();
    let results = report_so_far(&ended);
    let connected = results["ramp"]["connected"].as_u64().unwrap();
    // The kernel counts connections whose clients are not served yet.
    assert!((1..1_000).contains(&connected), "{ended}");
    eventually("no connection", || {
        (established(cluster.address(8000)) == 0).then_some(())
    });
}

fn an_interrupt_in_mid_hold_prints_a_partial_report(balancer: &'static str) {
    let cluster = TestCluster::behind(balancer).started();
    let dir = tempfile::tempdir().unwrap();
    let report = dir.path().join("report.html");
    let test = of(&cluster, &format!("500 60 --json --report {}", report.display()));
    held(cluster.address(8000), 500);
    let ended = test.interrupted();
    let results = report_so_far(&ended);
    // The kernel counts all connections before the last clients are served: on a busy machine long
    // before.
    let served = results["held"].as_u64().unwrap();
    assert!((1..=500).contains(&served), "{ended}");
    assert_eq!(results["counts"]["others"], 0, "{ended}");
    assert_eq!(results["errors"], Value::Array(Vec::new()), "{ended}");
    assert!(report.exists(), "{ended}");
    eventually("no connection", || {
        (established(cluster.address(8000)) == 0).then_some(())
    });
}

#[test]
fn an_interrupt_ends_the_hold_of_a_silent_target() {
    let target = Target::that(Behaviour::Serves);
    let test = at(target.address, "60 60 --json --timeout 60s");
    eventually("all connections", || (target.accepted() > 60).then_some(()));
    held(target.address, 60);
    target.turn(Behaviour::Silent);
    report_so_far(&test.interrupted());
    eventually("no connection", || {
        (established(target.address) == 0).then_some(())
    });
}

#[test]
fn a_stopped_node_is_continued_after_an_interrupt() {
    let cluster = TestCluster::behind("builtin").started();
    let pid = cluster.node_pid("erlmcp2");
    let is_stopped = || {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        stat.contains(") T ")
    };
    let test = of(&cluster, "400 9 --failover erlmcp2 --failover-mode stop --json");
    eventually("the node to be stopped", || is_stopped().then_some(()));
    // The signal that a closed terminal sends.
    let ended = test.signalled(Signal::SIGHUP);
    let results = report_so_far(&ended);
    assert_eq!(results["failover"]["node"], "erlmcp2", "{ended}");
    assert!(!is_stopped() && is_alive(pid));
    eventually("the node to be up", || {
        (cluster.node("erlmcp2")["state"] == "up").then_some(())
    });
    assert_eq!(cluster.node_pid("erlmcp2"), pid);
}
