//! HAProxy as several processes, because one cannot have enough descriptors: everything works as
//! with one.

use std::collections::BTreeMap;
use std::fs;
use std::net::{Ipv4Addr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread;

use nix::sys::signal::Signal;
use serde_json::{Value, json};

use crate::harness::{Client, TestCluster, eventually, http_get, is_alive, signal};

/// The number of processes of [`TestCluster::sharded`].
const SHARDS: usize = 3;

/// A client that is connected and served.
struct Held {
    source: Ipv4Addr,
    client: Client,
    node: String,
}

impl Held {
    fn new(cluster: &TestCluster, source: Ipv4Addr) -> std::io::Result<Held> {
        let mut client = Client::connect(source, cluster.address(8000))?;
        let node = client.node()?;
        Ok(Held { source, client, node })
    }

    /// `count` clients, each from an address of its own.
    fn many(cluster: &TestCluster, count: u32) -> Vec<Held> {
        (0..count)
            .map(|number| Held::new(cluster, Ipv4Addr::from_bits(0x7f1e_0001 + number)).unwrap())
            .collect()
    }

    fn lives(&mut self) -> bool {
        self.client.call("ping", &json!({})).is_ok()
    }

    /// The same client, connected again as soon as it is served.
    fn again(&self, cluster: &TestCluster) -> Held {
        eventually("the client to be served again", || {
            Held::new(cluster, self.source).ok()
        })
    }
}

/// Clients that are still connected, and clients that were cut off.
fn parted(held: Vec<Held>) -> (Vec<Held>, Vec<Held>) {
    let (mut living, mut cut) = (Vec::new(), Vec::new());
    for mut one in held {
        if one.lives() {
            living.push(one);
        } else {
            cut.push(one);
        }
    }
    (living, cut)
}

fn healthy(cluster: &TestCluster) {
    eventually("all of it", || {
        (cluster.status()["state"] == "healthy" && cluster.balancer_pids().len() == SHARDS).then_some(())
    });
}

/// Connects all the while, each time from another address, and counts the clients that were not
/// served.
struct Load {
    stop: Arc<AtomicBool>,
    made: Arc<AtomicU32>,
    running: thread::JoinHandle<Vec<String>>,
}

impl Load {
    fn on(cluster: &TestCluster) -> Load {
        let (stop, made) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU32::new(0)));
        let (stopped, counted, target) = (stop.clone(), made.clone(), cluster.address(8000));
        let running = thread::spawn(move || {
            let mut refused = Vec::new();
            while !stopped.load(Ordering::Relaxed) {
                let number = counted.fetch_add(1, Ordering::Relaxed);
                let source = Ipv4Addr::from_bits(0x7f1f_0001 + number);
                if let Err(error) = Client::connect(source, target).and_then(|mut client| client.node()) {
                    refused.push(format!("{source}: {error}"));
                }
            }
            refused
        });
        Load { stop, made, running }
    }

    /// Waits until some more clients have been served.
    fn goes_on(&self) {
        let now = self.made.load(Ordering::Relaxed);
        eventually("more connections", || {
            (self.made.load(Ordering::Relaxed) > now + 50).then_some(())
        });
    }

    fn ends(self) -> Vec<String> {
        self.stop.store(true, Ordering::Relaxed);
        self.running.join().unwrap()
    }
}

#[test]
fn clients_are_even_and_counted_and_stick() {
    const CLIENTS: u32 = 240;
    let cluster = TestCluster::sharded().started();
    let status = cluster.status();
    let balancer = &status["balancer"];
    assert_eq!(
        (&status["state"], &balancer["state"]),
        (&json!("healthy"), &json!("running"))
    );
    assert_eq!(balancer["stats_sockets"].as_array().unwrap().len(), SHARDS);
    assert_eq!(cluster.balancer_pids().len(), SHARDS);

    let held = Held::many(&cluster, CLIENTS);
    // A check of one of the processes may be counted for a moment.
    let status = eventually("all of them, and no other clients", || {
        Some(cluster.status()).filter(|status| status["distribution"]["total"] == CLIENTS)
    });
    for node in status["nodes"].as_array().unwrap() {
        let count = node["connections"].as_u64().unwrap();
        // Round robin in each process: at most one more than another node for each process.
        assert!((56..=64).contains(&count), "{status}");
    }
    let shown: Value = serde_json::from_str(&cluster.ok(&["stats", "--json"])).unwrap();
    let rows = shown["rows"].as_array().unwrap();
    let sessions: BTreeMap<&str, u64> = rows
        .iter()
        .filter(|row| row["proxy"] == "mcp_cluster_tcp")
        .map(|row| (row["name"].as_str().unwrap(), row["sessions"].as_u64().unwrap()))
        .collect();
    assert_eq!(
        (sessions.len(), sessions["BACKEND"]),
        (5, u64::from(CLIENTS)),
        "{shown}"
    );
    eventually("the same by the kernel", || {
        (sessions["erlmcp2"] == cluster.connections("erlmcp2")).then_some(())
    });

    // One page covers all processes.
    let page = http_get(cluster.address(8404), "/stats;csv");
    let row = page
        .lines()
        .find(|line| line.starts_with("mcp_frontend_tcp,FRONTEND,"));
    assert_eq!(row.unwrap().split(',').nth(4), Some("240"), "{page}");
    assert!(http_get(cluster.address(8404), "/stats").contains("<h2>mcp_cluster_tcp</h2>"));
    let metrics = http_get(cluster.address(8404), "/metrics");
    let sample = "haproxy_frontend_current_sessions{proxy=\"mcp_frontend_tcp\"} 240";
    assert!(metrics.contains(sample), "{metrics}");
    assert!(http_get(cluster.address(8888), "/health").contains("200"));

    let homes: Vec<(Ipv4Addr, String)> = held.iter().map(|one| (one.source, one.node.clone())).collect();
    drop(held);
    for (source, node) in homes {
        assert_eq!(Held::new(&cluster, source).unwrap().node, node, "{source}");
    }
    // A load test counts the clients of all processes, too.
    let tested = cluster.run(&["load-test", "200", "1", "--json"]);
    let results: Value = serde_json::from_str(&tested.stdout).unwrap();
    assert_eq!(results["counts"]["balancer"]["total"], 200, "{}", tested.stderr);
}

#[test]
fn a_drain_reaches_every_process() {
    let cluster = TestCluster::sharded().started();
    let (away, mut others): (Vec<Held>, Vec<Held>) = Held::many(&cluster, 120)
        .into_iter()
        .partition(|one| one.node == "erlmcp2");
    assert!(away.len() > 20);
    let draining = cluster.beside(&["drain", "erlmcp2", "--wait"]).spawn().unwrap();
    eventually("the drain", || {
        (cluster.node("erlmcp2")["state"] == "draining").then_some(())
    });
    eventually("the order in every process", || {
        (cluster.balancer_state("erlmcp2") == "DRAIN").then_some(())
    });
    for one in away {
        let source = one.source;
        drop(one);
        assert_ne!(Held::new(&cluster, source).unwrap().node, "erlmcp2", "{source}");
    }
    let drained = draining.wait_with_output().unwrap();
    assert!(drained.status.success(), "{drained:?}");
    assert!(others.iter_mut().all(Held::lives));
    cluster.ok(&["ready", "erlmcp2"]);
    assert_eq!(cluster.balancer_state("erlmcp2"), "UP");
}

#[test]
fn only_the_clients_of_a_killed_process_reconnect() {
    let cluster = TestCluster::sharded().started();
    let held = Held::many(&cluster, 120);
    let pids = cluster.balancer_pids();
    let load = Load::on(&cluster);
    load.goes_on();
    signal(pids[1], Signal::SIGKILL);
    load.goes_on();
    let (mut living, cut) = parted(held);
    assert!((10..=80).contains(&cut.len()), "{} were cut off", cut.len());
    for one in &cut {
        one.again(&cluster);
    }
    healthy(&cluster);
    let refused = load.ends();
    // The load has one connection at a time, and that may have been to the dead process.
    assert!(refused.len() <= 1, "{refused:?}");
    assert!(living.iter_mut().all(Held::lives));
    let now = cluster.balancer_pids();
    assert_eq!((now[0], now[2]), (pids[0], pids[2]));
    assert_ne!(now[1], pids[1]);
}

#[test]
fn clients_of_a_stopped_process_are_given_to_the_others_until_it_is_replaced() {
    let cluster = TestCluster::sharded().set("nodes.restart.hung_after=8s");
    let cluster = cluster.started();
    let held = Held::many(&cluster, 90);
    let pids = cluster.balancer_pids();
    signal(pids[0], Signal::SIGSTOP);
    eventually("that it is seen", || {
        let status = cluster.status();
        let warning = status["warnings"][0].as_str()?.to_owned();
        (status["state"] == "degraded" && warning == "haproxy-1 runs but does not answer").then_some(())
    });
    for one in &held {
        one.again(&cluster);
    }
    eventually("another in its place", || {
        // A stopped process still has its socket.
        let warnings = cluster.status()["warnings"].to_string();
        assert!(!warnings.contains("is gone"), "{warnings}");
        (!is_alive(pids[0]) && cluster.balancer_pids().len() == SHARDS).then_some(())
    });
    healthy(&cluster);
    let (mut living, cut) = parted(held);
    assert!(!cut.is_empty());
    for one in &cut {
        one.again(&cluster);
    }
    assert!(living.iter_mut().all(Held::lives));
}

#[test]
fn an_adopting_supervisor_can_still_replace_a_process() {
    let cluster = TestCluster::sharded().started();
    let mut held = Held::many(&cluster, 90);
    let pids = cluster.balancer_pids();
    cluster.kill_supervisor();
    assert!(held.iter_mut().all(Held::lives));
    // A process dies without a supervisor: its clients go to the others.
    signal(pids[2], Signal::SIGKILL);
    let (mut held, cut) = parted(held);
    let again: Vec<Held> = cut.iter().map(|one| one.again(&cluster)).collect();
    cluster.start(&[]);
    healthy(&cluster);
    assert_eq!(cluster.balancer_pids()[..2], pids[..2]);
    held.extend(again);
    assert!(held.iter_mut().all(Held::lives));
    let pids = cluster.balancer_pids();
    signal(pids[0], Signal::SIGKILL);
    eventually("another in its place", || {
        (cluster.balancer_pids()[0] != pids[0]).then_some(())
    });
    healthy(&cluster);
    for one in Held::many(&cluster, 90) {
        assert!(is_alive(pids[1]) && is_alive(pids[2]), "{}", one.source);
    }
}

#[test]
fn a_reload_goes_through_all_processes_without_losing_a_connection() {
    let cluster = TestCluster::sharded().started();
    let mut held = Held::many(&cluster, 120);
    cluster.ok(&["drain", "erlmcp1"]);
    let old = cluster.balancer_pids();
    let load = Load::on(&cluster);
    cluster.ok(&["reload", "--set", "limits.per_ip.connections=90"]);
    load.goes_on();
    assert_eq!(load.ends(), Vec::<String>::new());
    let new = cluster.balancer_pids();
    assert!(
        new[..SHARDS].iter().all(|pid| !old.contains(pid)),
        "{old:?} {new:?}"
    );
    assert!(held.iter_mut().all(Held::lives));
    for one in &held {
        let home = Held::new(&cluster, one.source).unwrap().node;
        assert!(
            home == one.node || (one.node == "erlmcp1" && home != "erlmcp1"),
            "{} moved from {} to {home}",
            one.source,
            one.node
        );
    }
    drop(held);
    eventually("the old ones to end with their last connections", || {
        (cluster.balancer_pids().len() == SHARDS).then_some(())
    });
}

#[test]
fn a_reload_that_fails_in_the_first_process_leaves_all_as_they_are() {
    let cluster = TestCluster::sharded().started();
    let pids = cluster.balancer_pids();
    let config = |number: usize| fs::read(cluster.run_dir().join(format!("haproxy-{number}.cfg"))).unwrap();
    let configs = [1, 2, 3].map(config);
    // Passes the check, and cannot be bound: no host has this address.
    let templates = cluster.dir().join("templates");
    fs::create_dir(&templates).unwrap();
    let template = include_str!("../../templates/haproxy.cfg.tera");
    let nowhere = format!("{template}\nlisten nowhere\n    mode tcp\n    bind 192.0.2.1:9\n");
    fs::write(templates.join("haproxy.cfg.tera"), nowhere).unwrap();
    let refused = cluster.run(&["reload", "--templates", templates.to_str().unwrap()]);
    assert_eq!(refused.code, 1, "{}", refused.stderr);
    assert!(refused.stderr.contains("192.0.2.1:9"), "{}", refused.stderr);
    healthy(&cluster);
    assert_eq!(cluster.balancer_pids(), pids);
    assert_eq!([1, 2, 3].map(config), configs);
}

#[test]
fn a_reload_changes_the_number_of_processes() {
    let cluster = TestCluster::sharded().started();
    let mut held = Held::many(&cluster, 60);
    let former = cluster.balancer_pids();
    let load = Load::on(&cluster);
    cluster.ok(&["reload", "--set", "limits.maxconn=900"]);
    load.goes_on();
    assert_eq!(load.ends(), Vec::<String>::new());
    let pids = cluster.balancer_pids();
    assert!(pids.len() > former.len() && pids[..=SHARDS].iter().all(|pid| !former.contains(pid)));
    assert!(held.iter_mut().all(Held::lives));
    drop(held);
    eventually("the former ones to end with their last connections", || {
        let pids = cluster.balancer_pids();
        former.iter().all(|pid| !pids.contains(pid)).then_some(())
    });
    assert_eq!(cluster.status()["state"], "healthy");
}

#[test]
fn a_reload_succeeds_although_a_process_dies() {
    let cluster = TestCluster::sharded().started();
    let pids = cluster.balancer_pids();
    let reload = cluster
        .beside(&["reload", "--set", "limits.per_ip.connections=90"])
        .spawn()
        .unwrap();
    eventually("the first process to be replaced", || {
        (!is_alive(pids[0])).then_some(())
    });
    signal(pids[2], Signal::SIGKILL);
    let reloaded = reload.wait_with_output().unwrap();
    assert!(reloaded.status.success(), "{reloaded:?}");
    healthy(&cluster);
    assert!(cluster.balancer_pids().iter().all(|pid| !pids.contains(pid)));
}

#[test]
fn stop_leaves_nothing() {
    let cluster = TestCluster::sharded().started();
    let held = Held::many(&cluster, 30);
    let processes = cluster.processes();
    assert_eq!(processes.len(), 4 + SHARDS);
    cluster.ok(&["stop", "--grace", "0"]);
    drop(held);
    assert!(!processes.into_iter().any(is_alive));
    let left = fs::read_dir(cluster.run_dir()).unwrap();
    let names = left.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let strange: Vec<String> = names
        .filter(|name| !name.contains(".cfg") && !["logs", "lock"].contains(&name.as_str()))
        .collect();
    assert_eq!(strange, Vec::<String>::new());
    for port in [8000, 8080, 8404, 8888] {
        assert!(TcpStream::connect(cluster.address(port)).is_err(), "{port}");
    }
}
