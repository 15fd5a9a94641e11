//! Connections that are not closed: those of WebSocket without `--streams`, and those of former
//! balancers.

use serde_json::Value;

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

#[test]
fn connections_of_a_former_balancer_count_and_stay() {
    let cluster = TestCluster::behind("haproxy")
        .set("limits.maxconn=9500")
        .started();
    let held_since = |connections, streams| {
        let target = cluster.address(8001);
        let streams = Fleet::connected(target, Protocol::WebSocket, streams, own_address);
        (cluster.held_by(connections), streams)
    };
    let mut fleets = vec![held_since(20, 16)];
    for (next, former, shown) in [("builtin", 20, 10 + 16), ("nginx", 30, 10)] {
        cluster.ok(&["switch", next]);
        fleets.push(held_since(10, 16));
        let ran = cluster.run(&["rebalance", "--json", "--dry-run", "--to", "300%"]);
        let plan = &serde_json::from_str::<Value>(&ran.stdout).unwrap()["plan"];
        let nodes = plan["nodes"].as_array().unwrap_or_else(|| panic!("{plan}"));
        let counts = nodes.iter().map(|node| node["connections"].as_u64().unwrap());
        assert_eq!(counts.sum::<u64>(), former + shown, "{plan}");
        let remarks = plan["notes"].to_string();
        let kept = format!("{former} TCP connections stay: a former balancer process has them");
        assert!(remarks.contains(&kept), "{plan}");
    }
}
