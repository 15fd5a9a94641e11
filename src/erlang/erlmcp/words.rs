//! Quoting for Erlang and for shells.

use std::fmt::Write;
use std::path::Path;

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

/// The path, quoted for a shell.
pub(super) fn in_shell(path: &Path) -> String {
    let path = path.display().to_string();
    let is_plain = |c: char| c.is_alphanumeric() || "/._-+@%:,".contains(c);
    if path.chars().all(is_plain) {
        path
    } else {
        format!("'{}'", path.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn characters_that_end_a_literal_are_escaped() {
        assert_eq!(atom("it's"), r"'it\'s'");
        assert_eq!(in_shell(Path::new("/srv/erlmcp-2.1")), "/srv/erlmcp-2.1");
        assert_eq!(in_shell(Path::new("/my mcp's")), r"'/my mcp'\''s'");
        assert_eq!(atom("a\\b\n\"ä"), r#"'a\\b\x{a}"ä'"#);
    }
}
