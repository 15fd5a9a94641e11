//! Connections of WebSocket, which are closed with `--streams` only.

use super::fleet::{Fleet, Protocol};
use super::own_address;
use crate::harness::{TestCluster, behind_each_sticky_table};

behind_each_sticky_table! {
    streams_are_spared_without_a_flag,
}

fn streams_are_spared_without_a_flag(balancer: &'static str) {
    let cluster = TestCluster::behind(balancer).started();
    let target = cluster.address(8001);
    let fleet = Fleet::connected(target, Protocol::WebSocket, 24, own_address);
    cluster.lose_for_a_while("erlmcp2", &fleet);
    let ran = cluster.run(&["rebalance", "--over", "1s", "--to", "20%"]);
    assert_eq!(ran.code, 1, "{ran:?}");
    let why = "24 WebSockets are spared: `--streams` closes them, too";
    assert!(ran.stderr.contains(why), "{ran:?}");
    assert_eq!(fleet.seen().ends, []);

    let replied = cluster.rebalanced(&["--over", "1s", "--to", "20%", "--streams"], 0);
    assert_eq!(replied["ended"]["result"], "even", "{replied}");
    fleet.wait_until_connected();
    assert!(!fleet.seen().ends.is_empty());
}
