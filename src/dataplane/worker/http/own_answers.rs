//! Answers of the balancer itself.

use super::client::{Client, Phase};
use super::{Next, READ, ROUNDS, flush_output, read};
use crate::dataplane::http::rules::{ClientConnection, Refusal, write_error, write_refusal};
use crate::dataplane::http::{Exchange, HeadScan, Rejection};
use crate::dataplane::relay::InputState;
use crate::dataplane::worker::Worker;
use crate::dataplane::worker::session::EndReason;
use crate::mcp::GatewayError;

/// Why the balancer answers itself.
#[derive(Clone, Copy, Debug)]
pub(super) enum OwnAnswer {
    /// The request is not valid.
    Rejection(Rejection),
    /// Its path is not served.
    Refusal(Refusal),
    /// It cannot be served now.
    Gateway(GatewayError),
}

impl OwnAnswer {
    /// Its status.
    pub(super) const fn status(self) -> u16 {
        match self {
            OwnAnswer::Rejection(rejection) => rejection.status(),
            OwnAnswer::Refusal(Refusal::AmbiguousPath) => 400,
            OwnAnswer::Refusal(Refusal::UnknownPath) => 404,
            OwnAnswer::Gateway(error) => error.status(),
        }
    }
}

impl Worker {
    /// Answers a request, whose method is `HEAD` if `is_head`, and closes the connection.
    pub(super) fn answer_and_close(&mut self, client: &mut Client, answer: OwnAnswer, is_head: bool) -> Next {
        self.answer(client, answer, ClientConnection::Close, is_head)
    }

    /// Answers a request instead of a server. `rest` is what follows its head; the connection stays
    /// if that is all of the request's body.
    pub(super) fn answer_instead(
        &mut self,
        client: &mut Client,
        answer: OwnAnswer,
        mut exchange: Exchange,
        rest: &[u8],
    ) -> Next {
        let limits = self.topology.http_limits;
        let mut dropped = Vec::new();
        let Ok(passed) = exchange.pass_request(rest, &limits, &mut dropped) else {
            return self.answer_and_close(client, answer, exchange.is_head());
        };
        let stays = exchange.is_request_done() && exchange.client_persists() && !self.is_last_answer(client);
        if stays && passed.consumed < rest.len() {
            client.input = rest[passed.consumed..].to_vec();
        }
        let connection = ClientConnection::after_answer(exchange.version(), !stays);
        self.answer(client, answer, connection, exchange.is_head())
    }

    /// Answers the request in progress, whose server is given up.
    pub(super) fn answer_in_place(&mut self, client: &mut Client, answer: OwnAnswer) -> Next {
        let Phase::Exchanging(active) = &client.phase else {
            return Next::End(EndReason::NoServer);
        };
        let exchange = &active.exchange;
        // What follows a request that is not valid is not known.
        let is_valid = !matches!(answer, OwnAnswer::Rejection(_));
        let persists = exchange.is_request_done() && exchange.client_persists();
        let stays = is_valid && persists && !self.is_last_answer(client);
        let connection = ClientConnection::after_answer(exchange.version(), !stays);
        let is_head = exchange.is_head();
        self.count_own_answer(client, answer);
        self.end_exchange(client);
        self.send_answer(client, answer, connection, is_head)
    }

    /// Whether the answer in progress is the last one on its connection.
    fn is_last_answer(&self, client: &Client) -> bool {
        self.draining || self.is_old(client.began, client.serial)
    }

    /// Drops what a client still sends, so that closing its connection does not reset it before the
    /// answer has arrived.
    pub(super) fn linger(&mut self, client: &mut Client) -> Next {
        if let Some(next) = flush_output(client) {
            return next;
        }
        if !client.sent_end {
            client.sent_end = true;
            client.since = self.now;
            // An error means that the connection is broken, which the read reports.
            let _broken = client.stream.shutdown(std::net::Shutdown::Write);
        }
        for _ in 0..ROUNDS {
            if !client.readiness.readable {
                return Next::Wait;
            }
            match read(&client.stream, &mut client.readiness, &mut self.buffer[..READ]) {
                Ok(Some(0)) | Err(_) => return Next::End(EndReason::Finished),
                Ok(Some(_)) => client.last_active = self.now,
                Ok(None) => {}
            }
            if client.readiness.input == InputState::Failed {
                return Next::End(EndReason::Finished);
            }
        }
        Next::Later
    }

    // Private

    fn answer(
        &mut self,
        client: &mut Client,
        answer: OwnAnswer,
        connection: ClientConnection,
        is_head: bool,
    ) -> Next {
        self.count_request(client);
        self.count_own_answer(client, answer);
        self.send_answer(client, answer, connection, is_head)
    }

    fn send_answer(
        &mut self,
        client: &mut Client,
        answer: OwnAnswer,
        connection: ClientConnection,
        is_head: bool,
    ) -> Next {
        self.count_request_end(client);
        let mut out = std::mem::take(&mut self.http.out);
        out.clear();
        match answer {
            OwnAnswer::Refusal(refusal) => write_refusal(refusal, connection, is_head, &mut out),
            _ => write_error(answer.status(), connection, is_head, &mut out),
        }
        client.frontend().bytes.add(self.number, 0, out.len() as u64);
        self.log_own_answer(client, answer, out.len());
        let sent = client
            .output
            .send(&client.stream, &mut client.readiness, &out, &[]);
        self.http.out = out;
        if sent.is_err() {
            return Next::End(EndReason::Client);
        }
        client.last_active = self.now;
        let phase = if connection == ClientConnection::Close {
            client.input = Vec::new();
            Phase::Lingering
        } else {
            Phase::Requesting(HeadScan::default())
        };
        client.enter(phase, self.now);
        Next::Again
    }
}
