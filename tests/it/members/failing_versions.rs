//! Versions of a server that fail, each in another way: the rollout ends by itself, and the former
//! version serves.

use super::{command_line, expect_answered, version};
use crate::checking_clients::{FaultKind, Report};
use crate::harness::TestCluster;

#[test]
fn a_version_that_ends_at_once_is_taken_back() {
    let report = deploy("builtin", "exits");
    expect_answered(&report);
}

#[test]
fn a_version_that_does_not_answer_is_taken_back() {
    let report = deploy("haproxy", "hangs");
    expect_answered(&report);
}

#[test]
fn a_version_that_answers_500_is_taken_back() {
    let report = deploy("nginx", "fails");
    assert_eq!(report.count(FaultKind::Refused), 0, "{report}");
    assert_eq!(report.count(FaultKind::TimedOut), 0, "{report}");
}

#[test]
fn a_slow_version_is_taken_back() {
    let report = deploy("builtin", "slow");
    expect_answered(&report);
}

// Private

/// Deploys a version that fails, under clients. Returns what they have seen.
fn deploy(balancer: &'static str, behaviour: &str) -> Report {
    let cluster = TestCluster::of_versions(balancer)
        .set("rollout={canary: 1, batch: 1, hold: 4s, max_errors: 1%, max_p99: 300ms}");
    cluster.start(&["--timeout", "12s"]);
    let names = ["erlmcp1", "erlmcp2"];
    let clients = cluster.with_checking_clients();

    let set = version(behaviour);
    let ran = cluster.run(&["reload", "--yes", "--deadline", "1s", "--set", &set]);
    assert_ne!(ran.code, 0, "{behaviour}: {}{}", ran.stdout, ran.stderr);
    cluster.await_nodes(&names);
    for name in names {
        let line = command_line(&cluster.node(name)["pid"]);
        assert!(!line.contains("server.py"), "{behaviour}: {name} runs {line}");
    }
    clients.go_on(2);
    clients.stop()
}
