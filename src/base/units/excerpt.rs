//! What a user has written, as messages quote it.

/// Characters of a quoted value; more tell a reader nothing.
const MAX_CHARS: usize = 80;

/// Characters of a line; a log may have longer ones.
const MAX_LINE_CHARS: usize = 1_000;

/// `text` on one line, without anything that steers a terminal, and cut after 80 characters.
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

/// A message for a terminal: its lines without anything that steers one, and each cut after 1,000 characters.
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

/// Whether a terminal does something else than show `c`: control characters, and those that turn the direction of writing.
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
    fn what_is_short_and_plain_stays_as_it_is() {
        for text in ["", "erlmcp1", "it's \"quoted\" \\ über", &"x".repeat(80)] {
            assert_eq!(excerpt(text), text);
        }
    }

    #[test]
    fn what_is_long_is_cut() {
        assert_eq!(excerpt(&"ü".repeat(200_000)), format!("{}…", "ü".repeat(80)));
    }

    #[test]
    fn a_message_keeps_its_lines() {
        assert_eq!(readable("a\n\tb \x1b[31mc\r\n"), "a\n\tb \\u{1b}[31mc\n");
        let long = format!("{}\nend", "x".repeat(200_000));
        assert_eq!(readable(&long), format!("{}…\nend", "x".repeat(1_000)));
    }

    #[test]
    fn what_steers_a_terminal_is_escaped() {
        assert_eq!(
            excerpt("a\x1b[2J\r\n\u{202e}b\u{9b}"),
            r"a\u{1b}[2J\r\n\u{202e}b\u{9b}"
        );
    }
}
