//! What the access log says of requests.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use super::client::{Active, Client, Phase, Stage};
use super::own_answers::OwnAnswer;
use crate::dataplane::access_log::Line;
use crate::dataplane::http::rules::Affinity;
use crate::dataplane::http::{Rejection, Request};
use crate::dataplane::server::Server;
use crate::dataplane::worker::Worker;
use crate::dataplane::worker::session::EndReason;
use crate::mcp::GatewayError;

/// The most bytes of a path.
const MAX_PATH: usize = 1024;
/// The most bytes of a header's value.
const MAX_VALUE: usize = 256;
/// Lines are handed over before the end of a turn when they are more than this many bytes.
const MAX_PENDING: usize = 64 << 10;
/// A value in this encoding can hold anything, also what is not logged.
const ENCODED: &[u8] = b"=?";

/// The lines of a worker that it has not handed over yet.
#[derive(Debug, Default)]
pub(super) struct Pending {
    bytes: Vec<u8>,
    lines: u32,
}

/// What is known so far of a request that will be logged. Moments are in ms of the clock.
#[derive(Debug)]
pub(super) struct Record {
    line: Line,
    /// The first byte came.
    began: u64,
    /// The head was complete.
    head: Option<u64>,
    is_routed: bool,
    /// The first connection was chosen.
    assigned: Option<u64>,
    /// The connection that was used was ready.
    connected: Option<u64>,
    /// The head of the answer came.
    answered: Option<u64>,
    status: Option<u16>,
    server: Option<Arc<Server>>,
    is_reused: Option<bool>,
    /// Connections that were tried.
    connections: u32,
    /// Bytes of the request that came with its head, and what was made of them for the node.
    first_bytes: (u64, u64),
    bytes: (u64, u64),
    /// The second letter of HAProxy's termination state.
    progress: u8,
}

/// How a request ended: a word, and the first letter of HAProxy's termination state.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ending(&'static str, u8);

impl Ending {
    pub(super) const FINISHED: Ending = Ending("finished", b'-');

    const fn of(why: EndReason) -> Ending {
        match why {
            EndReason::Finished => Ending::FINISHED,
            EndReason::Client => Ending("client", b'C'),
            EndReason::Server => Ending("server", b'S'),
            EndReason::NoServer => Ending("no_server", b'S'),
            EndReason::TooLong => Ending("timeout", b's'),
            EndReason::Ordered => Ending("shutdown", b'K'),
        }
    }

    const fn of_answer(answer: OwnAnswer, progress: u8) -> Ending {
        match answer {
            OwnAnswer::Rejection(Rejection::TooSlow) => Ending("timeout", b'c'),
            OwnAnswer::Rejection(_)
            | OwnAnswer::Refusal(_)
            | OwnAnswer::Gateway(GatewayError::TooManyRequests) => Ending("rejected", b'P'),
            OwnAnswer::Gateway(GatewayError::NodeFailed) => Ending("server", b'S'),
            OwnAnswer::Gateway(GatewayError::NodeTimeout) => Ending("timeout", b's'),
            OwnAnswer::Gateway(GatewayError::Unavailable) if progress == b'Q' => Ending("timeout", b's'),
            OwnAnswer::Gateway(GatewayError::Unavailable) => Ending("no_server", b'S'),
        }
    }
}

impl Record {
    /// Adds what the head of a request says; it has `length` bytes.
    pub(super) fn request(&mut self, request: &Request<'_>, length: usize, now: u64) {
        self.head = Some(now);
        self.bytes.0 = length as u64;
        self.first_bytes.0 = length as u64;
        self.line.word("method", request.method);
        self.line.text("path", Some(request.path().as_bytes()), MAX_PATH);
        let (mut method, mut name, mut version) = (None, None, None);
        for header in request.headers {
            let found = match header.name.len() {
                8 if header.name.eq_ignore_ascii_case("mcp-name") => &mut name,
                10 if header.name.eq_ignore_ascii_case("mcp-method") => &mut method,
                20 if header.name.eq_ignore_ascii_case("mcp-protocol-version") => &mut version,
                _ => continue,
            };
            // The first one counts.
            *found = found.or(Some(header.value));
        }
        self.line.text("mcp_method", method, MAX_VALUE);
        self.line.text("mcp_name", name.map(without_query), MAX_VALUE);
        self.line.text("mcp_version", version, MAX_VALUE);
    }

    /// Adds where a request goes: its client, its id at the node, its backend, and the node that its
    /// session names.
    pub(super) fn routed(&mut self, client: IpAddr, id: &[u8], backend: &str, affinity: &Affinity<'_>) {
        self.is_routed = true;
        self.line.word("client", &client.to_string());
        self.line.text("request_id", Some(id), MAX_VALUE);
        self.line.word("backend", backend);
        let session_node = affinity.session_node.map(str::as_bytes);
        self.line.text("session_node", session_node, MAX_VALUE);
    }

    /// Records that `consumed` bytes behind the head are a part of the body, and that all together is
    /// a message of `length` bytes for the node.
    pub(super) fn first_bytes(&mut self, consumed: usize, length: usize) {
        self.first_bytes.0 += consumed as u64;
        self.first_bytes.1 = length as u64;
    }

    /// Records that a connection to `server` was chosen.
    pub(super) fn assigned(&mut self, server: &Arc<Server>, is_reused: bool, now: u64) {
        self.assigned.get_or_insert(now);
        self.connected = is_reused.then_some(now);
        self.is_reused = Some(is_reused);
        self.connections += 1;
        self.server = Some(Arc::clone(server));
    }

    /// Records that the server has accepted the connection.
    pub(super) fn connected(&mut self, now: u64) {
        self.connected = Some(now);
    }

    /// Records that the head of the answer has come.
    pub(super) fn answered(&mut self, status: u16, now: u64) {
        self.status = Some(status);
        self.answered = Some(now);
    }

    /// Records how far the exchange has come, and its bytes.
    pub(super) fn exchanged(&mut self, active: &Active) {
        let (before, after) = self.first_bytes;
        self.bytes = ((before + active.bytes.0).saturating_sub(after), active.bytes.1);
        self.progress = match active.stage {
            Stage::New | Stage::Pausing | Stage::Connecting { .. } => b'C',
            Stage::Waiting => b'Q',
            Stage::Connected { .. } if !active.is_answered() && active.exchange.is_request_done() => b'H',
            Stage::Connected { .. } => b'D',
        };
    }

    /// Adds bytes that passed after the exchange: up and down.
    pub(super) fn passed(&mut self, (up, down): (u64, u64)) {
        self.bytes = (self.bytes.0 + up, self.bytes.1 + down);
    }

    // Private

    /// Appends the whole line to `out`.
    fn finish(mut self, client: &Client, ending: Ending, now: u64, out: &mut Vec<u8>) {
        if self.head.is_none() {
            for name in ["method", "path", "mcp_method", "mcp_name", "mcp_version"] {
                self.line.text(name, None, 0);
            }
        }
        if !self.is_routed {
            self.line.word("client", &client.ip().to_string());
            for name in ["request_id", "backend", "session_node"] {
                self.line.text(name, None, 0);
            }
        }
        let line = &mut self.line;
        let server = self.server.as_ref().map(|server| server.name.as_bytes());
        line.text("node", server, MAX_VALUE);
        line.flag("reused", self.is_reused);
        line.number("retries", u64::from(self.connections.saturating_sub(1)));
        line.number_if("status", self.status.map(u64::from));
        line.number("bytes_in", self.bytes.0);
        line.number("bytes_out", self.bytes.1);
        let between = |from: Option<u64>, to: Option<u64>| Some(to?.saturating_sub(from?));
        // A request may have waited in a queue in vain.
        let queued = self.assigned.or((self.progress == b'Q').then_some(now));
        line.number_if("TR", between(Some(self.began), self.head));
        line.number_if("Tw", between(self.head, queued));
        line.number_if("Tc", between(self.assigned, self.connected));
        line.number_if("Tr", between(self.connected, self.answered));
        line.number("Ta", now.saturating_sub(self.began));
        line.word("end", ending.0);
        let progress = if ending.1 == b'-' { b'-' } else { self.progress };
        line.text("state", Some(&[ending.1, progress]), 2);
        line.end_into(out);
    }
}

impl Worker {
    /// Begins to record a request, if requests are logged.
    pub(super) fn record_request(&self, client: &mut Client) {
        if self.topology.config.http.access_log.is_none() {
            return;
        }
        let age = Duration::from_millis(self.now.saturating_sub(client.since));
        let now = SystemTime::now();
        let mut line = Line::begin(now.checked_sub(age).unwrap_or(now));
        line.word("frontend", &client.frontend().name);
        client.record = Some(Box::new(Record {
            line,
            began: client.since,
            head: None,
            is_routed: false,
            assigned: None,
            connected: None,
            answered: None,
            status: None,
            server: None,
            is_reused: None,
            connections: 0,
            first_bytes: (0, 0),
            bytes: (0, 0),
            progress: b'R',
        }));
    }

    /// Logs a request that the balancer has answered with `bytes` bytes.
    pub(super) fn log_own_answer(&mut self, client: &mut Client, answer: OwnAnswer, bytes: usize) {
        if let Some(mut record) = client.record.take() {
            record.bytes.1 += bytes as u64;
            record.status = Some(answer.status());
            let ending = Ending::of_answer(answer, record.progress);
            self.log(client, *record, ending);
        }
    }

    /// Logs a request whose answer has ended.
    pub(super) fn log_finished(&mut self, client: &mut Client, active: &Active) {
        if let Some(mut record) = client.record.take() {
            record.exchanged(active);
            self.log(client, *record, Ending::FINISHED);
        }
    }

    /// Logs the request in progress of a client that ends.
    pub(super) fn log_end(&mut self, client: &mut Client, why: EndReason) {
        let Some(mut record) = client.record.take() else {
            return;
        };
        match &client.phase {
            Phase::Exchanging(active) => record.exchanged(active),
            Phase::Tunnel(tunnel) => record.passed((tunnel.relay.bytes_up(), tunnel.relay.bytes_down())),
            Phase::Requesting(_) | Phase::Lingering => {}
        }
        self.log(client, *record, Ending::of(why));
    }

    /// Logs all requests in progress, whose ends will not be seen.
    pub(in crate::dataplane::worker) fn log_all(&mut self) {
        let all: Vec<u32> = self.http.clients.iter().map(|client| client.index).collect();
        for index in all {
            if let Some(mut client) = self.http.clients.take(index) {
                self.log_end(&mut client, EndReason::Ordered);
                self.http.clients.put(index, client);
            }
        }
        self.hand_over_log();
    }

    /// Hands over the lines of this turn.
    pub(in crate::dataplane::worker) fn hand_over_log(&mut self) {
        let Pending { bytes, lines } = &mut self.http.pending;
        if *lines > 0 {
            self.shared.access_log.hand_over(self.number, bytes, *lines);
            *lines = 0;
        }
    }

    // Private

    fn log(&mut self, client: &Client, record: Record, ending: Ending) {
        let pending = &mut self.http.pending;
        record.finish(client, ending, self.now, &mut pending.bytes);
        pending.lines += 1;
        if pending.bytes.len() > MAX_PENDING {
            self.hand_over_log();
        }
    }
}

// Private

/// A name without the query that the URI of a resource may have.
fn without_query(name: &[u8]) -> &[u8] {
    if name.starts_with(ENCODED) {
        return ENCODED;
    }
    name.split(|byte| matches!(byte, b'?' | b'#'))
        .next()
        .unwrap_or_default()
}
