//! Carries out the orders that other threads send to a worker.

use std::io;
use std::sync::Arc;

use mio::Interest;

use super::listener::Listener;
use super::session::{EndReason, Phase, Session};
use super::{EventSource, Worker};
use crate::dataplane::backend::Lease;
use crate::dataplane::frontend::Frontend;
use crate::dataplane::inbox::Order;
use crate::dataplane::server::Server;
use crate::dataplane::topology::Topology;
use crate::haproxy_api::server::FrontendState;

impl Worker {
    /// Carries out all orders in the inbox. An answer is dropped if its receiver has gone.
    pub(super) fn read_orders(&mut self) {
        for order in self.inbox.take() {
            match order {
                Order::Topology(topology, done) => {
                    let _gone = done.send(self.apply_topology(topology));
                }
                Order::Served { index, serial, lease } => self.served(index, serial, lease),
                Order::ShutdownSessions(server, done) => {
                    self.shutdown_sessions(&server);
                    let _gone = done.send(());
                }
                Order::ShutdownSession(id, found) => {
                    let _gone = found.send(self.shutdown_session(id));
                }
                Order::List(list) => {
                    let figures = |session: &Session| session.figures(self.number, self.now);
                    let _gone = list.send(self.places.iter().map(figures).collect());
                }
                Order::Drain => {
                    self.listeners.clear();
                    self.draining = true;
                }
            }
        }
    }

    // Private

    /// Listens on the addresses of `topology`, and closes the other listeners.
    fn apply_topology(&mut self, topology: Arc<Topology>) -> io::Result<()> {
        let stays = |listener: &Listener| {
            topology.frontends.iter().any(|frontend| {
                Arc::ptr_eq(frontend, &listener.frontend)
                    && frontend.state() != FrontendState::Stopped
                    && frontend.route().listen.contains(&listener.address)
            })
        };
        for place in &mut self.listeners {
            if place.as_ref().is_some_and(|listener| !stays(listener)) {
                *place = None;
            }
        }
        let mut outcome = Ok(());
        if !self.draining {
            for frontend in &topology.frontends {
                outcome = outcome.and(self.listen(frontend));
            }
        }
        self.topology = topology;
        outcome
    }

    fn listen(&mut self, frontend: &Arc<Frontend>) -> io::Result<()> {
        if frontend.state() == FrontendState::Stopped {
            return Ok(());
        }
        for address in &frontend.route().listen {
            let same_address = |listener: &Listener| listener.address == *address;
            if self.listeners.iter().flatten().any(same_address) {
                continue;
            }
            let mut listener = Listener::bind(Arc::clone(frontend), *address)?;
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
        }
        Ok(())
    }

    /// A waiting session has got a server; if the session has ended, the server goes to the next
    /// one.
    fn served(&mut self, index: u32, serial: u64, lease: Lease) {
        match self.places.take(index) {
            Some(session) if session.serial == serial && matches!(session.phase, Phase::Waiting) => {
                let mut session = session;
                session.phase = Phase::New;
                self.connect(session, lease);
            }
            Some(session) => self.places.put(session),
            None => {}
        }
    }

    /// Ends all sessions of a server; sessions that are still connecting to it get another server.
    fn shutdown_sessions(&mut self, server: &Arc<Server>) {
        let has = |session: &&Session| {
            session
                .lease()
                .is_some_and(|lease| Arc::ptr_eq(lease.server(), server))
        };
        let affected: Vec<u32> = self
            .places
            .iter()
            .filter(has)
            .map(|session| session.index)
            .collect();
        for index in affected {
            match self.places.take(index) {
                Some(session) if matches!(session.phase, Phase::Connecting { .. }) => {
                    self.failed(session, &io::ErrorKind::ConnectionAborted.into());
                }
                Some(session) => self.end(session, EndReason::Ordered),
                None => {}
            }
        }
    }

    fn shutdown_session(&mut self, id: u64) -> bool {
        let found = self.places.iter().find(|session| session.id(self.number) == id);
        let Some(session) = found
            .map(|session| session.index)
            .and_then(|index| self.places.take(index))
        else {
            return false;
        };
        self.end(session, EndReason::Ordered);
        true
    }
}
