//! `stop` during a switch, and `stop` that is announced first.

use super::refused::{begun, with_slow_haproxy};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Instant;

use crate::checking_clients::{FaultKind, Load};
use crate::harness::{TIMEOUT, TestCluster, behind_each_balancer, eventually, http_get, is_alive};

behind_each_balancer! {
    an_announced_stop_refuses_no_client_that_asks_first,
    what_is_left_is_closed_one_after_another,
    another_stop_ends_at_once_and_stays_announced,
}

#[test]
fn a_stop_during_a_switch_ends_both() {
    let cluster = with_slow_haproxy();
    let switch = begun(&cluster);
    let mut pids = cluster.processes();
    pids.push(cluster.supervisor_pid());
    cluster.ok(&["stop"]);
    let output = switch.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    eventually("the end of every process", || {
        pids.iter().all(|pid| !is_alive(*pid)).then_some(())
    });
    assert_eq!(cluster.run(&["status", "--json"]).code, 1);
    // The ports are free again.
    cluster.start(&[]);
}

/// A stop after a switch ends the former balancer, too.
#[test]
fn a_stop_after_a_switch_leaves_nothing() {
    let cluster = TestCluster::switchable("nginx").started();
    let held = cluster.clients(4);
    let mut pids = cluster.balancer_pids();
    cluster.ok(&["switch", "builtin"]);
    pids.extend(cluster.processes());
    pids.push(cluster.supervisor_pid());
    cluster.ok(&["stop", "--grace", "0"]);
    eventually("the end of every process", || {
        pids.iter().all(|pid| !is_alive(*pid)).then_some(())
    });
    drop(held);
    let left: Vec<_> = std::fs::read_dir(cluster.run_dir())
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .filter(|name| name.to_string_lossy().ends_with(".sock") || name.to_string_lossy().ends_with(".pid"))
        .collect();
    assert!(left.is_empty(), "{left:?}");
}

/// The clients ask `/ready` each second, as a balancer in front does.
fn an_announced_stop_refuses_no_client_that_asks_first(balancer: &'static str) {
    let cluster = TestCluster::switchable(balancer).started();
    let mut load = Load::new(100, 0);
    load.ready = Some(cluster.address(8888));
    let clients = cluster.checked_by(load);
    clients.go_on(2);
    cluster.ok(&["stop", "--announce", "3s"]);
    let report = clients.stop();
    assert_eq!(report.count(FaultKind::Refused), 0, "{report}");
    assert_eq!(report.faults(), 0, "{report}");
}

fn what_is_left_is_closed_one_after_another(balancer: &'static str) {
    let cluster = TestCluster::switchable(balancer).started();
    expect_spread_ends(&cluster, || {});
}

#[test]
fn clients_of_a_former_balancer_are_closed_one_after_another() {
    let cluster = TestCluster::switchable("builtin").started();
    expect_spread_ends(&cluster, || drop(cluster.ok(&["switch", "nginx"])));
}

/// Checks that a stop closes clients one after another that were there before this `change`.
fn expect_spread_ends(cluster: &TestCluster, change: impl FnOnce()) {
    let held = cluster.clients(4).into_iter().map(|(mut client, _)| {
        std::thread::spawn(move || {
            client.waits_for_end();
            Instant::now()
        })
    });
    let held: Vec<_> = held.collect();
    change();
    cluster.ok(&["stop", "--grace", "0s", "--over", "2s"]);
    let mut ends: Vec<Instant> = held.into_iter().map(|end| end.join().unwrap()).collect();
    ends.sort_unstable();
    // A balancer that is killed would end them together.
    let steps: Vec<_> = ends.windows(2).map(|it| it[1] - it[0]).collect();
    let between = steps.iter().filter(|step| step.as_millis() >= 100).count();
    assert!(between >= 2, "{steps:?}");
}

fn another_stop_ends_at_once_and_stays_announced(balancer: &'static str) {
    let cluster = TestCluster::switchable(balancer).started();
    let mut stop = cluster
        .beside(&["stop", "--announce", "1h", "--over", "1h"])
        .spawn()
        .unwrap();
    let page = cluster.address(8888);
    // A former worker of nginx may still accept a connection after a new one has answered.
    let is_announced = || http_get(page, "/ready").starts_with("HTTP/1.1 503");
    eventually("the announcement by every worker", || {
        (0..20).all(|_| is_announced()).then_some(())
    });
    assert!(http_get(page, "/live").starts_with("HTTP/1.1 200"));
    let warnings = cluster.status()["warnings"].to_string();
    assert!(warnings.contains("the cluster is being stopped"), "{warnings}");
    let probing = std::thread::spawn(move || {
        let mut invited = 0;
        while let Ok(answer) = asked(page) {
            invited += u32::from(answer.starts_with("HTTP/1.1 200"));
        }
        invited
    });
    cluster.ok(&["stop"]);
    assert!(stop.wait().unwrap().success());
    assert_eq!(probing.join().unwrap(), 0);
}

/// The answer of `/ready`; an error when nothing answers any more.
fn asked(page: std::net::SocketAddr) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(page)?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    write!(
        stream,
        "GET /ready HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    )?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}
