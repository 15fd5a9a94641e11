//! Load from clients. One thread, so that most of the machine is left to the balancer; almost every
//! connection has an address of its own, so that the balancer's tables are used.

pub(crate) mod bulk;
pub(crate) mod connects;
pub(crate) mod echo;
pub(crate) mod held;
pub(crate) mod paced;
mod sources;
mod window;

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::Duration;

use socket2::{Domain, Socket, Type};

pub(crate) use sources::Sources;
pub(crate) use window::{Sample, Window};

/// The message, sent and echoed.
const MESSAGE: [u8; 64] = [b'm'; 64];
/// The time limit of any operation.
const TIMEOUT: Duration = Duration::from_secs(5);

/// Connects once, sends a message and reads it back.
pub(crate) fn one_echo(target: SocketAddr) -> io::Result<()> {
    echo_once(&mut connected(Ipv4Addr::LOCALHOST, target)?)
}

// Private

/// A blocking connection from `source`, with timeouts.
fn connected(source: Ipv4Addr, target: SocketAddr) -> io::Result<TcpStream> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    socket.bind(&SocketAddr::from((source, 0)).into())?;
    socket.set_tcp_nodelay(true)?;
    socket.connect_timeout(&target.into(), TIMEOUT)?;
    socket.set_read_timeout(Some(TIMEOUT))?;
    Ok(socket.into())
}

/// Connections that do not block.
fn many_connected(
    count: usize,
    sources: &mut Sources,
    target: SocketAddr,
) -> io::Result<Vec<mio::net::TcpStream>> {
    sources
        .take(count)
        .map(|source| {
            let mut stream = connected(source, target)?;
            echo_once(&mut stream)?;
            stream.set_nonblocking(true)?;
            Ok(mio::net::TcpStream::from_std(stream))
        })
        .collect()
}

fn echo_once(stream: &mut TcpStream) -> io::Result<()> {
    stream.write_all(&MESSAGE)?;
    stream.read_exact(&mut [0; MESSAGE.len()])
}
