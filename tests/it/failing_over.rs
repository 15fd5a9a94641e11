//! Nodes that die, hang, or are only slow.

use std::fs;
use std::net::Ipv4Addr;
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use clusterctl::api::{self, FailoverCause, Failovers};
use nix::sys::signal::Signal;
use serde_json::{Value, json};

use crate::harness::{
    Client, TestCluster, behind_each_balancer, behind_each_sticky_table, eventually, is_alive, kill_group,
    signal,
};

behind_each_balancer! {
    a_death_is_seen_at_once_and_no_new_connection_fails,
    an_order_lets_a_node_that_is_held_back_serve,
    the_only_node_serves_as_soon_as_it_is_back,
    a_hang_is_found_and_its_connections_are_cut,
    a_node_whose_http_hangs_is_down_although_its_tcp_answers,
    nodes_that_take_1300_and_2900_ms_are_never_cut,
    a_balancer_that_hangs_is_seen_killed_and_restarted,
}

behind_each_sticky_table! {
    clients_of_a_killed_node_move_before_it_gets_new_ones,
}

/// A cluster some of whose nodes run with more arguments: their names, and the arguments.
fn with_faults(balancer: &'static str, faults: &[(&str, &str)]) -> TestCluster {
    use std::os::unix::fs::PermissionsExt;

    let cluster = TestCluster::behind(balancer);
    let path = cluster.dir().join("node");
    let lines = faults
        .iter()
        .map(|(node, fault)| format!("[ \"$1\" = {node} ] && fault='{fault}'\n"));
    let faults = lines.collect::<Vec<_>>().concat();
    let text = format!(
        "#!/bin/sh\n{faults}exec {} node --name \"$1\" --tcp \"$2\" --http \"$3\" $fault\n",
        env!("CARGO_BIN_EXE_clusterctl")
    );
    fs::write(&path, text).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    let command = format!(
        "nodes.command=[{}, '{{name}}', '{{address}}:{{tcp_port}}', '{{address}}:{{http_port}}']",
        path.display()
    );
    cluster.set("nodes.runtime=command").set(&command)
}

fn client(cluster: &TestCluster, host: u8) -> (Client, String) {
    cluster.client_from(Ipv4Addr::new(127, 7, 0, host))
}

/// A client that connects again. HAProxy also closes connections that it is just moving from a node
/// that is marked down, so a client of that moment has to connect once more.
fn reconnected(cluster: &TestCluster, host: u8) -> (Client, String) {
    eventually("a served client", || {
        let source = Ipv4Addr::new(127, 7, 0, host);
        let mut client = Client::connect(source, cluster.address(8000)).unwrap();
        let node = client.node().ok()?;
        Some((client, node))
    })
}

fn supervisor_log(cluster: &TestCluster) -> String {
    fs::read_to_string(cluster.run_dir().join("logs/supervisor.log")).unwrap()
}

/// The last failover that was logged as complete.
fn failover(cluster: &TestCluster) -> String {
    eventually("a failover, logged with its times", || {
        let log = supervisor_log(cluster);
        let line = log
            .lines()
            .rev()
            .find(|line| line.contains("failover: ") && line.contains(" back="))?;
        Some(line.to_owned())
    })
}

/// The failovers that the supervisor reports.
fn failovers(cluster: &TestCluster) -> Failovers {
    let socket = cluster.run_dir().join("control.sock");
    let ask = async {
        api::Client::connect(&socket)
            .await
            .unwrap()
            .call(&api::GetFailovers)
            .await
            .unwrap()
    };
    tokio::runtime::Runtime::new().unwrap().block_on(ask)
}

fn a_death_is_seen_at_once_and_no_new_connection_fails(balancer: &'static str) {
    let began = Instant::now();
    // Long enough that its clients are on other nodes before it is back, also on a busy machine.
    let cluster = TestCluster::behind(balancer)
        .set("nodes.restart.backoff=2s..30s")
        .started();
    let mut held: Vec<(Client, String)> = (1..=40).map(|host| client(&cluster, host)).collect();
    kill(&cluster, "erlmcp1");
    // All clients reconnect at once, those that were sticky to the dead node included.
    let connect = match balancer {
        "haproxy" => reconnected,
        _ => client,
    };
    for host in 1..=40 {
        connect(&cluster, host);
    }
    for (client, node) in &mut held {
        assert_eq!(
            client.call("ping", &json!({})).is_ok(),
            node != "erlmcp1",
            "{node}"
        );
    }
    let logged = failover(&cluster);
    for part in ["died", "detected=", "cut=", "elsewhere=", "back="] {
        assert!(logged.contains(part), "{part}: {logged}");
    }
    // The API reports the same.
    let reported = failovers(&cluster);
    let [failover] = reported.failovers.as_slice() else {
        panic!("{reported:?}");
    };
    assert_eq!(
        (failover.node.as_str(), failover.cause),
        ("erlmcp1", FailoverCause::Died)
    );
    let stages = [failover.cut_ms, failover.elsewhere_ms, failover.back_ms].map(Option::unwrap);
    assert!(
        stages.is_sorted() && failover.detected_ms <= stages[0],
        "{failover:?}"
    );
    let age = SystemTime::now()
        .duration_since(UNIX_EPOCH + Duration::from_micros(failover.began_unix_us))
        .unwrap();
    assert!(
        began.elapsed() > age && age.as_secs_f64() * 1e3 > stages[2],
        "{age:?}"
    );
}

/// Kills the node with SIGKILL, and waits until nothing listens on its ports.
fn kill(cluster: &TestCluster, node: &str) {
    let pid = cluster.node_pid(node);
    signal(pid, Signal::SIGKILL);
    // Its first thread may end before the others, which hold the listeners.
    eventually("its last thread's end", || {
        (!std::path::Path::new(&format!("/proc/{pid}")).exists()).then_some(())
    });
}

fn is_held_back(node: &Value) -> bool {
    let reason = node["reason"].as_str().unwrap_or_default();
    node["state"] == "held-back"
        && reason.starts_with("held back for ")
        && reason.ends_with(" s: its former clients find another node first")
}

fn clients_of_a_killed_node_move_before_it_gets_new_ones(balancer: &'static str) {
    let cluster = TestCluster::behind(balancer).started();
    let (mut former, mut others): (Vec<_>, Vec<_>) = (1..=200)
        .map(|host| (host, client(&cluster, host)))
        .partition(|(_, (_, node))| node == "erlmcp1");
    assert_eq!(former.len(), 50);
    kill(&cluster, "erlmcp1");
    let mut unknown = (0..=u16::MAX).map(|number| {
        let [high, low] = number.to_be_bytes();
        cluster.client_from(Ipv4Addr::new(127, 8, high, low))
    });
    let mut was_held = false;
    eventually("it to get clients again", || {
        let before: Vec<String> = former.iter().map(|(_, (_, node))| node.clone()).collect();
        // They reconnect repeatedly, and are sticky to the node that served them first.
        for (host, held) in &mut former {
            *held = reconnected(&cluster, *host);
        }
        let newcomers: Vec<String> = unknown.by_ref().take(4).map(|(_, node)| node).collect();
        let status = cluster.status();
        let node = status["nodes"][0].clone();
        if node["state"] == "up" {
            return Some(());
        }
        assert!(!newcomers.contains(&"erlmcp1".to_owned()));
        for ((_, (_, node)), before) in former.iter().zip(before) {
            assert_ne!(node, "erlmcp1");
            assert!(*node == before || before == "erlmcp1", "{node} after {before}");
        }
        if is_held_back(&node) {
            was_held = true;
            assert_eq!(status["state"], "degraded");
        }
        None
    });
    assert!(was_held);
    for (_, (client, node)) in &mut others {
        assert!(client.call("ping", &json!({})).is_ok(), "{node} was cut");
    }
    // Former clients stay where they are, and new clients get the node.
    for (host, (_, node)) in &former {
        assert_ne!(node, "erlmcp1");
        assert_eq!(client(&cluster, *host).1, *node);
    }
    eventually("a new client on it", || {
        (unknown.next()?.1 == "erlmcp1").then_some(())
    });
    let log = supervisor_log(&cluster);
    assert_eq!(log.matches("held back: ").count(), 1);
    assert_eq!(log.matches("gets clients again").count(), 1);
}

fn an_order_lets_a_node_that_is_held_back_serve(balancer: &'static str) {
    let cluster = TestCluster::behind(balancer).started();
    kill(&cluster, "erlmcp1");
    eventually("it to be held back", || {
        is_held_back(&cluster.node("erlmcp1")).then_some(())
    });
    cluster.ok(&["restart", "erlmcp1"]);
    assert_eq!(cluster.node("erlmcp1")["state"], "up");
    eventually("the balancer to be in sync", || {
        cluster.node("erlmcp1")["reason"].is_null().then_some(())
    });
    eventually("the balancer to get the state", || {
        cluster.balancer_state("erlmcp1").starts_with("UP").then_some(())
    });
}

fn the_only_node_serves_as_soon_as_it_is_back(balancer: &'static str) {
    let cluster = TestCluster::behind(balancer).set("nodes.count=1").started();
    let (held, _) = client(&cluster, 1);
    kill(&cluster, "erlmcp1");
    drop(held);
    eventually("it to serve", || {
        let mut client = Client::connect(Ipv4Addr::new(127, 7, 0, 1), cluster.address(8000)).ok()?;
        client.node().ok()
    });
    assert!(!supervisor_log(&cluster).contains("held back"));
}

fn a_hang_is_found_and_its_connections_are_cut(balancer: &'static str) {
    let cluster = TestCluster::behind(balancer)
        .set("nodes.restart.hung_after=4s")
        .started();
    let mut held: Vec<(Client, String)> = (1..=24).map(|host| client(&cluster, host)).collect();
    assert!(held.iter().any(|(_, node)| node == "erlmcp2"));
    let pid = cluster.node_pid("erlmcp2");
    signal(pid, Signal::SIGSTOP);
    for (client, node) in &mut held {
        // A client of the hung node waits for its answer until it is cut off; all others are
        // served.
        assert_eq!(
            client.call("ping", &json!({})).is_ok(),
            node != "erlmcp2",
            "{node}"
        );
    }
    for host in 1..=24 {
        assert_ne!(client(&cluster, host).1, "erlmcp2");
    }
    // After hanging for so long, it is killed and restarted.
    eventually("the hung node's end", || (!is_alive(pid)).then_some(()));
    let node = eventually("the node to be back", || {
        Some(cluster.node("erlmcp2")).filter(|node| node["state"] == "up")
    });
    assert_eq!(node["restarts"], 1);
    assert!(failover(&cluster).contains("hung"));
}

fn a_node_whose_http_hangs_is_down_although_its_tcp_answers(balancer: &'static str) {
    let cluster = with_faults(balancer, &[("erlmcp4", "--mute http")]);
    let refused = cluster.run(&["start", balancer, "--timeout", "3s"]);
    assert_eq!(refused.code, 1, "a node that does not answer is not ready");
    assert!(refused.stderr.contains("erlmcp4"), "{}", refused.stderr);
}

/// Slow nodes are slow, reported, and never cut.
fn nodes_that_take_1300_and_2900_ms_are_never_cut(balancer: &'static str) {
    const SLOW: [&str; 2] = ["erlmcp3", "erlmcp4"];
    let faults = SLOW.into_iter().zip(["--delay 1300ms", "--delay 2900ms"]);
    let cluster = with_faults(balancer, &faults.collect::<Vec<_>>()).started();
    let mut held: Vec<(Client, String)> = at_once(1..=16, |host| client(&cluster, host));
    assert!(SLOW.iter().all(|slow| held.iter().any(|(_, node)| node == slow)));
    // A hang would be found within 8 s.
    let watched = Instant::now() + Duration::from_secs(12);
    while Instant::now() < watched {
        at_once(&mut held, |(client, node)| {
            assert!(client.call("ping", &json!({})).is_ok(), "{node} was cut");
        });
        for node in SLOW {
            assert_eq!(cluster.node(node)["state"], "up");
        }
    }
    assert!(!supervisor_log(&cluster).contains("failover"));
    let health: Value = serde_json::from_str(&cluster.run(&["health", "--json"]).stdout).unwrap();
    let alerts = health["alerts"].as_array().unwrap();
    for node in SLOW {
        if balancer != "nginx" {
            assert_eq!(cluster.stat("mcp_cluster_tcp", node, "chkdown"), "0");
        }
        let slow =
            |alert: &Value| alert["node"] == node && alert["message"].as_str().unwrap().contains("slow");
        assert!(alerts.iter().any(slow), "{alerts:?}");
    }
}

/// The result of `work` for each item, each in a thread of its own.
fn at_once<I: Send, T: Send>(items: impl IntoIterator<Item = I>, work: impl Fn(I) -> T + Sync) -> Vec<T> {
    thread::scope(|scope| {
        let threads: Vec<_> = items.into_iter().map(|item| scope.spawn(|| work(item))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    })
}

fn a_balancer_that_hangs_is_seen_killed_and_restarted(balancer: &'static str) {
    let cluster = TestCluster::behind(balancer)
        .set("nodes.restart.hung_after=3s")
        .started();
    let pid = cluster.balancer_pid();
    // With its workers, if it has any.
    kill_group(pid, Signal::SIGSTOP);
    eventually("the balancer to fail", || {
        (cluster.status()["balancer"]["state"] == "failed").then_some(())
    });
    let status = eventually("another balancer", || {
        Some(cluster.status())
            .filter(|status| status["balancer"]["state"] == "running" && status["balancer"]["pids"][0] != pid)
    });
    assert_eq!(
        (&status["balancer"]["restarts"], &status["state"]),
        (&json!(1), &json!("healthy"))
    );
    assert!(!is_alive(pid));
}
