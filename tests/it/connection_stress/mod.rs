//! Clients with every kind of behaviour, while servers come and go: the data plane carries every
//! stream whole, its counters add up, and afterwards it is as small as before.
//!
//! Runs for ten seconds; `CLUSTERCTL_CHURN=30m` changes that.

mod client;
mod dice;
mod node;
mod operator;

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::time::Duration;

use clusterctl::base::units::Period;
use clusterctl::dataplane_config::DataplaneCheck;
use clusterctl::haproxy_api::Row;
use clusterctl::profile::Table;

use client::Client;
use node::Nodes;
use operator::Operator;

use crate::harness::eventually;
use crate::plane::Plane;

/// Clients at the same time.
const CLIENTS: u64 = 48;
/// The number of parts that the time is cut into; after each part, all clients are gone for a
/// moment.
const PARTS: u32 = 4;
/// The difference allowed between the parts' memory, in bytes: what the allocator keeps and what
/// tables remember.
const SLACK: u64 = 6 << 20;

/// State shared by the clients, the operator and the test.
#[derive(Debug, Default)]
struct Shared {
    /// Connected clients go on to their end, and no new ones connect.
    enough: AtomicBool,
    /// Connections that were opened.
    opened: AtomicU64,
    /// Connections that were carried to their end, with every byte.
    whole: AtomicU64,
    /// Counts up before and after each order that may cut connections.
    cuts: AtomicU64,
    /// Errors found.
    faults: Mutex<Vec<String>>,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn churn_leaves_every_stream_whole_and_nothing_behind() {
    let part = length() / PARTS;
    let nodes = Nodes::start(3).await;
    let plane = Plane::with(&nodes.addresses, |config| {
        config.frontends[0].limits.connections = 500;
        config.frontends[0].limits.connection_rate = 100_000;
        config.backends[0].sticky = Some(Table {
            size: "1k".parse().unwrap(),
            expire: "30m".parse().unwrap(),
        });
        config.backends[0].check = Some(DataplaneCheck {
            interval: "1s".parse().unwrap(),
            fast_interval: "500ms".parse().unwrap(),
            timeout: "10s".parse().unwrap(),
            rise: 1,
            fall: 3,
        });
    });
    let at_rest = plane.sockets();
    let shared: &'static Shared = Box::leak(Box::default());
    let mut memory = Vec::new();
    for number in 0..u64::from(PARTS) {
        shared.enough.store(false, SeqCst);
        let clients: Vec<_> = (0..CLIENTS)
            .map(|client| tokio::spawn(Client::new(number * CLIENTS + client, plane.address, shared).run()))
            .collect();
        let operator = tokio::spawn(Operator::new(number, plane.runtime(), shared).run());
        tokio::time::sleep(part).await;
        shared.enough.store(true, SeqCst);
        for client in clients {
            client.await.unwrap();
        }
        operator.await.unwrap();
        let faults = shared.faults.lock().unwrap().clone();
        assert!(faults.is_empty(), "{faults:#?}");
        rests(&plane, shared.opened.load(SeqCst), at_rest);
        memory.push(plane.memory());
    }
    let (opened, whole) = (shared.opened.load(SeqCst), shared.whole.load(SeqCst));
    eprintln!("{opened} connections, {whole} of them whole; memory after each part: {memory:?}");
    assert!(whole > 100, "only {whole} of {opened} connections were whole");
    // The first part fills pools and tables.
    let (first, last) = (memory[0], memory[memory.len() - 1]);
    assert!(
        last < first + first / 4 + SLACK,
        "memory grew from {first} to {last}"
    );
}

// Private

fn length() -> Duration {
    match std::env::var("CLUSTERCTL_CHURN") {
        Ok(length) => length.parse::<Period>().unwrap().duration(),
        Err(_) => Duration::from_secs(10),
    }
}

/// Waits until it has counted every one of `opened` connections, and has no more sockets than
/// `sockets`.
fn rests(plane: &Plane, opened: u64, sockets: usize) {
    let opened = opened + plane.probes;
    // A client that disconnected at once may still be in the accept queue.
    plane.waits_for("FRONTEND", "stot", opened);
    let rows = eventually("the data plane is at rest", || {
        let rows = Row::parse(&plane.ask("show stat")).unwrap();
        let none = |row: &Row, column| row.number(column).unwrap_or(0) == 0;
        let quiet = rows.iter().all(|row| none(row, "scur") && none(row, "qcur"));
        (quiet && plane.sockets() <= sockets).then_some(rows)
    });
    let served: u64 = rows
        .iter()
        .filter(|row| row.is_server())
        .filter_map(|row| row.number("stot"))
        .sum();
    let all = plane.figure("BACKEND", "stot");
    // A client on its way to a server that went down is sent to another one, and counts there, too.
    let twice = plane.figure("BACKEND", "wredis");
    assert!(all <= opened && served <= all + twice, "{rows:?}");
}
