//! The end of a request, of a connection to a server, and of a client.

use std::io;

use super::client::{Active, Client, Phase, Stage, Tunnel};
use super::counting::count_invalid_answer;
use super::own_answers::OwnAnswer;
use super::{Next, ServerConnection};
use crate::dataplane::counters::count;
use crate::dataplane::http::HeadScan;
use crate::dataplane::relay::InputState;
use crate::dataplane::worker::Worker;
use crate::dataplane::worker::ending::reset;
use crate::dataplane::worker::session::EndReason;
use crate::mcp::GatewayError;

/// Time between two looks for idle connections to close, in ms.
const SWEEP_INTERVAL_MS: u64 = 500;

impl Worker {
    /// Handles that the answer has ended: the connection to the server becomes idle or is closed,
    /// and the client may send the next request.
    pub(super) fn finish_exchange(
        &mut self,
        client: &mut Client,
        mut connection: Box<ServerConnection>,
    ) -> Next {
        let phase = Phase::Requesting(HeadScan::default());
        let Phase::Exchanging(active) = std::mem::replace(&mut client.phase, phase) else {
            return Next::Wait;
        };
        client.since = self.now;
        self.count_request_end(client);
        let exchange = &active.exchange;
        let closes = !exchange.client_persists();
        let is_request_done = exchange.is_request_done();
        let is_reusable = exchange.node_persists()
            && active.request.is_empty()
            && connection.is_clean
            && connection.readiness.input == InputState::Open
            && !self.draining
            && connection.server.serves()
            && connection.server.address() == connection.address;
        self.count_end(&active, EndReason::Finished);
        self.log_finished(client, &active);
        let index = connection.index;
        if is_reusable {
            connection.client = None;
            connection.uses += 1;
            connection.since = self.now;
            self.http.pool.push(&connection.server, index);
            self.http.servers.put(index, connection);
            self.http.sweep_at.get_or_insert(self.now + SWEEP_INTERVAL_MS);
        } else {
            self.http.servers.vacate(index);
        }
        drop(active);
        if !closes {
            return Next::Again;
        }
        let has_unread = !client.input.is_empty() || client.readiness.readable;
        if is_request_done && client.output.is_empty() && !has_unread {
            return Next::End(EndReason::Finished);
        }
        client.input = Vec::new();
        client.enter(Phase::Lingering, self.now);
        Next::Again
    }

    /// Handles that the server's connection has ended before the answer was complete.
    pub(super) fn server_gone(
        &mut self,
        client: &mut Client,
        connection: Box<ServerConnection>,
        kind: io::ErrorKind,
    ) -> Next {
        let was_reused = connection.uses > 0;
        if !was_reused {
            connection.server.aborted(self.now);
        }
        self.http.servers.put(connection.index, connection);
        let Phase::Exchanging(active) = &mut client.phase else {
            return Next::End(EndReason::Server);
        };
        if active.is_answered() {
            count_invalid_answer(client);
            return Next::End(EndReason::Server);
        }
        if !was_reused || active.has_answer_bytes {
            tracing::debug!(client = %client.from, %kind, "the server did not answer");
            return self.answer_in_place(client, OwnAnswer::Gateway(GatewayError::NodeFailed));
        }
        // The server has closed an idle connection just when the request came. Perhaps it has read
        // the request, so only one that may be repeated is sent again.
        if !active.is_repeatable || !active.request.is_kept() {
            return Next::End(EndReason::Server);
        }
        self.connect_again(client)
    }

    /// Gives up the request in progress.
    pub(super) fn end_exchange(&mut self, client: &mut Client) {
        self.count_bytes(client);
        let phase = Phase::Requesting(HeadScan::default());
        let Phase::Exchanging(active) = std::mem::replace(&mut client.phase, phase) else {
            return;
        };
        if let Some(record) = &mut client.record {
            record.exchanged(&active);
        }
        if matches!(active.stage, Stage::Waiting) {
            active.backend.remove_waiter(self.number, active.serial);
        }
        if let Some(server) = active.stage.server() {
            self.close_server(server);
        }
        self.count_end(&active, EndReason::NoServer);
    }

    /// Ends a client. Dropping it closes its socket, and returns its places.
    pub(super) fn end_client(&mut self, mut client: Box<Client>, why: EndReason) {
        let index = client.index;
        self.http.timers.disarm(index);
        self.http.clients.vacate(index);
        self.http.compressing -= std::mem::take(&mut client.compressing) as usize;
        self.count_bytes(&mut client);
        self.count_request_end(&mut client);
        self.log_end(&mut client, why);
        match std::mem::replace(&mut client.phase, Phase::Lingering) {
            Phase::Exchanging(active) => {
                if matches!(active.stage, Stage::Waiting) {
                    active.backend.remove_waiter(self.number, active.serial);
                }
                if let Some(server) = active.stage.server() {
                    self.close_server(server);
                }
                // A client that reads until the end of the connection must not take this for it.
                if active.is_answered() && why != EndReason::Client {
                    reset(&client.stream);
                }
                self.count_end(&active, why);
            }
            Phase::Tunnel(tunnel) => {
                if matches!(why, EndReason::Server | EndReason::Ordered | EndReason::TooLong) {
                    reset(&client.stream);
                }
                self.end_tunnel(&tunnel, why);
            }
            Phase::Requesting(_) | Phase::Lingering => {}
        }
        tracing::debug!(
            client = %client.from,
            frontend = client.frontend().name,
            requests = client.requests,
            ?why,
            "client ended"
        );
    }

    /// Handles that the server has ended a tunnel, and the client has got all of it. What the client
    /// still sends is dropped: closing its connection would reset it, and the last bytes with it.
    pub(super) fn finish_tunnel(&mut self, client: &mut Client) -> Next {
        let why = EndReason::Finished;
        self.count_request_end(client);
        self.log_end(client, why);
        if let Phase::Tunnel(tunnel) = std::mem::replace(&mut client.phase, Phase::Lingering) {
            self.end_tunnel(&tunnel, why);
        }
        client.sent_end = true;
        client.since = self.now;
        Next::Again
    }

    /// Closes idle connections that are too old, or whose server gets no more requests.
    pub(in crate::dataplane::worker) fn sweep_idle_connections(&mut self) {
        if self.http.sweep_at.is_none_or(|at| self.now < at) {
            return;
        }
        let (now, draining) = (self.now, self.draining);
        let servers = &self.http.servers;
        let is_kept = |index| {
            let connection: Option<&ServerConnection> = servers.get(index);
            connection.is_some_and(|it| !draining && it.may_be_idle(now))
        };
        for index in self.http.pool.sweep(is_kept) {
            self.close_server(index);
        }
        self.http.sweep_at = (!self.http.pool.is_empty()).then_some(now + SWEEP_INTERVAL_MS);
    }

    /// Adds the bytes that have passed to the counters.
    pub(super) fn count_bytes(&self, client: &mut Client) {
        let Phase::Exchanging(active) = &mut client.phase else {
            return;
        };
        let (up, down) = (
            active.bytes.0 - active.counted.0,
            active.bytes.1 - active.counted.1,
        );
        active.counted = active.bytes;
        if up + down == 0 {
            return;
        }
        client.admission.frontend().bytes.add(self.number, up, down);
        if let Some(lease) = active.stage.lease() {
            lease.server().bytes.add(self.number, up, down);
        }
    }

    // Private

    /// Closes the server's side of a tunnel, and counts its end.
    fn end_tunnel(&mut self, tunnel: &Tunnel, why: EndReason) {
        self.close_server(tunnel.server);
        let took = self.now.saturating_sub(tunnel.began);
        let server = tunnel.lease.server();
        tunnel.backend.http.finished(self.number);
        server.http.finished(self.number);
        count_reason(why, &server.counters, &tunnel.backend.counters, took);
    }

    fn count_end(&self, active: &Active, why: EndReason) {
        let took = self.now.saturating_sub(active.began);
        active.backend.http.finished(self.number);
        if let Some(lease) = active.stage.lease() {
            lease.server().http.finished(self.number);
            count_reason(why, &lease.server().counters, &active.backend.counters, took);
        } else {
            active.backend.counters.total_time.add(took);
            if why == EndReason::Client {
                count(&active.backend.counters.client_aborts);
            }
            active.backend.counters.sessions.down();
        }
    }
}

// Private

use crate::dataplane::counters::Counters;

/// Counts the end of a request at a server and in its backend.
fn count_reason(why: EndReason, server: &Counters, backend: &Counters, took: u64) {
    for counters in [server, backend] {
        counters.total_time.add(took);
        match why {
            EndReason::Client => count(&counters.client_aborts),
            EndReason::Server => count(&counters.server_aborts),
            _ => {}
        }
    }
    backend.sessions.down();
}
