//! Messages on a byte stream: one per line.

use bytes::buf::Limit;
use bytes::{BufMut, BytesMut};

use super::MAX_MESSAGE;

/// The least and the most bytes that one read gets.
const READ_MIN: usize = 4 * 1024;
const READ_MAX: usize = 64 * 1024;

/// Cuts a byte stream into lines of at most [`MAX_MESSAGE`] bytes. Holds no memory between
/// messages.
#[derive(Debug, Default)]
pub struct Lines {
    buffer: BytesMut,
    /// Bytes at the front that are known to have no line end.
    searched: usize,
    /// Whether the memory behind the buffer is larger than one read needs.
    grown: bool,
}

/// A line is longer than [`MAX_MESSAGE`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a message of more than {MAX_MESSAGE} bytes")]
pub struct TooLong;

impl Lines {
    /// The buffer for the next bytes of the stream.
    pub fn room(&mut self) -> Limit<&mut BytesMut> {
        self.buffer.reserve(READ_MIN);
        (&mut self.buffer).limit(READ_MAX)
    }

    /// The next whole line without its end (`\n` or `\r\n`); `None` when more bytes are needed.
    /// Blank lines are skipped.
    ///
    /// # Errors
    /// When the line is too long. The stream cannot be used any more.
    pub fn next_line(&mut self) -> Result<Option<BytesMut>, TooLong> {
        while let Some(at) = self.buffer[self.searched..]
            .iter()
            .position(|byte| *byte == b'\n')
        {
            let end = self.searched + at;
            if end > MAX_MESSAGE {
                return Err(TooLong);
            }
            self.searched = 0;
            let line = trimmed(self.buffer.split_to(end + 1));
            if !line.is_empty() {
                return Ok(Some(line));
            }
        }
        self.searched = self.buffer.len();
        if self.searched > MAX_MESSAGE {
            return Err(TooLong);
        }
        self.give_memory_back();
        Ok(None)
    }

    /// What is left at the end of the stream: a last line may lack its end.
    pub fn last_line(&mut self) -> Option<BytesMut> {
        self.searched = 0;
        let line = trimmed(std::mem::take(&mut self.buffer));
        (!line.is_empty()).then_some(line)
    }

    // Private

    /// Frees the buffer's memory when it is empty, and most of it when a large message has left few
    /// bytes.
    fn give_memory_back(&mut self) {
        if self.buffer.is_empty() {
            self.buffer = BytesMut::new();
            self.grown = false;
        } else if self.buffer.len() > READ_MAX {
            self.grown = true;
        } else if self.grown {
            self.buffer = BytesMut::from(&self.buffer[..]);
            self.grown = false;
        }
    }
}

// Private

fn trimmed(mut line: BytesMut) -> BytesMut {
    line.truncate(line.trim_ascii_end().len());
    line
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// All lines of a stream that arrives in pieces of these sizes, in turn.
    fn cut(stream: &[u8], pieces: &[usize]) -> Result<Vec<Vec<u8>>, TooLong> {
        let mut lines = Lines::default();
        let mut got = Vec::new();
        let mut rest = stream;
        for size in pieces.iter().cycle() {
            let (piece, after) = rest.split_at((*size).min(rest.len()));
            rest = after;
            for chunk in piece.chunks(READ_MIN) {
                lines.room().put_slice(chunk);
                while let Some(line) = lines.next_line()? {
                    got.push(line.to_vec());
                }
            }
            if rest.is_empty() {
                break;
            }
        }
        got.extend(lines.last_line().map(|line| line.to_vec()));
        Ok(got)
    }

    #[test]
    fn both_line_ends_and_none_at_the_end() {
        assert_eq!(cut(b"a\r\n\n  \nb\nc", &[100]).unwrap(), [b"a", b"b", b"c"]);
    }

    #[test]
    fn a_line_may_be_as_long_as_the_limit_and_no_longer() {
        let mut stream = vec![b'x'; MAX_MESSAGE];
        stream.push(b'\n');
        assert_eq!(cut(&stream, &[1 << 20]).unwrap()[0].len(), MAX_MESSAGE);
        stream.insert(0, b'x');
        assert_eq!(cut(&stream, &[1 << 20]), Err(TooLong));
        stream.pop();
        assert_eq!(cut(&stream, &[1 << 20]), Err(TooLong));
    }

    #[test]
    fn no_memory_is_held_between_messages_and_little_within() {
        let mut lines = Lines::default();
        for _ in 0..1_000 {
            lines.room().put_slice(&[b'x'; READ_MIN]);
            assert_eq!(lines.next_line(), Ok(None));
        }
        lines.room().put_slice(b"\nrest");
        assert!(lines.next_line().unwrap().is_some());
        assert_eq!(lines.next_line(), Ok(None));
        assert!(lines.buffer.capacity() < READ_MAX, "{}", lines.buffer.capacity());
        lines.room().put_slice(b"\n");
        assert!(lines.next_line().unwrap().is_some());
        assert_eq!(lines.next_line(), Ok(None));
        assert_eq!(lines.buffer.capacity(), 0);
    }

    proptest! {
        #[test]
        fn pieces_make_no_difference(
            stream in prop::collection::vec(prop_oneof![Just(b'\n'), Just(b'\r'), any::<u8>()], 0..300),
            pieces in prop::collection::vec(1usize..40, 1..10),
        ) {
            let whole = cut(&stream, &[usize::MAX]).unwrap();
            prop_assert_eq!(cut(&stream, &pieces).unwrap(), whole.clone());
            let expected: Vec<_> = stream
                .split(|byte| *byte == b'\n')
                .map(|line| line.trim_ascii_end().to_vec())
                .filter(|line| !line.is_empty())
                .collect();
            prop_assert_eq!(whole, expected);
        }
    }
}
