//! What clients send, and how they know the end of an answer.

use std::io;

use memchr::memmem;

/// A request and its answer.
#[derive(Clone, Debug)]
pub(crate) struct Exchange {
    request: Vec<u8>,
    answer: Answer,
}

/// Where an answer ends.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Answer {
    /// After so many bytes.
    Bytes(usize),
    /// After a line.
    Line,
    /// After a head, and a body of so many bytes.
    Http {
        /// The length of the body.
        body: usize,
    },
    /// Never: after the first event, more may come at any time.
    FirstEvent,
}

/// The exchanges of a connection.
#[derive(Clone, Debug)]
pub(crate) struct Protocol {
    /// The first one.
    pub(crate) opening: Option<Exchange>,
    /// All others.
    pub(crate) message: Exchange,
}

/// What clients send in place of the session's id.
const SESSION: &[u8] = b"SESSION";

impl Exchange {
    /// A request and its answer.
    pub(crate) const fn new(request: Vec<u8>, answer: Answer) -> Exchange {
        Exchange { request, answer }
    }

    /// The bytes that a client sends.
    pub(crate) fn request(&self) -> &[u8] {
        &self.request
    }

    /// The length of the answer that `got` begins with; none if it is not complete.
    pub(crate) fn answered(&self, got: &[u8]) -> io::Result<Option<usize>> {
        let body = match self.answer {
            Answer::Bytes(length) => return Ok((got.len() >= length).then_some(length)),
            Answer::Line => return Ok(memchr::memchr(b'\n', got).map(|end| end + 1)),
            Answer::Http { body } => Some(body),
            Answer::FirstEvent => None,
        };
        let Some(head) = memmem::find(got, b"\r\n\r\n").map(|end| end + 4) else {
            return Ok(None);
        };
        if !got.starts_with(b"HTTP/1.1 200") && !got.starts_with(b"HTTP/1.1 101") {
            let answer = String::from_utf8_lossy(got);
            return Err(io::Error::other(format!("unexpected answer: {answer}")));
        }
        Ok(match body {
            Some(body) => (got.len() >= head + body).then_some(head + body),
            None => memmem::find(&got[head..], b"\n\n").map(|_| got.len()),
        })
    }

    /// The same answer, to a request that has been sent.
    pub(crate) const fn only_answer(&self) -> Exchange {
        Exchange::new(Vec::new(), self.answer)
    }

    /// Whether the server closes the connection after the answer `got`.
    pub(crate) fn is_last(&self, got: &[u8]) -> bool {
        matches!(self.answer, Answer::Http { .. })
            && (memmem::find(got, b"Connection: close").is_some()
                || memmem::find(got, b"connection: close").is_some())
    }
}

impl Protocol {
    /// The same exchange again and again.
    pub(crate) const fn of(message: Exchange) -> Protocol {
        Protocol {
            opening: None,
            message,
        }
    }

    /// The message after `answer` to the opening: it has the session's id.
    pub(crate) fn message_after(&self, answer: &[u8]) -> Exchange {
        let mut message = self.message.clone();
        let id = header(answer, b"mcp-session-id:");
        if let (Some(begins), Some(id)) = (memmem::find(&message.request, SESSION), id) {
            message
                .request
                .splice(begins..begins + SESSION.len(), id.iter().copied());
        }
        message
    }
}

// Private

fn header<'a>(answer: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let lines = answer.split(|byte| *byte == b'\n');
    let value = lines.into_iter().find_map(|line| {
        let (start, value) = line.split_at_checked(name.len())?;
        start.eq_ignore_ascii_case(name).then_some(value)
    })?;
    Some(value.trim_ascii())
}
