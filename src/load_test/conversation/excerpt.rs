//! An excerpt of an untrusted server's answer for people: its beginning, printable.

/// Characters that are shown.
const MAX_CHARS: usize = 100;
/// The longest character, in bytes.
const WIDEST: usize = 4;

/// The first 100 characters of `bytes`; a dot replaces each one that cannot be printed.
pub(super) fn excerpt(bytes: &[u8]) -> String {
    let beginning = &bytes[..bytes.len().min((MAX_CHARS + 1) * WIDEST)];
    let text = String::from_utf8_lossy(beginning);
    let mut shown: String = text.trim().chars().take(MAX_CHARS).map(printable).collect();
    if text.trim().chars().nth(MAX_CHARS).is_some() {
        shown.push_str("..");
    }
    shown
}

// Private

fn printable(letter: char) -> char {
    if letter.is_alphanumeric() || letter.is_ascii_graphic() || letter == ' ' {
        letter
    } else {
        '.'
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shown_is_short_and_printable() {
        assert_eq!(
            excerpt(b" <h1>503 \x1b[31m\xff\r\nNo </h1>\n"),
            "<h1>503 .[31m...No </h1>"
        );
        assert_eq!(excerpt("grün\u{202e}".as_bytes()), "grün.");
        assert_eq!(excerpt(&[b'x'; 100]), "x".repeat(100));
        assert_eq!(excerpt(&[b'x'; 500]), "x".repeat(100) + "..");
        assert_eq!(excerpt(&b"\xf0\x9f\x8e\x88".repeat(300)).chars().count(), 102);
        assert_eq!(excerpt(b""), "");
    }
}
