//! The body of a message, without its framing.
//!
//! ```text
//!              digits      ;           CR LF           size > 0          0 left
//!   Size ─────────┬────▶ Extension ─▶ SizeEnd ─┬──────▶ Data ───────▶ DataEnd ──▶ Size
//!                 └────────────────────▲       └──────▶ Trailers ──▶ Done
//!                          CR                  size = 0
//! ```
//!
//! Nothing of a chunk's size line is kept by the caller: the state holds it.

use super::chars::{is_token, is_value};
use super::head::{HeadLimits, HeadProblem, HeadScan};
use super::{Framing, InvalidBody};

/// The longest extension of a chunk, in bytes.
const MAX_EXTENSION_BYTES: u16 = 1024;

/// The most digits of a chunk's size.
const MAX_SIZE_DIGITS: u8 = 16;

/// How far a body was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Body(State);

/// What comes next in a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Piece<'i> {
    /// `consumed` bytes of the input are done with, at least 1. `data` are those of them that belong
    /// to the content; there may be none.
    Data {
        /// Bytes of the input.
        consumed: usize,
        /// Content.
        data: &'i [u8],
    },
    /// The body has ended.
    End {
        /// Bytes of the input.
        consumed: usize,
        /// The trailer lines, each with its end, without the empty line behind them. Each is a valid
        /// header; mostly there is none.
        trailers: &'i [u8],
    },
    /// More bytes are necessary: the input is empty, or ends within a trailer section.
    Incomplete,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Done,
    /// This many bytes are left; more than 0.
    Length(u64),
    UntilClose,
    Size {
        size: u64,
        digits: u8,
    },
    Extension {
        size: u64,
        length: u16,
        place: Extension,
    },
    /// After the CR of a size line.
    SizeEnd {
        size: u64,
    },
    /// This many bytes of the chunk are left; more than 0.
    Data(u64),
    /// After a chunk's data: CR and LF are missing, or LF alone.
    DataEnd {
        has_cr: bool,
    },
    Trailers(HeadScan),
}

/// Where in an extension: `;name=token;name="quoted"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Extension {
    /// Before a name.
    Semicolon,
    Name,
    /// Before a value.
    Equals,
    Value,
    Quoted,
    /// After a backslash.
    Escaped,
    /// After a quoted value.
    Unquoted,
}

impl Body {
    /// A body of which nothing was read.
    #[must_use]
    pub const fn new(framing: Framing) -> Body {
        Body(match framing {
            Framing::Empty | Framing::Length(0) => State::Done,
            Framing::Length(length) => State::Length(length),
            Framing::Chunked => State::Size { size: 0, digits: 0 },
            Framing::UntilClose => State::UntilClose,
        })
    }

    /// How many bytes of a known length are left.
    #[must_use]
    pub const fn length_left(&self) -> Option<u64> {
        match self.0 {
            State::Length(left) => Some(left),
            _ => None,
        }
    }

    /// Whether all of it was consumed: with the last byte of a length, or with [`Piece::End`].
    #[must_use]
    pub const fn is_done(&self) -> bool {
        matches!(self.0, State::Done)
    }

    /// Whether the body is complete if the connection ends here.
    #[must_use]
    pub const fn ends_with_connection(&self) -> bool {
        matches!(self.0, State::Done | State::UntilClose)
    }

    /// Reads on. `input` are all bytes that were not consumed yet.
    ///
    /// A body of a known length is done with its last [`Piece::Data`]; a call after that gives an
    /// empty [`Piece::End`]. A chunked body ends with [`Piece::End`].
    ///
    /// # Errors
    ///
    /// The chunks or the trailers break a rule. Nothing may be read after that.
    pub fn next<'i>(&mut self, input: &'i [u8], limits: HeadLimits) -> Result<Piece<'i>, InvalidBody> {
        match self.0 {
            State::Done => Ok(Piece::End {
                consumed: 0,
                trailers: &[],
            }),
            _ if input.is_empty() => Ok(Piece::Incomplete),
            State::UntilClose => Ok(Piece::Data {
                consumed: input.len(),
                data: input,
            }),
            State::Length(left) => {
                let (data, left) = take(input, left);
                self.0 = if left == 0 {
                    State::Done
                } else {
                    State::Length(left)
                };
                Ok(Piece::Data {
                    consumed: data.len(),
                    data,
                })
            }
            _ => self.next_chunked(input, limits),
        }
    }

    /// Reads up to the end of the next data, or up to the end of the body.
    fn next_chunked<'i>(&mut self, input: &'i [u8], limits: HeadLimits) -> Result<Piece<'i>, InvalidBody> {
        let mut consumed = 0;
        while let Some(&byte) = input.get(consumed) {
            self.0 = match self.0 {
                State::Data(left) => {
                    let (data, left) = take(&input[consumed..], left);
                    self.0 = if left == 0 {
                        State::DataEnd { has_cr: false }
                    } else {
                        State::Data(left)
                    };
                    consumed += data.len();
                    return Ok(Piece::Data { consumed, data });
                }
                State::Trailers(scan) => return self.trailers(scan, input, consumed, limits),
                state => state.after(byte)?,
            };
            consumed += 1;
        }
        Ok(Piece::Data { consumed, data: &[] })
    }

    fn trailers<'i>(
        &mut self,
        mut scan: HeadScan,
        input: &'i [u8],
        consumed: usize,
        limits: HeadLimits,
    ) -> Result<Piece<'i>, InvalidBody> {
        let section = &input[consumed..];
        let length = match scan.trailers(section, limits) {
            Ok(length) => length,
            Err(HeadProblem::Malformed(rule)) => return Err(InvalidBody(rule)),
            Err(HeadProblem::TooLarge) => return Err(InvalidBody("the trailers are too large")),
        };
        let Some(length) = length else {
            self.0 = State::Trailers(scan);
            return Ok(if consumed == 0 {
                Piece::Incomplete
            } else {
                Piece::Data { consumed, data: &[] }
            });
        };
        let trailers = &section[..length - 2];
        check_trailers(trailers)?;
        self.0 = State::Done;
        Ok(Piece::End {
            consumed: consumed + length,
            trailers,
        })
    }
}

impl State {
    /// The state after one byte of a size line, or of the end of a chunk.
    fn after(self, byte: u8) -> Result<State, InvalidBody> {
        match (self, byte) {
            (State::Size { size, digits }, b'0'..=b'9' | b'a'..=b'f' | b'A'..=b'F') => {
                if digits == MAX_SIZE_DIGITS {
                    return Err(InvalidBody("the size of a chunk has too many digits"));
                }
                Ok(State::Size {
                    size: size << 4 | u64::from(hexadecimal(byte)),
                    digits: digits + 1,
                })
            }
            (State::Size { size, digits: 1.. }, b';') => Ok(State::Extension {
                size,
                length: 0,
                place: Extension::Semicolon,
            }),
            (State::Size { size, digits: 1.. }, b'\r') => Ok(State::SizeEnd { size }),
            (State::Size { .. }, _) => Err(InvalidBody("the size of a chunk is not a hexadecimal number")),
            (State::Extension { size, place, .. }, b'\r') if place.is_complete() => {
                Ok(State::SizeEnd { size })
            }
            (
                State::Extension {
                    length: MAX_EXTENSION_BYTES,
                    ..
                },
                _,
            ) => Err(InvalidBody("the extension of a chunk is too long")),
            (State::Extension { size, length, place }, _) => Ok(State::Extension {
                size,
                length: length + 1,
                place: place
                    .after(byte)
                    .ok_or(InvalidBody("the extension of a chunk is invalid"))?,
            }),
            (State::SizeEnd { size: 0 }, b'\n') => Ok(State::Trailers(HeadScan::default())),
            (State::SizeEnd { size }, b'\n') => Ok(State::Data(size)),
            (State::DataEnd { has_cr: false }, b'\r') => Ok(State::DataEnd { has_cr: true }),
            (State::DataEnd { has_cr: true }, b'\n') => Ok(State::Size { size: 0, digits: 0 }),
            (State::DataEnd { .. }, _) => Err(InvalidBody("a chunk is longer than its size")),
            _ => Err(InvalidBody(
                "the size of a chunk ends with a bare carriage return",
            )),
        }
    }
}

impl Extension {
    /// The place after one more byte; `None` where the byte may not appear.
    const fn after(self, byte: u8) -> Option<Extension> {
        match (self, byte) {
            (Extension::Semicolon | Extension::Name, _) if is_token(byte) => Some(Extension::Name),
            (Extension::Name, b'=') => Some(Extension::Equals),
            (Extension::Equals, b'"') => Some(Extension::Quoted),
            (Extension::Equals | Extension::Value, _) if is_token(byte) => Some(Extension::Value),
            (Extension::Name | Extension::Value | Extension::Unquoted, b';') => Some(Extension::Semicolon),
            (Extension::Quoted, b'"') => Some(Extension::Unquoted),
            (Extension::Quoted, b'\\') => Some(Extension::Escaped),
            (Extension::Quoted | Extension::Escaped, _) if is_value(byte) => Some(Extension::Quoted),
            _ => None,
        }
    }

    /// Whether the line may end here.
    const fn is_complete(self) -> bool {
        matches!(self, Extension::Name | Extension::Value | Extension::Unquoted)
    }
}

// Private

/// The first `left` bytes of `input`, or all of it, and how many are left then.
fn take(input: &[u8], left: u64) -> (&[u8], u64) {
    let count = usize::try_from(left).map_or(input.len(), |left| left.min(input.len()));
    (&input[..count], left - count as u64)
}

/// The value of a hexadecimal digit.
const fn hexadecimal(digit: u8) -> u8 {
    match digit {
        b'0'..=b'9' => digit - b'0',
        _ => (digit | 0x20) - b'a' + 10,
    }
}

/// Checks lines that all end with CR and LF: each is a header.
fn check_trailers(lines: &[u8]) -> Result<(), InvalidBody> {
    let mut lines = lines;
    while let Some(end) = memchr::memchr(b'\n', lines) {
        let line = &lines[..end - 1];
        lines = &lines[end + 1..];
        let colon = memchr::memchr(b':', line).unwrap_or(0);
        let (name, value) = line.split_at(colon);
        if name.is_empty() || !name.iter().all(|byte| is_token(*byte)) {
            return Err(InvalidBody("the name of a trailer is invalid"));
        }
        if !value.iter().all(|byte| is_value(*byte)) {
            return Err(InvalidBody("the value of a trailer has an invalid character"));
        }
    }
    Ok(())
}
