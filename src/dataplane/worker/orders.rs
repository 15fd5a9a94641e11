//! Carries out the orders that other threads send to a worker.

use std::io;
use std::sync::Arc;

use super::Worker;
use super::session::{EndReason, Phase, Session};
use crate::dataplane::backend::Lease;
use crate::dataplane::inbox::Order;
use crate::dataplane::server::Server;

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
                    let mut all: Vec<_> = self.places.iter().map(figures).collect();
                    all.extend(self.client_figures());
                    let _gone = list.send(all);
                }
                Order::LogRequests(done) => {
                    self.log_all();
                    let _gone = done.send(());
                }
                Order::Turn(done) => {
                    let _gone = done.send(());
                }
                Order::Drain(done) => {
                    self.close_listeners(|_| true);
                    self.draining = true;
                    self.http.sweep_at = Some(self.now);
                    let _gone = done.send(());
                }
                Order::Close(over, done) => {
                    self.begin_closing(over);
                    let _gone = done.send(());
                }
            }
        }
    }

    // Private

    /// A waiting session has got a server; if the session has ended, the server goes to the next
    /// one.
    fn served(&mut self, index: u32, serial: u64, lease: Lease) {
        match self.places.take(index) {
            Some(session) if session.serial == serial && matches!(session.phase, Phase::Waiting) => {
                let mut session = session;
                session.phase = Phase::New;
                self.connect(session, lease);
            }
            other => {
                if let Some(session) = other {
                    self.places.put(session.index, session);
                }
                self.request_served(index, serial, lease);
            }
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
        self.shutdown_requests(server);
    }

    fn shutdown_session(&mut self, id: u64) -> bool {
        let found = self.places.iter().find(|session| session.id(self.number) == id);
        let Some(session) = found
            .map(|session| session.index)
            .and_then(|index| self.places.take(index))
        else {
            return self.shutdown_client(id);
        };
        self.end(session, EndReason::Ordered);
        true
    }
}
