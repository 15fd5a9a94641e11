//! Listeners for several processes on one address: the client's address decides which of them gets
//! a connection.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::AsFd;
use std::sync::Arc;

use nix::sys::socket::{setsockopt, sockopt};
use socket2::Socket;

use super::places::Places;
use super::steering::{Family, Program};
use super::{BACKLOG, Claim, With, bound};

/// One listener for each of several members, on one address.
///
/// A client is always sent to the same member. The owner of the group keeps every listener open,
/// also those of dead members: so no listener ever moves to another [place](Places), and clients of
/// a dead member wait in the queue for the next process, or are [sent elsewhere](Group::steer).
#[derive(Debug)]
pub struct Group {
    address: SocketAddr,
    /// The listener of each member; `None` when only the member's process has it.
    listeners: Vec<Option<Arc<TcpListener>>>,
    places: Places,
}

impl Group {
    /// Listens on `address`, where no other program listens, once for each of the `members`; port 0
    /// takes a free one. Not blocking.
    ///
    /// # Errors
    /// When another program listens there, the address cannot be bound, or the kernel rejects the
    /// steering program.
    pub fn open(address: SocketAddr, members: u16) -> io::Result<Group> {
        // The claim keeps other programs away until our own listeners hold the address.
        let claim = Claim::new(address)?;
        let address = claim.address();
        let sockets: Vec<Socket> = (0..members)
            .map(|_| bound(address, With::Ours))
            .collect::<io::Result<_>>()?;
        let places = Places::in_order(members);
        for (index, socket) in sockets.iter().enumerate() {
            socket.listen(BACKLOG)?;
            if index == 0 {
                // The kernel accepts a program only once a listener exists; while there is only
                // one, it gets every connection.
                steer(socket, address, &places, &vec![true; members.into()])?;
            }
        }
        let listeners = sockets.into_iter().map(TcpListener::from);
        Ok(Group {
            address,
            listeners: listeners.map(|listener| Some(Arc::new(listener))).collect(),
            places,
        })
    }

    /// Takes over the group on `address` that another process has opened: its remaining listeners,
    /// and new listeners for members that have no place in it. A member that has a place but is not
    /// among the `listeners` is left to its process.
    ///
    /// # Errors
    /// When a new listener cannot be bound, or the kernel rejects the steering program.
    pub fn regain(
        address: SocketAddr,
        listeners: Vec<Option<Arc<TcpListener>>>,
        places: Places,
    ) -> io::Result<Group> {
        let mut group = Group {
            address,
            listeners,
            places,
        };
        for member in 0..group.members() {
            if group.places.of(member).is_none() {
                group.listen(member)?;
            }
        }
        group.steer(&vec![true; group.listeners.len()])?;
        Ok(group)
    }

    /// Notes that the process of `member` has ended. If only that process had the member's
    /// listener, a new one is opened.
    pub fn member_gone(&mut self, member: u16) -> io::Result<()> {
        if self.listener(member).is_some() || member >= self.members() {
            return Ok(());
        }
        self.places.lose(member);
        self.listen(member)
    }

    /// The address, with its real port.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// The member's listener; `None` if only its process has it.
    #[must_use]
    pub fn listener(&self, member: u16) -> Option<Arc<TcpListener>> {
        self.listeners.get(usize::from(member)).cloned().flatten()
    }

    /// Where the members' listeners are, for [`Group::regain`].
    #[must_use]
    pub const fn places(&self) -> &Places {
        &self.places
    }

    /// From now on only `living` members get connections. The clients of the other members are
    /// divided among the living ones, and no other client moves. If no member is living, all
    /// clients wait for their own member.
    ///
    /// # Errors
    /// When the kernel rejects the program; the previous one stays in effect.
    pub fn steer(&self, living: &[bool]) -> io::Result<()> {
        match self.listeners.iter().flatten().next() {
            // One program serves the whole group, whichever listener it is attached to.
            Some(any) => steer(any, self.address, &self.places, living),
            None => Ok(()),
        }
    }

    /// Closes the connections that wait for a member that will not come back, so that those clients
    /// connect again. Returns how many there were.
    pub fn turn_away(&self, member: u16) -> io::Result<usize> {
        let Some(listener) = self.listener(member) else {
            return Ok(0);
        };
        let mut count = 0;
        loop {
            match listener.accept() {
                Ok(_closed) => count += 1,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(count),
                // This client has closed its connection itself.
                Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
                Err(error) => return Err(error),
            }
        }
    }

    // Private

    fn members(&self) -> u16 {
        u16::try_from(self.listeners.len()).unwrap_or(u16::MAX)
    }

    /// Opens a listener for `member`, which has none yet.
    fn listen(&mut self, member: u16) -> io::Result<()> {
        let socket = bound(self.address, With::Ours)?;
        socket.listen(BACKLOG)?;
        self.places.add(member);
        self.listeners[usize::from(member)] = Some(Arc::new(socket.into()));
        Ok(())
    }
}

// Private

fn steer(any: &impl AsFd, address: SocketAddr, places: &Places, living: &[bool]) -> io::Result<()> {
    let family = if address.is_ipv6() { Family::V6 } else { Family::V4 };
    let mut program = Program::new(family, places, living);
    setsockopt(any, sockopt::AttachReusePortCbpf, &program.as_kernel_wants_it())?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::net::{Ipv4Addr, TcpStream};
    use std::time::{Duration, Instant};

    use super::*;

    const MEMBERS: u16 = 3;

    fn group(address: &str) -> Group {
        Group::open(address.parse().unwrap(), MEMBERS).unwrap()
    }

    fn connect(group: &Group, host: u16) -> TcpStream {
        let socket = Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
        let [high, low] = host.to_be_bytes();
        let source = SocketAddr::from((Ipv4Addr::new(127, 9, high, low), 0));
        socket.bind(&source.into()).unwrap();
        socket.connect(&group.address().into()).unwrap();
        socket.into()
    }

    /// The member that gets the next connection; the connection is closed.
    fn accepted(group: &Group) -> u16 {
        let deadline = Instant::now() + Duration::from_secs(30);
        loop {
            let taken = (0..MEMBERS).find(|member| {
                group
                    .listener(*member)
                    .is_some_and(|listener| listener.accept().is_ok())
            });
            if let Some(member) = taken {
                return member;
            }
            assert!(Instant::now() < deadline, "nobody got it");
            std::thread::yield_now();
        }
    }

    fn homes(group: &Group) -> Vec<u16> {
        let home = |host| {
            let _client = connect(group, host);
            accepted(group)
        };
        (0..300).map(home).collect()
    }

    fn count(homes: &[u16], member: u16) -> usize {
        homes.iter().filter(|home| **home == member).count()
    }

    #[test]
    fn clients_are_spread_and_always_reach_the_same_member() {
        let group = group("127.0.0.1:0");
        let first = homes(&group);
        for member in 0..3 {
            let clients = count(&first, member);
            assert!((60..=140).contains(&clients), "{member} has {clients} of 300");
        }
        assert_eq!(homes(&group), first);
    }

    #[test]
    fn clients_of_a_dead_member_are_divided_and_no_others_move() {
        let group = group("127.0.0.1:0");
        let first = homes(&group);
        group.steer(&[true, false, true]).unwrap();
        let without = homes(&group);
        for (before, now) in first.iter().zip(&without) {
            assert!(
                *now != 1 && (now == before || *before == 1),
                "from {before} to {now}"
            );
        }
        let moved = |member| count(&without, member) - count(&first, member);
        assert!(moved(0) > 15 && moved(2) > 15, "{} and {}", moved(0), moved(2));
        group.steer(&[false, false, true]).unwrap();
        assert_eq!(count(&homes(&group), 2), 300);
        group.steer(&[true; 3]).unwrap();
        assert_eq!(homes(&group), first);
    }

    #[test]
    fn clients_that_wait_for_a_dead_member_are_closed() {
        let group = group("127.0.0.1:0");
        group.steer(&[false, true, false]).unwrap();
        let mut waiting: Vec<TcpStream> = (0..5).map(|host| connect(&group, host)).collect();
        assert_eq!((group.turn_away(0).unwrap(), group.turn_away(9).unwrap()), (0, 0));
        let mut turned_away = 0;
        let deadline = Instant::now() + Duration::from_secs(30);
        while turned_away < waiting.len() {
            turned_away += group.turn_away(1).unwrap();
            assert!(Instant::now() < deadline, "{turned_away}");
        }
        for client in &mut waiting {
            client.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
            assert_eq!(client.read(&mut [0; 1]).unwrap_or(0), 0);
        }
    }

    #[test]
    fn an_ipv6_client_reaches_the_same_member_too() {
        let group = group("[::1]:0");
        let home = || {
            let _client = TcpStream::connect(group.address()).unwrap();
            accepted(&group)
        };
        let first = home();
        for _ in 0..20 {
            assert_eq!(home(), first);
        }
        let living: Vec<bool> = (0..MEMBERS).map(|member| member != first).collect();
        group.steer(&living).unwrap();
        assert_ne!(home(), first);
    }

    #[test]
    fn the_rest_of_a_group_is_regained_and_its_clients_reach_their_members() {
        let mut group = group("127.0.0.1:0");
        let first = homes(&group);
        // Member 0 dies with its listener; the kernel moves the last one.
        let mut places = group.places().clone();
        group.listeners[0] = None;
        places.lose(0);
        let left = std::mem::take(&mut group.listeners);
        let regained = Group::regain(group.address(), left, places).unwrap();
        assert_eq!(homes(&regained), first);
        assert_eq!(regained.places().of(0), Some(2));
    }

    #[test]
    fn a_listener_that_only_a_process_has_is_replaced_when_that_ends() {
        let mut group = group("127.0.0.1:0");
        let first = homes(&group);
        let elsewhere = group.listeners[1].take();
        group.member_gone(0).unwrap();
        drop(elsewhere);
        group.member_gone(1).unwrap();
        group.steer(&[true; 3]).unwrap();
        assert_eq!(homes(&group), first);
    }

    #[test]
    fn an_address_in_use_is_refused() {
        let group = group("127.0.0.1:0");
        let error = Group::open(group.address(), 2).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
    }
}
