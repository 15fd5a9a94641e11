//! Each of the six switches among the three balancers, under clients that check them.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;

use serde_json::json;

use super::{expect_refused, expect_served, expect_whole, pids};
use crate::checking_clients::{FaultKind, Load};
use crate::harness::{Client, TestCluster, eventually, is_alive};

#[test]
fn builtin_to_haproxy_and_back() {
    there_and_back("builtin", "haproxy");
}

#[test]
fn haproxy_to_nginx_and_back() {
    there_and_back("haproxy", "nginx");
}

#[test]
fn nginx_to_builtin_and_back() {
    there_and_back("nginx", "builtin");
}

/// Two switches with a reload in between, while a node is drained.
fn there_and_back(first: &'static str, other: &'static str) {
    let cluster = TestCluster::switchable(first).started();
    cluster.ok(&["drain", "erlmcp1"]);
    let clients = cluster.checked_by(Load::new(100, 200));
    clients.go_on(2);
    let mut seen = BTreeSet::from_iter(cluster.balancer_pids());

    for to in [other, first] {
        cluster.ok(&["switch", to]);
        let status = cluster.status();
        let balancer = &status["balancer"];
        assert_eq!(
            (&balancer["kind"], &balancer["state"]),
            (&json!(to), &json!("running"))
        );
        assert_eq!(balancer["switching_to"], json!(null));
        assert!(!balancer["version"].as_str().unwrap().is_empty(), "{balancer}");
        // Held connections stay where they were opened.
        let former = balancer["former"]
            .as_array()
            .unwrap_or_else(|| panic!("{balancer}"));
        assert!(former.iter().any(|one| one["kind"] == first), "{balancer}");
        seen.extend(pids(&balancer["pids"]));
        clients.go_on(3);
        assert_eq!(cluster.status()["state"], "healthy");
        assert_eq!(cluster.node("erlmcp1")["state"], "drained");
        if to == other {
            cluster.ok(&["reload", "--set", "timeouts.client=4m"]);
            clients.go_on(3);
        }
    }
    let drained = clients.report();
    assert_eq!(drained.served.get("erlmcp1"), None, "{drained}");
    cluster.ok(&["ready", "erlmcp1"]);
    eventually("new clients of the node that is ready", || {
        clients.report().served.contains_key("erlmcp1").then_some(())
    });

    expect_whole(&clients.stop());
    eventually("the end of the former balancers", || {
        let status = cluster.status();
        let now = pids(&status["balancer"]["pids"]);
        let gone = seen.iter().all(|pid| now.contains(pid) || !is_alive(*pid));
        (gone && status["balancer"]["former"].is_null()).then_some(())
    });
}

#[test]
fn what_is_left_at_the_deadline_is_closed() {
    for (first, other) in [("builtin", "nginx"), ("haproxy", "builtin"), ("nginx", "haproxy")] {
        let cluster = TestCluster::switchable(first).started();
        let mut held = Client::connect(Ipv4Addr::new(127, 9, 0, 1), cluster.address(8000)).unwrap();
        held.node().unwrap();
        cluster.ok(&["switch", other, "--deadline", "1s"]);
        assert!(
            held.call("ping", &json!({})).is_ok(),
            "{first}: cut before the deadline"
        );
        eventually("the end of the former balancer", || {
            let status = cluster.status();
            assert_eq!(status["balancer"]["kind"], other);
            status["balancer"]["former"].is_null().then_some(())
        });
        assert!(held.call("ping", &json!({})).is_err(), "{first}: still served");
        let mut again = Client::connect(Ipv4Addr::new(127, 9, 0, 1), cluster.address(8000)).unwrap();
        again.node().unwrap();
    }
}

#[test]
fn a_failover_and_an_adoption_go_on_as_before_after_a_switch() {
    let cluster = TestCluster::switchable("builtin").started();
    cluster.ok(&["switch", "nginx"]);
    // The former one is also listed until it has ended.
    let pid = cluster.balancer_pid();
    let clients = cluster.checked_by(Load::new(100, 100));
    clients.go_on(1);
    cluster.kill_supervisor();
    clients.go_on(2);
    let started = cluster.run(&["start"]);
    assert_eq!(started.code, 0, "{}{}", started.stdout, started.stderr);
    assert_eq!((cluster.kind().as_str(), cluster.balancer_pid()), ("nginx", pid));
    cluster.ok(&["switch", "haproxy"]);
    clients.go_on(2);
    expect_served(&clients.report());
    cluster.ok(&["restart", "erlmcp2"]);
    eventually("all nodes", || {
        (cluster.status()["state"] == "healthy").then_some(())
    });
    clients.go_on(1);
    // The node may have accepted a connection that it did not serve any more.
    let refused = clients.report().count(FaultKind::Refused);
    assert!(refused <= 2, "{}", clients.report());
    cluster.ok(&["switch", "builtin"]);
    // Clients of the restarted node have lost their connections, and come back.
    clients.go_on(3);
    expect_refused(&clients.stop(), refused);
}
