//! Splits pieces of a file into lines.

use super::entry::LONGEST;
use super::tally::Tally;

/// The beginning of a line whose end was not read yet, or a mark that the line is too long.
#[derive(Clone, Debug, Default)]
pub struct Lines {
    begun: Vec<u8>,
    too_long: bool,
}

impl Lines {
    /// Reads the next `piece` of the file into `tally`. At most one partial line is kept for the
    /// next piece.
    pub fn read(&mut self, mut piece: &[u8], tally: &mut Tally) {
        while let Some(end) = memchr::memchr(b'\n', piece) {
            let (rest, next) = (&piece[..end], &piece[end + 1..]);
            if self.begun.is_empty() && !self.too_long {
                tally.add_line(rest);
            } else {
                self.begin(rest);
                self.end(tally);
            }
            piece = next;
        }
        self.begin(piece);
    }

    /// The file has ended or starts again: an unfinished line counts as malformed.
    pub fn cut(&mut self, tally: &mut Tally) {
        if self.too_long || !self.begun.is_empty() {
            self.end(tally);
        }
    }

    // Private

    fn begin(&mut self, part: &[u8]) {
        self.too_long |= self.begun.len() + part.len() > LONGEST;
        if self.too_long {
            self.begun.clear();
        } else {
            self.begun.extend_from_slice(part);
        }
    }

    fn end(&mut self, tally: &mut Tally) {
        if std::mem::take(&mut self.too_long) {
            tally.add_strange();
        } else {
            tally.add_line(&self.begun);
        }
        self.begun.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::super::kind::Kind;
    use super::*;
    use proptest::prelude::*;

    fn read<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> (u64, u64) {
        let (mut lines, mut tally) = (Lines::default(), Tally::default());
        for piece in pieces {
            lines.read(piece, &mut tally);
            assert!(lines.begun.len() <= LONGEST);
        }
        lines.cut(&mut tally);
        (tally.of(Kind::Tcp).front.sessions, tally.strange())
    }

    #[test]
    fn a_line_that_is_too_long_is_one_malformed_line() {
        let long = "x".repeat(LONGEST + 1);
        let text = format!("{{\"kind\":\"tcp\"}}\n{long}\n{{\"kind\":\"tcp\"}}\n");
        for size in [1_000, 65_536, text.len()] {
            assert_eq!(read(text.as_bytes().chunks(size)), (2, 1), "{size}");
        }
    }

    #[test]
    fn a_line_without_end_is_malformed_unless_it_is_complete() {
        assert_eq!(read([&b"{\"kind\":\"tcp\"}\n{\"kin"[..]]), (1, 1));
        assert_eq!(read([&b"{\"kind\":\"tcp\"}"[..]]), (1, 0));
    }

    proptest! {
        #[test]
        fn counts_do_not_depend_on_where_reads_are_cut(
            lines in proptest::collection::vec(
                prop_oneof![Just("{\"kind\":\"tcp\"}"), Just("garbage"), Just("{}")],
                0..20,
            ),
            size in 1..64usize,
        ) {
            let text: String = lines.iter().flat_map(|line| [line, "\n"]).collect();
            let whole = lines.iter().filter(|line| line.contains("tcp")).count();
            let expected = (whole as u64, (lines.len() - whole) as u64);
            prop_assert_eq!(read(text.as_bytes().chunks(size)), expected);
        }
    }
}
