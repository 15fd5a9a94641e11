//! The kernel's list of TCP sockets, read by netlink: see `sock_diag(7)`.
//!
//! The kernel filters by state and port, so a count over 100,000 connections reads only those of
//! our own nodes. That takes about a tenth of a second of system calls, so it belongs on a blocking
//! thread.

mod connections;
mod dump;
mod filter;
mod wire;

use std::collections::BTreeSet;
use std::io;
use std::net::{IpAddr, SocketAddr};

use dump::{destroy, dump};
use filter::{Side, port_filter};
use wire::{CLOSE_WAIT, ESTABLISHED, FIN_WAIT, Handle, LISTEN, SYN_SENT};

pub use connections::{Connection, accepted_at, close, opened_to};
pub use wire::{Activity, Socket};

/// A TCP socket that accepts connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Listener {
    /// Its address; an IPv4 address for an IPv4-mapped one.
    pub address: SocketAddr,
    /// Its inode, as `/proc/PID/fd` shows it.
    pub inode: u64,
    /// The user that has opened it.
    pub user: u32,
    /// Whether an IPv6 wildcard leaves IPv4 to other listeners.
    pub v6_only: bool,
}

/// Counts the established connections that each of `nodes` has accepted on this host, without those
/// from `except`.
///
/// Counted at the node's end: a connection over loopback is in the list twice, and the end whose
/// local address is the node's counts. A node on a wildcard address has every connection to its
/// port.
pub fn count_established(nodes: &[SocketAddr], except: &[IpAddr]) -> io::Result<Vec<u64>> {
    let except: Vec<IpAddr> = except.iter().map(IpAddr::to_canonical).collect();
    count(nodes, Side::Local, |socket| except.contains(&socket.peer.ip()))
}

/// Counts the established connections from this host to each of `nodes`, without the sockets in
/// `except`, given by their inodes. For nodes that run elsewhere.
pub fn count_to(nodes: &[SocketAddr], except: &BTreeSet<u64>) -> io::Result<Vec<u64>> {
    count(nodes, Side::Peer, |socket| except.contains(&socket.inode))
}

/// The inodes of the sockets that this process has now, without those of threads that have a
/// separate descriptor table.
pub fn own_sockets() -> io::Result<BTreeSet<u64>> {
    let descriptors = std::fs::read_dir("/proc/self/fd")?.flatten();
    let inode = |descriptor: std::fs::DirEntry| {
        let link = std::fs::read_link(descriptor.path()).ok()?;
        let inode = link.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?;
        inode.parse().ok()
    };
    Ok(descriptors.filter_map(inode).collect())
}

/// Established connections to one address, by their clients.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Callers {
    /// Connections from the given addresses, counted at their end.
    pub ours: u64,
    /// Connections that this host has accepted on the same port from all other clients.
    pub others: u64,
}

/// Counts the established connections to `target`: those from `ours`, addresses and ports of this
/// host, and those from other clients.
pub fn count_callers(target: SocketAddr, ours: &BTreeSet<SocketAddr>) -> io::Result<Callers> {
    let target = canonical(target);
    let mut callers = Callers::default();
    dump(
        ESTABLISHED,
        &port_filter(Side::Peer, &[target.port()]),
        |socket| {
            callers.ours += u64::from(socket.peer == target && ours.contains(&socket.local));
        },
    )?;
    dump(
        ESTABLISHED,
        &port_filter(Side::Local, &[target.port()]),
        |socket| {
            callers.others += u64::from(!ours.contains(&socket.peer));
        },
    )?;
    Ok(callers)
}

/// Every listening TCP socket of this network namespace.
pub fn listeners() -> io::Result<Vec<Listener>> {
    let mut listeners = Vec::new();
    dump(LISTEN, &[], |socket| {
        listeners.push(Listener {
            address: socket.local,
            inode: socket.inode,
            user: socket.user,
            v6_only: socket.v6_only,
        });
    })?;
    Ok(listeners)
}

/// Ends every connection from this host to `node`, whichever process holds it: for the process it
/// is aborted, for the node it is reset. Returns how many there were.
///
/// This reaches connections that the balancer cannot close any more, such as those of a process
/// that was replaced by a reload. Connections from an address in `except` are kept: our own probes
/// must find out by themselves what the node does.
///
/// # Errors
/// `PermissionDenied` without `CAP_NET_ADMIN`, `Unsupported` when the kernel was built without
/// `CONFIG_INET_DIAG_DESTROY`, and when the kernel does not answer. Some connections may have been
/// ended by then.
pub fn destroy_to(node: SocketAddr, except: &[IpAddr]) -> io::Result<u64> {
    let states = SYN_SENT | ESTABLISHED | FIN_WAIT | CLOSE_WAIT;
    let mut handles = Vec::new();
    dump(states, &port_filter(Side::Peer, &[node.port()]), |socket| {
        let is_kept = except.contains(&canonical(socket.local).ip());
        if is_at(canonical(node), socket.peer) && !is_kept {
            handles.push(socket.handle);
        }
    })?;
    destroy(&handles)
}

/// The inodes of the established connections whose own end is at one of `addresses`.
pub fn accepted(addresses: &[SocketAddr]) -> io::Result<BTreeSet<u64>> {
    let mut inodes = BTreeSet::new();
    each_accepted(addresses, |socket| {
        inodes.insert(socket.inode);
    })?;
    Ok(inodes)
}

/// The connections that this host has accepted at some addresses, to be ended in parts.
#[derive(Debug)]
pub struct Accepted(Vec<Handle>);

impl Accepted {
    /// The established connections whose own end is at one of `addresses`.
    pub fn at(addresses: &[SocketAddr]) -> io::Result<Accepted> {
        let mut handles = Vec::new();
        each_accepted(addresses, |socket| handles.push(socket.handle))?;
        Ok(Accepted(handles))
    }

    /// How many are left.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether none is left.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Ends the last of them until this many are left.
    ///
    /// # Errors
    /// As [`destroy_to`].
    pub fn close_all_but(&mut self, kept: usize) -> io::Result<()> {
        let due = self.0.split_off(kept.min(self.0.len()));
        destroy(&due).map(|_| ())
    }
}

// Private

/// Calls `each` for every established connection whose own end is at one of `addresses`.
fn each_accepted(addresses: &[SocketAddr], mut each: impl FnMut(Socket)) -> io::Result<()> {
    let ports: Vec<u16> = addresses.iter().map(SocketAddr::port).collect();
    if ports.is_empty() {
        return Ok(());
    }
    dump(
        ESTABLISHED | CLOSE_WAIT,
        &port_filter(Side::Local, &ports),
        |socket| {
            let is_there = |address: &SocketAddr| is_at(canonical(*address), socket.local);
            if addresses.iter().any(is_there) {
                each(socket);
            }
        },
    )
}

fn count(nodes: &[SocketAddr], side: Side, except: impl Fn(&Socket) -> bool) -> io::Result<Vec<u64>> {
    let mut tally = Tally::new(nodes, side);
    let ports: Vec<u16> = nodes.iter().map(SocketAddr::port).collect();
    if !ports.is_empty() {
        dump(ESTABLISHED, &port_filter(side, &ports), |socket| {
            if !except(&socket) {
                tally.add(&socket);
            }
        })?;
    }
    Ok(tally.counts)
}

/// Connections per node, counted one by one.
struct Tally {
    nodes: Vec<SocketAddr>,
    side: Side,
    counts: Vec<u64>,
}

impl Tally {
    fn new(nodes: &[SocketAddr], side: Side) -> Tally {
        Tally {
            nodes: nodes.iter().copied().map(canonical).collect(),
            side,
            counts: vec![0; nodes.len()],
        }
    }

    fn add(&mut self, socket: &Socket) {
        let node = match self.side {
            Side::Local => socket.local,
            Side::Peer => socket.peer,
        };
        for (wanted, count) in self.nodes.iter().zip(&mut self.counts) {
            if is_at(*wanted, node) {
                *count += 1;
            }
        }
    }
}

/// Whether a node that listens on `wanted` is reached at `address`.
fn is_at(wanted: SocketAddr, address: SocketAddr) -> bool {
    // A wildcard of a cluster belongs to one family, but a node on `::` can be reached over IPv4
    // too.
    let same_ip = wanted.ip() == address.ip() || wanted.ip().is_unspecified();
    same_ip && wanted.port() == address.port()
}

/// The IPv4 address for an IPv4-mapped one, else the same address.
fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::{Ipv4Addr, TcpListener, TcpStream};
    use std::os::fd::AsRawFd;
    use std::time::{Duration, Instant};

    use super::*;

    /// A connection to `server` from `source`, both ends.
    fn connect(server: &TcpListener, source: Ipv4Addr) -> (TcpStream, TcpStream) {
        let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
        socket.bind(&SocketAddr::from((source, 0)).into()).unwrap();
        let port = server.local_addr().unwrap().port();
        socket
            .connect(&SocketAddr::from((Ipv4Addr::LOCALHOST, port)).into())
            .unwrap();
        (socket.into(), server.accept().unwrap().0)
    }

    #[test]
    fn counts_each_connection_once_without_the_probes() {
        let first = TcpListener::bind("127.0.0.1:0").unwrap();
        let second = TcpListener::bind("127.0.0.1:0").unwrap();
        let prober = Ipv4Addr::new(127, 0, 0, 77);
        let _held = [
            connect(&first, Ipv4Addr::LOCALHOST),
            connect(&first, Ipv4Addr::new(127, 0, 0, 5)),
            connect(&first, prober),
            connect(&second, Ipv4Addr::LOCALHOST),
        ];
        let nodes = [first.local_addr().unwrap(), second.local_addr().unwrap()];
        assert_eq!(count_established(&nodes, &[]).unwrap(), [3, 1]);
        assert_eq!(count_established(&nodes, &[prober.into()]).unwrap(), [2, 1]);
        assert_eq!(count_to(&nodes, &BTreeSet::new()).unwrap(), [3, 1]);
        assert_eq!(count_to(&nodes, &own_sockets().unwrap()).unwrap(), [0, 0]);
        assert_eq!(count_established(&[], &[]).unwrap(), Vec::<u64>::new());
    }

    #[test]
    fn callers_are_split_into_ours_and_others() {
        let server = TcpListener::bind("127.0.0.1:0").unwrap();
        let held: Vec<_> = (2..12)
            .map(|last| connect(&server, Ipv4Addr::new(127, 0, 0, last)))
            .collect();
        let ours = held[..7]
            .iter()
            .map(|(client, _)| client.local_addr().unwrap())
            .collect();
        let callers = count_callers(server.local_addr().unwrap(), &ours).unwrap();
        assert_eq!(callers, Callers { ours: 7, others: 3 });
    }

    #[test]
    fn an_ipv4_client_of_a_dual_stack_node_counts() {
        let server = TcpListener::bind("[::]:0").unwrap();
        let port = server.local_addr().unwrap().port();
        let _four = connect(&server, Ipv4Addr::LOCALHOST);
        let _six = (
            TcpStream::connect(("::1", port)).unwrap(),
            server.accept().unwrap(),
        );
        let on = |ip: &str| SocketAddr::new(ip.parse().unwrap(), port);
        let nodes = [on("127.0.0.1"), on("::1"), on("::"), on("::ffff:127.0.0.1")];
        assert_eq!(count_established(&nodes, &[]).unwrap(), [1, 1, 2, 1]);
    }

    /// Needs root and a kernel with support; otherwise the error must name the reason.
    #[test]
    fn connections_to_a_node_are_ended_and_no_others() {
        let node = TcpListener::bind("127.0.0.1:0").unwrap();
        let other = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut to_node: Vec<_> = (0..50).map(|_| connect(&node, Ipv4Addr::LOCALHOST)).collect();
        let (mut to_other, mut at_other) = connect(&other, Ipv4Addr::LOCALHOST);
        let probe_source = Ipv4Addr::new(127, 255, 255, 254);
        let (mut kept, mut at_node) = connect(&node, probe_source);
        match destroy_to(node.local_addr().unwrap(), &[probe_source.into()]) {
            Ok(destroyed) => assert_eq!(destroyed, 50),
            Err(error) => {
                let known = [io::ErrorKind::PermissionDenied, io::ErrorKind::Unsupported];
                assert!(known.contains(&error.kind()), "{error:?}");
                return;
            }
        }
        for (client, server) in &mut to_node {
            let aborted = client.read(&mut [0]).unwrap_err();
            assert_eq!(aborted.kind(), io::ErrorKind::ConnectionAborted);
            let reset = server.read(&mut [0]).unwrap_err();
            assert_eq!(reset.kind(), io::ErrorKind::ConnectionReset);
        }
        for (client, server) in [(&mut to_other, &mut at_other), (&mut kept, &mut at_node)] {
            client.write_all(b"x").unwrap();
            assert_eq!(server.read(&mut [0]).unwrap(), 1);
        }
        assert_eq!(destroy_to(node.local_addr().unwrap(), &[]).unwrap(), 1);
    }

    #[test]
    fn closed_connections_do_not_count() {
        let server = TcpListener::bind("127.0.0.1:0").unwrap();
        let nodes = [server.local_addr().unwrap()];
        let (client, _accepted) = connect(&server, Ipv4Addr::LOCALHOST);
        drop(client);
        let deadline = Instant::now() + Duration::from_secs(10);
        while count_established(&nodes, &[]).unwrap() != [0] {
            assert!(Instant::now() < deadline, "still counted");
            std::thread::yield_now();
        }
    }

    #[test]
    fn more_connections_than_one_answer_holds() {
        let server = TcpListener::bind("127.0.0.1:0").unwrap();
        let held: Vec<_> = (0..1_000)
            .map(|_| connect(&server, Ipv4Addr::LOCALHOST))
            .collect();
        let counts = count_established(&[server.local_addr().unwrap()], &[]).unwrap();
        assert_eq!(counts, [held.len() as u64]);
    }

    #[test]
    fn listeners_are_found_with_their_inodes() {
        let four = TcpListener::bind("127.0.0.1:0").unwrap();
        let six = TcpListener::bind("[::1]:0").unwrap();
        let found = listeners().unwrap();
        for server in [four, six] {
            let address = server.local_addr().unwrap();
            let listener = found.iter().find(|listener| listener.address == address).unwrap();
            let link = std::fs::read_link(format!("/proc/self/fd/{}", server.as_raw_fd())).unwrap();
            assert_eq!(link.to_str().unwrap(), format!("socket:[{}]", listener.inode));
        }
    }
}
