//! Splits a command line into words, by the rules of the POSIX shell.

/// A command line, as a shell reads it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum CommandLine {
    /// A program and its arguments, without their quotes.
    Words(Vec<String>),
    /// It has pipes, variables, patterns or similar parts, which only a shell can interpret.
    NeedsShell,
    /// A quote is not closed, or nothing follows the last backslash.
    Unfinished,
}

/// Splits `line` as `sh -c` does before it runs the program.
pub(super) fn split(line: &str) -> CommandLine {
    let mut words = Vec::new();
    // The word so far: `''` is a word, too.
    let mut word: Option<String> = None;
    let mut chars = line.chars();
    while let Some(c) = chars.next() {
        match c {
            ' ' | '\t' | '\n' => words.extend(word.take()),
            '#' if word.is_none() => drop(chars.by_ref().find(|c| *c == '\n')),
            '|' | '&' | ';' | '<' | '>' | '(' | ')' | '$' | '`' | '*' | '?' => {
                return CommandLine::NeedsShell;
            }
            '~' if word.is_none() => return CommandLine::NeedsShell,
            // Environment variables of the program.
            '=' if words.is_empty() && word.as_deref().is_some_and(is_variable) => {
                return CommandLine::NeedsShell;
            }
            '\'' => {
                let word = word.get_or_insert_default();
                loop {
                    match chars.next() {
                        Some('\'') => break,
                        Some(c) => word.push(c),
                        None => return CommandLine::Unfinished,
                    }
                }
            }
            '"' => {
                let word = word.get_or_insert_default();
                loop {
                    match chars.next() {
                        Some('"') => break,
                        Some('$' | '`') => return CommandLine::NeedsShell,
                        Some('\\') => match chars.next() {
                            Some('\n') => {}
                            Some(c @ ('$' | '`' | '"' | '\\')) => word.push(c),
                            Some(c) => word.extend(['\\', c]),
                            None => return CommandLine::Unfinished,
                        },
                        Some(c) => word.push(c),
                        None => return CommandLine::Unfinished,
                    }
                }
            }
            '\\' => match chars.next() {
                Some('\n') => {}
                Some(c) => word.get_or_insert_default().push(c),
                None => return CommandLine::Unfinished,
            },
            c => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    CommandLine::Words(words)
}

// Private

fn is_variable(word: &str) -> bool {
    word.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && word.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_end_at_blanks_outside_of_quotes() {
        for (line, expected) in [
            ("python3 x.py", vec!["python3", "x.py"]),
            ("  a\t b\nc ", vec!["a", "b", "c"]),
            (
                "node 'my server.js' --port {tcp_port}",
                vec!["node", "my server.js", "--port", "{tcp_port}"],
            ),
            (r#"a "b 'c' d" '' e"#, vec!["a", "b 'c' d", "", "e"]),
            (r"a\ b \'c", vec!["a b", "'c"]),
            (r#""a\"b\\c\d" 'e\f'"#, vec![r#"a"b\c\d"#, r"e\f"]),
            (r#"a"b"'c'd"#, vec!["abcd"]),
            ("a b#c # no more", vec!["a", "b#c"]),
            ("a \\\n b", vec!["a", "b"]),
            ("", vec![]),
        ] {
            let expected = expected.into_iter().map(str::to_owned).collect();
            assert_eq!(split(line), CommandLine::Words(expected), "{line}");
        }
    }

    #[test]
    fn shell_syntax_is_left_to_the_shell() {
        for line in [
            "a | b",
            "a && b",
            "a > log",
            "a $HOME",
            "a \"$HOME\"",
            "a `b`",
            "a *.js",
            "PORT=1 a",
            "(a)",
            "~/a",
        ] {
            assert_eq!(split(line), CommandLine::NeedsShell, "{line}");
        }
    }

    #[test]
    fn open_quotes_are_found() {
        for line in ["a 'b", "a \"b", "a \\", "it's"] {
            assert_eq!(split(line), CommandLine::Unfinished, "{line}");
        }
    }
}
