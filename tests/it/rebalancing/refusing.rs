//! Rebalances that close nothing, and those that end early.

use std::net::Ipv4Addr;

use nix::sys::signal::Signal;
use serde_json::Value;

use super::fleet::{Fleet, Protocol};
use crate::harness::{TestCluster, behind_each_balancer, eventually, signal};

behind_each_balancer! {
    nothing_is_closed_when_the_nodes_cannot_become_even,
}

/// All clients have one address, which belongs to one node.
fn nothing_is_closed_when_the_nodes_cannot_become_even(balancer: &'static str) {
    let cluster = TestCluster::behind(balancer).started();
    let one = |_| Ipv4Addr::new(127, 9, 0, 1);
    // Two connections at once might be assigned before either is in the table.
    let _first = cluster.client_from(one(0));
    let fleet = Fleet::connected(cluster.address(8000), Protocol::Tcp, 20, one);
    let ran = cluster.run(&["rebalance", "--over", "1s"]);
    assert_eq!(ran.code, 1, "{ran:?}");
    let why = match balancer {
        "nginx" => "computes the node of a client from its address",
        _ => "one address has 21 of the 21 connections",
    };
    assert!(
        ran.stderr
            .contains("nothing is closed, because the nodes cannot become even"),
        "{ran:?}"
    );
    assert!(ran.stderr.contains(why), "{ran:?}");
    // All connections are at one of four nodes.
    let hint = "`clusterctl rebalance --to 410%` accepts a larger difference";
    assert!(ran.stderr.contains(hint), "{ran:?}");
    assert_eq!(fleet.seen().ends, []);
    assert_eq!(cluster.run(&["rebalance", "--to", "410%"]).code, 0);
}

#[test]
fn bad_input_is_refused() {
    let cluster = TestCluster::behind("builtin");
    for (args, why) in [
        (&["--over", "0s"][..], "1s is the shortest"),
        (&["--over", "soon"], "soon"),
        (&["--to=-3%"], "-3%"),
        (&["--to", "even"], "even"),
        (&["erlmcp1"], "erlmcp1"),
    ] {
        let ran = cluster.run(&[&["rebalance"], args].concat());
        assert_eq!(ran.code, 2, "{args:?}: {ran:?}");
        assert!(ran.stderr.contains(why), "{args:?}: {ran:?}");
    }
    let not_running = cluster.run(&["rebalance"]);
    assert_eq!(not_running.code, 1, "{not_running:?}");
}

#[test]
fn a_second_order_and_a_stop_and_a_dead_supervisor() {
    let cluster = TestCluster::behind("builtin").started();
    let fleet = cluster.held_by(60);
    cluster.lose_for_a_while("erlmcp2", &fleet);
    let begin = || {
        let child = cluster.beside(&["rebalance", "--over", "60s"]).spawn().unwrap();
        let log = cluster.run_dir().join("logs/supervisor.log");
        eventually("a rebalance", || {
            let text = std::fs::read_to_string(&log).ok()?;
            text.contains(&format!("(pid {})", child.id())).then_some(())
        });
        child
    };
    let mut first = begin();
    let second = cluster.run(&["rebalance"]);
    assert_eq!(second.code, 1, "{second:?}");
    let by = format!("(pid {}) runs since 20", first.id());
    assert!(second.stderr.contains(&by), "{second:?}");

    // Nothing is saved: the next supervisor closes no connection.
    cluster.kill_supervisor();
    assert_eq!(first.wait().unwrap().code(), Some(2));
    cluster.start(&[]);
    fleet.wait_until_connected();
    fleet.forget_ends();

    let stopped = begin();
    cluster.ok(&["stop", "--grace", "0"]);
    let output = stopped.wait_with_output().unwrap();
    assert_ne!(output.status.code(), Some(0));
}

#[test]
fn it_plans_again_when_a_node_goes() {
    let cluster = TestCluster::behind("builtin").started();
    let fleet = cluster.held_by(60);
    cluster.lose_for_a_while("erlmcp2", &fleet);
    let rebalance = cluster
        .beside(&["rebalance", "--over", "4s", "--to", "15%", "--json"])
        .spawn()
        .unwrap();
    eventually("the first closes", || {
        (!fleet.seen().ends.is_empty()).then_some(())
    });
    signal(cluster.node_pid("erlmcp4"), Signal::SIGKILL);
    let output = rebalance.wait_with_output().unwrap();
    let replied: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(replied["ended"]["result"], "even", "{replied}");
}
