//! A group that another process has opened.

use std::collections::BTreeSet;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;

use super::super::{Places, Spread, inode};
use super::Group;

impl Group {
    /// Takes over the group on `address` that another process has opened: its remaining `sockets`,
    /// and new ones for members that have no place in it. A member that has a place but is not
    /// among the `sockets` is left to its process.
    ///
    /// A socket belongs to the member that has its inode in `inodes`. Sockets with other inodes
    /// belong to the first members of which neither socket nor inode is known, and to more members
    /// if those do not suffice. Which members get connections stays as it is until
    /// [`Group::steer`], but new sockets get none.
    ///
    /// # Errors
    /// When nothing is known about the group, a new socket cannot be bound, or the kernel rejects
    /// the steering program.
    pub fn regain(
        address: SocketAddr,
        sockets: Vec<TcpListener>,
        places: Places,
        inodes: &[Option<u64>],
    ) -> io::Result<Group> {
        let mut group = Group {
            address,
            listeners: vec![None; inodes.len().max(members(&places))],
            places,
            living: Vec::new(),
            spread: Spread::ByClient,
        };
        group.assign(sockets, inodes)?;
        if group.listeners.is_empty() {
            let error = format!("no listener on {address} to take over");
            return Err(io::Error::new(io::ErrorKind::NotFound, error));
        }
        group.living = vec![true; group.listeners.len()];
        group.add_missing()?;
        Ok(group)
    }

    // Private

    /// Assigns the sockets to their members.
    fn assign(&mut self, sockets: Vec<TcpListener>, inodes: &[Option<u64>]) -> io::Result<()> {
        let mut seen = BTreeSet::new();
        let mut unknown = Vec::new();
        for socket in sockets {
            let inode = inode(&socket)?;
            // Several processes can have copies of one socket.
            if !seen.insert(inode) {
                continue;
            }
            match inodes.iter().position(|other| *other == Some(inode)) {
                Some(member) => self.listeners[member] = Some(Arc::new(socket)),
                None => unknown.push(socket),
            }
        }
        for socket in unknown {
            let is_free = |member: &u16| {
                let index = usize::from(*member);
                let is_elsewhere = inodes.get(index).is_some_and(Option::is_some);
                self.listeners[index].is_none() && !(is_elsewhere && self.places.of(*member).is_some())
            };
            let member = (0..self.members()).find(is_free);
            let socket = Some(Arc::new(socket));
            match member {
                Some(member) => self.listeners[usize::from(member)] = socket,
                None => self.listeners.push(socket),
            }
        }
        for member in 0..self.members() {
            if self.listener(member).is_some() && self.places.of(member).is_none() {
                self.places.add(member);
            }
        }
        Ok(())
    }

    /// Opens listeners for the members without a place. They get no connections yet.
    fn add_missing(&mut self) -> io::Result<()> {
        let is_placed = |member| self.places.of(member).is_some();
        let placed: Vec<bool> = (0..self.members()).map(is_placed).collect();
        if placed.contains(&false) && self.any().is_some() {
            self.check_shareable()?;
            self.attach(&placed, self.spread)?;
        }
        for (member, _) in (0..).zip(&placed).filter(|(_, is_placed)| !**is_placed) {
            self.listen(member)?;
        }
        Ok(())
    }
}

// Private

/// The number of members, as far as `places` show it.
fn members(places: &Places) -> usize {
    places.members().max().map_or(0, |last| usize::from(last) + 1)
}
