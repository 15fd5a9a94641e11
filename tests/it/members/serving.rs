//! A rollout keeps one node serving wherever it can; the only node is replaced where that is agreed to.

use serde_json::Value;

use super::expect_answered;
use crate::harness::{Ran, TestCluster, behind_each_balancer, eventually};

behind_each_balancer! {
    the_only_node_is_replaced_only_with_agreement,
}

fn the_only_node_is_replaced_only_with_agreement(balancer: &'static str) {
    let cluster = TestCluster::behind(balancer).set("nodes.count=1").started();
    let pid = cluster.node_pid("erlmcp1");
    let planned = cluster.ok(&["restart", "--rolling", "--dry-run", "--json"]);
    let planned: Value = serde_json::from_str(&planned).unwrap();
    assert_eq!(planned["outage"], true, "{planned}");

    let ran = cluster.run(&["restart", "--rolling"]);
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(
        ran.stderr.contains(
            "error: `erlmcp1` is the only node that serves\n\
             hint: `--yes` replaces it nevertheless; new clients are refused meanwhile"
        ),
        "{}",
        ran.stderr
    );
    let rollout = cluster.status()["rollout"].clone();
    assert_eq!((cluster.node_pid("erlmcp1"), rollout), (pid, Value::Null));

    cluster.ok(&["restart", "--rolling", "--yes", "--deadline", "1s"]);
    assert_ne!(cluster.await_nodes(&["erlmcp1"]), [u64::from(pid)]);
    cluster.client(1);
}

#[test]
fn a_batch_of_all_nodes_leaves_one() {
    let cluster = TestCluster::of_versions("builtin").started();
    let clients = cluster.with_checking_clients();
    let ran = cluster.run(&[
        "restart",
        "--rolling",
        "--batch",
        "2",
        "--yes",
        "--deadline",
        "1s",
    ]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let about = "batches of 1 instead of 2: one node keeps serving";
    assert!(ran.stderr.contains(about), "{}", ran.stderr);
    cluster.await_nodes(&["erlmcp1", "erlmcp2"]);
    clients.go_on(2);
    expect_answered(&clients.stop());
}

/// Without clients, the balancer's figures show nothing about the first node.
#[test]
fn a_first_node_without_clients_is_judged_by_its_checks_and_that_is_shown() {
    let cluster = TestCluster::of_versions("builtin").set("rollout.hold=2s");
    cluster.start(&["--timeout", "10s"]);
    let mut command = cluster.command(&["reload", "--set", "nodes.environment.VERSION=2"]);
    let command = std::thread::spawn(move || command.output());
    eventually("a node that is judged without clients", || {
        let doing = cluster.status()["rollout"]["doing"].as_str()?.to_owned();
        (doing == "erlmcp1 is being judged: no requests yet").then_some(())
    });
    let done = Ran::from(command.join().unwrap().unwrap());
    let note = "the balancer counted no requests to erlmcp1: only its checks were judged";
    assert!(done.code == 0 && done.stderr.contains(note), "{done:?}");
    cluster.await_nodes(&["erlmcp1", "erlmcp2"]);
}

/// An operator drains the first node while it is judged: the second one has to stay then.
#[test]
fn a_node_is_kept_when_the_others_are_drained_meanwhile() {
    let cluster = TestCluster::of_versions("builtin").set("rollout.hold=2s");
    cluster.start(&["--timeout", "10s"]);
    let reload = ["reload", "--set", "nodes.environment.VERSION=2"];
    let mut command = cluster.command(&reload);
    let command = std::thread::spawn(move || command.output());
    eventually("a node that is being judged", || {
        let doing = cluster.status()["rollout"]["doing"].as_str()?.to_owned();
        doing.starts_with("erlmcp1 is being judged").then_some(())
    });
    cluster.ok(&["drain", "erlmcp1"]);
    let stopped = Ran::from(command.join().unwrap().unwrap());
    let why = "erlmcp1 does not serve: it is drained, and no other node would serve";
    assert!(stopped.code == 1 && stopped.stderr.contains(why), "{stopped:?}");
    assert_eq!(cluster.node("erlmcp2")["state"], "up");
    cluster.ok(&["ready", "erlmcp1"]);
    cluster.ok(&reload);
    cluster.await_nodes(&["erlmcp1", "erlmcp2"]);
}
