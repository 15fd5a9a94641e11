//! Where a head ends.

use super::chars::is_token;
use super::{InvalidAnswer, Rejection};

/// Empty lines that are skipped before a request line: some old clients send one behind a body.
const MAX_EMPTY_LINES: u8 = 4;

/// How far a head was searched for its end; 0 at first, and again when the end was found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HeadScan {
    /// Bytes that were searched.
    searched: u32,
    /// Complete lines before, without the empty ones.
    lines: u16,
    /// Empty lines before the first line.
    skipped: u8,
}

/// The size of a head beyond which it is refused.
#[derive(Clone, Copy, Debug)]
pub struct HeadLimits {
    /// All bytes, with the empty line at the end.
    pub bytes: usize,
    /// Header lines; the first line and the empty line do not count.
    pub lines: usize,
}

/// Why a head is refused before its end is known.
pub(super) enum HeadProblem {
    /// The rule that it breaks.
    Malformed(&'static str),
    TooLarge,
}

impl HeadScan {
    /// The length of a request's head with its empty line, or `None` while its end has not arrived.
    ///
    /// `bytes` are all bytes that were not consumed yet, from the head's first byte on, in each
    /// call. What was searched before is not searched again. A few empty lines before the request
    /// line are accepted and count as part of the head.
    ///
    /// # Errors
    ///
    /// As soon as the bytes cannot become a head: a line feed without carriage return, a first byte
    /// that begins no method, or more than `limits`.
    pub fn request(&mut self, bytes: &[u8], limits: HeadLimits) -> Result<Option<usize>, Rejection> {
        self.skip_empty_lines(bytes)?;
        let begin = usize::from(self.skipped) * 2;
        match bytes.get(begin..).unwrap_or_default() {
            [] | [b'\r'] => Ok(None),
            [first, ..] if is_token(*first) => Ok(self.section(bytes, limits)?),
            _ => Err(Rejection::Malformed("a request begins with a method")),
        }
    }

    /// The length of an answer's head with its empty line, or `None` while its end has not arrived.
    /// `bytes` are all bytes that were not consumed yet, in each call.
    ///
    /// # Errors
    ///
    /// As soon as the bytes cannot become a head.
    pub fn response(&mut self, bytes: &[u8], limits: HeadLimits) -> Result<Option<usize>, InvalidAnswer> {
        match bytes.first() {
            None => Ok(None),
            Some(b'H') => Ok(self.section(bytes, limits)?),
            Some(_) => Err(InvalidAnswer("an answer begins with `HTTP/`")),
        }
    }

    /// The length of a trailer section with its empty line. It may consist of that line alone.
    pub(super) fn trailers(
        &mut self,
        bytes: &[u8],
        limits: HeadLimits,
    ) -> Result<Option<usize>, HeadProblem> {
        match bytes {
            [] | [b'\r'] => Ok(None),
            [b'\r', b'\n', ..] => Ok(Some(2)),
            [b'\r', ..] => Err(HeadProblem::Malformed("a line has a bare carriage return")),
            _ => self.section(bytes, limits),
        }
    }

    /// The length of one or more lines up to and with an empty line.
    fn section(&mut self, bytes: &[u8], limits: HeadLimits) -> Result<Option<usize>, HeadProblem> {
        let mut from = self.searched as usize;
        while let Some(offset) = line_feed(bytes.get(from..).unwrap_or_default()) {
            let feed = from + offset;
            from = feed + 1;
            if from > limits.bytes {
                return Err(HeadProblem::TooLarge);
            }
            match bytes[..feed] {
                [.., b'\n', b'\r'] if self.lines > 0 => {
                    *self = HeadScan::default();
                    return Ok(Some(from));
                }
                [.., b'\r'] => self.lines = self.lines.saturating_add(1),
                _ => return Err(HeadProblem::Malformed("a line ends with a bare line feed")),
            }
            if usize::from(self.lines) > limits.lines + 1 {
                return Err(HeadProblem::TooLarge);
            }
        }
        self.searched = u32::try_from(bytes.len()).map_err(|_| HeadProblem::TooLarge)?;
        if bytes.len() >= limits.bytes {
            return Err(HeadProblem::TooLarge);
        }
        Ok(None)
    }

    fn skip_empty_lines(&mut self, bytes: &[u8]) -> Result<(), Rejection> {
        if self.lines > 0 {
            return Ok(());
        }
        let mut rest = bytes.get(usize::from(self.skipped) * 2..).unwrap_or_default();
        while let Some(next) = rest.strip_prefix(b"\r\n") {
            rest = next;
            self.skipped += 1;
            self.searched = u32::from(self.skipped) * 2;
            if self.skipped > MAX_EMPTY_LINES {
                return Err(Rejection::Malformed(
                    "too many empty lines before the request line",
                ));
            }
        }
        Ok(())
    }
}

/// The place of the first line feed. Eight bytes at a time: lines are too short for the call that
/// `memchr` makes to find the fastest code of the processor, and this takes a third of its time.
#[inline]
fn line_feed(bytes: &[u8]) -> Option<usize> {
    const ONES: u64 = u64::from_ne_bytes([0x01; 8]);
    const HIGH_BITS: u64 = u64::from_ne_bytes([0x80; 8]);
    const LINE_FEEDS: u64 = u64::from_ne_bytes([b'\n'; 8]);
    let (words, rest) = bytes.as_chunks::<8>();
    for (index, word) in words.iter().enumerate() {
        // A byte is 0 where there is a line feed, and the lowest high bit of `found` is that of the
        // first such byte.
        let zeros = u64::from_le_bytes(*word) ^ LINE_FEEDS;
        let found = zeros.wrapping_sub(ONES) & !zeros & HIGH_BITS;
        if found != 0 {
            return Some(index * 8 + found.trailing_zeros() as usize / 8);
        }
    }
    let place = rest.iter().position(|byte| *byte == b'\n');
    place.map(|place| words.len() * 8 + place)
}

impl From<HeadProblem> for Rejection {
    fn from(problem: HeadProblem) -> Rejection {
        match problem {
            HeadProblem::Malformed(rule) => Rejection::Malformed(rule),
            HeadProblem::TooLarge => Rejection::HeadTooLarge,
        }
    }
}

impl From<HeadProblem> for InvalidAnswer {
    fn from(problem: HeadProblem) -> InvalidAnswer {
        match problem {
            HeadProblem::Malformed(rule) => InvalidAnswer(rule),
            HeadProblem::TooLarge => InvalidAnswer("its head is too large"),
        }
    }
}
