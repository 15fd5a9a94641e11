//! The process when it is full, idle, under many short connections, and at its end.

use std::net::{Shutdown, TcpListener, TcpStream};

use nix::sys::signal::Signal;

use super::*;
use crate::plane::Plane;

#[test]
fn clients_beyond_maxconn_wait_for_others_to_leave() {
    let plane = Plane::with(&speakers::<1>(), |config| config.maxconn = 20);
    plane.waits_for("FRONTEND", "scur", 0);
    let mut served: Vec<TcpStream> = (0..20).map(|_| client(plane.address)).collect();
    assert!(served.iter().all(|client| byte(client).is_ok()));
    let waiting: Vec<TcpStream> = (0..10).map(|_| client(plane.address)).collect();
    assert!(waiting.iter().all(is_silent));
    plane.rests();
    served.truncate(10);
    assert!(waiting.iter().all(|client| byte(client).is_ok()));
    assert!(plane.figure("FRONTEND", "smax") <= 22);
}

#[test]
fn a_raised_maxconn_lets_waiting_clients_in() {
    let plane = Plane::with(&speakers::<1>(), |config| config.frontends[0].maxconn = 2);
    plane.waits_for("FRONTEND", "scur", 0);
    let clients: Vec<TcpStream> = (0..10).map(|_| client(plane.address)).collect();
    plane.waits_for("FRONTEND", "scur", 2);
    plane.order("set maxconn frontend clients 100");
    assert!(clients.iter().all(|client| byte(client).is_ok()));
}

#[test]
fn more_clients_than_descriptors_wait_for_others_to_leave() {
    let plane = Plane::with_descriptors(&speakers::<1>(), 80);
    plane.waits_for("FRONTEND", "scur", 0);
    let mut clients: Vec<TcpStream> = (0..100).map(|_| client(plane.address)).collect();
    eventually("some are served", || {
        (plane.figure("FRONTEND", "scur") > 4).then_some(())
    });
    plane.rests();
    // Served clients disconnect, until all have been served.
    eventually("all are served", || {
        clients.retain(|client| {
            client.set_nonblocking(true).unwrap();
            match byte(client) {
                Ok(_) => false,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => true,
                Err(error) => panic!("not served: {error}"),
            }
        });
        clients.is_empty().then_some(())
    });
    plane.waits_for("FRONTEND", "scur", 0);
}

#[test]
fn a_thousand_idle_connections_use_no_processor_time() {
    let [listener] = listeners();
    let plane = Plane::start(&addresses(std::slice::from_ref(&listener)));
    drop(accept(&listener));
    let held: Vec<(TcpStream, TcpStream)> = (0..1_000)
        .map(|_| (client(plane.address), accept(&listener)))
        .collect();
    plane.rests();
    for (client, server) in &held {
        send(client, "?");
        assert_eq!(byte(server).unwrap(), b'?');
    }
}

#[test]
fn ten_thousand_short_connections_leave_nothing_behind() {
    let plane = Plane::with(&speakers::<2>(), |config| {
        // With a small limit, many clients wait at the same time.
        config.backends[0].servers[1].maxconn = 10;
    });
    let at_rest = plane.sockets();
    let target = plane.address;
    let looks: [fn(TcpStream); 3] = [drop, reset, |client| client.shutdown(Shutdown::Both).unwrap()];
    std::thread::scope(|scope| {
        for look in looks {
            scope.spawn(move || {
                for number in 0..3_334_u32 {
                    let [.., low] = number.to_be_bytes();
                    look(client_from([127, 30, 0, low.max(1)], target));
                }
            });
        }
    });
    plane.waits_for("FRONTEND", "scur", 0);
    plane.waits_for("BACKEND", "qcur", 0);
    eventually("all sockets are closed", || {
        (plane.sockets() <= at_rest).then_some(())
    });
    assert_eq!(byte(&client(target)).map(|number| number > 0).ok(), Some(true));
    assert!(!plane.log().contains("panicked"));
}

#[test]
fn a_silent_client_is_kept_until_its_timeout() {
    let [listener] = listeners();
    let plane = Plane::with(&addresses(std::slice::from_ref(&listener)), |config| {
        config.timeouts.client = "1s".parse().unwrap();
        config.timeouts.server = "1s".parse().unwrap();
    });
    drop(accept(&listener));
    let client = client(plane.address);
    let server = accept(&listener);
    assert!(is_silent(&client));
    assert_ne!(ending(&client), Err(io::ErrorKind::WouldBlock));
    assert_ne!(ending(&server), Err(io::ErrorKind::WouldBlock));
    plane.waits_for("FRONTEND", "scur", 0);
}

#[test]
fn a_drained_process_frees_its_address_and_ends_with_its_last_connection() {
    let mut plane = Plane::start(&speakers::<1>());
    plane.waits_for("FRONTEND", "scur", 0);
    let last = client(plane.address);
    byte(&last).unwrap();
    plane.signal(Signal::SIGUSR1);
    let another = eventually("the address is free", || TcpListener::bind(plane.address).ok());
    let elsewhere = client(plane.address);
    drop(accept(&another));
    assert_eq!(ending(&elsewhere), Ok(()));
    send(&last, "!");
    assert_eq!(byte(&last).unwrap(), b'!');
    // Its socket and pages are free for another process, too.
    eventually("the socket is gone", || {
        (!plane.config.socket.exists()).then_some(())
    });
    drop(last);
    assert!(plane.ends().success());
}

#[test]
fn a_terminated_process_ends_at_once() {
    let mut plane = Plane::start(&speakers::<1>());
    let clients: Vec<TcpStream> = (0..10).map(|_| client(plane.address)).collect();
    assert!(clients.iter().all(|client| byte(client).is_ok()));
    plane.signal(Signal::SIGTERM);
    assert!(plane.ends().success());
    assert!(
        clients
            .iter()
            .all(|client| rest(client).unwrap_or_default().is_empty())
    );
    assert!(!plane.config.socket.exists());
}
