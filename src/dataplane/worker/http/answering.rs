//! Uses what a server sends: heads of answers, and bodies.

use std::mem::MaybeUninit;
use std::time::Duration;

use super::ServerConnection;
use super::client::{Active, Client, Phase};
use super::compressing::HeldAnswer;
use super::exchanging::Stop;
use crate::dataplane::frontend::Frontend;
use crate::dataplane::http::rules::{
    ClientConnection, ClientFraming, ToClient, write_interim, write_response,
};
use crate::dataplane::http::{AnswerHead, HeadScan, InvalidAnswer, MAX_HEADERS, Response, parse_response};
use crate::dataplane::worker::Worker;

/// A body up to this size is copied behind its head: that is cheaper than a vectored write.
const MAX_COPIED: usize = 2048;

impl Worker {
    /// Passes bytes of an answer on. Returns why passing stops; `None` if it goes on with the next
    /// read.
    pub(super) fn use_answer(
        &mut self,
        client: &mut Client,
        connection: &mut ServerConnection,
        bytes: &[u8],
    ) -> Option<Stop> {
        let limits = self.topology.http_limits;
        let mut out = std::mem::take(&mut self.http.out);
        out.clear();
        let mut rest = bytes;
        while let Phase::Exchanging(active) = &client.phase
            && !active.exchange.is_answered()
        {
            let length = match HeadScan::default().response(rest, limits.head) {
                Ok(Some(length)) => length,
                Ok(None) => break,
                Err(invalid) => return Some(self.invalid(out, invalid)),
            };
            let (head, after) = rest.split_at(length);
            match self.use_head(client, connection, head, &mut out) {
                Ok(AnswerHead::Switched) => {
                    return Some(self.switched(client, out, after));
                }
                Ok(_) => rest = after,
                Err(invalid) => return Some(self.invalid(out, invalid)),
            }
        }
        let Phase::Exchanging(active) = &mut client.phase else {
            return Some(Stop::Wait);
        };
        let passed = match active.exchange.pass_answer(rest, &limits, &mut out) {
            Ok(passed) => passed,
            Err(invalid) => return Some(self.invalid(out, invalid)),
        };
        rest = &rest[passed.consumed..];
        let mut plain = passed.plain;
        if let Some(held) = &mut active.held {
            held.content.extend_from_slice(plain);
            plain = &[];
            if active.exchange.is_answer_done()
                && let Err(invalid) = self.release_answer(client.admission.frontend(), active, &mut out)
            {
                return Some(self.invalid(out, invalid));
            }
        }
        active.bytes.1 += (out.len() + plain.len()) as u64;
        if plain.len() <= MAX_COPIED {
            out.extend_from_slice(plain);
            plain = &[];
        }
        let sent = client
            .output
            .send(&client.stream, &mut client.readiness, &out, plain);
        active.has_sent_answer |= active.exchange.is_answered() && active.held.is_none();
        self.http.out = out;
        if sent.is_err() {
            return Some(Stop::ClientGone);
        }
        if active.exchange.is_answer_done() {
            // What follows an answer belongs to none.
            connection.is_clean = rest.is_empty();
            return Some(Stop::Answered);
        }
        connection.input = rest.to_vec();
        None
    }

    // Private

    fn invalid(&mut self, out: Vec<u8>, invalid: InvalidAnswer) -> Stop {
        self.http.out = out;
        Stop::Invalid(invalid)
    }

    /// Sends the answer that switches protocols.
    fn switched(&mut self, client: &mut Client, out: Vec<u8>, early: &[u8]) -> Stop {
        if let Phase::Exchanging(active) = &mut client.phase {
            active.bytes.1 += out.len() as u64;
            active.has_sent_answer = true;
        }
        let sent = client
            .output
            .send(&client.stream, &mut client.readiness, &out, &[]);
        self.http.out = out;
        match sent {
            Ok(()) => Stop::Switched(early.to_vec()),
            Err(_) => Stop::ClientGone,
        }
    }

    /// Writes the head of an answer for the client.
    fn use_head(
        &mut self,
        client: &mut Client,
        connection: &mut ServerConnection,
        head: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<AnswerHead, InvalidAnswer> {
        let Client {
            phase: Phase::Exchanging(active),
            admission,
            compressing,
            began,
            serial,
            ..
        } = client
        else {
            return Err(InvalidAnswer("nothing was asked"));
        };
        let mut room = [const { MaybeUninit::uninit() }; MAX_HEADERS];
        let response = parse_response(head, &mut room, active.exchange.is_head())?;
        if self.draining || self.is_old(*began, *serial) {
            active.exchange.close_client();
        }
        let decided = active.exchange.answer_head(&response)?;
        match decided {
            AnswerHead::Ignored => return Ok(decided),
            AnswerHead::Interim => {
                write_interim(&response, out);
                return Ok(decided);
            }
            AnswerHead::Switched | AnswerHead::Final { .. } => {}
        }
        connection.idle_limit = idle_limit(&response, self.topology.times.node_keep_alive);
        if active.exchange.is_stream() || decided == AnswerHead::Switched {
            // Set only for connections that live long. A failure does no harm.
            let _set = socket2::SockRef::from(&connection.stream).set_keepalive(true);
        }
        if let Some(length) = self.is_compressed(admission.frontend(), active, &response) {
            active.held = Some(Box::new(HeldAnswer::new(head, decided)));
            self.http.compressing += length as usize;
            *compressing += length;
        } else {
            write_answer(admission.frontend(), active, &response, (decided, None), out)?;
        }
        self.count_answer(client, response.status);
        Ok(decided)
    }
}

/// Writes the head of an answer for the client, with the length of its body if that is compressed.
pub(super) fn write_answer(
    frontend: &Frontend,
    active: &Active,
    response: &Response<'_>,
    (decided, compressed): (AnswerHead, Option<u64>),
    out: &mut Vec<u8>,
) -> Result<(), InvalidAnswer> {
    let (route, pool) = (frontend.route(), active.backend.pool());
    let (Some(http), Some(settings), Some(lease)) = (&route.http, &pool.config.http, active.stage.lease())
    else {
        return Err(InvalidAnswer("the frontend does not serve HTTP any more"));
    };
    let server = lease.server();
    let (framing, closes) = match decided {
        AnswerHead::Final { framing, closes } => (framing, closes),
        _ => (ClientFraming::AsIs, false),
    };
    let to_client = ToClient {
        settings,
        session_tag: (settings.names_sessions && !active.has_no_session).then_some(server.name.as_str()),
        set_cookie: (settings.cookie.is_some() && !active.names(server.id)).then_some(server.name.as_str()),
        framing,
        connection: match decided {
            AnswerHead::Switched => ClientConnection::Upgrade,
            _ => ClientConnection::after_answer(active.exchange.version(), closes),
        },
        is_head: active.exchange.is_head(),
        compressed,
        nodes: &http.nodes,
    };
    write_response(response, &to_client, out);
    Ok(())
}

// Private

/// How long the connection may be idle after this answer: the node closes it later.
fn idle_limit(response: &Response<'_>, configured: u64) -> u64 {
    let own = response.keep_alive_timeout.map(safely_before);
    own.map_or(configured, |own| own.min(configured))
}

/// A time before `timeout`, in ms, so that a request does not meet the node's close.
fn safely_before(timeout: Duration) -> u64 {
    u64::try_from(timeout.as_millis() * 4 / 5).unwrap_or(u64::MAX)
}
