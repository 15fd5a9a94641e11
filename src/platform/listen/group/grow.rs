//! More members for a group that is in use.

use std::io;
use std::net::TcpListener;
use std::sync::Arc;

use socket2::{SockRef, Socket};

use super::super::{BACKLOG, With, bound};
use super::Group;

impl Group {
    /// Opens listeners until there is one for each of `members`. The new ones get no connections
    /// until [`Group::steer`] sends them some.
    ///
    /// # Errors
    /// When the present listeners cannot share their address, which is so if another program has
    /// opened them without `SO_REUSEPORT`; when a new one cannot be bound; when the kernel rejects
    /// the steering program. The group is as before then.
    pub fn grow(&mut self, members: u16) -> io::Result<()> {
        if members <= self.members() {
            return Ok(());
        }
        self.check_shareable()?;
        // The kernel would send connections to the new listeners at once. A program that gives only
        // the numbers of the present ones excludes them.
        let present = &self.living[..self.living.len().min(self.listeners.len())];
        self.attach(present, self.spread)?;
        match self.more(members) {
            Ok(listeners) => {
                for (member, listener) in (self.members()..).zip(listeners) {
                    self.places.add(member);
                    self.listeners.push(Some(Arc::new(listener)));
                }
                Ok(())
            }
            Err(error) => {
                self.apply(&self.living, self.spread)?;
                Err(error)
            }
        }
    }

    // Private

    /// Listeners for the members that are missing up to `members`. If one cannot be opened, the
    /// others are closed: no connection has reached them.
    fn more(&self, members: u16) -> io::Result<Vec<TcpListener>> {
        let sockets = (self.members()..members).map(|_| bound(self.address, With::Ours));
        let sockets: Vec<Socket> = sockets.collect::<io::Result<_>>()?;
        for socket in &sockets {
            socket.listen(BACKLOG)?;
        }
        Ok(sockets.into_iter().map(TcpListener::from).collect())
    }

    /// Checks that more listeners can be opened on the address.
    pub(super) fn check_shareable(&self) -> io::Result<()> {
        let address = self.address;
        let Some(any) = self.any() else {
            let error = format!("this process has none of the listeners on {address}");
            return Err(io::Error::new(io::ErrorKind::NotFound, error));
        };
        if SockRef::from(any).reuse_port()? {
            return Ok(());
        }
        let error =
            format!("the listener on {address} was opened without SO_REUSEPORT, so no other can join it");
        Err(io::Error::new(io::ErrorKind::Unsupported, error))
    }
}
