//! The listeners that nginx inherits.

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, SocketAddr};

use clusterctl::platform::sock_diag;

use super::running::Running;
use crate::haproxy::client::{get, node_for};
use crate::haproxy::running::eventually;

/// More than the harness plans workers for without listeners.
const SOCKETS: u16 = 3;

/// Every socket that listens on one of these addresses, in any process, by its inode.
fn open(addresses: &[SocketAddr]) -> BTreeSet<(SocketAddr, u64)> {
    let listeners = sock_diag::listeners().unwrap().into_iter();
    listeners
        .filter(|listener| addresses.contains(&listener.address))
        .map(|listener| (listener.address, listener.inode))
        .collect()
}

/// The sockets that process `pid` waits for, by their inodes.
fn polled(pid: u32) -> BTreeSet<u64> {
    let infos = std::fs::read_dir(format!("/proc/{pid}/fdinfo"))
        .unwrap()
        .flatten();
    let texts = infos.filter_map(|info| std::fs::read_to_string(info.path()).ok());
    texts.flat_map(|text| inodes(&text)).collect()
}

/// The inodes in an epoll descriptor's `fdinfo`, which has `ino:HEX` in a line for each socket.
fn inodes(fdinfo: &str) -> Vec<u64> {
    let polled = fdinfo.lines().filter(|line| line.starts_with("tfd:"));
    let inode = |line: &str| {
        let (_, rest) = line.split_once("ino:")?;
        u64::from_str_radix(rest.split_whitespace().next()?, 16).ok()
    };
    polled.filter_map(inode).collect()
}

/// Whether each worker accepts at one socket of each address for clients, and at each page.
fn each_worker_has_its_own(running: &Running, sockets: &BTreeSet<(SocketAddr, u64)>) -> bool {
    let page = running.cluster.listen.status.unwrap();
    let workers = running.workers();
    let mut taken = BTreeSet::new();
    workers.len() == usize::from(SOCKETS)
        && workers.into_iter().all(|worker| {
            let polled = polled(worker);
            sockets
                .iter()
                .filter(|(address, inode)| *address != page && polled.contains(inode))
                .all(|(_, inode)| taken.insert(*inode))
                && sockets
                    .iter()
                    .any(|(address, inode)| *address == page && polled.contains(inode))
        })
        && taken.len() == sockets.len() - 1
}

/// Connects from so many addresses that each socket gets some of them.
async fn all_are_served(running: &Running) {
    for number in 1..=40 {
        let source = Ipv4Addr::new(127, 0, 12, number);
        node_for(source, running.tcp()).await.unwrap();
    }
    let page = running.cluster.listen.status.unwrap();
    let health = get(Ipv4Addr::LOCALHOST, page.port(), "/health", &[]).await;
    assert!(health.contains("\"status\":\"up\""), "{health}");
}

#[tokio::test]
async fn each_worker_serves_its_own_inherited_socket_across_a_reload_and_closes_none_for_others() {
    let mut running = Running::start_on(SOCKETS, |cluster| {
        cluster.limits.per_ip.connection_rate = 0;
    })
    .await;
    let addresses = running.addresses();
    let sockets = open(&addresses);
    // nginx has opened none itself.
    assert_eq!(sockets.len(), 4 * usize::from(SOCKETS) + 1);
    eventually("each worker has its own sockets", async || {
        each_worker_has_its_own(&running, &sockets)
    })
    .await;
    all_are_served(&running).await;

    running.take_away(&["erlmcp2"]).await;
    assert_eq!(open(&addresses), sockets);
    eventually("each new worker has its own sockets", async || {
        each_worker_has_its_own(&running, &sockets)
    })
    .await;
    all_are_served(&running).await;

    running.quit().await;
    assert_eq!(open(&addresses), sockets);
    // They accept, although no nginx serves them any more.
    let waiting = std::net::TcpStream::connect(("127.0.0.1", running.tcp()));
    assert!(waiting.is_ok());
}
