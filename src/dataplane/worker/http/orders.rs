//! Orders of other threads that concern clients of HTTP.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use super::client::{Client, Phase, Stage};
use super::own_answers::OwnAnswer;
use super::{Next, ServerConnection};
use crate::dataplane::server::Server;
use crate::dataplane::worker::Worker;
use crate::dataplane::worker::closing::Open;
use crate::dataplane::worker::session::EndReason;
use crate::haproxy_api::server::{SessionFigures, SessionRequests};
use crate::mcp::GatewayError;

impl Worker {
    /// Ends all requests at a server, and closes the idle connections to it. A request that was not
    /// sent yet gets another server, and one that was not answered yet an error.
    pub(in crate::dataplane::worker) fn shutdown_requests(&mut self, server: &Arc<Server>) {
        let has = |client: &&Client| {
            let lease = client.lease();
            lease.is_some_and(|lease| Arc::ptr_eq(lease.server(), server))
        };
        let affected: Vec<u32> = self
            .http
            .clients
            .iter()
            .filter(has)
            .map(|client| client.index)
            .collect();
        for index in affected {
            let Some(mut client) = self.http.clients.take(index) else {
                continue;
            };
            let next = match &client.phase {
                Phase::Exchanging(active) if matches!(active.stage, Stage::Connecting { .. }) => {
                    self.reassign_server(&mut client, &io::ErrorKind::ConnectionAborted.into())
                }
                Phase::Exchanging(active) if !active.is_answered() => {
                    self.answer_in_place(&mut client, OwnAnswer::Gateway(GatewayError::NodeFailed))
                }
                _ => Next::End(EndReason::Ordered),
            };
            self.follow(client, next);
        }
        let connections = &self.http.servers;
        let is_kept = |index| {
            let connection: Option<&ServerConnection> = connections.get(index);
            connection.is_some_and(|connection| !Arc::ptr_eq(&connection.server, server))
        };
        for index in self.http.pool.sweep(is_kept) {
            self.close_server(index);
        }
    }

    /// Ends one client. Returns whether it existed.
    pub(in crate::dataplane::worker) fn shutdown_client(&mut self, id: u64) -> bool {
        let found = self
            .http
            .clients
            .iter()
            .find(|client| client.id(self.number) == id);
        let Some(client) = found
            .map(|client| client.index)
            .and_then(|index| self.http.clients.take(index))
        else {
            return false;
        };
        self.end_client(client, EndReason::Ordered);
        true
    }

    /// The clients, for closing them.
    pub(in crate::dataplane::worker) fn http_clients(&self) -> impl Iterator<Item = Open> {
        self.http
            .clients
            .iter()
            .map(|client| Open::Http(client.index, client.serial))
    }

    /// Closes one client, unless a request is in progress or its answer is not sent yet: an answer closes
    /// the client while the worker drains. Streams are closed as they are. Returns whether the client is
    /// left to itself.
    pub(in crate::dataplane::worker) fn close_client(&mut self, index: u32, serial: u64) -> bool {
        let Some(client) = self.http.clients.take(index) else {
            return true;
        };
        let why = match &client.phase {
            _ if client.serial != serial => None,
            Phase::Requesting(_) if client.input.trim_ascii().is_empty() && client.output.is_empty() => {
                Some(EndReason::Finished)
            }
            Phase::Tunnel(_) => Some(EndReason::Finished),
            Phase::Exchanging(active) if active.expects_silence() => Some(EndReason::Ordered),
            Phase::Requesting(_) | Phase::Exchanging(_) => {
                self.http.clients.put(index, client);
                return false;
            }
            Phase::Lingering => None,
        };
        match why {
            Some(why) => self.end_client(client, why),
            None => self.http.clients.put(index, client),
        }
        true
    }

    /// The figures of all clients for the runtime API.
    pub(in crate::dataplane::worker) fn client_figures(&self) -> impl Iterator<Item = SessionFigures> {
        self.http.clients.iter().map(|client| self.figures(client))
    }

    // Private

    fn figures(&self, client: &Client) -> SessionFigures {
        let since = |at: u64| Duration::from_millis(self.now.saturating_sub(at));
        let backend = match &client.phase {
            Phase::Exchanging(active) => Some(&active.backend),
            Phase::Tunnel(tunnel) => Some(&tunnel.backend),
            Phase::Requesting(_) | Phase::Lingering => None,
        };
        let server = client.server().and_then(|index| self.http.servers.get(index));
        let (bytes_in, bytes_out) = match &client.phase {
            Phase::Tunnel(tunnel) => tunnel.counted,
            Phase::Exchanging(active) => active.bytes,
            Phase::Requesting(_) | Phase::Lingering => (0, 0),
        };
        SessionFigures {
            id: client.id(self.number),
            client: client.from,
            frontend: client.frontend().name.clone(),
            backend: backend.map(|backend| backend.name.clone()),
            server: client.lease().map(|lease| lease.server().name.clone()),
            source: server.and_then(|server| server.stream.local_addr().ok()),
            age: since(client.began),
            idle: since(client.last_active),
            bytes_in,
            bytes_out,
            http: Some(SessionRequests {
                count: client.requests.into(),
                status: client.status,
            }),
        }
    }
}
