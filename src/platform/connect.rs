//! Connections from a chosen source address.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::AsRawFd;

use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::{TcpSocket, TcpStream};

/// Connects to `target`, from the address `source` if one is given, with Nagle's algorithm switched
/// off.
///
/// The port is chosen when connecting (`IP_BIND_ADDRESS_NO_PORT`), so that one source address has
/// its full range of ports towards *each* target. Choosing it when binding would share one range
/// among all of them.
///
/// # Errors
/// Those of `socket`, `bind` and `connect`; a source of another address family than the target is
/// invalid.
pub async fn connect(target: SocketAddr, source: Option<IpAddr>) -> io::Result<TcpStream> {
    let socket = match target {
        SocketAddr::V4(_) => TcpSocket::new_v4(),
        SocketAddr::V6(_) => TcpSocket::new_v6(),
    }?;
    if let Some(source) = source {
        bind_address_no_port(&socket)?;
        socket.bind(SocketAddr::new(source, 0))?;
    }
    let stream = socket.connect(target).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// Begins to connect to `target`, from the address `source` if one is given, with Nagle's algorithm
/// switched off.
///
/// If the caller is `eager` to send, the kernel saves a packet: the first data sent also
/// acknowledges the target's answer. Nagle's algorithm then stays on: it holds nothing back before
/// the second write, and the caller switches it off. The stream is non-blocking; it is connected
/// when it becomes writable without an error.
///
/// # Errors
/// Those of `socket`, `bind` and `connect`, as far as they are known at once.
pub fn begin(target: SocketAddr, source: Option<IpAddr>, eager: bool) -> io::Result<std::net::TcpStream> {
    let socket = Socket::new(
        Domain::for_address(target),
        Type::STREAM.nonblocking(),
        Some(Protocol::TCP),
    )?;
    if eager {
        socket.set_tcp_quickack(false)?;
    } else {
        socket.set_tcp_nodelay(true)?;
    }
    if let Some(source) = source {
        bind_address_no_port(&socket)?;
        socket.bind(&SocketAddr::new(source, 0).into())?;
    }
    match socket.connect(&target.into()) {
        Err(error) if error.raw_os_error() != Some(libc::EINPROGRESS) => Err(error),
        _ => Ok(socket.into()),
    }
}

/// Whether an error of connecting is caused by this side: no free descriptor, no memory, no such
/// source address, no free port. All other errors concern the target: nothing listens there, or
/// there is no route to it, as when its address needs a scope or is not routed (`EINVAL`), or when
/// a route (`EACCES`) or a firewall (`EPERM`) forbids it.
#[must_use]
pub fn is_ours(error: &io::Error) -> bool {
    matches!(
        error.raw_os_error(),
        Some(libc::EADDRNOTAVAIL | libc::EMFILE | libc::ENFILE | libc::ENOBUFS | libc::ENOMEM)
    )
}

// Private

#[expect(unsafe_code, reason = "neither nix nor socket2 has this option")]
fn bind_address_no_port(socket: &impl AsRawFd) -> io::Result<()> {
    let on: libc::c_int = 1;
    let size = libc::socklen_t::try_from(size_of_val(&on)).unwrap_or_default();
    // SAFETY: the option value is a C int that outlives the call, and its size is given.
    let result = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::IPPROTO_IP,
            libc::IP_BIND_ADDRESS_NO_PORT,
            (&raw const on).cast(),
            size,
        )
    };
    if result == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_requested_source_address_is_used() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let target = listener.local_addr().unwrap();
        let source = "127.0.0.77".parse().unwrap();
        let (stream, accepted) = tokio::join!(connect(target, Some(source)), listener.accept());
        assert_eq!(accepted.unwrap().1.ip(), source);
        assert!(stream.unwrap().nodelay().unwrap());
    }

    #[tokio::test]
    async fn an_unreachable_target_is_at_fault_and_a_missing_source_is_ours() {
        let refused = |target: &str, source: Option<&str>| {
            let source = source.map(|source| source.parse().unwrap());
            begin(target.parse().unwrap(), source, false).unwrap_err()
        };
        // A link-local address without an interface.
        let target = "[fe80::1]:9";
        assert!(!is_ours(&refused(target, None)));
        assert!(!is_ours(
            &connect(target.parse().unwrap(), None).await.unwrap_err()
        ));
        assert!(is_ours(&refused("127.0.0.1:9", Some("192.0.2.1"))));
        for errno in [libc::ENETUNREACH, libc::EACCES, libc::EPERM, libc::EINVAL] {
            assert!(!is_ours(&io::Error::from_raw_os_error(errno)), "{errno}");
        }
    }

    #[tokio::test]
    async fn a_source_of_another_family_is_an_error() {
        let target = "127.0.0.1:9".parse().unwrap();
        assert!(connect(target, Some("::1".parse().unwrap())).await.is_err());
    }
}
