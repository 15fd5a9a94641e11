//! Parses HTTP/1.1 responses from bytes that arrive in pieces.
//!
//! ```text
//!  Head ──┬── Content-Length ──▶ Body ────────────────────▶ End, and the next Head
//!         ├── chunked ──▶ Size ──▶ Chunk ──▶ Size .. Trailer ──▶
//!         └── neither ──▶ Rest, until the connection ends
//! ```
//!
//! A response with an error status is read to its end, and becomes an error that includes its text.

use super::excerpt::excerpt;
use super::head::Head;
use crate::load_test::error::{Kind, LoadError};

/// The longest head, in bytes.
const MAX_HEAD: usize = 16 * 1024;
/// The longest line with a chunk's size, in bytes.
const MAX_LINE: usize = 1024;
/// The most text that is kept of a response with an error status, in bytes.
const MAX_REFUSAL: usize = 500;

/// The state of the parser, and what it has of an incomplete part. Bodies are never copied, and
/// between responses no memory is held.
#[derive(Debug, Default)]
pub(super) struct Responses {
    state: State,
    begun: Vec<u8>,
    refusal: Option<Box<Refusal>>,
}

/// A part of a response.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Part<'a> {
    /// Its head.
    Head(Head),
    /// A piece of its body.
    Body(&'a [u8]),
    /// It is complete.
    End,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Head,
    /// This many bytes of a body are missing.
    Body(u64),
    /// The line with the size of a chunk.
    Size,
    /// This many bytes of a chunk are missing.
    Chunk(u64),
    /// The line end after a chunk.
    ChunkEnd,
    /// Headers after the last chunk.
    Trailer,
    /// A body that ends with the connection.
    Rest,
}

/// A response with an error status.
#[derive(Debug)]
struct Refusal {
    status: u16,
    body: Vec<u8>,
}

impl Responses {
    /// Takes the next part out of `input`; `None` when `input` has no further one.
    ///
    /// # Errors
    /// If it is not HTTP, or has an error status.
    pub(super) fn next<'a>(&mut self, input: &mut &'a [u8]) -> Result<Option<Part<'a>>, LoadError> {
        while let Some(part) = self.part(input)? {
            match (part, &mut self.refusal) {
                (Part::Head(head), _) if (100..200).contains(&head.status) && head.status != 101 => {
                    self.state = State::Head;
                }
                (Part::Head(head), refusal) if head.status != 101 && !(200..300).contains(&head.status) => {
                    let (status, body) = (head.status, Vec::new());
                    *refusal = Some(Box::new(Refusal { status, body }));
                }
                (part, None) => return Ok(Some(part)),
                (Part::Body(bytes), Some(refusal)) if refusal.body.len() < MAX_REFUSAL => {
                    let room = MAX_REFUSAL - refusal.body.len();
                    refusal.body.extend_from_slice(&bytes[..bytes.len().min(room)]);
                }
                (_, Some(refusal)) => return Err(refusal.failure()),
            }
        }
        Ok(None)
    }

    /// Whether the connection's end is the end of the response that is being read.
    pub(super) fn ends_with_connection(&self) -> bool {
        self.state == State::Rest && self.refusal.is_none()
    }

    /// The error if the connection ends now, if it is more than the end of the connection.
    pub(super) fn ended(&self) -> Option<LoadError> {
        let begun = (!self.begun.is_empty()).then(|| {
            LoadError::new(
                Kind::Closed,
                format!("closed within an answer: `{}`", excerpt(&self.begun)),
            )
        });
        self.refusal.as_ref().map(|refusal| refusal.failure()).or(begun)
    }

    /// Heap memory in bytes.
    #[cfg(test)]
    pub(super) fn held(&self) -> usize {
        self.begun.capacity()
    }

    // Private

    fn part<'a>(&mut self, input: &mut &'a [u8]) -> Result<Option<Part<'a>>, LoadError> {
        loop {
            match self.state {
                State::Head => {
                    let Some(head) = self.read(input, MAX_HEAD, Head::read)? else {
                        return Ok(None);
                    };
                    self.state = match head.length {
                        Some(length) => State::Body(length),
                        None if head.chunked => State::Size,
                        None => State::Rest,
                    };
                    return Ok(Some(Part::Head(head)));
                }
                State::Body(0) => {
                    self.state = State::Head;
                    return Ok(Some(Part::End));
                }
                State::Chunk(0) => self.state = State::ChunkEnd,
                State::Body(_) | State::Chunk(_) | State::Rest if input.is_empty() => return Ok(None),
                State::Body(left) => {
                    let piece = take(input, left);
                    self.state = State::Body(left - piece.len() as u64);
                    return Ok(Some(Part::Body(piece)));
                }
                State::Chunk(left) => {
                    let piece = take(input, left);
                    self.state = State::Chunk(left - piece.len() as u64);
                    return Ok(Some(Part::Body(piece)));
                }
                State::Rest => return Ok(Some(Part::Body(take(input, u64::MAX)))),
                State::Size => match self.read(input, MAX_LINE, size)? {
                    None => return Ok(None),
                    Some(0) => self.state = State::Trailer,
                    Some(size) => self.state = State::Chunk(size),
                },
                State::ChunkEnd => match self.read(input, MAX_LINE, empty_line)? {
                    None => return Ok(None),
                    Some(()) => self.state = State::Size,
                },
                State::Trailer => match self.read(input, MAX_LINE, is_empty_line)? {
                    None => return Ok(None),
                    Some(false) => {}
                    Some(true) => self.state = State::Body(0),
                },
            }
        }
    }

    /// Parses something that ends with a line, and keeps its beginning while it is incomplete.
    fn read<T>(
        &mut self,
        input: &mut &[u8],
        most: usize,
        read: impl Fn(&[u8]) -> Result<Option<(usize, T)>, LoadError>,
    ) -> Result<Option<T>, LoadError> {
        let before = self.begun.len();
        let piece = &input[..input.len().min(most - before)];
        // Nothing is complete before the end of a line, so parsing is not repeated for each byte,
        // and does not go beyond that.
        let lines = memchr::memrchr(b'\n', piece).map(|last| last + 1);
        if before == 0
            && let Some(lines) = lines
            && let Some((length, what)) = read(&piece[..lines])?
        {
            *input = &input[length..];
            return Ok(Some(what));
        }
        self.begun.extend_from_slice(piece);
        if before > 0
            && let Some(lines) = lines
            && let Some((length, what)) = read(&self.begun[..before + lines])?
        {
            self.begun = Vec::new();
            // It was incomplete without the bytes of this piece.
            *input = &input[length.saturating_sub(before)..];
            return Ok(Some(what));
        }
        *input = &input[piece.len()..];
        if self.begun.len() >= most {
            return Err(garbage(&self.begun));
        }
        Ok(None)
    }
}

impl Refusal {
    fn failure(&self) -> LoadError {
        let Refusal { status, body } = self;
        let detail = match excerpt(body) {
            body if body.is_empty() => format!("HTTP status {status}"),
            body => format!("HTTP status {status}: `{body}`"),
        };
        LoadError::new(Kind::HttpStatus, detail)
    }
}

// Private

fn garbage(bytes: &[u8]) -> LoadError {
    LoadError::new(Kind::Garbage, format!("not HTTP: `{}`", excerpt(bytes)))
}

/// At most this many bytes of the input.
fn take<'a>(input: &mut &'a [u8], most: u64) -> &'a [u8] {
    let length = usize::try_from(most).unwrap_or(usize::MAX).min(input.len());
    let (piece, rest) = input.split_at(length);
    *input = rest;
    piece
}

fn size(bytes: &[u8]) -> Result<Option<(usize, u64)>, LoadError> {
    match httparse::parse_chunk_size(bytes) {
        Ok(httparse::Status::Complete(found)) => Ok(Some(found)),
        Ok(httparse::Status::Partial) => Ok(None),
        Err(_) => Err(garbage(bytes)),
    }
}

/// A line, and whether it is empty.
#[expect(clippy::unnecessary_wraps, reason = "as its likes, which can fail")]
fn is_empty_line(bytes: &[u8]) -> Result<Option<(usize, bool)>, LoadError> {
    let end = memchr::memchr(b'\n', bytes);
    Ok(end.map(|end| (end + 1, bytes[..end].trim_ascii().is_empty())))
}

fn empty_line(bytes: &[u8]) -> Result<Option<(usize, ())>, LoadError> {
    match is_empty_line(bytes)? {
        Some((_, false)) => Err(garbage(bytes)),
        line => Ok(line.map(|(length, _)| (length, ()))),
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write;

    use super::*;

    /// The parts of a stream that arrives in pieces of this size.
    fn cut(stream: &str, size: usize) -> Result<String, LoadError> {
        let mut responses = Responses::default();
        let mut got = String::new();
        for mut piece in stream.as_bytes().chunks(size) {
            while let Some(part) = responses.next(&mut piece)? {
                match part {
                    Part::Head(head) => write!(got, "[{}]", head.status).unwrap(),
                    Part::Body(bytes) => got += std::str::from_utf8(bytes).unwrap(),
                    Part::End => got += ".",
                }
            }
            assert!(piece.is_empty());
        }
        match responses.ended() {
            Some(failure) => Err(failure),
            None => Ok(got),
        }
    }

    #[test]
    fn bodies_end_as_their_heads_announce() {
        let stream = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello\
            HTTP/1.1 202 Accepted\r\ncontent-length: 0\r\n\r\n\
            HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\nx: y\r\n\r\n\
            HTTP/1.1 200 OK\r\n\r\nrest";
        for size in 1..stream.len() {
            assert_eq!(
                cut(stream, size).unwrap(),
                "[200]hello.[202].[200]abcde.[200]rest",
                "{size}"
            );
        }
    }

    #[test]
    fn error_statuses_include_the_text_of_the_body() {
        let ends = "HTTP/1.1 503 Service Unavailable\r\ncontent-length: 12\r\n\r\n<h1>503</h1>";
        let rest = "HTTP/1.0 503 Service Unavailable\r\n\r\n<h1>503</h1>";
        for stream in [ends, rest] {
            for size in 1..stream.len() {
                let failure = cut(stream, size).unwrap_err();
                assert_eq!(
                    failure,
                    LoadError::new(Kind::HttpStatus, "HTTP status 503: `<h1>503</h1>`")
                );
            }
        }
    }

    #[test]
    fn an_endless_part_is_an_error() {
        for beginning in [
            "HTTP/1.1 200 OK\r\na: ",
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5;",
        ] {
            let stream = format!("{beginning}{}", "x".repeat(2 * MAX_HEAD));
            for size in [1000, usize::MAX] {
                assert_eq!(cut(&stream, size).unwrap_err().kind, Kind::Garbage);
            }
        }
    }
}
