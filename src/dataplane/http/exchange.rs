//! One request and its answer, without sockets and buffers: bytes of one side in, bytes for the
//! other side out.
//!
//! ```text
//!             head                  all of the body
//! request:  ───────▶  Body  ──────────────────────────▶  Done
//!
//!             1xx                   all of the body, or
//!            ┌────┐   final head    the end of a body without length
//! answer:    └▶ Head ───────▶ Body ─────────────────────────────────▶ Done
//!                │ 101
//!                └──▶ Switched: bytes pass in both directions as they are
//! ```
//!
//! A body is decoded and framed again: the other side never gets a length that it could read in
//! another way. The two directions are independent, so that an answer may end before its request
//! has ended.

use super::body::{Body, Piece};
use super::encode::{write_chunk, write_last_chunk};
use super::head::HeadLimits;
use super::message::{Framing, Request, Response, Version};
use super::rejection::{InvalidAnswer, InvalidBody, Rejection};
use super::rules::ClientFraming;

/// Limits of one message.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Of a head, and of a trailer section.
    pub head: HeadLimits,
    /// Bytes of the body of a request.
    pub body: Option<u64>,
}

/// An exchange.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "independent facts of one request")]
pub struct Exchange {
    /// The request was sent with this version.
    version: Version,
    is_head: bool,
    upgrades: bool,
    /// The client keeps its connection after the answer.
    client_persists: bool,
    /// The node keeps its connection after the answer.
    node_persists: bool,
    /// How many bytes of the request's body are still within the limit.
    body_left: u64,
    request: Half,
    answer: Answer,
}

/// The state of the answer.
#[derive(Debug)]
enum Answer {
    Head,
    Body(Half),
    Done,
    Switched,
}

/// One direction's body.
#[derive(Debug)]
struct Half {
    body: Body,
    coding: Coding,
    /// The sender does not know its length in advance.
    is_open_ended: bool,
}

/// How a body is framed for its receiver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Coding {
    /// The receiver knows its length, or reads until the end of the connection.
    Plain,
    Chunked,
}

/// A part of a body that passed. What was appended to the output comes first, then `plain`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Passed<'i> {
    /// Bytes of the input that are done with.
    pub consumed: usize,
    /// Bytes of the input to send as they are.
    pub plain: &'i [u8],
}

/// What to do with the head of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AnswerHead {
    /// An interim answer to pass on; the answer itself follows.
    Interim,
    /// An interim answer that the client does not understand.
    Ignored,
    /// From now on bytes pass in both directions.
    Switched,
    /// The answer.
    Final {
        /// How its body is framed for the client.
        framing: ClientFraming,
        /// Whether the client's connection ends after it.
        closes: bool,
    },
}

impl Exchange {
    /// The exchange that begins with `request`.
    ///
    /// # Errors
    /// If its body exceeds the limit.
    pub fn begin(request: &Request<'_>, limits: &Limits) -> Result<Exchange, Rejection> {
        let body_left = limits.body.unwrap_or(u64::MAX);
        if matches!(request.framing, Framing::Length(length) if length > body_left) {
            return Err(Rejection::BodyTooLarge);
        }
        Ok(Exchange {
            version: request.version,
            is_head: request.method == "HEAD",
            upgrades: request.upgrades,
            client_persists: request.is_persistent(),
            node_persists: true,
            body_left,
            request: Half::new(request.framing, request.framing == Framing::Chunked),
            answer: Answer::Head,
        })
    }

    /// Passes bytes of the request's body on to the node. Nothing is passed after its end.
    ///
    /// # Errors
    /// If the body is not valid, or exceeds the limit.
    pub fn pass_request<'i>(
        &mut self,
        input: &'i [u8],
        limits: &Limits,
        out: &mut Vec<u8>,
    ) -> Result<Passed<'i>, Rejection> {
        let (passed, data) = self
            .request
            .pass(input, limits.head, out)
            .map_err(|InvalidBody(why)| Rejection::Malformed(why))?;
        self.body_left = self.body_left.checked_sub(data).ok_or(Rejection::BodyTooLarge)?;
        Ok(passed)
    }

    /// Decides about the head of an answer.
    ///
    /// # Errors
    /// If the node switches protocols without having been asked to.
    pub fn answer_head(&mut self, answer: &Response<'_>) -> Result<AnswerHead, InvalidAnswer> {
        match answer.status {
            101 if self.upgrades && switches_to_websocket(answer) => {
                self.answer = Answer::Switched;
                return Ok(AnswerHead::Switched);
            }
            101 => {
                return Err(InvalidAnswer(
                    "the node switched protocols without being asked to",
                ));
            }
            100..=199 if self.version == Version::Http10 => return Ok(AnswerHead::Ignored),
            100..=199 => return Ok(AnswerHead::Interim),
            _ => {}
        }
        self.node_persists = answer.is_persistent();
        let (framing, chunked) = match (answer.framing, self.version) {
            (Framing::Empty | Framing::Length(_), _) => (ClientFraming::AsIs, false),
            (Framing::Chunked | Framing::UntilClose, Version::Http11) => (ClientFraming::Chunked, true),
            (Framing::Chunked | Framing::UntilClose, Version::Http10) => (ClientFraming::UntilClose, false),
        };
        // The rest of the request will be dropped, and the client may not even send it.
        if framing == ClientFraming::UntilClose || !self.is_request_done() {
            self.client_persists = false;
        }
        let half = Half::new(answer.framing, chunked);
        self.answer = if half.body.is_done() {
            Answer::Done
        } else {
            Answer::Body(half)
        };
        Ok(AnswerHead::Final {
            framing,
            closes: !self.client_persists,
        })
    }

    /// Passes bytes of the answer's body on to the client. Nothing is passed after its end.
    ///
    /// # Errors
    /// If the body is not valid.
    pub fn pass_answer<'i>(
        &mut self,
        input: &'i [u8],
        limits: &Limits,
        out: &mut Vec<u8>,
    ) -> Result<Passed<'i>, InvalidAnswer> {
        let Answer::Body(half) = &mut self.answer else {
            return Ok(Passed::default());
        };
        let (passed, _) = half
            .pass(input, limits.head, out)
            .map_err(|InvalidBody(why)| InvalidAnswer(why))?;
        if half.body.is_done() {
            self.answer = Answer::Done;
        }
        Ok(passed)
    }

    /// The node has closed its connection in an orderly way; returns whether the answer is thereby
    /// complete.
    pub fn node_ended(&mut self, out: &mut Vec<u8>) -> bool {
        self.node_persists = false;
        match &self.answer {
            Answer::Body(half) if half.body.ends_with_connection() => {
                if half.coding == Coding::Chunked {
                    write_last_chunk(&[], out);
                }
                self.answer = Answer::Done;
                true
            }
            Answer::Done => true,
            Answer::Head | Answer::Body(_) | Answer::Switched => false,
        }
    }

    /// How many bytes of the request pass as they are, if it is now at such bytes.
    #[must_use]
    pub const fn plain_request(&self) -> Option<u64> {
        self.request.plain()
    }

    /// How many bytes of the answer pass as they are, if it is now at such bytes.
    #[must_use]
    pub const fn plain_answer(&self) -> Option<u64> {
        match &self.answer {
            Answer::Body(half) => half.plain(),
            Answer::Head | Answer::Done | Answer::Switched => None,
        }
    }

    /// The client's connection must end after the answer.
    pub const fn close_client(&mut self) {
        self.client_persists = false;
    }

    /// Whether the whole request has passed.
    #[must_use]
    pub fn is_request_done(&self) -> bool {
        self.request.body.is_done()
    }

    /// Whether the final answer has begun.
    #[must_use]
    pub const fn is_answered(&self) -> bool {
        !matches!(self.answer, Answer::Head)
    }

    /// Whether the whole answer has passed.
    #[must_use]
    pub const fn is_answer_done(&self) -> bool {
        matches!(self.answer, Answer::Done)
    }

    /// Whether the answer is a stream: its length is not known.
    #[must_use]
    pub fn is_stream(&self) -> bool {
        matches!(&self.answer, Answer::Body(half) if half.is_open_ended)
    }

    /// Whether the client keeps its connection after the answer.
    #[must_use]
    pub const fn client_persists(&self) -> bool {
        self.client_persists
    }

    /// Whether another request may be sent to the node on the same connection.
    #[must_use]
    pub fn node_persists(&self) -> bool {
        self.node_persists && self.is_request_done() && self.is_answer_done()
    }

    /// The version of the request.
    #[must_use]
    pub const fn version(&self) -> Version {
        self.version
    }

    /// Whether the request's method is `HEAD`, so that no answer has a body.
    #[must_use]
    pub const fn is_head(&self) -> bool {
        self.is_head
    }
}

// Private

/// Whether an answer with status 101 switches to the only protocol that passes.
fn switches_to_websocket(answer: &Response<'_>) -> bool {
    let upgrade = |header: &&httparse::Header<'_>| header.name.eq_ignore_ascii_case("upgrade");
    let mut protocols = answer.headers.iter().filter(upgrade);
    protocols
        .next()
        .is_some_and(|header| header.value.eq_ignore_ascii_case(b"websocket"))
        && protocols.next().is_none()
}

impl Half {
    fn new(framing: Framing, chunked: bool) -> Half {
        Half {
            body: Body::new(framing),
            coding: if chunked { Coding::Chunked } else { Coding::Plain },
            is_open_ended: matches!(framing, Framing::Chunked | Framing::UntilClose),
        }
    }

    const fn plain(&self) -> Option<u64> {
        match self.coding {
            Coding::Plain => self.body.length_left(),
            Coding::Chunked => None,
        }
    }

    /// Passes bytes on; also returns how many bytes of content they are.
    fn pass<'i>(
        &mut self,
        input: &'i [u8],
        limits: HeadLimits,
        out: &mut Vec<u8>,
    ) -> Result<(Passed<'i>, u64), InvalidBody> {
        let mut passed = Passed::default();
        let mut content = 0;
        while !self.body.is_done() && passed.consumed < input.len() {
            match self.body.next(&input[passed.consumed..], limits)? {
                Piece::Data { consumed, data } => {
                    passed.consumed += consumed;
                    content += data.len() as u64;
                    match self.coding {
                        Coding::Chunked => write_chunk(data, out),
                        // The body of a known length is one piece.
                        Coding::Plain if !self.is_open_ended => passed.plain = data,
                        Coding::Plain => out.extend_from_slice(data),
                    }
                }
                Piece::End { consumed, trailers } => {
                    passed.consumed += consumed;
                    if self.coding == Coding::Chunked {
                        write_last_chunk(trailers, out);
                    }
                }
                Piece::Incomplete => break,
            }
        }
        Ok((passed, content))
    }
}
