//! Single connections with their activity, to be closed one by one.

use std::io;
use std::net::SocketAddr;

use super::dump::{destroy, dump_with_activity};
use super::filter::{Side, port_filter};
use super::wire::{Activity, CLOSE_WAIT, ESTABLISHED, Handle, Socket};
use super::{canonical, is_at};

/// One established connection, as this host sees it from one of its ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Connection {
    /// Its own end.
    pub local: SocketAddr,
    /// The other end.
    pub peer: SocketAddr,
    /// Its inode.
    pub inode: u64,
    /// Its traffic so far.
    pub activity: Activity,
    handle: Handle,
}

/// The established connections that this host has accepted at one of `addresses`.
pub fn accepted_at(addresses: &[SocketAddr]) -> io::Result<Vec<Connection>> {
    connections(addresses, Side::Local)
}

/// The established connections that this host has opened to one of `addresses`.
pub fn opened_to(addresses: &[SocketAddr]) -> io::Result<Vec<Connection>> {
    connections(addresses, Side::Peer)
}

/// Ends the connections: for the processes of this host they are aborted, for the peers reset.
/// Returns how many of them still existed.
///
/// # Errors
/// As [`super::destroy_to`].
pub fn close(connections: &[Connection]) -> io::Result<u64> {
    let handles: Vec<Handle> = connections.iter().map(|connection| connection.handle).collect();
    destroy(&handles)
}

// Private

/// The connections whose end on `side` is at one of `addresses`.
fn connections(addresses: &[SocketAddr], side: Side) -> io::Result<Vec<Connection>> {
    let wanted: Vec<SocketAddr> = addresses.iter().copied().map(canonical).collect();
    let ports: Vec<u16> = wanted.iter().map(SocketAddr::port).collect();
    let mut found = Vec::new();
    if ports.is_empty() {
        return Ok(found);
    }
    dump_with_activity(ESTABLISHED | CLOSE_WAIT, &port_filter(side, &ports), |socket| {
        let end = match side {
            Side::Local => socket.local,
            Side::Peer => socket.peer,
        };
        if wanted.iter().any(|address| is_at(*address, end)) {
            found.push(Connection::from(socket));
        }
    })?;
    Ok(found)
}

impl From<Socket> for Connection {
    fn from(socket: Socket) -> Connection {
        Connection {
            local: socket.local,
            peer: socket.peer,
            inode: socket.inode,
            activity: socket.activity.unwrap_or_default(),
            handle: socket.handle,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::{TcpListener, TcpStream};
    use std::time::{Duration, Instant};

    use super::*;

    #[test]
    fn both_ends_of_a_connection_have_the_same_traffic() {
        let server = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = server.local_addr().unwrap();
        let mut client = TcpStream::connect(address).unwrap();
        let (mut accepted, _) = server.accept().unwrap();
        client.write_all(b"request").unwrap();
        accepted.read_exact(&mut [0; 7]).unwrap();
        accepted.write_all(b"answered").unwrap();
        client.read_exact(&mut [0; 8]).unwrap();
        let deadline = Instant::now() + Duration::from_secs(10);
        loop {
            let (theirs, ours) = (accepted_at(&[address]).unwrap(), opened_to(&[address]).unwrap());
            let ([theirs], [ours]) = (theirs.as_slice(), ours.as_slice()) else {
                panic!("{theirs:?} {ours:?}");
            };
            assert_eq!((theirs.local, theirs.peer), (ours.peer, ours.local));
            let (at_server, at_client) = (theirs.activity, ours.activity);
            assert_eq!((at_server.received, at_client.received), (7, 8));
            if (at_server.acknowledged, at_client.acknowledged) == (8, 7 + 1) {
                assert!(at_client.idle() < Duration::from_secs(10));
                break;
            }
            assert!(Instant::now() < deadline, "{at_server:?} {at_client:?}");
            std::thread::yield_now();
        }
    }
}
