//! Counts requests and answers, as HAProxy does.

use super::client::{Client, Phase};
use super::own_answers::OwnAnswer;
use crate::dataplane::http::Rejection;
use crate::dataplane::http::rules::Refusal;
use crate::dataplane::worker::Worker;
use crate::mcp::GatewayError;

impl Worker {
    /// Counts the begin of a request, valid or not.
    pub(super) fn count_request(&self, client: &mut Client) {
        if !client.is_counted {
            client.is_counted = true;
            client.frontend().http.request(self.number, self.now);
            self.record_request(client);
        }
    }

    /// Counts the end of a request.
    pub(super) fn count_request_end(&self, client: &mut Client) {
        if client.is_counted {
            client.is_counted = false;
            client.frontend().http.finished(self.number);
        }
    }

    /// Counts a server's final answer.
    pub(super) fn count_answer(&self, client: &mut Client, status: u16) {
        client.status = Some(status);
        if let Some(record) = &mut client.record {
            record.answered(status, self.now);
        }
        let Phase::Exchanging(active) = &client.phase else {
            return;
        };
        let took = self.now.saturating_sub(active.connected);
        client.frontend().http.response(self.number, status);
        active.backend.http.response(self.number, status);
        active.backend.counters.response_time.add(took);
        if let Some(lease) = active.stage.lease() {
            lease.server().http.response(self.number, status);
            lease.server().counters.response_time.add(took);
            let pool = active.backend.pool();
            self.shared
                .answered(&active.backend, lease.server(), &pool, status);
        }
    }

    /// Counts an answer of the balancer itself.
    pub(super) fn count_own_answer(&self, client: &mut Client, answer: OwnAnswer) {
        client.status = Some(answer.status());
        let frontend = &client.frontend().http;
        frontend.response(self.number, answer.status());
        if let Phase::Exchanging(active) = &client.phase {
            active.backend.http.response(self.number, answer.status());
        }
        match answer {
            OwnAnswer::Rejection(Rejection::BodyTooLarge)
            | OwnAnswer::Refusal(Refusal::UnknownPath)
            | OwnAnswer::Gateway(GatewayError::TooManyRequests) => frontend.denied(),
            OwnAnswer::Rejection(_) => frontend.invalid_request(),
            OwnAnswer::Refusal(Refusal::AmbiguousPath) => frontend.intercepted(),
            OwnAnswer::Gateway(GatewayError::NodeFailed | GatewayError::NodeTimeout) => {
                count_invalid_answer(client);
            }
            OwnAnswer::Gateway(GatewayError::Unavailable) => {}
        }
    }

    /// Reports an answer that is not passed on.
    pub(super) fn warn_invalid(&mut self, client: &Client, why: &'static str) {
        let server = client.lease().map(|lease| lease.server().name.clone());
        if let Some(times) = self.warnings.after(std::time::Instant::now()) {
            tracing::warn!(
                worker = self.number,
                server,
                times,
                why,
                "an answer is not valid: the client gets 502"
            );
        }
    }
}

/// Counts an answer that was not valid, broke off, or did not arrive.
pub(super) fn count_invalid_answer(client: &Client) {
    if let Phase::Exchanging(active) = &client.phase {
        active.backend.http.invalid_response();
        if let Some(lease) = active.stage.lease() {
            lease.server().http.invalid_response();
        }
    }
}
