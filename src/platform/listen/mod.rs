//! Listeners that several threads or processes share: one `SO_REUSEPORT` socket for each; the
//! kernel spreads the connections over them.

mod group;
mod held;
mod places;
mod serve;
mod slots;
mod steering;

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::AsFd;

use nix::unistd::geteuid;
use socket2::{Domain, Protocol, SockRef, Socket, Type};

pub use group::Group;
pub use held::{held_by, inode};
pub use places::Places;
pub use serve::serve_each;
pub use slots::{Slot, Slots};
pub use steering::Spread;

use super::ports::listeners_that_collide;
use super::sock_diag::Listener;

/// The requested length of the accept queue; the kernel reduces it to `net.core.somaxconn`.
const BACKLOG: i32 = 65_535;

/// An address that belongs to this program: no other program listens on it, now or later.
///
/// `SO_REUSEPORT` alone would let a second program of the same user silently take half of the
/// connections. So the address is first bound without it, which fails when another program listens
/// there, and is opened for our own listeners afterwards.
#[derive(Debug)]
pub struct Claim {
    /// Bound, but never listening: it gets no connection.
    _socket: Socket,
    address: SocketAddr,
}

impl Claim {
    /// Claims `address`; port 0 claims a free one.
    ///
    /// # Errors
    /// When another program listens there, or the address cannot be bound.
    pub fn new(address: SocketAddr) -> io::Result<Claim> {
        // The strictest bind also excludes another claim. It fails while connections of a former
        // process are still ending; the second bind ignores those, but not listeners.
        let socket = bound(address, With::None).or_else(|_| bound(address, With::Ending))?;
        socket.set_reuse_port(true)?;
        let address = socket.local_addr()?.as_socket().unwrap_or(address);
        Ok(Claim {
            _socket: socket,
            address,
        })
    }

    /// The address, with its real port.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }
}

/// Lengthens the accept queue of a listener that already listens, so that a burst of clients does not
/// fill it.
///
/// # Errors
/// When the kernel refuses.
pub fn lengthen_backlog(listener: &impl AsFd) -> io::Result<()> {
    SockRef::from(listener).listen(BACKLOG)
}

/// A new listener of the calling thread on a claimed address. Not blocking.
///
/// # Errors
/// When it cannot be made, or the claim was given up and another program has the address.
pub fn listener(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = bound(address, With::Ours)?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

// Private

/// What an address is shared with.
#[derive(Clone, Copy, PartialEq, Eq)]
enum With {
    None,
    /// With connections that are ending.
    Ending,
    /// With connections that are ending, and with listeners that share the address in the same way.
    Ours,
}

fn bound(address: SocketAddr, with: With) -> io::Result<Socket> {
    let socket = Socket::new(
        Domain::for_address(address),
        Type::STREAM.nonblocking(),
        Some(Protocol::TCP),
    )?;
    if address.is_ipv6() {
        // An IPv4 listener on the same port must remain possible.
        socket.set_only_v6(true)?;
    }
    socket.set_reuse_address(with != With::None)?;
    socket.set_reuse_port(with == With::Ours)?;
    let bound = socket.bind(&address.into());
    bound.map_err(|error| match with {
        With::Ours => of_another_user(address, error),
        With::None | With::Ending => error,
    })?;
    Ok(socket)
}

/// Explains that `address` is in use: the kernel lets only sockets of one user share an address.
fn of_another_user(address: SocketAddr, error: io::Error) -> io::Error {
    let own = geteuid().as_raw();
    let listeners = match error.kind() {
        io::ErrorKind::AddrInUse => listeners_that_collide(address),
        _ => Vec::new(),
    };
    match listeners.iter().find(|listener| listener.user != own) {
        Some(Listener { user, .. }) => io::Error::new(
            error.kind(),
            format!("another user's listener is there (of uid {user})"),
        ),
        None => error,
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use nix::unistd::{Uid, setfsuid};

    use super::*;

    const ANY_PORT: &str = "127.0.0.1:0";

    #[test]
    fn a_claim_admits_only_our_own_listeners() {
        let claim = Claim::new(ANY_PORT.parse().unwrap()).unwrap();
        let error = Claim::new(claim.address()).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
        let first = listener(claim.address()).unwrap();
        let second = listener(claim.address()).unwrap();
        assert_eq!(first.local_addr().unwrap(), second.local_addr().unwrap());
        let error = Claim::new(claim.address()).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
        drop(claim);
        let error = Claim::new(first.local_addr().unwrap()).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
    }

    #[test]
    fn a_listener_of_another_user_is_named_as_the_reason() {
        let nobody = Uid::from_raw(65_534);
        // Only this thread is affected.
        let theirs = std::thread::spawn(move || {
            setfsuid(nobody);
            let claim = Claim::new(ANY_PORT.parse().unwrap()).unwrap();
            listener(claim.address()).unwrap()
        });
        let theirs = theirs.join().unwrap();
        let joined = listener(theirs.local_addr().unwrap());
        if geteuid().is_root() {
            let error = joined.unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
            assert_eq!(
                error.to_string(),
                "another user's listener is there (of uid 65534)"
            );
        } else {
            joined.unwrap();
        }
    }

    #[test]
    fn an_address_with_ending_connections_can_be_claimed_again() {
        let claim = Claim::new(ANY_PORT.parse().unwrap()).unwrap();
        let listening = listener(claim.address()).unwrap();
        listening.set_nonblocking(false).unwrap();
        let client = std::net::TcpStream::connect(claim.address()).unwrap();
        let (server, _) = listening.accept().unwrap();
        // The server's side closes first, and is in TIME_WAIT when the client has closed too.
        drop(server);
        drop(client);
        drop(listening);
        let address = claim.address();
        drop(claim);
        // A child that another test has just forked may have copies of all of them until it runs its
        // program. TIME_WAIT lasts longer than this.
        let deadline = Instant::now() + Duration::from_secs(30);
        while let Err(error) = Claim::new(address) {
            assert!(Instant::now() < deadline, "{error}");
            std::thread::yield_now();
        }
    }
}
