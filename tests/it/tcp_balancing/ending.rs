//! The end of the process by a signal: announced, over a time, or at once.

use std::net::TcpStream;
use std::time::Instant;

use nix::sys::signal::Signal;

use super::*;
use crate::harness::http_get;
use crate::plane::{Plane, free_address};

/// A process with one worker.
fn plane(servers: &[SocketAddr], args: &[&str], status: Option<SocketAddr>) -> Plane {
    Plane::with_args(servers, args, |config| {
        config.workers = 1;
        config.status = status;
    })
}

/// Clients that are served.
fn served(plane: &Plane, count: usize) -> Vec<TcpStream> {
    let clients: Vec<TcpStream> = (0..count).map(|_| client(plane.address)).collect();
    assert!(clients.iter().all(|client| byte(client).is_ok()));
    clients
}

fn is_served(client: &TcpStream) {
    send(client, "!");
    assert_eq!(byte(client).unwrap(), b'!');
}

#[test]
fn clients_are_accepted_while_the_end_is_announced() {
    let page = free_address();
    let mut plane = plane(&speakers::<1>(), &["--announce", "1h"], Some(page));
    let held = served(&plane, 1);
    assert!(http_get(page, "/ready").starts_with("HTTP/1.1 200"));
    plane.signal(Signal::SIGTERM);
    eventually("the announcement", || {
        http_get(page, "/ready").starts_with("HTTP/1.1 503").then_some(())
    });
    assert!(http_get(page, "/live").starts_with("HTTP/1.1 200"));
    served(&plane, 3);
    is_served(&held[0]);
    plane.signal(Signal::SIGTERM);
    assert!(plane.ends().success());
}

#[test]
fn what_is_left_is_closed_one_after_another_and_at_once_after_another_signal() {
    let mut plane = plane(&speakers::<1>(), &["--over", "1h"], None);
    plane.waits_for("FRONTEND", "scur", 0);
    let clients = served(&plane, 3);
    plane.signal(Signal::SIGTERM);
    assert_eq!(ending(&clients[0]), Ok(()));
    clients[1..].iter().for_each(is_served);
    assert!(TcpStream::connect(plane.address).is_err());
    plane.signal(Signal::SIGINT);
    assert!(plane.ends().success());
}

#[test]
fn clients_end_in_the_order_in_which_they_came() {
    let mut plane = plane(&speakers::<1>(), &["--announce", "100ms", "--over", "2s"], None);
    plane.waits_for("FRONTEND", "scur", 0);
    let clients = served(&plane, 4);
    plane.signal(Signal::SIGTERM);
    let ends = clients.into_iter().map(|client| {
        std::thread::spawn(move || {
            assert_eq!(ending(&client), Ok(()));
            Instant::now()
        })
    });
    let ends: Vec<_> = ends.collect();
    let ends: Vec<Instant> = ends.into_iter().map(|end| end.join().unwrap()).collect();
    assert!(ends.is_sorted(), "{ends:?}");
    assert!(plane.ends().success());
}
