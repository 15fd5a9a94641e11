//! Command lines that are refused before a connection is opened.

use std::process::{Command, Stdio};

use super::target::{Behaviour, Target};
use super::{Running, at, established, of};
use crate::harness::TestCluster;

#[test]
fn a_test_without_a_running_cluster_is_refused() {
    let nowhere = tempfile::tempdir().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_clusterctl"));
    command
        .env("CLUSTERCTL_RUN_DIR", nowhere.path())
        .args(["load-test", "10", "1"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let ended = Running::begun(command, Some(nowhere)).ends();
    assert_eq!(
        ended.refusal(),
        "error: the cluster is not running\nhint: `clusterctl start` starts it; `--target HOST:PORT` tests another address\n"
    );
}

#[test]
fn zero_and_too_many_connections_are_refused() {
    let target = Target::that(Behaviour::Serves);
    let none = at(target.address, "0 1").ends();
    assert!(
        none.refusal().contains("'0'") || none.refusal().contains("`0`"),
        "{none}"
    );
    let many = at(target.address, "10000000 1").ends();
    assert!(many.refusal().contains("\nhint: "), "{many}");
    assert_eq!(target.accepted(), 0);

    let cluster = TestCluster::new().started();
    let many = of(&cluster, "10000000 1").ends();
    assert!(many.refusal().contains("\nhint: "), "{many}");
    assert_eq!(established(cluster.address(8000)), 0);
}

#[test]
fn an_unknown_node_to_fail_is_refused() {
    let cluster = TestCluster::behind("builtin").started();
    let ended = of(&cluster, "10 1 --failover erlmcp9").ends();
    assert!(
        ended
            .refusal()
            .starts_with("error: unknown node `erlmcp9`\nhint: did you mean `erlmcp"),
        "{ended}"
    );
    let ended = of(&cluster, "10 1 --failover-mode stop").ends();
    assert!(ended.refusal().contains("--failover"), "{ended}");
}

#[test]
fn a_revision_of_mcp_is_for_http_and_has_to_be_known() {
    let target = Target::that(Behaviour::Serves);
    for (options, message, hint) in [
        (
            "--mcp 2026-07-28",
            "cannot be used with clients of tcp",
            "`--protocol http --mcp 2026-07-28`",
        ),
        (
            "--mcp 2025-11-25 --protocol ws",
            "cannot be used with clients of ws",
            "`--protocol http",
        ),
        (
            "--mcp 2025-11-25 --protocol sse",
            "cannot be used with clients of sse",
            "`--protocol http",
        ),
        (
            "--mcp 2026-07-29 --protocol http",
            "invalid value `2026-07-29`",
            "did you mean `2026-07-28`?",
        ),
        ("--mcp new --protocol http", "invalid value `new`", ""),
    ] {
        let ended = at(target.address, &format!("10 1 {options}")).ends();
        let refusal = ended.refusal();
        assert!(
            refusal.contains(message) && refusal.contains(hint),
            "{options}: {refusal}"
        );
    }
    assert_eq!(target.accepted(), 0);

    let cluster = TestCluster::behind("haproxy").started();
    let line = "10 1 --protocol http --mcp 2026-07-28 --failover erlmcp1";
    let ended = of(&cluster, line).ends();
    assert!(
        ended
            .refusal()
            .contains("`--failover` needs clients with sessions"),
        "{ended}"
    );
}

#[test]
fn an_invalid_address_is_refused() {
    for target in ["nowhere.invalid:80", "127.0.0.1", "127.0.0.1:99999", ":80", "::1"] {
        let ended = at(target, "10 1 --timeout 2s").ends();
        let refusal = ended.refusal();
        assert!(
            refusal.contains(target) && refusal.contains("\nhint: "),
            "{target}: {refusal}"
        );
    }
}
