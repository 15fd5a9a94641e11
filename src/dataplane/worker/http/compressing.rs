//! Compresses answers. An answer is held until it is complete, so that one compressor of the worker
//! serves all clients, and the length is known.

use std::mem::MaybeUninit;

use super::answering::write_answer;
use super::client::{Active, Client, Phase};
use crate::dataplane::frontend::Frontend;
use crate::dataplane::http::rules::{Compression, compression};
use crate::dataplane::http::{AnswerHead, Framing, InvalidAnswer, MAX_HEADERS, Response, parse_response};
use crate::dataplane::worker::Worker;

/// The most bytes of one worker's answers that are held or not sent yet. Beyond it, answers pass as
/// they are.
const MAX_COMPRESSING: usize = 8 * 1024 * 1024;

/// An answer that the client gets when it is complete.
#[derive(Debug)]
pub(super) struct HeldAnswer {
    /// Its head, as the node has sent it.
    head: Box<[u8]>,
    decided: AnswerHead,
    /// Its body so far.
    pub(super) content: Vec<u8>,
}

impl HeldAnswer {
    pub(super) fn new(head: &[u8], decided: AnswerHead) -> HeldAnswer {
        HeldAnswer {
            head: head.into(),
            decided,
            content: Vec::new(),
        }
    }
}

impl Worker {
    /// The length of an answer that is compressed for its client; `None` if it is not compressed.
    pub(super) fn is_compressed(
        &self,
        frontend: &Frontend,
        active: &Active,
        response: &Response<'_>,
    ) -> Option<u32> {
        let Framing::Length(length) = response.framing else {
            return None;
        };
        if !active.accepts_gzip || active.exchange.is_head() {
            return None;
        }
        let pool = active.backend.pool();
        let settings = pool.config.http.as_ref()?;
        let is_compressible = match compression(response, settings) {
            Compression::No => return None,
            Compression::TooLong => false,
            Compression::Yes => self.http.compressing < MAX_COMPRESSING,
        };
        if !is_compressible {
            frontend.http.bypassed_compression(self.number, length);
            active.backend.http.bypassed_compression(self.number, length);
            return None;
        }
        u32::try_from(length).ok()
    }

    /// Returns what a client without a compressed answer has of the worker's budget.
    pub(super) fn release_compression(&mut self, client: &mut Client) {
        let is_held = matches!(&client.phase, Phase::Exchanging(active) if active.held.is_some());
        if client.compressing > 0 && client.output.is_empty() && !is_held {
            self.http.compressing -= client.compressing as usize;
            client.compressing = 0;
        }
    }

    /// Writes the held answer, which is complete, unless compressing has made it larger.
    pub(super) fn release_answer(
        &mut self,
        frontend: &Frontend,
        active: &mut Active,
        out: &mut Vec<u8>,
    ) -> Result<(), InvalidAnswer> {
        let Some(held) = active.held.take() else {
            return Ok(());
        };
        let mut room = [const { MaybeUninit::uninit() }; MAX_HEADERS];
        let response = parse_response(&held.head, &mut room, false)?;
        let mut body = Vec::with_capacity(held.content.len());
        self.http
            .gzip
            .get_or_insert_default()
            .compress(&held.content, &mut body);
        let (before, after) = (held.content.len() as u64, body.len() as u64);
        let is_smaller = (1..before).contains(&after);
        let compressed = is_smaller.then_some(after);
        write_answer(frontend, active, &response, (held.decided, compressed), out)?;
        out.extend_from_slice(if is_smaller { &body } else { &held.content });
        if is_smaller {
            for counters in [&frontend.http, &active.backend.http] {
                counters.compressed_response(self.number);
                counters.compressed(self.number, before, after);
            }
        }
        Ok(())
    }
}
