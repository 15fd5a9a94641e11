//! Opens and closes a worker's listeners as the configuration requires: its own sockets, or copies
//! of its share of the parent's.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use mio::Interest;

use super::listener::Listener;
use super::{EventSource, Worker};
use crate::dataplane::frontend::Frontend;
use crate::dataplane::parent_sockets::{offered, share};
use crate::dataplane::topology::Topology;
use crate::haproxy_api::server::FrontendState;

impl Worker {
    /// Listens on the addresses of `topology`, and closes the other listeners.
    pub(super) fn apply_topology(&mut self, topology: Arc<Topology>) -> io::Result<()> {
        self.close_listeners(|listener| {
            !open(&topology).any(|(frontend, address)| {
                Arc::ptr_eq(frontend, &listener.frontend) && address == listener.address
            })
        });
        let outcome = match &topology.config.listeners {
            _ if self.draining => Ok(()),
            Some(parent) => self.copy_share(&topology, parent),
            None => self.bind_all(&topology),
        };
        self.apply_max_age(&topology);
        self.topology = topology;
        outcome
    }

    /// Closes the listeners that `closes` selects. A socket of the parent stays open elsewhere, so the
    /// kernel would go on to report its clients to this worker if it were only closed.
    pub(super) fn close_listeners(&mut self, closes: impl Fn(&Listener) -> bool) {
        for place in &mut self.listeners {
            if let Some(mut listener) = place.take_if(|listener| closes(listener)) {
                // It fails only for a socket that is not watched.
                let _unwatched = self.poll.registry().deregister(&mut listener.socket);
            }
        }
    }

    // Private

    /// Listens with an own socket on each address.
    fn bind_all(&mut self, topology: &Topology) -> io::Result<()> {
        let mut outcome = Ok(());
        for (frontend, address) in open(topology) {
            let is_bound = |listener: &Listener| listener.address == address;
            if !self.listeners.iter().flatten().any(is_bound) {
                let bound = Listener::bind(Arc::clone(frontend), address);
                outcome = outcome.and(bound.and_then(|listener| self.watch_listener(listener)));
            }
        }
        outcome
    }

    /// Listens with copies of this worker's share of the parent's sockets, and closes copies of
    /// others. If that fails, it keeps what it has.
    fn copy_share(&mut self, topology: &Topology, parent: &Path) -> io::Result<()> {
        let members = self.shared.members();
        let workers = topology.config.workers;
        let wanted: BTreeMap<u64, &Arc<Frontend>> = open(topology)
            .flat_map(|(frontend, address)| {
                share(&members, address, self.number, workers).map(move |inode| (inode, frontend))
            })
            .collect();
        self.close_listeners(|listener| listener.inode.is_none_or(|inode| !wanted.contains_key(&inode)));
        let has = |worker: &Worker, inode: u64| {
            let listeners = worker.listeners.iter().flatten();
            listeners
                .filter_map(|listener| listener.inode)
                .any(|it| it == inode)
        };
        if wanted.keys().all(|inode| has(self, *inode)) {
            return Ok(());
        }
        for (member, socket) in offered(parent)? {
            if let Some(frontend) = wanted.get(&member.inode)
                && !has(self, member.inode)
            {
                self.watch_listener(Listener::copied(Arc::clone(frontend), member, socket)?)?;
            }
        }
        if wanted.keys().all(|inode| has(self, *inode)) {
            return Ok(());
        }
        Err(io::Error::new(
            io::ErrorKind::NotFound,
            "the parent does not hand over a socket any more that it has handed over just before",
        ))
    }

    fn watch_listener(&mut self, mut listener: Listener) -> io::Result<()> {
        let place = self.listeners.iter().position(Option::is_none);
        let place = place.unwrap_or_else(|| {
            self.listeners.push(None);
            self.listeners.len() - 1
        });
        let event_source = EventSource::Listener(u32::try_from(place).unwrap_or(u32::MAX));
        self.poll
            .registry()
            .register(&mut listener.socket, event_source.into(), Interest::READABLE)?;
        self.listeners[place] = Some(listener);
        Ok(())
    }
}

// Private

/// The addresses of all frontends that are not stopped.
fn open(topology: &Topology) -> impl Iterator<Item = (&Arc<Frontend>, SocketAddr)> {
    let frontends = topology.frontends.iter();
    let open = frontends.filter(|frontend| frontend.state() != FrontendState::Stopped);
    open.flat_map(|frontend| {
        frontend
            .route()
            .listen
            .clone()
            .into_iter()
            .map(move |it| (frontend, it))
    })
}
