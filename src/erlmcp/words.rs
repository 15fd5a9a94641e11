//! What we say in Erlang's syntax.

use std::fmt::Write;

/// The atom of this text, in quotes.
pub(super) fn atom(text: &str) -> String {
    const QUOTE: char = '\'';
    let mut quoted = String::from(QUOTE);
    for c in text.chars() {
        match c {
            '\\' => quoted.push_str("\\\\"),
            QUOTE => quoted.extend(['\\', QUOTE]),
            c if c.is_control() => {
                // Writing to a string cannot fail.
                let _ = write!(quoted, "\\x{{{:x}}}", u32::from(c));
            }
            c => quoted.push(c),
        }
    }
    quoted.push(QUOTE);
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_end_a_literal_is_escaped() {
        assert_eq!(atom("it's"), r"'it\'s'");
        assert_eq!(atom("a\\b\n\"ä"), r#"'a\\b\x{a}"ä'"#);
    }
}
