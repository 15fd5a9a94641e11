//! Finds a server for a request, and another one when a connection fails.

use std::io;
use std::sync::Arc;

use super::Next;
use super::client::{Client, Phase, Stage};
use super::own_answers::OwnAnswer;
use crate::dataplane::backend::{Assigned, Lease, Waiter};
use crate::dataplane::counters::count;
use crate::dataplane::worker::Worker;
use crate::dataplane::worker::connecting::MAX_CONNECTS;
use crate::mcp::GatewayError;

impl Worker {
    /// Finds a server for the request of `client`.
    pub(super) fn assign_server(&mut self, client: &mut Client) -> Next {
        let (index, now) = (client.index, self.now);
        let Phase::Exchanging(active) = &mut client.phase else {
            return Next::Wait;
        };
        let waiter = || Waiter {
            worker: self.shared.inbox(self.number).clone(),
            index,
            serial: active.serial,
            client: active.key,
            server: None,
            since: now,
        };
        let backend = Arc::clone(&active.backend);
        match backend.assign(active.key, active.preferred, &active.tried, waiter) {
            Assigned::Server(lease) => self.connect_server(client, lease),
            Assigned::Wait => {
                active.stage = Stage::Waiting;
                client.since = now;
                Next::Wait
            }
            Assigned::Nothing if active.tried.is_empty() => {
                self.answer_in_place(client, OwnAnswer::Gateway(GatewayError::Unavailable))
            }
            Assigned::Nothing => {
                active.stage = Stage::Pausing;
                client.since = now;
                Next::Wait
            }
        }
    }

    /// Handles that a waiting request has got a server; if the request has ended, the server goes
    /// to the next one.
    pub(in crate::dataplane::worker) fn request_served(&mut self, index: u32, serial: u64, lease: Lease) {
        let Some(mut client) = self.http.clients.take(index) else {
            return;
        };
        if let Phase::Exchanging(active) = &mut client.phase
            && active.serial == serial
            && matches!(active.stage, Stage::Waiting)
        {
            let next = self.connect_server(&mut client, lease);
            return self.follow(client, next);
        }
        self.http.clients.put(index, client);
    }

    /// Handles that the connection to the request's server failed before any of the request was
    /// sent: another server gets it.
    pub(super) fn reassign_server(&mut self, client: &mut Client, error: &io::Error) -> Next {
        let Phase::Exchanging(active) = &mut client.phase else {
            return Next::Wait;
        };
        let stage = std::mem::replace(&mut active.stage, Stage::New);
        if let Some(index) = stage.server() {
            self.close_server(index);
        }
        if let Some(lease) = stage.lease() {
            active.tried.push(lease.server().id);
            let server = lease.server();
            server.http.finished(self.number);
            count(&server.counters.connect_errors);
            count(&active.backend.counters.connect_errors);
            count(&server.counters.redispatches);
            if server.failed(active.backend.pool().config.eject_after) {
                self.shared.eject(&active.backend, server, error);
            }
        }
        drop(stage);
        active.request.rewind();
        self.try_again(client)
    }

    /// Finds another server, unless there were too many attempts.
    pub(super) fn try_again(&mut self, client: &mut Client) -> Next {
        let Phase::Exchanging(active) = &mut client.phase else {
            return Next::Wait;
        };
        if active.attempts >= MAX_CONNECTS {
            return self.answer_in_place(client, OwnAnswer::Gateway(GatewayError::Unavailable));
        }
        count(&active.backend.counters.redispatches);
        self.assign_server(client)
    }
}
