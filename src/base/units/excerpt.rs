//! Quotes untrusted text in messages.

/// The most characters of a quoted value.
const MAX_CHARS: usize = 80;

/// The most characters of a line; a log may have longer ones.
const MAX_LINE_CHARS: usize = 1_000;

/// `text` on one line, without control characters for a terminal, and cut after 80 characters.
#[must_use]
pub fn excerpt(text: &str) -> String {
    let mut excerpt = String::new();
    for (index, c) in text.chars().enumerate() {
        if index == MAX_CHARS {
            excerpt.push('…');
            break;
        }
        if steers(c) {
            excerpt.extend(c.escape_debug());
        } else {
            excerpt.push(c);
        }
    }
    excerpt
}

/// A message for a terminal: its lines without control characters, each cut after 1,000 characters.
#[must_use]
pub fn readable(message: &str) -> String {
    let mut readable = String::new();
    let mut length = 0;
    for c in message.replace("\r\n", "\n").chars() {
        match c {
            '\n' => length = 0,
            _ => length += 1,
        }
        match c {
            _ if length > MAX_LINE_CHARS + 1 => {}
            _ if length == MAX_LINE_CHARS + 1 => readable.push('…'),
            '\n' | '\t' => readable.push(c),
            c if steers(c) => readable.extend(c.escape_debug()),
            c => readable.push(c),
        }
    }
    readable
}

// Private

/// Whether a terminal does anything else than display `c`: control characters, and those that
/// change the direction of writing.
fn steers(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}'
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_plain_text_is_not_changed() {
        for text in ["", "erlmcp1", "it's \"quoted\" \\ über", &"x".repeat(80)] {
            assert_eq!(excerpt(text), text);
        }
    }

    #[test]
    fn long_text_is_cut() {
        assert_eq!(excerpt(&"ü".repeat(200_000)), format!("{}…", "ü".repeat(80)));
    }

    #[test]
    fn a_message_keeps_its_lines() {
        assert_eq!(readable("a\n\tb \x1b[31mc\r\n"), "a\n\tb \\u{1b}[31mc\n");
        let long = format!("{}\nend", "x".repeat(200_000));
        assert_eq!(readable(&long), format!("{}…\nend", "x".repeat(1_000)));
    }

    #[test]
    fn control_characters_are_escaped() {
        assert_eq!(
            excerpt("a\x1b[2J\r\n\u{202e}b\u{9b}"),
            r"a\u{1b}[2J\r\n\u{202e}b\u{9b}"
        );
    }
}
