//! Reloads of the configuration while connections go on.

use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};

use clusterctl::profile::Algorithm;
use nix::sys::signal::Signal;

use super::*;
use crate::plane::{Plane, free_address};

/// A client that is served, and the number of its server.
fn served(plane: &Plane) -> (TcpStream, u8) {
    let client = client(plane.address);
    let number = byte(&client).unwrap();
    (client, number)
}

fn lives(client: &TcpStream) {
    send(client, "!");
    assert_eq!(byte(client).unwrap(), b'!');
}

#[test]
fn listeners_come_and_go() {
    let mut plane = Plane::start(&speakers::<1>());
    let (before, _) = served(&plane);
    let (first, second) = (plane.address, free_address());
    plane.configure(|config| config.frontends[0].listen.push(second));
    plane.reload();
    assert_eq!(byte(&client(second)).unwrap(), 1);
    plane.configure(|config| config.frontends[0].listen = vec![second]);
    plane.reload();
    assert!(TcpStream::connect(first).is_err(), "it still listens");
    assert_eq!(byte(&client(second)).unwrap(), 1);
    lives(&before);
}

#[test]
fn proxies_inserted_before_others_leave_them_unchanged() {
    let [first, second] = speakers();
    let mut plane = Plane::start(&[first, second]);
    let (before, _) = served(&plane);
    plane.order("set server nodes/node1 state drain");
    plane.configure(|config| {
        let (mut frontend, mut backend) = (config.frontends[0].clone(), config.backends[0].clone());
        "front".clone_into(&mut frontend.name);
        "back".clone_into(&mut backend.name);
        frontend.listen = vec![free_address()];
        "back".clone_into(&mut frontend.backend);
        config.frontends.insert(0, frontend);
        config.backends.insert(0, backend);
    });
    plane.reload();
    // The order still applies, and the open connection goes on.
    assert!((0..20).all(|_| served(&plane).1 == 2));
    lives(&before);
}

#[test]
fn servers_come_and_go() {
    let [first, second, third] = speakers();
    let mut plane = Plane::start(&[first, second]);
    let (a, _) = served(&plane);
    let (b, _) = served(&plane);
    plane.configure(|config| {
        let mut added = config.backends[0].servers[0].clone();
        (added.name, added.id, added.address) = ("node3".to_owned(), 3, third);
        config.backends[0].servers.remove(0);
        config.backends[0].servers.push(added);
    });
    plane.signal(Signal::SIGHUP);
    eventually("the new one serves", || (served(&plane).1 == 3).then_some(()));
    assert!((0..20).all(|_| served(&plane).1 != 1));
    lives(&a);
    lives(&b);
}

#[test]
fn weights_limits_and_algorithm_change() {
    let mut plane = Plane::start(&speakers::<2>());
    let held = [served(&plane).0, served(&plane).0];
    plane.configure(|config| config.backends[0].servers[0].weight = 0);
    plane.reload();
    assert!((0..10).all(|_| served(&plane).1 == 2));
    plane.configure(|config| {
        config.backends[0].servers[0].weight = 100;
        config.backends[0].algorithm = Algorithm::Source;
    });
    plane.reload();
    let (_, home) = served(&plane);
    assert!((0..10).all(|_| served(&plane).1 == home));
    plane.waits_for("FRONTEND", "scur", 2);
    plane.configure(|config| config.frontends[0].limits.connections = 1);
    plane.reload();
    // Connections from before the limit were not counted.
    let (_first, _) = served(&plane);
    assert!(byte(&client(plane.address)).is_err());
    held.iter().for_each(lives);
}

#[test]
fn a_broken_file_changes_nothing_and_is_reported() {
    let plane = Plane::start(&speakers::<2>());
    let (before, _) = served(&plane);
    for broken in ["", "cluster: [", "cluster: only\n"] {
        plane.write(broken);
        let answer = plane.ask("reload");
        assert!(!answer.trim().is_empty(), "{broken:?} was taken");
    }
    plane.signal(Signal::SIGHUP);
    plane.waits_for_log("the configuration was not read again");
    assert_ne!(served(&plane).1, served(&plane).1, "both serve");
    lives(&before);
}

#[test]
fn an_address_that_is_taken_changes_nothing() {
    let mut plane = Plane::start(&speakers::<2>());
    let (before, _) = served(&plane);
    let [taken] = listeners();
    plane.configure(|config| {
        config.frontends[0].listen.push(taken.local_addr().unwrap());
        config.backends[0].servers.pop();
    });
    let answer = plane.ask("reload");
    assert!(
        answer.contains(&taken.local_addr().unwrap().to_string()),
        "{answer}"
    );
    assert_ne!(served(&plane).1, served(&plane).1, "both serve");
    lives(&before);
}

#[test]
fn under_load_no_connection_is_lost() {
    let mut plane = Plane::start(&speakers::<3>());
    let enough = AtomicBool::new(false);
    let target = plane.address;
    std::thread::scope(|scope| {
        let load = || {
            // The bound ends a test that fails.
            for _ in 0..5_000 {
                if enough.load(SeqCst) {
                    return;
                }
                let client = client(target);
                byte(&client).unwrap();
                lives(&client);
            }
        };
        let clients = [scope.spawn(load), scope.spawn(load), scope.spawn(load)];
        for round in 0..20 {
            plane.configure(|config| {
                config.backends[0].servers[0].weight = 50 + round;
                config.backends[0].servers.rotate_left(1);
            });
            plane.reload();
        }
        enough.store(true, SeqCst);
        for client in clients {
            client.join().unwrap();
        }
    });
    plane.waits_for("FRONTEND", "scur", 0);
}
