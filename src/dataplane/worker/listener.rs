//! A worker's listener on an address that all workers share.

use std::io;
use std::net::{self, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use mio::net::{TcpListener, TcpStream};
use socket2::{SockRef, TcpKeepalive};

use crate::dataplane::frontend::Frontend;
use crate::dataplane::parent_sockets::Member;
use crate::platform;

/// Idle time after which the kernel probes whether a client is still connected.
const KEEPALIVE_IDLE: Duration = Duration::from_mins(1);
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(10);
/// The most bytes for a client that the kernel queues beyond what the client has room for, about.
/// Without this limit, a client that does not read costs megabytes of kernel memory; bytes in
/// flight do not count.
const MAX_UNSENT: u32 = 128 * 1024;

/// A listening socket of the worker.
#[derive(Debug)]
pub(super) struct Listener {
    pub(super) frontend: Arc<Frontend>,
    pub(super) address: SocketAddr,
    pub(super) socket: TcpListener,
    /// Identifies a socket of the parent, of which this is a copy.
    pub(super) inode: Option<u64>,
    /// Whether clients may be waiting.
    pub(super) ready: bool,
}

/// The result of accept.
#[derive(Debug)]
pub(super) enum Accepted {
    /// A client.
    Client(TcpStream, SocketAddr),
    /// No client is waiting.
    Empty,
    /// The client has disconnected already; there may be others.
    Gone,
    /// No descriptor or memory is free for another client.
    Full(io::Error),
}

impl Listener {
    /// Listens with a new socket of this worker.
    pub(super) fn bind(frontend: Arc<Frontend>, address: SocketAddr) -> io::Result<Listener> {
        Listener::new(frontend, address, platform::listen::listener(address)?, None)
    }

    /// A copy of the parent's `socket`, which listens already and does not block.
    pub(super) fn copied(
        frontend: Arc<Frontend>,
        member: Member,
        socket: net::TcpListener,
    ) -> io::Result<Listener> {
        Listener::new(frontend, member.address, socket, Some(member.inode))
    }

    /// The next client.
    pub(super) fn accept(&mut self) -> Accepted {
        match self.socket.accept() {
            Ok((stream, from)) => Accepted::Client(stream, from),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                self.ready = false;
                Accepted::Empty
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Accepted::Gone,
            Err(error) => match error.raw_os_error() {
                Some(libc::EMFILE | libc::ENFILE | libc::ENOBUFS | libc::ENOMEM) => Accepted::Full(error),
                // The client gave up, or the network reports an error for it (`man 2 accept`).
                _ => Accepted::Gone,
            },
        }
    }
    // Private

    /// Accepted connections inherit the options that are set here, which saves a call for each.
    fn new(
        frontend: Arc<Frontend>,
        address: SocketAddr,
        socket: net::TcpListener,
        inode: Option<u64>,
    ) -> io::Result<Listener> {
        let options = SockRef::from(&socket);
        options.set_tcp_nodelay(true)?;
        let keepalive = TcpKeepalive::new()
            .with_time(KEEPALIVE_IDLE)
            .with_interval(KEEPALIVE_INTERVAL);
        options.set_tcp_keepalive(&keepalive)?;
        options.set_tcp_notsent_lowat(MAX_UNSENT)?;
        Ok(Listener {
            frontend,
            address,
            socket: TcpListener::from_std(socket),
            inode,
            ready: false,
        })
    }
}
