//! Clients that wait for a server below its maxconn.

use std::net::TcpStream;

use super::*;
use crate::plane::Plane;

/// One server with this `maxconn`. With four workers, most slots are freed by another worker than
/// the one that uses them next.
fn narrow(maxconn: u32) -> Plane {
    let plane = Plane::with(&speakers::<1>(), |config| {
        config.workers = 4;
        config.backends[0].servers[0].maxconn = maxconn;
    });
    plane.waits_for("FRONTEND", "scur", 0);
    plane
}

/// A client that is served.
fn served(plane: &Plane) -> TcpStream {
    let client = client(plane.address);
    byte(&client).unwrap();
    client
}

/// Clients in the queue, in this order.
fn queued(plane: &Plane, count: u64) -> Vec<TcpStream> {
    let before = plane.figure("BACKEND", "qcur");
    (1..=count)
        .map(|number| {
            let client = client(plane.address);
            plane.waits_for("BACKEND", "qcur", before + number);
            client
        })
        .collect()
}

#[test]
fn the_queue_is_first_in_first_out() {
    let plane = narrow(1);
    let mut last = served(&plane);
    for client in queued(&plane, 12) {
        assert!(is_silent(&client));
        drop(last);
        assert_eq!(byte(&client).unwrap(), 1);
        last = client;
    }
    assert_eq!(plane.figure("node1", "smax"), 1);
    assert_eq!(plane.figure("BACKEND", "qmax"), 12);
}

#[test]
fn bytes_of_a_waiting_client_are_not_lost() {
    let plane = narrow(1);
    let first = served(&plane);
    let second = queued(&plane, 1).remove(0);
    send(&second, "question");
    second.shutdown(std::net::Shutdown::Write).unwrap();
    drop(first);
    assert_eq!(rest(&second).unwrap(), b"\x01question");
}

#[test]
fn a_full_queue_refuses_clients() {
    let plane = Plane::with(&speakers::<1>(), |config| {
        config.backends[0].servers[0].maxconn = 1;
        config.backends[0].queue = 2;
    });
    plane.waits_for("FRONTEND", "scur", 0);
    let _first = served(&plane);
    let queue = queued(&plane, 2);
    assert!(rest(&client(plane.address)).unwrap_or_default().is_empty());
    assert!(queue.iter().all(is_silent));
}

#[test]
fn waiting_in_the_queue_times_out() {
    let plane = Plane::with(&speakers::<1>(), |config| {
        config.backends[0].servers[0].maxconn = 1;
        config.timeouts.queue = "300ms".parse().unwrap();
    });
    plane.waits_for("FRONTEND", "scur", 0);
    let first = served(&plane);
    let second = client(plane.address);
    assert!(rest(&second).unwrap_or_default().is_empty());
    plane.waits_for("BACKEND", "qcur", 0);
    drop(first);
    served(&plane);
}

#[test]
fn a_client_that_disconnects_leaves_the_queue() {
    let plane = narrow(1);
    let first = served(&plane);
    let mut queue = queued(&plane, 3);
    reset(queue.remove(1));
    plane.waits_for("BACKEND", "qcur", 2);
    drop(first);
    let last = queue.pop().unwrap();
    assert_eq!(byte(&queue[0]).unwrap(), 1);
    queue.clear();
    assert_eq!(byte(&last).unwrap(), 1);
}

#[test]
fn a_raised_maxconn_serves_the_queue_at_once() {
    let plane = narrow(1);
    let _first = served(&plane);
    let queue = queued(&plane, 4);
    plane.order("set maxconn server nodes/node1 4");
    for client in &queue[..3] {
        assert_eq!(byte(client).unwrap(), 1);
    }
    assert!(is_silent(&queue[3]));
    plane.order("set maxconn server nodes/node1 0");
    assert_eq!(byte(&queue[3]).unwrap(), 1);
}

#[test]
fn a_client_waiting_for_a_drained_server_gets_another() {
    let plane = Plane::with(&speakers::<2>(), |config| {
        config.backends[0].sticky = Some(super::choosing::table());
        config.backends[0].servers[0].maxconn = 1;
        config.backends[0].servers[1].weight = 0;
    });
    plane.waits_for("FRONTEND", "scur", 0);
    let _first = served(&plane);
    let queue = queued(&plane, 3);
    plane.order("set server nodes/node2 weight 100");
    plane.order("set server nodes/node1 state drain");
    for client in &queue {
        assert_eq!(byte(client).unwrap(), 2);
    }
}

#[test]
fn a_rush_fills_every_slot_and_leaves_none_taken() {
    let plane = narrow(5);
    std::thread::scope(|scope| {
        for _ in 0..16 {
            scope.spawn(|| {
                for _ in 0..40 {
                    drop(served(&plane));
                }
            });
        }
    });
    plane.waits_for("FRONTEND", "scur", 0);
    assert_eq!(plane.figure("node1", "scur"), 0);
    assert_eq!(plane.figure("BACKEND", "qcur"), 0);
    assert_eq!(plane.figure("node1", "smax"), 5);
}
