//! Reads the head of a request, and decides what is done with it.

use std::mem::MaybeUninit;
use std::sync::Arc;

use super::client::{Active, Client, Phase, Stage};
use super::outbox::Outbox;
use super::request_id::RequestIds;
use super::{Next, READ, flush_output, read};
use crate::dataplane::backend::{Backend, Pool};
use crate::dataplane::balance::{ClientKey, path_digest};
use crate::dataplane::frontend::HttpRoute;
use crate::dataplane::http::rules::{Affinity, ToNode, accepts_gzip, affinity, write_request};
use crate::dataplane::http::{Exchange, MAX_HEADERS, Rejection, Request, parse_request};
use crate::dataplane::relay::InputState;
use crate::dataplane::worker::Worker;
use crate::dataplane::worker::session::EndReason;
use crate::dataplane_config::DataplaneHttpBackend;
use crate::mcp::GatewayError;

use super::own_answers::OwnAnswer;

impl Worker {
    /// Reads until the head of a request is complete, and begins the request.
    pub(super) fn read_request(&mut self, client: &mut Client) -> Next {
        if let Some(next) = flush_output(client) {
            return next;
        }
        if !client.input.is_empty() {
            let input = std::mem::take(&mut client.input);
            if let Some(next) = self.scan_head(client, &input) {
                return next;
            }
            client.input = input;
        }
        if !client.readiness.readable {
            return Next::Wait;
        }
        let mut buffer = std::mem::take(&mut self.buffer);
        let next = self.read_head(client, &mut buffer[..READ]);
        self.buffer = buffer;
        next
    }

    // Private

    fn read_head(&mut self, client: &mut Client, buffer: &mut [u8]) -> Next {
        let bytes = match read(&client.stream, &mut client.readiness, buffer) {
            Ok(None) => return Next::Wait,
            Ok(Some(0)) => return Next::End(EndReason::Finished),
            Ok(Some(read)) => &buffer[..read],
            Err(_) => return Next::End(EndReason::Client),
        };
        client.last_active = self.now;
        if client.input.is_empty() {
            // The time for a head begins with its first byte.
            client.since = self.now;
            if let Some(next) = self.scan_head(client, bytes) {
                return next;
            }
            client.input.reserve_exact(bytes.len());
            client.input.extend_from_slice(bytes);
        } else {
            client.input.extend_from_slice(bytes);
            let input = std::mem::take(&mut client.input);
            if let Some(next) = self.scan_head(client, &input) {
                return next;
            }
            client.input = input;
        }
        Next::Again
    }

    /// Begins the request at the beginning of `bytes`; `None` if its head is not complete.
    fn scan_head(&mut self, client: &mut Client, bytes: &[u8]) -> Option<Next> {
        let limits = self.topology.http_limits;
        let Phase::Requesting(scan) = &mut client.phase else {
            return Some(Next::Wait);
        };
        match scan.request(bytes, limits.head) {
            Ok(None) => None,
            Ok(Some(length)) => Some(self.begin_request(client, bytes, length)),
            Err(rejection) => Some(self.reject(client, rejection, false)),
        }
    }

    /// Begins the request with a head of `length` bytes; its body and other requests may follow.
    fn begin_request(&mut self, client: &mut Client, bytes: &[u8], length: usize) -> Next {
        let mut room = [const { MaybeUninit::uninit() }; MAX_HEADERS];
        let (head, rest) = bytes.split_at(length);
        let request = match parse_request(head, &mut room) {
            Ok(request) => request,
            Err(rejection) => return self.reject(client, rejection, false),
        };
        client.requests += 1;
        self.count_request(client);
        if let Some(record) = &mut client.record {
            record.request(&request, length, self.now);
        }
        let limits = self.topology.http_limits;
        let mut exchange = match Exchange::begin(&request, &limits) {
            Ok(exchange) => exchange,
            Err(rejection) => return self.reject(client, rejection, request.method == "HEAD"),
        };
        let admitted = client.limits.admit(1, self.shared.clock.instant(self.now));
        if admitted.passed == 0 {
            client.frontend().denied_request(client.ip());
            let answer = OwnAnswer::Gateway(GatewayError::TooManyRequests);
            return self.answer_instead(client, answer, exchange, rest);
        }
        let route = client.frontend().route();
        let Some(http) = &route.http else {
            return Next::End(EndReason::NoServer);
        };
        let backend = match http.destination(&route.backend, &request) {
            Ok(backend) => backend,
            Err(refusal) => {
                return self.answer_instead(client, OwnAnswer::Refusal(refusal), exchange, rest);
            }
        };
        let pool = backend.pool();
        let Some(settings) = &pool.config.http else {
            return Next::End(EndReason::NoServer);
        };
        let affinity = affinity(&request, settings, |name| pool.named(name).is_some());
        let mut message = self.write_message(client, http, &request, settings, &affinity);
        let consumed = match exchange.pass_request(rest, &limits, &mut message) {
            Ok(passed) => {
                message.extend_from_slice(passed.plain);
                passed.consumed
            }
            Err(rejection) => {
                self.http.out = message;
                return self.reject(client, rejection, exchange.is_head());
            }
        };
        let active = Box::new(self.active(client, http, backend, exchange, &request, &pool, &affinity));
        if let Some(record) = &mut client.record {
            let mut room = RequestIds::room();
            let made = self.http.request_ids.write(self.serial, &mut room);
            let id = request.header("x-request-id").unwrap_or(made.as_bytes());
            record.routed(active.key.address, id, &backend.name, &affinity);
            record.first_bytes(consumed, message.len());
        }
        client.enter(Phase::Exchanging(active), self.now);
        self.begin_exchange(client, message, &rest[consumed..])
    }

    /// The head of the request for the node.
    fn write_message(
        &mut self,
        client: &Client,
        http: &HttpRoute,
        request: &Request<'_>,
        settings: &DataplaneHttpBackend,
        affinity: &Affinity<'_>,
    ) -> Vec<u8> {
        let peer = client.ip();
        let mut out = std::mem::take(&mut self.http.out);
        out.clear();
        self.serial += 1;
        let mut room = RequestIds::room();
        let request_id = self.http.request_ids.write(self.serial, &mut room);
        let to_node = ToNode {
            settings,
            affinity,
            peer,
            is_trusted: http.forwarding.is_trusted(peer),
            request_id: Some(request_id),
        };
        write_request(request, &to_node, &mut out);
        out
    }

    #[expect(clippy::too_many_arguments, reason = "all of them are parts of one request")]
    fn active(
        &mut self,
        client: &Client,
        http: &HttpRoute,
        backend: &Arc<Backend>,
        exchange: Exchange,
        request: &Request<'_>,
        pool: &Pool,
        affinity: &Affinity<'_>,
    ) -> Active {
        let serving = |name: &str| pool.named(name).filter(|server| server.keeps_clients());
        let cookie = affinity.cookie.and_then(serving).map(|server| server.id);
        let by_session = affinity.session_node.filter(|_| !affinity.has_no_session);
        Active {
            serial: self.serial,
            exchange,
            backend: Arc::clone(backend),
            key: ClientKey {
                address: http.forwarding.client(client.ip(), request),
                path: if pool.config.algorithm.needs_http() {
                    path_digest(request.path())
                } else {
                    0
                },
            },
            preferred: by_session.and_then(serving).map(|server| server.id).or(cookie),
            cookie,
            has_no_session: affinity.has_no_session,
            accepts_gzip: accepts_gzip(request),
            held: None,
            is_repeatable: is_idempotent(request.method),
            needs_new_connection: false,
            node_refuses: false,
            needs_more: false,
            has_sent_answer: false,
            has_answer_bytes: false,
            is_stream: pool.config.http.as_ref().is_some_and(|http| http.stream),
            tried: Vec::new(),
            attempts: 0,
            stage: Stage::New,
            request: Outbox::default(),
            began: self.now,
            connected: self.now,
            bytes: (0, 0),
            counted: (0, 0),
        }
    }

    /// Finds a server for the request that begins with `message`. `rest` are bytes of its client that
    /// are not used yet.
    fn begin_exchange(&mut self, client: &mut Client, message: Vec<u8>, rest: &[u8]) -> Next {
        let Phase::Exchanging(active) = &mut client.phase else {
            return Next::Wait;
        };
        active.backend.counters.begun(self.now);
        active.backend.http.request(self.number, self.now);
        active.bytes.0 += message.len() as u64;
        active.request = Outbox::of(message);
        if !rest.is_empty() {
            client.input = rest.to_vec();
        }
        if client.readiness.input != InputState::Open {
            return Next::End(EndReason::Client);
        }
        self.assign_server(client)
    }

    fn reject(&mut self, client: &mut Client, rejection: Rejection, is_head: bool) -> Next {
        self.answer_and_close(client, OwnAnswer::Rejection(rejection), is_head)
    }
}

// Private

/// Whether a request of this method may be sent twice (RFC 9110, section 9.2.2).
fn is_idempotent(method: &str) -> bool {
    matches!(method, "GET" | "HEAD" | "OPTIONS" | "TRACE" | "PUT" | "DELETE")
}
