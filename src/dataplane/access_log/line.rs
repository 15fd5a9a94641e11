//! A line of the access log: an object of JSON.

use std::io::Write;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::base::date::civil;

/// A usual line, so that most lines need one allocation.
const CAPACITY: usize = 640;

/// A line to which fields are added. Their names are not escaped.
#[derive(Debug)]
pub(crate) struct Line(Vec<u8>);

impl Line {
    /// A line with the time of its request.
    pub(crate) fn begin(time: SystemTime) -> Line {
        let mut line = Line(Vec::with_capacity(CAPACITY));
        line.0.extend_from_slice(b"{\"time\":\"");
        write_time(time.duration_since(UNIX_EPOCH).unwrap_or_default(), &mut line.0);
        line.0.push(b'"');
        line
    }

    /// Adds a text of at most `limit` bytes; what is longer is cut.
    pub(crate) fn text(&mut self, name: &str, value: Option<&[u8]>, limit: usize) {
        self.name(name);
        let Some(value) = value else {
            return self.0.extend_from_slice(b"null");
        };
        self.0.push(b'"');
        let (kept, is_cut) = match value.get(..limit) {
            Some(kept) if value.len() > limit => (kept, true),
            _ => (value, false),
        };
        if kept.iter().copied().all(is_plain) {
            self.0.extend_from_slice(kept);
        } else {
            let text = String::from_utf8_lossy(kept);
            text.chars().for_each(|char| escape(char, &mut self.0));
        }
        if is_cut {
            self.0.extend_from_slice("…".as_bytes());
        }
        self.0.push(b'"');
    }

    /// Adds a text that needs no limit and no escapes.
    pub(crate) fn word(&mut self, name: &str, value: &str) {
        self.text(name, Some(value.as_bytes()), value.len());
    }

    /// Adds a number.
    pub(crate) fn number(&mut self, name: &str, value: u64) {
        self.name(name);
        self.digits(value);
    }

    /// Adds a number, or null.
    pub(crate) fn number_if(&mut self, name: &str, value: Option<u64>) {
        self.name(name);
        match value {
            Some(value) => self.digits(value),
            None => self.0.extend_from_slice(b"null"),
        }
    }

    /// Adds `true`, `false` or null.
    pub(crate) fn flag(&mut self, name: &str, value: Option<bool>) {
        self.name(name);
        self.0.extend_from_slice(match value {
            Some(true) => b"true",
            Some(false) => b"false",
            None => b"null",
        });
    }

    /// Appends the whole line to `out`.
    pub(crate) fn end_into(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.0);
        out.extend_from_slice(b"}\n");
    }

    // Private

    fn name(&mut self, name: &str) {
        self.0.extend_from_slice(b",\"");
        self.0.extend_from_slice(name.as_bytes());
        self.0.extend_from_slice(b"\":");
    }

    fn digits(&mut self, mut value: u64) {
        let mut digits = [0; 20];
        let mut at = digits.len();
        loop {
            at -= 1;
            digits[at] = b'0' + (value % 10) as u8;
            value /= 10;
            if value == 0 {
                return self.0.extend_from_slice(&digits[at..]);
            }
        }
    }
}

// Private

const fn is_plain(byte: u8) -> bool {
    matches!(byte, b' '..=b'~') && byte != b'"' && byte != b'\\'
}

/// Writes a character of a text. Control characters are escaped also where JSON does not ask for it,
/// so that a terminal is not affected.
fn escape(char: char, out: &mut Vec<u8>) {
    let written = match char {
        '"' | '\\' => write!(out, "\\{char}"),
        char if char.is_control() => write!(out, "\\u{:04x}", u32::from(char)),
        char => write!(out, "{char}"),
    };
    // Writing to a vector does not fail.
    debug_assert!(written.is_ok());
}

/// Writes a time since 1970 as RFC 3339 has it, in UTC, with milliseconds.
fn write_time(since_1970: Duration, out: &mut Vec<u8>) {
    let (seconds, ms) = (since_1970.as_secs(), since_1970.subsec_millis());
    let (year, month, day) = civil(seconds / 86_400);
    let second = seconds % 86_400;
    let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
    let written = write!(
        out,
        "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{ms:03}Z"
    );
    // Writing to a vector does not fail.
    debug_assert!(written.is_ok());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(fill: impl FnOnce(&mut Line)) -> String {
        let mut line = Line::begin(UNIX_EPOCH + Duration::from_millis(1_795_566_491_007));
        fill(&mut line);
        let mut out = Vec::new();
        line.end_into(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_line_is_an_object() {
        let written = line(|line| {
            line.word("a", "b");
            line.text("c", None, 9);
            line.number("d", 0);
            line.number("e", u64::MAX);
            line.number_if("f", Some(120));
            line.number_if("g", None);
            line.flag("h", Some(true));
            line.flag("i", None);
        });
        assert_eq!(
            written,
            "{\"time\":\"2026-11-25T00:28:11.007Z\",\"a\":\"b\",\"c\":null,\"d\":0,\
             \"e\":18446744073709551615,\"f\":120,\"g\":null,\"h\":true,\"i\":null}\n"
        );
    }

    #[test]
    fn texts_stay_texts_whatever_is_in_them() {
        for (value, expected) in [
            (&b"\"},{\"a\\\": 1"[..], "\"},{\"a\\\": 1"),
            (b"a\n\x1b[31m\x7f\0", "a\n\u{1b}[31m\u{7f}\0"),
            ("a\u{85}é世".as_bytes(), "a\u{85}é世"),
            (b"\xff\xc3", "\u{fffd}\u{fffd}"),
            (b"1234567890123456", "1234567890123456"),
            (b"12345678901234567", "1234567890123456…"),
            ("123456789012345é".as_bytes(), "123456789012345\u{fffd}…"),
        ] {
            let written = line(|line| line.text("a", Some(value), 16));
            assert!(!written.trim_end().contains(char::is_control), "{written}");
            let parsed: serde_json::Value = serde_json::from_str(&written).unwrap();
            assert_eq!(parsed["a"], expected, "{written}");
        }
    }
}
