//! Limits per client address.

use std::net::{Ipv6Addr, TcpStream};

use clusterctl::profile::PerIp;

use super::*;
use crate::plane::Plane;

/// In front of one speaker, with changed limits.
fn limited(change: impl FnOnce(&mut PerIp)) -> Plane {
    let plane = Plane::with(&speakers::<1>(), |config| {
        change(&mut config.frontends[0].limits);
        // The harness probes from this address.
        config.frontends[0]
            .limits
            .exempt
            .insert("127.0.0.1/32".parse().unwrap());
    });
    plane.waits_for("FRONTEND", "scur", 0);
    plane
}

/// Whether a client is accepted.
fn enters(client: &TcpStream) -> bool {
    byte(client).is_ok()
}

#[test]
fn connections_at_once_are_limited_by_address() {
    let plane = limited(|limits| limits.connections = 3);
    let come = |last| client_from([127, 9, 0, last], plane.address);
    let mut held: Vec<TcpStream> = (0..3).map(|_| come(1)).collect();
    assert!(held.iter().all(enters));
    for _ in 0..20 {
        assert!(!enters(&come(1)));
    }
    assert!(enters(&come(2)), "another address");
    held.pop();
    eventually("there is room again", || enters(&come(1)).then_some(()));
    assert!(plane.figure("FRONTEND", "dcon") >= 20);
    let warnings = plane.log().matches("connections are refused").count();
    assert_eq!(warnings, 1, "all within ten seconds");
}

#[test]
fn new_connections_a_second_are_limited_by_address() {
    let plane = limited(|limits| limits.connection_rate = 5);
    let come = || client_from([127, 9, 0, 1], plane.address);
    let entered = (0..30).filter(|_| enters(&come())).count();
    assert!(entered >= 5, "only {entered}");
    assert!(plane.figure("FRONTEND", "dcon") > 0);
    eventually("it is let in again", || enters(&come()).then_some(()));
}

#[test]
fn exempt_networks_have_no_limits() {
    let plane = limited(|limits| {
        (limits.connections, limits.connection_rate, limits.message_rate) = (1, 1, 1);
        limits.exempt.insert("127.8.0.0/16".parse().unwrap());
    });
    let held: Vec<TcpStream> = (0..20)
        .map(|_| client_from([127, 8, 3, 4], plane.address))
        .collect();
    for client in &held {
        assert!(enters(client));
        send(client, "a\nb\nc\nd\n");
        assert_eq!(bytes(client, 8), b"a\nb\nc\nd\n");
    }
}

#[test]
fn messages_beyond_the_limit_wait_and_none_is_lost() {
    let plane = limited(|limits| limits.message_rate = 20);
    let client = client_from([127, 9, 0, 1], plane.address);
    assert!(enters(&client));
    let lines = "message\n".repeat(50);
    let took = time(|| {
        send(&client, &lines);
        client.shutdown(std::net::Shutdown::Write).unwrap();
        assert_eq!(rest(&client).unwrap(), lines.as_bytes());
    });
    // 20 each second: the last ones arrive in the third second.
    assert!(took > Duration::from_secs(1), "{took:?}");
    assert!(plane.figure("FRONTEND", "dreq") > 0);
    assert_eq!(plane.log().matches("messages are held back").count(), 1);
}

#[test]
fn answers_flow_while_messages_wait() {
    let [listener] = listeners();
    let plane = Plane::with(&addresses(std::slice::from_ref(&listener)), |config| {
        config.frontends[0].limits.message_rate = 1;
    });
    drop(accept(&listener));
    let client = client_from([127, 9, 0, 1], plane.address);
    let server = accept(&listener);
    send(&client, "1\n2\n3\n4\n5\n6\n7\n8\n9\n");
    plane.waits_for("FRONTEND", "bin", 18);
    assert_eq!(bytes(&server, 2), b"1\n");
    for _ in 0..50 {
        send(&server, "answer");
        assert_eq!(bytes(&client, 6), b"answer");
    }
    // A reset does not wait until the client's messages are let through.
    reset(client);
    eventually("the reset reaches the server", || {
        SockRef::from(&server).take_error().unwrap()
    });
}

#[test]
fn clients_with_ipv6_are_limited_too() {
    let plane = Plane::with(&speakers::<1>(), |config| {
        let port = config.frontends[0].listen[0].port();
        config.frontends[0]
            .listen
            .push((Ipv6Addr::LOCALHOST, port).into());
        config.frontends[0].limits.connections = 2;
    });
    plane.waits_for("FRONTEND", "scur", 0);
    let target = (Ipv6Addr::LOCALHOST, plane.address.port()).into();
    let come = || client_from(Ipv6Addr::LOCALHOST, target);
    let held = [come(), come()];
    assert!(held.iter().all(enters));
    assert!(!enters(&come()));
    assert!(enters(&client(plane.address)), "IPv4 is another address");
}
