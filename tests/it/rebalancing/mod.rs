//! `rebalance`: a node that came back gets its share of the connections.

mod fleet;
mod refusing;
mod sparing;

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use nix::sys::signal::Signal;
use serde_json::Value;

use self::fleet::{Fleet, Protocol};
use crate::harness::{TestCluster, behind_each_balancer, behind_each_sticky_table, eventually, signal};

behind_each_balancer! {
    a_node_that_came_back_gets_its_share,
    clients_by_turns_become_even,
    clients_by_load_become_even,
    those_that_were_idle_longest_are_closed,
}

behind_each_sticky_table! {
    a_moved_client_keeps_its_new_node,
}

impl TestCluster {
    /// Clients over TCP, each from its own address.
    fn held_by(&self, count: usize) -> Fleet {
        Fleet::connected(self.address(8000), Protocol::Tcp, count, own_address)
    }

    /// Kills a node, and waits until it takes clients again while all of `fleet` are elsewhere.
    fn lose_for_a_while(&self, node: &str, fleet: &Fleet) {
        let killed = self.node_pid(node);
        signal(killed, Signal::SIGKILL);
        eventually("another process of the node", || {
            let now = self.node(node);
            (now["state"] == "up" && now["pid"] != killed).then_some(())
        });
        eventually("the node at the balancer", || {
            (self.balancer_state(node) == "UP").then_some(())
        });
        fleet.wait_until_connected();
        fleet.forget_ends();
    }

    /// A rebalance that ends with this exit code; its JSON.
    fn rebalanced(&self, args: &[&str], code: i32) -> Value {
        let ran = self.run(&[&["rebalance", "--json"], args].concat());
        assert_eq!(ran.code, code, "{ran:?}");
        serde_json::from_str(&ran.stdout).unwrap()
    }
}

fn own_address(number: usize) -> Ipv4Addr {
    let [.., high, low] = u32::try_from(number + 1).unwrap().to_be_bytes();
    Ipv4Addr::new(127, 9, high, low)
}

/// nginx computes nodes from addresses, which are distributed by chance.
fn tolerance(balancer: &str) -> &'static str {
    if balancer == "nginx" { "70%" } else { "10%" }
}

/// Checks what a rebalance has reported, and what the clients have seen.
fn expect_even(replied: &Value, fleet: &Fleet) {
    let (plan, ended) = (&replied["plan"], &replied["ended"]);
    assert_eq!(
        (&plan["begun"], &ended["result"]),
        (&true.into(), &"even".into()),
        "{replied}"
    );
    let number = |value: &Value| value.as_u64().unwrap_or_else(|| panic!("{replied}"));
    let per_second = number(&plan["per_second"]);
    assert!(number(&ended["most_in_a_second"]) <= per_second, "{replied}");
    fleet.wait_until_connected();
    let seen = fleet.seen();
    assert_eq!(seen.ends.len() as u64, number(&ended["closed"]), "{replied}");
    // A busy machine delays what clients see, and so may move two seconds together.
    assert!(seen.most_in_a_second() as u64 <= 2 * per_second, "{replied}");
}

fn counts(fleet: &Fleet) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for node in fleet.seen().nodes.into_values() {
        *counts.entry(node).or_default() += 1;
    }
    counts
}

fn a_node_that_came_back_gets_its_share(balancer: &'static str) {
    let cluster = TestCluster::behind(balancer).started();
    let fleet = cluster.held_by(200);
    cluster.lose_for_a_while("erlmcp2", &fleet);
    let to = tolerance(balancer);

    let planned = cluster.rebalanced(&["--dry-run", "--to", to], 0);
    assert!(planned["plan"]["closes"].as_u64().unwrap() > 0, "{planned}");
    assert_eq!(
        (&planned["plan"]["begun"], &planned["ended"]),
        (&false.into(), &Value::Null)
    );
    assert_eq!(fleet.seen().ends, []);

    let replied = cluster.rebalanced(&["--over", "3s", "--to", to], 0);
    expect_even(&replied, &fleet);
    assert!(counts(&fleet)["erlmcp2"] >= 20, "{replied}");

    let again = cluster.run(&["rebalance", "--to", to]);
    assert_eq!(again.code, 0, "{again:?}");
    assert!(again.stderr.contains("the nodes are even"), "{again:?}");
}

fn clients_by_turns_become_even(balancer: &'static str) {
    let cluster = TestCluster::behind(balancer)
        .set("routing.tcp.sticky=none")
        .set("routing.tcp.algorithm=roundrobin")
        .started();
    let fleet = cluster.held_by(60);
    cluster.lose_for_a_while("erlmcp3", &fleet);
    let replied = cluster.rebalanced(&["--over", "2s", "--to", "40%"], 0);
    expect_even(&replied, &fleet);
}

fn clients_by_load_become_even(balancer: &'static str) {
    let cluster = TestCluster::behind(balancer)
        .set("routing.tcp.sticky=none")
        .set("routing.tcp.algorithm=leastconn")
        .started();
    let fleet = cluster.held_by(60);
    cluster.lose_for_a_while("erlmcp3", &fleet);
    let replied = cluster.rebalanced(&["--over", "1s", "--to", "15%"], 0);
    expect_even(&replied, &fleet);
}

fn those_that_were_idle_longest_are_closed(balancer: &'static str) {
    let cluster = TestCluster::behind(balancer)
        .set("routing.tcp.sticky=none")
        .set("routing.tcp.algorithm=leastconn")
        .started();
    let fleet = cluster.held_by(80);
    cluster.lose_for_a_while("erlmcp1", &fleet);
    fleet.speak();
    let replied = cluster.rebalanced(&["--over", "1s", "--to", "60%"], 0);
    expect_even(&replied, &fleet);
    let closed: Vec<usize> = fleet.seen().ends.into_iter().map(|(number, _)| number).collect();
    let first = closed.iter().take(10);
    assert!(
        !closed.is_empty() && first.copied().all(|number| number % 2 == 1),
        "{closed:?}"
    );
}

fn a_moved_client_keeps_its_new_node(balancer: &'static str) {
    let cluster = TestCluster::behind(balancer).started();
    let fleet = cluster.held_by(40);
    cluster.lose_for_a_while("erlmcp2", &fleet);
    cluster.rebalanced(&["--over", "1s", "--to", "15%"], 0);
    fleet.wait_until_connected();
    let seen = fleet.seen();
    assert!(!seen.ends.is_empty());
    for (number, _) in &seen.ends {
        let (_client, node) = cluster.client_from(own_address(*number));
        assert_eq!(node, seen.nodes[number]);
    }
}

#[test]
fn all_processes_of_a_sharded_haproxy_take_part() {
    let cluster = TestCluster::sharded().started();
    let fleet = cluster.held_by(120);
    cluster.lose_for_a_while("erlmcp2", &fleet);
    let replied = cluster.rebalanced(&["--over", "2s", "--to", "15%"], 0);
    expect_even(&replied, &fleet);
}
