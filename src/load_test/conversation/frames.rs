//! WebSocket frames (RFC 6455, section 5) of a client.
//!
//! Headers are parsed by tungstenite. Its connections are not used, because they keep a buffer as
//! large as the largest message for as long as they live: here no memory is held between frames.

use std::io::Cursor;

use tokio_tungstenite::tungstenite::protocol::frame::FrameHeader;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Control, Data, OpCode};

use super::excerpt::excerpt;
use crate::load_test::error::{Kind, LoadError};

/// The longest message that is read, in bytes.
const MAX_MESSAGE: usize = 1024 * 1024;
/// The most data of a control frame, in bytes.
const MAX_CONTROL: usize = 125;

/// An incomplete frame, and an incomplete message of several frames.
#[derive(Debug, Default)]
pub(super) struct Frames {
    begun: Vec<u8>,
    message: Option<Vec<u8>>,
}

/// A complete message or control frame of the server.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Frame {
    /// A message.
    Text(Vec<u8>),
    /// A ping: the answer is a pong with the same data.
    Ping(Vec<u8>),
    /// A close, with a code and a reason, if it has them.
    Close(Vec<u8>),
}

impl Frames {
    /// Takes the next frame or message out of `input`; `None` while its end is missing.
    ///
    /// # Errors
    /// If it is not a valid frame, or too long.
    pub(super) fn next(&mut self, input: &mut &[u8]) -> Result<Option<Frame>, LoadError> {
        while let Some((header, payload)) = self.frame(input)? {
            let whole = header.is_final;
            match (header.opcode, self.message.take()) {
                (OpCode::Data(Data::Text), None) if whole => return Ok(Some(Frame::Text(payload))),
                (OpCode::Data(Data::Text), None) => self.message = Some(payload),
                (OpCode::Data(Data::Continue), Some(mut message)) => {
                    if message.len() + payload.len() > MAX_MESSAGE {
                        return Err(garbage("a message of more than 1 MiB", &message));
                    }
                    message.extend_from_slice(&payload);
                    if whole {
                        return Ok(Some(Frame::Text(message)));
                    }
                    self.message = Some(message);
                }
                // Control frames may come between those of a message.
                (OpCode::Control(control), message) if whole && payload.len() <= MAX_CONTROL => {
                    self.message = message;
                    match control {
                        Control::Ping => return Ok(Some(Frame::Ping(payload))),
                        Control::Close => return Ok(Some(Frame::Close(payload))),
                        Control::Pong => {}
                        Control::Reserved(_) => return Err(garbage("not a WebSocket frame", &payload)),
                    }
                }
                _ => return Err(garbage("not a WebSocket frame", &payload)),
            }
        }
        Ok(None)
    }

    /// Heap memory in bytes.
    #[cfg(test)]
    pub(super) fn held(&self) -> usize {
        self.begun.capacity() + self.message.as_ref().map_or(0, Vec::capacity)
    }

    // Private

    /// The next frame, of any kind.
    fn frame(&mut self, input: &mut &[u8]) -> Result<Option<(FrameHeader, Vec<u8>)>, LoadError> {
        loop {
            let mut cursor = Cursor::new(&self.begun);
            let header =
                FrameHeader::parse(&mut cursor).map_err(|_| garbage("not a WebSocket frame", &self.begun))?;
            let begin = usize::try_from(cursor.position()).unwrap_or(usize::MAX);
            // A header is at most 14 bytes: parsing it again with each byte is cheap.
            let mut wanted = self.begun.len() + 1;
            if let Some((header, length)) = header {
                let length = usize::try_from(length).unwrap_or(usize::MAX);
                let extended = header.rsv1 || header.rsv2 || header.rsv3;
                if length > MAX_MESSAGE || extended || header.mask.is_some() {
                    return Err(garbage(
                        "not a valid WebSocket message of at most 1 MiB",
                        &self.begun,
                    ));
                }
                wanted = begin + length;
                if self.begun.len() == wanted {
                    let mut payload = std::mem::take(&mut self.begun);
                    payload.drain(..begin);
                    return Ok(Some((header, payload)));
                }
            }
            if input.is_empty() {
                return Ok(None);
            }
            let (piece, rest) = input.split_at(input.len().min(wanted - self.begun.len()));
            self.begun.extend_from_slice(piece);
            *input = rest;
        }
    }
}

/// Encodes a message as a frame.
pub(super) fn text(message: &str) -> Vec<u8> {
    frame(OpCode::Data(Data::Text), message.as_bytes())
}

/// Encodes the answer to a ping.
pub(super) fn pong(payload: &[u8]) -> Vec<u8> {
    frame(OpCode::Control(Control::Pong), payload)
}

// Private

fn frame(opcode: OpCode, payload: &[u8]) -> Vec<u8> {
    // A mask keeps web pages from choosing the bytes on the wire. Nothing untrusted chooses a
    // client's messages: a host without random numbers does no harm.
    let mask = getrandom::u32().unwrap_or_default().to_ne_bytes();
    let header = FrameHeader {
        is_final: true,
        opcode,
        mask: Some(mask),
        ..FrameHeader::default()
    };
    let length = payload.len() as u64;
    let mut frame = Vec::with_capacity(header.len(length) + payload.len());
    // Writing to memory cannot fail.
    let _written = header.format(length, &mut frame);
    frame.extend(
        payload
            .iter()
            .zip(mask.iter().cycle())
            .map(|(byte, mask)| byte ^ mask),
    );
    frame
}

fn garbage(what: &str, bytes: &[u8]) -> LoadError {
    LoadError::new(Kind::Garbage, format!("{what}: `{}`", excerpt(bytes)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(stream: &[u8], size: usize) -> Result<Vec<Frame>, LoadError> {
        let mut frames = Frames::default();
        let mut got = Vec::new();
        for mut piece in stream.chunks(size) {
            while let Some(frame) = frames.next(&mut piece)? {
                got.push(frame);
            }
        }
        assert_eq!(frames.held(), 0);
        Ok(got)
    }

    #[test]
    fn messages_come_whole_however_they_are_cut() {
        let long = [&b"\x81\x7e\x00\xab"[..], &[b'x'; 171]].concat();
        let stream = [
            &b"\x01\x02ab\x89\x01!\x00\x01c\x8a\x00\x80\x01d"[..],
            &long,
            b"\x88\x02\x03\xe9",
        ]
        .concat();
        for size in 1..stream.len() {
            let expected = [
                Frame::Ping(b"!".to_vec()),
                Frame::Text(b"abcd".to_vec()),
                Frame::Text(vec![b'x'; 171]),
                Frame::Close(b"\x03\xe9".to_vec()),
            ];
            assert_eq!(cut(&stream, size).unwrap(), expected);
        }
    }

    #[test]
    fn frames_that_break_the_rules_are_refused() {
        for stream in [
            &b"\x80\x01x"[..],
            b"\x82\x01x",
            b"\x81\x81....x",
            b"\xc1\x01x",
            b"\x83\x01x",
            b"\x8b\x01x",
            b"\x09\x01x",
            b"\x01\x01x\x81\x01x",
            b"\x81\x7f\x00\x00\x00\x00\xff\x00\x00\x00",
            &[&b"\x89\x7e\x00\x7e"[..], &[b'x'; 126]].concat(),
        ] {
            assert_eq!(cut(stream, 100).unwrap_err().kind, Kind::Garbage, "{stream:?}");
        }
    }

    #[test]
    fn frames_of_a_client_are_masked() {
        let frame = pong(b"hello");
        assert_eq!(frame[..2], [0x8a, 0x85]);
        let payload: Vec<u8> = frame[6..]
            .iter()
            .zip(frame[2..6].iter().cycle())
            .map(|(a, b)| a ^ b)
            .collect();
        assert_eq!(payload, b"hello");
    }
}
