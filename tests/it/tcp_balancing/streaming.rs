//! Bytes, half-closes and resets, in both directions.

use std::io::{self, Read};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::thread;

use socket2::SockRef;

use super::*;
use crate::plane::Plane;

/// A client and a server with the data plane between them.
struct Pair {
    client: TcpStream,
    server: TcpStream,
    plane: Plane,
}

fn pair() -> Pair {
    let [listener] = listeners();
    let plane = Plane::start(&addresses(std::slice::from_ref(&listener)));
    drop(accept(&listener));
    let client = client(plane.address);
    let server = accept(&listener);
    Pair {
        client,
        server,
        plane,
    }
}

#[test]
fn a_half_closed_client_still_gets_everything() {
    let Pair {
        client,
        server,
        plane,
    } = pair();
    send(&client, "question");
    client.shutdown(Shutdown::Write).unwrap();
    assert_eq!(rest(&server).unwrap(), b"question");
    for _ in 0..3 {
        send(&server, "answer");
        assert_eq!(bytes(&client, 6), b"answer");
    }
    drop(server);
    assert_eq!(ending(&client), Ok(()));
    plane.waits_for("FRONTEND", "scur", 0);
}

#[test]
fn a_half_closed_server_still_gets_everything() {
    let Pair {
        client,
        server,
        plane,
    } = pair();
    send(&server, "goodbye");
    server.shutdown(Shutdown::Write).unwrap();
    assert_eq!(rest(&client).unwrap(), b"goodbye");
    for _ in 0..3 {
        send(&client, "last words");
        assert_eq!(bytes(&server, 10), b"last words");
    }
    drop(client);
    assert_eq!(ending(&server), Ok(()));
    plane.waits_for("FRONTEND", "scur", 0);
}

#[test]
fn a_request_and_its_end_before_the_server_answers_are_not_lost() {
    let [listener] = listeners();
    let held = fill_backlog(&listener);
    let plane = Plane::with(&addresses(std::slice::from_ref(&listener)), |config| {
        config.backends[0].eject_after = 0;
    });
    let client = client(plane.address);
    send(&client, "question");
    client.shutdown(Shutdown::Write).unwrap();
    plane.waits_for("FRONTEND", "stot", 2);
    drop(held);
    // The connections that filled the backlog come first, and the probe of the harness.
    let received = eventually("the question arrives", || {
        let server = accept(&listener);
        let received = rest(&server).unwrap();
        send(&server, "answer");
        (!received.is_empty()).then_some(received)
    });
    assert_eq!(received, b"question");
    assert_eq!(rest(&client).unwrap(), b"answer");
}

#[test]
fn a_server_can_send_first() {
    let Pair {
        client,
        server,
        plane: _plane,
    } = pair();
    send(&server, "welcome");
    assert_eq!(bytes(&client, 7), b"welcome");
}

#[test]
fn single_bytes_are_sent_at_once() {
    let Pair {
        client,
        server,
        plane: _plane,
    } = pair();
    for byte_sent in 0..200 {
        send(&client, [byte_sent]);
        assert_eq!(byte(&server).unwrap(), byte_sent);
        send(&server, [!byte_sent]);
        assert_eq!(byte(&client).unwrap(), !byte_sent);
    }
}

#[test]
fn urgent_bytes_stop_nothing() {
    let Pair {
        client,
        server,
        plane: _plane,
    } = pair();
    send(&client, "before");
    SockRef::from(&client).send_out_of_band(b"!").unwrap();
    send(&client, "after");
    client.shutdown(Shutdown::Write).unwrap();
    let received = String::from_utf8(rest(&server).unwrap()).unwrap();
    assert_eq!(received.replace('!', ""), "beforeafter");
    send(&server, "answer");
    drop(server);
    assert_eq!(rest(&client).unwrap(), b"answer");
}

#[test]
fn a_client_reset_resets_the_server_side() {
    let Pair {
        client,
        server,
        plane,
    } = pair();
    reset(client);
    assert_eq!(ending(&server), RESET);
    plane.waits_for("FRONTEND", "scur", 0);
    assert_eq!(plane.figure("node1", "cli_abrt"), 1);
}

#[test]
fn a_server_reset_resets_the_client_side() {
    let Pair {
        client,
        server,
        plane,
    } = pair();
    send(&client, "question");
    assert_eq!(bytes(&server, 8), b"question");
    reset(server);
    assert_eq!(ending(&client), RESET);
    plane.waits_for("FRONTEND", "scur", 0);
    assert_eq!(plane.figure("node1", "srv_abrt"), 1);
}

#[test]
fn a_client_reset_after_a_half_close_resets_the_server_side() {
    let Pair {
        client,
        server,
        plane,
    } = pair();
    client.shutdown(Shutdown::Write).unwrap();
    assert_eq!(ending(&server), Ok(()));
    // A connection that is closed with unread bytes is reset.
    send(&server, "unread");
    eventually("the bytes arrive", || {
        (client.peek(&mut [0; 6]).unwrap() == 6).then_some(())
    });
    reset(client);
    plane.waits_for("FRONTEND", "scur", 0);
    let broken = |stream: &TcpStream| SockRef::from(stream).take_error().unwrap();
    eventually("the server's end is broken", || broken(&server));
}

#[test]
fn a_server_reset_after_a_half_close_resets_the_client_side() {
    let Pair {
        client,
        server,
        plane,
    } = pair();
    server.shutdown(Shutdown::Write).unwrap();
    assert_eq!(ending(&client), Ok(()));
    reset(server);
    plane.waits_for("FRONTEND", "scur", 0);
    eventually("the client's end is broken", || {
        SockRef::from(&client).take_error().unwrap()
    });
}

#[test]
fn a_client_reset_reaches_a_server_that_does_not_read() {
    let Pair {
        client,
        server,
        plane,
    } = pair();
    fill(&client);
    reset(client);
    plane.waits_for("FRONTEND", "scur", 0);
    let broken = io::copy(&mut &server, &mut io::sink()).unwrap_err();
    assert_eq!(broken.kind(), io::ErrorKind::ConnectionReset);
}

#[test]
fn an_answer_arrives_although_its_server_closes_with_unread_input() {
    let Pair {
        client,
        server,
        plane,
    } = pair();
    send(&client, vec![b'q'; 100_000]);
    // Some bytes must be unread.
    assert_eq!(byte(&server).unwrap(), b'q');
    send(&server, "answer");
    drop(server);
    assert_eq!(bytes(&client, 6), b"answer");
    assert!(rest(&client).unwrap_or_default().is_empty());
    plane.waits_for("FRONTEND", "scur", 0);
}

#[test]
fn much_goes_both_ways_at_once_past_slow_readers() {
    const LENGTH: u64 = 24 << 20;
    let Pair {
        client,
        server,
        plane,
    } = pair();
    let before = plane.memory();
    let ends = [(&client, 1), (&server, 2)];
    thread::scope(|scope| {
        for (stream, seed) in ends {
            scope.spawn(move || {
                let mut source = Pattern::new(seed).take(LENGTH);
                io::copy(&mut source, &mut &*stream).unwrap();
                stream.shutdown(Shutdown::Write).unwrap();
            });
        }
        // Neither side reads until no more bytes can be sent.
        let mut sent = 0;
        eventually("nothing more is taken", || {
            let row = plane.row("FRONTEND");
            let now = row.number("bin").unwrap() + row.number("bout").unwrap();
            (std::mem::replace(&mut sent, now) == now && now > 0).then_some(())
        });
        assert!(sent < LENGTH, "{sent} bytes were taken without a reader");
        assert!(plane.memory() < before + (2 << 20), "bytes pile up");
        for (stream, seed) in [(&client, 2), (&server, 1)] {
            scope.spawn(move || {
                let mut expected = Pattern::new(seed);
                let (mut received, mut wanted) = (vec![0; 50_000], vec![0; 50_000]);
                let mut total = 0;
                loop {
                    let mut stream = stream;
                    let read = stream.read(&mut received).unwrap();
                    expected.read_exact(&mut wanted[..read]).unwrap();
                    assert!(received[..read] == wanted[..read], "wrong bytes after {total}");
                    total += read as u64;
                    if read == 0 {
                        break;
                    }
                }
                assert_eq!(total, LENGTH);
            });
        }
    });
    assert!(plane.memory() < before + (2 << 20), "bytes stay");
}

#[test]
fn clients_that_do_not_read_use_little_memory() {
    const CLIENTS: usize = 60;
    let [listener] = listeners();
    let plane = Plane::start(&addresses(std::slice::from_ref(&listener)));
    drop(accept(&listener));
    let before = plane.memory();
    let mut clients = Vec::new();
    for _ in 0..CLIENTS {
        clients.push(client(plane.address));
        let mut server = accept(&listener);
        // Ends with the connection.
        thread::spawn(move || io::copy(&mut io::repeat(b'x'), &mut server));
    }
    let mut sent = 0;
    eventually("nothing more is taken", || {
        let now = plane.figure("FRONTEND", "bout");
        let is_settled = std::mem::replace(&mut sent, now) == now;
        (is_settled && now > 100_000 * CLIENTS as u64).then_some(())
    });
    let each = plane.memory().saturating_sub(before) / CLIENTS as u64;
    assert!(each <= 16 << 10, "{each} bytes for each client");
}

// Private

/// Sends until nothing more is taken, all the way to the server.
fn fill(stream: &TcpStream) {
    stream.set_nonblocking(true).unwrap();
    let mut full = 0;
    eventually("nothing more is taken", || {
        let mut stream = stream;
        match io::Write::write(&mut stream, &[0; 10_000]) {
            Ok(_) => full = 0,
            Err(_) => full += 1,
        }
        (full == 10).then_some(())
    });
    stream.set_nonblocking(false).unwrap();
}

/// Connections that fill the listener's backlog; until they are closed, no other is answered.
pub(super) fn fill_backlog(listener: &TcpListener) -> Vec<TcpStream> {
    SockRef::from(listener).listen(0).unwrap();
    let address = listener.local_addr().unwrap();
    let mut held = Vec::new();
    while let Ok(stream) = TcpStream::connect_timeout(&address, Duration::from_millis(300)) {
        held.push(stream);
    }
    held
}

/// Bytes without a short repetition, the same for the same seed.
struct Pattern(u64);

impl Pattern {
    fn new(seed: u64) -> Pattern {
        Pattern(seed)
    }
}

impl Read for Pattern {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        for byte in room.iter_mut() {
            self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            *byte = self.0.to_be_bytes()[0];
        }
        Ok(room.len())
    }
}
