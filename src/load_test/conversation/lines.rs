//! Parses lines from bytes that arrive in pieces.

use std::borrow::Cow;

/// The longest line that is read, in bytes.
const MAX_LINE_BYTES: usize = 1024 * 1024;

/// The beginning of an incomplete line. A line that arrives whole is never copied, and between
/// lines no memory is held.
#[derive(Debug, Default)]
pub(super) struct Lines {
    begun: Vec<u8>,
}

/// A line longer than 1 MiB, with what was read of it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct TooLong(pub(super) Vec<u8>);

impl Lines {
    /// Takes the next line out of `input`, without its end (LF or CRLF); `None` while its end is
    /// missing.
    ///
    /// # Errors
    /// If it is too long.
    pub(super) fn next<'a>(&mut self, input: &mut &'a [u8]) -> Result<Option<Cow<'a, [u8]>>, TooLong> {
        let bytes = *input;
        let end = memchr::memchr(b'\n', bytes);
        let piece = &bytes[..end.unwrap_or(bytes.len())];
        *input = end.map_or(&[], |end| &bytes[end + 1..]);
        if self.begun.len() + piece.len() > MAX_LINE_BYTES {
            return Err(TooLong(std::mem::take(&mut self.begun)));
        }
        if end.is_some() && self.begun.is_empty() {
            return Ok(Some(Cow::Borrowed(piece.strip_suffix(b"\r").unwrap_or(piece))));
        }
        self.begun.extend_from_slice(piece);
        if end.is_none() {
            return Ok(None);
        }
        let mut line = std::mem::take(&mut self.begun);
        line.pop_if(|last| *last == b'\r');
        Ok(Some(Cow::Owned(line)))
    }

    /// What was read of an incomplete line.
    pub(super) fn begun(&self) -> &[u8] {
        &self.begun
    }

    /// Heap memory in bytes.
    #[cfg(test)]
    pub(super) fn held(&self) -> usize {
        self.begun.capacity()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn cut(stream: &[u8], size: usize) -> Vec<Vec<u8>> {
        let mut lines = Lines::default();
        let mut got = Vec::new();
        for mut piece in stream.chunks(size) {
            while let Some(line) = lines.next(&mut piece).unwrap() {
                got.push(line.into_owned());
            }
            assert!(piece.is_empty());
        }
        assert!(lines.held() == 0 || !lines.begun().is_empty());
        got
    }

    #[test]
    fn both_line_ends_and_no_last_line_without() {
        assert_eq!(cut(b"a\r\n\nb\nc", 100), [&b"a"[..], b"", b"b"]);
    }

    #[test]
    fn a_line_may_be_as_long_as_the_limit_and_no_longer() {
        let mut lines = Lines::default();
        assert_eq!(lines.next(&mut &vec![b'x'; MAX_LINE_BYTES][..]), Ok(None));
        assert_eq!(
            lines.next(&mut &b"\n"[..]).unwrap().unwrap().len(),
            MAX_LINE_BYTES
        );
        assert_eq!(lines.next(&mut &vec![b'x'; MAX_LINE_BYTES][..]), Ok(None));
        assert!(lines.next(&mut &b"x"[..]).is_err());
    }

    proptest! {
        #[test]
        fn pieces_make_no_difference(
            stream in prop::collection::vec(prop_oneof![Just(b'\n'), Just(b'\r'), any::<u8>()], 0..200),
            size in 1usize..20,
        ) {
            prop_assert_eq!(cut(&stream, size), cut(&stream, usize::MAX));
        }
    }
}
