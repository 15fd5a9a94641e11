//! Servers that fail, come back, or are drained.

use std::net::{TcpListener, TcpStream};

use clusterctl::dataplane_config::DataplaneCheck;

use super::streaming::fill_backlog;
use super::*;
use crate::plane::{Plane, free_address};

#[test]
fn a_server_that_refuses_is_skipped() {
    let [alive] = speakers();
    let plane = Plane::start(&[free_address(), free_address(), alive]);
    for _ in 0..20 {
        let client = client(plane.address);
        assert_eq!(byte(&client).unwrap(), 1);
    }
    assert!(plane.figure("BACKEND", "wredis") > 0);
}

#[test]
fn an_unreachable_server_is_skipped_and_ejected() {
    let [alive] = speakers();
    // A link-local address without its interface: an invalid argument to `connect`.
    let plane = Plane::start(&["[fe80::1]:9".parse().unwrap(), alive]);
    eventually("it is ejected", || {
        assert_eq!(byte(&client(plane.address)).unwrap(), 1);
        (plane.row("node1").text("status") == "DOWN").then_some(())
    });
}

#[test]
fn a_server_down_from_the_start_gets_no_clients_until_set_up() {
    let plane = Plane::with(&speakers::<2>(), |config| {
        let down = config.socket.with_file_name("down");
        std::fs::write(&down, "# Why.\nnode1\n").unwrap();
        config.down = Some(down);
    });
    for _ in 0..20 {
        assert_eq!(byte(&client(plane.address)).unwrap(), 2);
    }
    plane.order("set server nodes/node1 health up");
    eventually("it serves", || {
        (byte(&client(plane.address)).unwrap() == 1).then_some(())
    });
}

#[test]
fn a_source_address_of_another_host_fails_no_client() {
    let plane = Plane::with(&speakers::<2>(), |config| {
        config.sources = ["203.0.113.9", "127.0.0.2"].map(|it| it.parse().unwrap()).into();
    });
    for _ in 0..40 {
        byte(&client(plane.address)).unwrap();
    }
    assert_eq!(plane.figure("BACKEND", "econ"), 0);
    plane.waits_for_log("cannot connect to a server");
}

#[test]
fn a_server_that_does_not_answer_is_skipped() {
    let [silent] = listeners();
    let [alive] = speakers();
    let plane = Plane::with(&[silent.local_addr().unwrap(), alive], |config| {
        config.timeouts.connect = "200ms".parse().unwrap();
    });
    let _held = fill_backlog(&silent);
    for _ in 0..4 {
        let client = client(plane.address);
        assert_eq!(byte(&client).unwrap(), 1);
    }
}

#[test]
fn clients_are_refused_without_any_server() {
    let plane = Plane::start(&[free_address(), free_address()]);
    let clients: Vec<TcpStream> = (0..50).map(|_| client(plane.address)).collect();
    for client in &clients {
        assert!(rest(client).unwrap_or_default().is_empty());
    }
    plane.waits_for("FRONTEND", "scur", 0);
    assert_eq!(plane.figure("BACKEND", "scur"), 0);
}

#[test]
fn restarting_the_only_server_fails_no_client() {
    let address = free_address();
    let plane = Plane::start(&[address]);
    let client = client(plane.address);
    // The server returns after it was found gone.
    plane.waits_for("node1", "lastsess", 0);
    eventually("the server is asked", || {
        (plane.figure("node1", "econ") > 0).then_some(())
    });
    speak(TcpListener::bind(address).unwrap(), 7);
    assert_eq!(byte(&client).unwrap(), 7);
}

#[test]
fn a_server_that_fails_repeatedly_is_ejected_and_tried_again_later() {
    let (address, [alive]) = (free_address(), speakers());
    let plane = Plane::with(&[address, alive], |config| config.backends[0].eject_after = 3);
    eventually("it is ejected", || {
        assert_eq!(byte(&client(plane.address)).unwrap(), 1);
        (plane.row("node1").text("status") == "DOWN").then_some(())
    });
    let errors = plane.figure("node1", "econ");
    assert!(errors >= 3, "{errors} errors");
    for _ in 0..10 {
        assert_eq!(byte(&client(plane.address)).unwrap(), 1);
    }
    assert_eq!(
        plane.figure("node1", "econ"),
        errors,
        "the server still gets connections"
    );
    plane.waits_for_status("node1", "no check");
    // One more failure is enough now.
    eventually("it is ejected again", || {
        assert_eq!(byte(&client(plane.address)).unwrap(), 1);
        (plane.row("node1").text("status") == "DOWN").then_some(())
    });
    assert_eq!(plane.figure("node1", "econ"), errors + 1);
    speak(TcpListener::bind(address).unwrap(), 7);
    eventually("it serves again", || {
        (byte(&client(plane.address)).unwrap() == 7).then_some(())
    });
}

#[test]
fn a_server_set_down_stays_down() {
    let servers = speakers::<2>();
    let plane = Plane::with(&servers, |config| config.backends[0].eject_after = 1);
    plane.order("set server nodes/node1 health down");
    for _ in 0..20 {
        assert_eq!(byte(&client(plane.address)).unwrap(), 2);
    }
    plane.order("set server nodes/node1 health up");
    eventually("it serves again", || {
        (byte(&client(plane.address)).unwrap() == 1).then_some(())
    });
}

#[test]
fn checks_take_a_server_down_and_up_again() {
    let [listener] = listeners();
    let address = listener.local_addr().unwrap();
    speak(listener, 1);
    let vanishing = free_address();
    let plane = Plane::with(&[address, vanishing], |config| {
        config.backends[0].check = Some(DataplaneCheck {
            interval: "100ms".parse().unwrap(),
            fast_interval: "50ms".parse().unwrap(),
            timeout: "5s".parse().unwrap(),
            rise: 2,
            fall: 3,
        });
    });
    plane.waits_for_status("node2", "DOWN");
    plane.waits_for_status("node1", "UP");
    speak(TcpListener::bind(vanishing).unwrap(), 2);
    plane.waits_for_status("node2", "UP");
    eventually("it serves", || {
        (byte(&client(plane.address)).unwrap() == 2).then_some(())
    });
}

#[test]
fn down_cuts_at_once_and_only_there() {
    let plane = Plane::start(&speakers::<2>());
    let clients: Vec<TcpStream> = (0..20).map(|_| client(plane.address)).collect();
    let numbers: Vec<u8> = clients.iter().map(|client| byte(client).unwrap()).collect();
    plane.order("set server nodes/node1 health down");
    for (client, number) in clients.iter().zip(&numbers) {
        if *number == 1 {
            assert!(rest(client).unwrap_or_default().is_empty());
        } else {
            send(client, "!");
            assert_eq!(byte(client).unwrap(), b'!');
        }
    }
    plane.waits_for("node1", "scur", 0);
    plane.waits_for("node2", "scur", 10);
    assert_eq!(
        numbers
            .iter()
            .map(|number| usize::from(*number == 2))
            .sum::<usize>(),
        10
    );
}

#[test]
fn drain_leaves_connections_and_takes_no_sticky_clients() {
    let plane = Plane::with(&speakers::<2>(), |config| {
        config.backends[0].sticky = Some(super::choosing::table());
    });
    let first = client_from([127, 9, 0, 1], plane.address);
    let home = byte(&first).unwrap();
    let again = client_from([127, 9, 0, 1], plane.address);
    assert_eq!(byte(&again).unwrap(), home);
    plane.order(&format!("set server nodes/node{home} state drain"));
    for _ in 0..5 {
        let elsewhere = client_from([127, 9, 0, 1], plane.address);
        assert_ne!(byte(&elsewhere).unwrap(), home);
    }
    send(&first, "!");
    assert_eq!(byte(&first).unwrap(), b'!');
    plane.order(&format!("set server nodes/node{home} state ready"));
    // The client is sticky to the other server now.
    let later = client_from([127, 9, 0, 1], plane.address);
    assert_ne!(byte(&later).unwrap(), home);
}

#[test]
fn maintenance_and_weight_0_take_no_clients() {
    let plane = Plane::start(&speakers::<3>());
    plane.order("set server nodes/node1 state maint");
    plane.order("set server nodes/node2 weight 0");
    for _ in 0..20 {
        assert_eq!(byte(&client(plane.address)).unwrap(), 3);
    }
    plane.order("set server nodes/node1 state ready");
    plane.order("set server nodes/node2 weight 100");
    let mut numbers: Vec<u8> = (0..3).map(|_| byte(&client(plane.address)).unwrap()).collect();
    numbers.sort_unstable();
    assert_eq!(numbers, [1, 2, 3]);
}

#[test]
fn weight_0_for_all_refuses_clients() {
    let plane = Plane::start(&speakers::<1>());
    plane.order("set server nodes/node1 weight 0");
    assert!(rest(&client(plane.address)).unwrap_or_default().is_empty());
}
