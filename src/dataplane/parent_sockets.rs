//! Listening sockets that the parent process opens and hands over (`listeners` in the
//! configuration). An address has several of them, its members; this process uses copies.
//!
//! ```text
//!  the main thread    copies of all members, for `_getsocks` and the pages; it decides which ones are used
//!  worker w of W      copies of the members w, w + W, .. of each address
//! ```
//!
//! A worker has its own descriptor table, so it takes its copies from the parent itself. The parent
//! keeps the sockets: clients wait in their queues while no process accepts.

use std::collections::BTreeSet;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::sync::Arc;

use super::ServeError;
use crate::dataplane_config::Dataplane;
use crate::haproxy_api::take_listeners;
use crate::platform::listen::{inode, lengthen_backlog};

/// One of the sockets of an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Member {
    pub(crate) address: SocketAddr,
    /// Identifies the socket in every process.
    pub(crate) inode: u64,
}

/// The main thread's copies, in the order in which they were handed over.
#[derive(Clone, Debug, Default)]
pub(crate) struct ParentSockets(Vec<(Member, Arc<TcpListener>)>);

impl ParentSockets {
    /// Takes the sockets of `addresses` from the process at `path`.
    ///
    /// # Errors
    /// When the process does not hand over a socket of each address.
    pub(super) async fn take(
        path: &Path,
        addresses: BTreeSet<SocketAddr>,
    ) -> Result<ParentSockets, ServeError> {
        let unavailable = {
            let path = path.to_owned();
            move |source| ServeError::Parent { path, source }
        };
        let offered = tokio::task::spawn_blocking({
            let path = path.to_owned();
            move || offered(&path)
        });
        let offered = match offered.await {
            Ok(Ok(offered)) => offered,
            Ok(Err(source)) => return Err(unavailable(source)),
            Err(panicked) => return Err(unavailable(io::Error::other(panicked))),
        };
        let missing = |address: &&SocketAddr| !offered.iter().any(|(member, _)| member.address == **address);
        if let Some(address) = addresses.iter().find(missing) {
            return Err(ServeError::NotHandedOver {
                path: path.to_owned(),
                address: *address,
            });
        }
        let wanted = offered
            .into_iter()
            .filter(|(member, _)| addresses.contains(&member.address))
            .map(|(member, listener)| {
                // A former balancer may have made it shorter.
                lengthen_backlog(&listener).map_err(|source| ServeError::Bind {
                    address: member.address,
                    source,
                })?;
                Ok((member, Arc::new(listener)))
            });
        Ok(ParentSockets(wanted.collect::<Result<_, ServeError>>()?))
    }

    /// These sockets, and those of `former` whose address they lack.
    pub(super) fn with_former(mut self, former: &ParentSockets) -> ParentSockets {
        let addresses: BTreeSet<SocketAddr> = self.members().iter().map(|it| it.address).collect();
        let others = former.0.iter().filter(|(it, _)| !addresses.contains(&it.address));
        self.0.extend(others.cloned());
        self
    }

    /// The sockets of `addresses`.
    pub(super) fn only(&self, addresses: &BTreeSet<SocketAddr>) -> ParentSockets {
        let wanted = self.0.iter().filter(|(it, _)| addresses.contains(&it.address));
        ParentSockets(wanted.cloned().collect())
    }

    /// What identifies them, in their order.
    pub(super) fn members(&self) -> Vec<Member> {
        self.0.iter().map(|(member, _)| *member).collect()
    }

    /// The sockets, in their order.
    pub(super) fn listeners(&self) -> Vec<Arc<TcpListener>> {
        self.0.iter().map(|(_, listener)| Arc::clone(listener)).collect()
    }

    /// Further copies of the sockets of an address.
    pub(super) fn copies(&self, address: SocketAddr) -> io::Result<Vec<TcpListener>> {
        let of_address = self.0.iter().filter(|(it, _)| it.address == address);
        of_address.map(|(_, listener)| listener.try_clone()).collect()
    }
}

/// The sockets that a worker serves, of those of an address.
pub(crate) fn share(
    members: &[Member],
    address: SocketAddr,
    worker: u16,
    workers: u16,
) -> impl Iterator<Item = u64> {
    let of_address = members.iter().filter(move |member| member.address == address);
    of_address
        .skip(worker.into())
        .step_by(usize::from(workers.max(1)))
        .map(|member| member.inode)
}

/// The calling thread's copies of all sockets that the process at `path` hands over. Not blocking.
pub(crate) fn offered(path: &Path) -> io::Result<Vec<(Member, TcpListener)>> {
    let identified = |listener: TcpListener| {
        listener.set_nonblocking(true)?;
        let member = Member {
            address: listener.local_addr()?,
            inode: inode(&listener)?,
        };
        Ok((member, listener))
    };
    take_listeners(path)?.into_iter().map(identified).collect()
}

/// The addresses of the frontends of `config`.
pub(super) fn of_frontends(config: &Dataplane) -> BTreeSet<SocketAddr> {
    let addresses = config.frontends.iter().flat_map(|frontend| &frontend.listen);
    addresses.copied().collect()
}

/// The addresses of the pages of `config`.
pub(super) fn of_pages(config: &Dataplane) -> BTreeSet<SocketAddr> {
    config.stats.into_iter().chain(config.status).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_socket_has_one_worker_whatever_their_numbers() {
        let [one, other] = ["127.0.0.1:1", "127.0.0.1:2"].map(|it| it.parse().unwrap());
        for (sockets, workers) in [(0, 2), (1, 4), (3, 2), (4, 4), (600, 7)] {
            let members: Vec<Member> = (0..2 * sockets)
                .map(|inode| Member {
                    address: if inode % 2 == 0 { one } else { other },
                    inode,
                })
                .collect();
            let mut taken = Vec::new();
            for worker in 0..workers {
                let own: Vec<u64> = share(&members, one, worker, workers).collect();
                let positions = own.iter().map(|inode| inode / 2 % u64::from(workers));
                assert!(positions.eq(own.iter().map(|_| u64::from(worker))));
                taken.extend(own);
            }
            taken.sort_unstable();
            assert!(taken.into_iter().eq((0..sockets).map(|at| at * 2)));
        }
    }
}
