//! Alerts: one failure raises only the alerts that name its node, and they end with it. An order
//! raises none.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use nix::sys::signal::Signal;
use serde_json::Value;

use crate::harness::{TestCluster, behind_each_balancer, eventually, signal};

behind_each_balancer! {
    a_death_raises_one_alert_that_ends,
    a_hang_raises_one_alert_counts_as_latency_and_ends,
    an_order_raises_no_alert,
}

/// A cluster that holds nodes back for 2 s and accepts any latency. An empty node among full ones is
/// still uneven, but not the few clients that connect or leave while they are counted. nginx places
/// the few clients of a test by a hash of their addresses, so it accepts any unevenness.
fn cluster(balancer: &'static str) -> TestCluster {
    let cluster = TestCluster::behind(balancer)
        .set("health.interval=1s")
        .set("targets.p99=10s");
    match balancer {
        "nginx" => cluster.set("targets.variance=400%").set("targets.band=400%"),
        _ => cluster.set("targets.variance=50%").set("targets.band=50%"),
    }
}

/// The health; `None` while the supervisor starts or ends.
fn health(cluster: &TestCluster) -> Option<Value> {
    serde_json::from_str(&cluster.run(&["health", "--json"]).stdout).ok()
}

/// The alerts, each as kind and node.
fn alerts(health: &Value) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap_or("-").to_owned();
    let alerts = health["alerts"].as_array().unwrap().iter();
    alerts
        .map(|alert| (text(&alert["kind"]), text(&alert["node"])))
        .collect()
}

fn of(kind: &str, node: &str) -> Vec<(String, String)> {
    vec![(kind.to_owned(), node.to_owned())]
}

/// Sets the flag when it is dropped.
struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

fn a_death_raises_one_alert_that_ends(balancer: &'static str) {
    let cluster = cluster(balancer).started();
    let mut held = cluster.clients(240);
    assert_eq!(alerts(&health(&cluster).unwrap()), []);
    signal(cluster.node_pid("erlmcp2"), Signal::SIGKILL);
    eventually("an alert about the death", || {
        let alerts = alerts(&health(&cluster)?);
        assert!(
            alerts.is_empty() || alerts == of("node-died", "erlmcp2"),
            "{alerts:?}"
        );
        (!alerts.is_empty()).then_some(())
    });
    // Its clients move to the other nodes.
    for (host, held) in (1..=240).zip(&mut held) {
        if held.1 == "erlmcp2" {
            *held = cluster.client(host);
        }
    }
    let health = eventually("the end of the alert", || {
        let health = health(&cluster)?;
        let alerts = alerts(&health);
        assert!(
            alerts.is_empty() || alerts == of("node-died", "erlmcp2"),
            "{alerts:?}"
        );
        (alerts.is_empty() && health["nodes"][1]["state"] == "up").then_some(health)
    });
    // The node is empty while the others are full, which must not raise an alert.
    let node = &health["nodes"][1];
    assert_eq!(node["connections"], 0);
    // Behind nginx it has its share at the first count: the test accepts any share there.
    if balancer != "nginx" {
        assert!(node["filling_seconds"].is_u64(), "{node}");
        assert_eq!(health["distribution"]["verdict"], "fail");
    }
    // Another supervisor knows that, too.
    cluster.kill_supervisor();
    cluster.start(&[]);
    let health = eventually("all nodes to be up", || {
        let health = self::health(&cluster)?;
        (cluster.node("erlmcp2")["state"] == "up" && health["state"] == "healthy").then_some(health)
    });
    assert_eq!(alerts(&health), []);
    // Without clients, all nodes start alike.
    drop(held);
    eventually("it to be as full as the others", || {
        cluster.node("erlmcp2")["filling_seconds"].is_null().then_some(())
    });
}

fn a_hang_raises_one_alert_counts_as_latency_and_ends(balancer: &'static str) {
    let cluster = cluster(balancer).started();
    let pid = cluster.node_pid("erlmcp2");
    signal(pid, Signal::SIGSTOP);
    let health = eventually("an alert about the hang", || {
        let health = health(&cluster)?;
        let alerts = alerts(&health);
        assert!(
            alerts.is_empty() || alerts == of("node-hung", "erlmcp2"),
            "{alerts:?}"
        );
        (!alerts.is_empty()).then_some(health)
    });
    let slowest = health["latency"]["nodes"].as_array().unwrap().iter();
    let slowest = slowest.max_by(|a, b| {
        a["p99_ms"]
            .as_f64()
            .unwrap()
            .total_cmp(&b["p99_ms"].as_f64().unwrap())
    });
    let slowest = slowest.unwrap();
    assert!(
        slowest["name"] == "erlmcp2" && slowest["p99_ms"].as_f64().unwrap() > 2_500.0,
        "{slowest}"
    );
    signal(pid, Signal::SIGCONT);
    eventually("the end of the alert", || {
        let health = self::health(&cluster)?;
        let alerts = alerts(&health);
        assert!(
            alerts.is_empty() || alerts == of("node-hung", "erlmcp2"),
            "{alerts:?}"
        );
        (alerts.is_empty() && health["nodes"][1]["state"] == "up").then_some(())
    });
}

fn an_order_raises_no_alert(balancer: &'static str) {
    let cluster = cluster(balancer);
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        let watching = scope.spawn(|| {
            let mut seen = Vec::new();
            while !is_over.load(Ordering::Relaxed) {
                seen.extend(health(&cluster).iter().flat_map(alerts));
            }
            seen
        });
        // Set also when this fails: the scope waits for its threads.
        let over = Over(&is_over);
        cluster.start(&[]);
        let held = cluster.clients(240);
        cluster.ok(&["drain", "erlmcp1"]);
        eventually("it to be draining", || {
            (cluster.node("erlmcp1")["state"] == "draining").then_some(())
        });
        cluster.ok(&["ready", "erlmcp1"]);
        cluster.ok(&["restart", "erlmcp2"]);
        drop(held);
        cluster.ok(&["drain", "erlmcp3", "--wait", "--stop"]);
        eventually("it to be stopped", || {
            (cluster.node("erlmcp3")["state"] == "stopped").then_some(())
        });
        cluster.ok(&["ready", "erlmcp3"]);
        cluster.ok(&["reload"]);
        cluster.ok(&["stop"]);
        drop(over);
        assert_eq!(watching.join().unwrap(), []);
    });
}
