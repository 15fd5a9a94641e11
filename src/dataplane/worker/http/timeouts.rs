//! Until when a client may stay as it is, and what follows then.

use super::client::{Active, Client, Phase, Stage};
use super::own_answers::OwnAnswer;
use super::{Next, ServerConnection};
use crate::dataplane::http::Rejection;
use crate::dataplane::topology::Times;
use crate::dataplane::worker::Worker;
use crate::dataplane::worker::connecting::{RETRY_AFTER_MS, VERIFY_MS};
use crate::dataplane::worker::session::EndReason;
use crate::dataplane::worker::slab::Slab;
use crate::mcp::GatewayError;

/// How long a connection may send bytes that are dropped, in ms.
const LINGER_MS: u64 = 30_000;
/// Silence after which such a connection is closed, in ms.
const LINGER_SILENCE_MS: u64 = 5_000;

impl Worker {
    /// Sets the timer of a client.
    pub(super) fn arm(&mut self, client: &Client) {
        let deadline = self.deadline(client);
        self.http.timers.arm(client.index, deadline);
    }

    /// Makes all clients look at their deadlines again.
    pub(in crate::dataplane::worker) fn arm_all_clients(&mut self) {
        for client in self.http.clients.iter() {
            self.http.timers.arm(client.index, self.now);
        }
    }

    /// Handles the expired timer of a client.
    pub(in crate::dataplane::worker) fn client_timer(&mut self, index: u32) {
        let Some(mut client) = self.http.clients.take(index) else {
            return;
        };
        let next = if self.now < self.deadline(&client) {
            Next::Again
        } else {
            self.expire(&mut client)
        };
        self.follow(client, next);
    }

    // Private

    /// Closes a client that has not begun a request, unless bytes of one have just arrived.
    fn close_idle(&mut self, client: &mut Client) -> Next {
        client.readiness.readable = true;
        let before = client.input.len();
        let next = self.read_request(client);
        let is_idle = matches!(client.phase, Phase::Requesting(_)) && client.input.len() == before;
        if next == Next::Wait && is_idle {
            return Next::End(EndReason::Finished);
        }
        next
    }

    /// Until when a client may stay as it is, in ms of the clock.
    fn deadline(&self, client: &Client) -> u64 {
        let deadline = deadline(client, &self.http.servers, &self.topology.times, self.now);
        match &client.phase {
            Phase::Requesting(_) if client.input.is_empty() && client.requests > 0 && !is_stuck(client) => {
                self.closes_at(client.began, client.serial, client.since)
                    .map_or(deadline, |at| deadline.min(at))
            }
            _ => deadline,
        }
    }

    fn expire(&mut self, client: &mut Client) -> Next {
        if is_stuck(client) {
            return Next::End(EndReason::Client);
        }
        match &mut client.phase {
            // A client that has not begun a request expects nothing. Empty lines do not begin one.
            Phase::Requesting(_) if client.input.trim_ascii().is_empty() => self.close_idle(client),
            Phase::Requesting(_) => {
                self.answer_and_close(client, OwnAnswer::Rejection(Rejection::TooSlow), false)
            }
            Phase::Lingering => Next::End(EndReason::Finished),
            Phase::Tunnel(tunnel) if tunnel.client_has_ended => Next::End(EndReason::Finished),
            Phase::Tunnel(_) => Next::End(EndReason::TooLong),
            Phase::Exchanging(active) => match active.stage {
                Stage::Pausing => {
                    active.tried.clear();
                    self.assign_server(client)
                }
                Stage::New | Stage::Waiting => {
                    self.answer_in_place(client, OwnAnswer::Gateway(GatewayError::Unavailable))
                }
                Stage::Connecting { .. } => {
                    self.reassign_server(client, &std::io::ErrorKind::TimedOut.into())
                }
                Stage::Connected { .. } if active.is_answered() => Next::End(EndReason::TooLong),
                Stage::Connected { .. } if is_sending(active, &self.http.servers) => {
                    self.answer_in_place(client, OwnAnswer::Rejection(Rejection::TooSlow))
                }
                Stage::Connected { .. } => {
                    self.answer_in_place(client, OwnAnswer::Gateway(GatewayError::NodeTimeout))
                }
            },
        }
    }
}

// Private

/// Whether there are bytes that the client does not take.
fn is_stuck(client: &Client) -> bool {
    let client_has_ended = matches!(&client.phase, Phase::Tunnel(tunnel) if tunnel.client_has_ended);
    !client_has_ended && (!client.output.is_empty() || !client.readiness.writable)
}

/// Whether the client's part of the exchange is what is waited for, not the server's taking of it.
fn is_sending(active: &Active, servers: &Slab<ServerConnection>) -> bool {
    let connection = active.stage.server().and_then(|server| servers.get(server));
    !active.exchange.is_request_done()
        && active.request.is_empty()
        && !active.node_refuses
        && connection.is_some_and(|connection| connection.readiness.writable)
}

/// Until when a client may stay as it is, in ms of the clock.
fn deadline(client: &Client, servers: &Slab<ServerConnection>, times: &Times, now: u64) -> u64 {
    if is_stuck(client) {
        let silence = match &client.phase {
            Phase::Tunnel(_) => times.tunnel,
            Phase::Exchanging(active) if active.expects_silence() => times.tunnel,
            _ => times.client,
        };
        return client.last_active + silence;
    }
    match &client.phase {
        Phase::Requesting(_) if client.input.is_empty() && client.requests > 0 => {
            client.since + times.keep_alive
        }
        Phase::Requesting(_) => client.since + times.http_request,
        Phase::Lingering => {
            (client.since + LINGER_MS).min(client.last_active.max(client.since) + LINGER_SILENCE_MS)
        }
        Phase::Tunnel(tunnel) if tunnel.client_has_ended => client.since + LINGER_SILENCE_MS,
        Phase::Tunnel(_) => client.last_active + times.tunnel,
        Phase::Exchanging(active) => match active.stage {
            Stage::New => now,
            Stage::Waiting => client.since + times.queue,
            Stage::Pausing => client.since + RETRY_AFTER_MS,
            // A server that may be dying is looked at again.
            Stage::Connecting { ref lease, .. } if lease.server().is_suspect(now) => now + VERIFY_MS,
            Stage::Connecting { .. } => client.since + times.connect,
            Stage::Connected { .. } if is_sending(active, servers) => client.last_active + times.client,
            Stage::Connected { .. } if active.expects_silence() => client.last_active + times.tunnel,
            Stage::Connected { .. } => client.last_active.max(active.connected) + times.server,
        },
    }
}
