//! The server of a client, at its first and later connections.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, TcpStream};

use clusterctl::profile::{Algorithm, Table};
use nix::sys::signal::Signal;

use super::*;
use crate::plane::Plane;

/// Sticky entries that last longer than a test.
pub(super) fn table() -> Table {
    Table {
        size: "100k".parse().unwrap(),
        expire: "30m".parse().unwrap(),
    }
}

/// The address of client `number`.
fn source(number: u32) -> Ipv4Addr {
    let [_, _, high, low] = number.to_be_bytes();
    Ipv4Addr::new(127, 20 + high, low, 1)
}

/// The server of each client; all clients disconnect afterwards.
fn homes(plane: &Plane, clients: impl Iterator<Item = u32>) -> BTreeMap<u32, u8> {
    let home = |number| (number, byte(&client_from(source(number), plane.address)).unwrap());
    clients.map(home).collect()
}

#[test]
fn weights_are_exact_over_all_workers() {
    let plane = Plane::with(&speakers::<4>(), |config| {
        config.workers = 4;
        for (server, weight) in config.backends[0].servers.iter_mut().zip([10, 20, 30, 40]) {
            server.weight = weight;
        }
    });
    // The harness has sent one probe.
    let asked = [1, 2, 3, 4].map(|number| plane.figure(&format!("node{number}"), "stot"));
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..250 {
                    byte(&client(plane.address)).unwrap();
                }
            });
        }
    });
    let counts: Vec<u64> = (1..)
        .zip(asked)
        .map(|(number, asked)| plane.figure(&format!("node{number}"), "stot") - asked)
        .collect();
    assert_eq!(counts, [100, 200, 300, 400]);
}

#[test]
fn leastconn_fills_up_what_is_low() {
    let plane = Plane::with(&speakers::<3>(), |config| {
        config.workers = 4;
        config.backends[0].algorithm = Algorithm::Leastconn;
    });
    plane.waits_for("FRONTEND", "scur", 0);
    plane.order("set server nodes/node3 state drain");
    let mut clients: Vec<TcpStream> = (0..40).map(|_| client(plane.address)).collect();
    assert!(clients.iter().all(|client| byte(client).is_ok()));
    plane.order("set server nodes/node3 state ready");
    let filling: Vec<TcpStream> = (0..20).map(|_| client(plane.address)).collect();
    assert!(filling.iter().all(|client| byte(client).unwrap() == 3));
    clients.extend((0..30).map(|_| client(plane.address)));
    plane.waits_for("FRONTEND", "scur", 90);
    let counts = [1, 2, 3].map(|number| plane.figure(&format!("node{number}"), "scur"));
    assert_eq!(counts, [30, 30, 30]);
}

#[test]
fn a_hash_of_the_source_brings_it_back_over_all_workers() {
    let plane = Plane::with(&speakers::<3>(), |config| {
        config.workers = 4;
        config.backends[0].algorithm = Algorithm::Source;
    });
    let first = homes(&plane, 0..150);
    assert_eq!(homes(&plane, 0..150), first);
    for number in 1..=3 {
        let share = first.values().filter(|home| **home == number).count();
        assert!((20..90).contains(&share), "{share} of 150 at {number}");
    }
    plane.order("set server nodes/node2 state drain");
    for (number, home) in homes(&plane, 0..150) {
        assert!(
            first[&number] == 2 || home == first[&number],
            "{number} has moved"
        );
    }
}

#[test]
fn ten_thousand_connections_of_a_thousand_addresses_are_sticky_and_even() {
    let plane = Plane::with(&speakers::<4>(), |config| {
        config.workers = 4;
        config.backends[0].sticky = Some(table());
    });
    let first = homes(&plane, 0..1_000);
    for number in 1..=4 {
        let share = first.values().filter(|home| **home == number).count();
        // The harness has sent one probe, too.
        assert!((249..=251).contains(&share), "{share} of 1000 at {number}");
    }
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                for _ in 0..3 {
                    assert_eq!(homes(&plane, 0..1_000), first);
                }
            });
        }
    });
    plane.order("set server nodes/node1 health down");
    let second = homes(&plane, 0..1_000);
    for (number, home) in &second {
        assert!(
            *home != 1 && (first[number] == 1 || *home == first[number]),
            "{number}"
        );
    }
    plane.order("set server nodes/node1 health up");
    assert_eq!(homes(&plane, 0..1_000), second);
}

#[test]
fn sticky_entries_survive_reload_restart_and_kill() {
    let mut plane = Plane::with(&speakers::<3>(), |config| {
        config.backends[0].sticky = Some(table());
        config.memory = Some(config.socket.with_file_name("memory"));
    });
    let first = homes(&plane, 0..100);
    plane.configure(|config| config.maxconn = 5_000);
    plane.reload();
    assert_eq!(homes(&plane, 0..100), first);
    plane.signal(Signal::SIGTERM);
    assert!(plane.ends().success());
    plane.start_again();
    assert_eq!(homes(&plane, 0..100), first);
    homes(&plane, 100..200);
    let saved = || std::fs::read_to_string(plane.file("memory")).unwrap_or_default();
    eventually("they are saved", || {
        (saved().lines().filter(|line| line.starts_with("127.20.")).count() == 200).then_some(())
    });
    let first = homes(&plane, 0..200);
    plane.signal(Signal::SIGKILL);
    plane.ends();
    plane.start_again();
    assert_eq!(homes(&plane, 0..200), first);
}
