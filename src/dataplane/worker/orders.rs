//! Carries out the orders that other threads send to a worker.

use std::io;
use std::sync::Arc;

use mio::Interest;

use super::listener::Listener;
use super::session::{Phase, Session, Why};
use super::{About, Worker};
use crate::dataplane::backend::Lease;
use crate::dataplane::frontend::Frontend;
use crate::dataplane::inbox::Order;
use crate::dataplane::server::Server;
use crate::dataplane::topology::Layout;
use crate::haproxy_api::server::FrontendState;

impl Worker {
    /// Carries out all orders in the inbox. An answer is dropped if its receiver has gone.
    pub(super) fn read_orders(&mut self) {
        for order in self.desk.take() {
            match order {
                Order::Layout(layout, done) => {
                    let _gone = done.send(self.lay_out(layout));
                }
                Order::Served { index, serial, lease } => self.served(index, serial, lease),
                Order::Cut(server, done) => {
                    self.cut(&server);
                    let _gone = done.send(());
                }
                Order::End(id, found) => {
                    let _gone = found.send(self.end_one(id));
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

    /// Listens on the addresses of `layout`, and closes the other listeners.
    fn lay_out(&mut self, layout: Arc<Layout>) -> io::Result<()> {
        let stays = |listener: &Listener| {
            layout.frontends.iter().any(|frontend| {
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
            for frontend in &layout.frontends {
                outcome = outcome.and(self.listen(frontend));
            }
        }
        self.layout = layout;
        outcome
    }

    fn listen(&mut self, frontend: &Arc<Frontend>) -> io::Result<()> {
        if frontend.state() == FrontendState::Stopped {
            return Ok(());
        }
        for address in &frontend.route().listen {
            let there = |listener: &Listener| listener.address == *address;
            if self.listeners.iter().flatten().any(there) {
                continue;
            }
            let mut listener = Listener::bind(Arc::clone(frontend), *address)?;
            let place = self.listeners.iter().position(Option::is_none);
            let place = place.unwrap_or_else(|| {
                self.listeners.push(None);
                self.listeners.len() - 1
            });
            let about = About::Listener(u32::try_from(place).unwrap_or(u32::MAX));
            self.poll
                .registry()
                .register(&mut listener.socket, about.into(), Interest::READABLE)?;
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
    fn cut(&mut self, server: &Arc<Server>) {
        let has = |session: &&Session| {
            session
                .lease()
                .is_some_and(|lease| Arc::ptr_eq(lease.server(), server))
        };
        let cut: Vec<u32> = self
            .places
            .iter()
            .filter(has)
            .map(|session| session.index)
            .collect();
        for index in cut {
            match self.places.take(index) {
                Some(session) if matches!(session.phase, Phase::Connecting { .. }) => {
                    self.failed(session, &io::ErrorKind::ConnectionAborted.into());
                }
                Some(session) => self.end(session, Why::Ordered),
                None => {}
            }
        }
    }

    fn end_one(&mut self, id: u64) -> bool {
        let found = self.places.iter().find(|session| session.id(self.number) == id);
        let Some(session) = found
            .map(|session| session.index)
            .and_then(|index| self.places.take(index))
        else {
            return false;
        };
        self.end(session, Why::Ordered);
        true
    }
}
