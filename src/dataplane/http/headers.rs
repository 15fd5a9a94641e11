//! The headers that decide on framing and connection, in requests and in answers.

use std::mem::MaybeUninit;

use httparse::Header;

use super::{Connection, InvalidAnswer, Rejection, Version};

/// The most headers of one head.
pub const MAX_HEADERS: usize = 100;

/// Room for the headers of one head.
pub type HeaderRoom<'b> = [MaybeUninit<Header<'b>>; MAX_HEADERS];

/// Empty room. It costs nothing: its bytes are not initialised.
#[must_use]
#[inline]
pub const fn header_room<'b>() -> HeaderRoom<'b> {
    [const { MaybeUninit::uninit() }; MAX_HEADERS]
}

/// A header that the codec reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Known {
    Connection,
    ContentLength,
    Expect,
    Host,
    /// A framing header with an underscore in place of its hyphen. Programs behind CGI-like
    /// interfaces cannot tell it from the real one.
    Imitation,
    KeepAlive,
    TransferEncoding,
    Upgrade,
}

/// What the framing headers seen so far say.
#[derive(Default)]
pub(super) struct FramingHeaders {
    length: Option<u64>,
    coding: Option<Coding>,
}

/// The body that the headers announce.
pub(super) enum Announced {
    /// No header says anything.
    Nothing,
    /// Also 0.
    Length(u64),
    Chunked,
}

/// Why the framing is refused.
pub(super) enum FramingProblem {
    /// The rule that it breaks.
    Malformed(&'static str),
    UnknownCoding,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Coding {
    Chunked,
    Unknown,
}

/// The header of this name, if the codec reads it.
#[inline]
pub(super) fn known(name: &str) -> Option<Known> {
    let bytes = name.as_bytes();
    let first = bytes.first()? | 0x20;
    let (expected, header): (&[u8], Known) = match (bytes.len(), first) {
        (4, b'h') => (b"host", Known::Host),
        (6, b'e') => (b"expect", Known::Expect),
        (7, b'u') => (b"upgrade", Known::Upgrade),
        (10, b'c') => (b"connection", Known::Connection),
        (10, b'k') => (b"keep-alive", Known::KeepAlive),
        (14, b'c') if bytes[7] == b'_' => (b"content_length", Known::Imitation),
        (14, b'c') => (b"content-length", Known::ContentLength),
        (17, b't') if bytes[8] == b'_' => (b"transfer_encoding", Known::Imitation),
        (17, b't') => (b"transfer-encoding", Known::TransferEncoding),
        _ => return None,
    };
    bytes.eq_ignore_ascii_case(expected).then_some(header)
}

/// The rule that a header breaks that imitates a framing header.
pub(super) const IMITATION: &str = "a framing header is written with an underscore";

impl FramingHeaders {
    /// Adds a `Content-Length`.
    pub(super) fn add_length(&mut self, value: &[u8]) -> Result<(), &'static str> {
        if self.length.is_some() {
            return Err("it has more than one `Content-Length`");
        }
        self.length = Some(decimal(value).ok_or("`Content-Length` is not a number")?);
        Ok(())
    }

    /// Adds a `Transfer-Encoding`.
    pub(super) fn add_coding(&mut self, value: &[u8]) {
        let is_known = self.coding.is_none() && value.eq_ignore_ascii_case(b"chunked");
        self.coding = Some(if is_known {
            Coding::Chunked
        } else {
            Coding::Unknown
        });
    }

    /// The body that they announce together.
    pub(super) fn announced(&self, version: Version) -> Result<Announced, FramingProblem> {
        match (self.length, self.coding) {
            (None, None) => Ok(Announced::Nothing),
            (Some(length), None) => Ok(Announced::Length(length)),
            (Some(_), Some(_)) => Err(FramingProblem::Malformed(
                "it has both `Content-Length` and `Transfer-Encoding`",
            )),
            (None, Some(_)) if version == Version::Http10 => Err(FramingProblem::Malformed(
                "`Transfer-Encoding` is not part of HTTP/1.0",
            )),
            (None, Some(Coding::Unknown)) => Err(FramingProblem::UnknownCoding),
            (None, Some(Coding::Chunked)) => Ok(Announced::Chunked),
        }
    }
}

/// The most options of all `Connection` headers of a message. Each one is compared with each header.
const MAX_OPTIONS: u8 = 32;

impl Connection {
    /// Adds the options of a `Connection` header.
    pub(super) fn add(&mut self, value: &[u8]) -> Result<(), &'static str> {
        if value.eq_ignore_ascii_case(b"keep-alive") {
            self.keep_alive = true;
            return Ok(());
        }
        for option in value.split(|byte| *byte == b',') {
            let option = option.trim_ascii();
            self.options = self.options.saturating_add(1);
            if self.options > MAX_OPTIONS {
                return Err("`Connection` has more than 32 options");
            }
            match option.len() {
                0 => {}
                5 if option.eq_ignore_ascii_case(b"close") => self.close = true,
                7 if option.eq_ignore_ascii_case(b"upgrade") => self.upgrade = true,
                10 if option.eq_ignore_ascii_case(b"keep-alive") => self.keep_alive = true,
                _ => self.lists_headers = true,
            }
        }
        Ok(())
    }
}

/// A number of decimal digits alone.
pub(super) fn decimal(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0_u64, |number, digit| {
        let digit = digit.is_ascii_digit().then(|| digit - b'0')?;
        number.checked_mul(10)?.checked_add(digit.into())
    })
}

/// The rule that a head breaks for `httparse`; `None` where it has too many headers.
pub(super) fn broken_rule(error: httparse::Error) -> Option<&'static str> {
    match error {
        httparse::Error::HeaderName => {
            Some("the name of a header has an invalid character, or a line is folded")
        }
        httparse::Error::HeaderValue => Some("the value of a header has an invalid character"),
        httparse::Error::NewLine => Some("a line has a bare carriage return"),
        httparse::Error::Status => Some("the status line is invalid"),
        httparse::Error::Token => Some("the first line is invalid"),
        httparse::Error::Version => Some("the version is invalid"),
        httparse::Error::TooManyHeaders => None,
    }
}

impl From<FramingProblem> for Rejection {
    fn from(problem: FramingProblem) -> Rejection {
        match problem {
            FramingProblem::Malformed(rule) => Rejection::Malformed(rule),
            FramingProblem::UnknownCoding => Rejection::UnknownCoding,
        }
    }
}

impl From<FramingProblem> for InvalidAnswer {
    fn from(problem: FramingProblem) -> InvalidAnswer {
        match problem {
            FramingProblem::Malformed(rule) => InvalidAnswer(rule),
            FramingProblem::UnknownCoding => InvalidAnswer("its transfer coding is not `chunked`"),
        }
    }
}
