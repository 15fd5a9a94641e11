//! Listeners for several processes or threads on one address, of which each connection reaches one.

mod grow;
mod regain;

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;

use socket2::Socket;

use super::places::Places;
use super::steering::{Family, Program, Spread, detach};
use super::{BACKLOG, Claim, With, bound, inode};

/// One listener for each of several members, on one address.
///
/// The owner of the group keeps every listener open, also those of dead members: so no listener
/// ever moves to another [place](Places), and clients of a dead member wait in the queue for the
/// next process, or are [sent elsewhere](Group::steer).
#[derive(Debug)]
pub struct Group {
    address: SocketAddr,
    /// The listener of each member; `None` when only the member's process has it.
    listeners: Vec<Option<Arc<TcpListener>>>,
    places: Places,
    /// The members that get connections, as given to [`Group::steer`].
    living: Vec<bool>,
    spread: Spread,
}

impl Group {
    /// Listens on `address`, where no other program listens, once for each of the `members`; port 0
    /// takes a free one. Not blocking. Until [`Group::steer`] changes it, all members get
    /// connections, [by client](Spread::ByClient).
    ///
    /// # Errors
    /// When another program listens there, the address cannot be bound, or the kernel rejects the
    /// steering program.
    pub fn open(address: SocketAddr, members: u16) -> io::Result<Group> {
        // The claim keeps other programs away until our own listeners hold the address.
        let claim = Claim::new(address)?;
        let mut group = Group {
            address: claim.address(),
            listeners: Vec::new(),
            places: Places::in_order(members),
            living: vec![true; members.into()],
            spread: Spread::ByClient,
        };
        let sockets = (0..members).map(|_| bound(group.address, With::Ours));
        let sockets: Vec<Socket> = sockets.collect::<io::Result<_>>()?;
        for (index, socket) in sockets.iter().enumerate() {
            socket.listen(BACKLOG)?;
            if index == 0 && members > 1 {
                // The kernel accepts a program only once a listener exists; while there is only
                // one, it gets every connection.
                let family = family(group.address);
                Program::new(group.spread, family, &group.places, &group.living).attach(socket)?;
            }
        }
        let listeners = sockets.into_iter().map(TcpListener::from);
        group.listeners = listeners.map(|listener| Some(Arc::new(listener))).collect();
        Ok(group)
    }

    /// Notes that the process of `member` has ended. If only that process had the member's
    /// listener, a new one is opened, which gets no connections until [`Group::steer`] sends it
    /// some, unless no other member is living.
    pub fn member_gone(&mut self, member: u16) -> io::Result<()> {
        if self.listener(member).is_some() || member >= self.members() {
            return Ok(());
        }
        self.places.lose(member);
        if let Some(lives) = self.living.get_mut(usize::from(member)) {
            *lives = false;
        }
        self.apply(&self.living, self.spread)?;
        self.listen(member)
    }

    /// The address, with its real port.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// The number of members.
    #[must_use]
    pub fn members(&self) -> u16 {
        u16::try_from(self.listeners.len()).unwrap_or(u16::MAX)
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

    /// The [inode] of each member's listener, for [`Group::regain`]; `None` if only the member's
    /// process has the listener.
    #[must_use]
    pub fn inodes(&self) -> Vec<Option<u64>> {
        let listeners = self.listeners.iter().map(Option::as_ref);
        listeners.map(|listener| inode(listener?).ok()).collect()
    }

    /// From now on only `living` members get connections; those beyond the end of `living` get
    /// none.
    ///
    /// By client, the clients of members that do not live are divided among the living ones, and no
    /// other client moves as long as `living` keeps its length. By connection, the kernel's own
    /// hash decides while all members live. If no member is living, all clients wait.
    ///
    /// # Errors
    /// When the kernel rejects the program; the previous one stays in effect.
    pub fn steer(&mut self, living: &[bool], spread: Spread) -> io::Result<()> {
        self.apply(living, spread)?;
        self.living = living.to_vec();
        self.spread = spread;
        Ok(())
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

    /// Any of the listeners: what is set by one of them holds for the whole group.
    fn any(&self) -> Option<&Arc<TcpListener>> {
        self.listeners.iter().flatten().next()
    }

    /// Lets the kernel choose among the `living` members.
    fn apply(&self, living: &[bool], spread: Spread) -> io::Result<()> {
        let Some(any) = self.any() else {
            return Ok(());
        };
        // A single listener gets everything anyway.
        if self.members() == 1 {
            return Ok(());
        }
        let lives = |member: usize| living.get(member) == Some(&true);
        let members = 0..self.listeners.len();
        let are_equal = members.clone().all(lives) || !members.clone().any(lives);
        // An old kernel keeps the program; then a random number decides.
        if spread == Spread::ByConnection && are_equal && detach(any).is_ok() {
            return Ok(());
        }
        self.attach(living, spread)
    }

    /// Attaches a program that chooses among the `living` members. Members beyond the end of
    /// `living` never get a connection by it.
    fn attach(&self, living: &[bool], spread: Spread) -> io::Result<()> {
        match self.any() {
            Some(any) => Program::new(spread, family(self.address), &self.places, living).attach(any),
            None => Ok(()),
        }
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

const fn family(address: SocketAddr) -> Family {
    if address.is_ipv6() { Family::V6 } else { Family::V4 }
}

#[cfg(test)]
mod tests;
#[cfg(test)]
mod under_load;
