//! The placeholders of a node's command: `{name}` and others, filled in for each node.
//!
//! A word in braces is a placeholder. `{{word}}` is the text `{word}`, and `${word}` is a shell's
//! variable.

/// All placeholders.
pub(super) const KNOWN: [&str; 5] = ["name", "n", "address", "tcp_port", "http_port"];

/// Other names for them that users may expect.
const ALIASES: [(&str, &str); 8] = [
    ("port", "`{tcp_port}` or `{http_port}`"),
    ("host", "`{address}`"),
    ("ip", "`{address}`"),
    ("node", "`{name}`"),
    ("number", "`{n}`"),
    ("index", "`{n}`"),
    ("i", "`{n}`"),
    ("id", "`{n}` or `{name}`"),
];

/// A part of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part<'a> {
    /// Text that is passed on unchanged.
    Text(&'a str),
    /// A word in braces.
    Placeholder(&'a str),
}

/// The parts of `text`, in order.
pub(super) fn parts(text: &str) -> Vec<Part<'_>> {
    let mut parts = Vec::new();
    let mut rest = text;
    while let Some(open) = rest.find('{') {
        let (before, braced) = rest.split_at(open);
        let escaped = braced
            .strip_prefix('{')
            .and_then(inner)
            .filter(|word| braced[word.len() + 3..].starts_with('}'));
        if let Some(word) = escaped {
            let end = open + word.len() + 4;
            parts.extend([Part::Text(before), Part::Text(&rest[open + 1..end - 1])]);
            rest = &rest[end..];
        } else if let Some(word) = inner(braced).filter(|_| !before.ends_with('$')) {
            parts.extend([Part::Text(before), Part::Placeholder(word)]);
            rest = &braced[word.len() + 2..];
        } else {
            parts.push(Part::Text(&rest[..=open]));
            rest = &braced[1..];
        }
    }
    parts.push(Part::Text(rest));
    parts.retain(|part| *part != Part::Text(""));
    parts
}

/// The placeholder that was probably meant by the unknown `name`.
pub(super) fn meant(name: &str) -> Option<String> {
    let written = name.to_lowercase().replace('-', "_");
    if let Some((_, meant)) = ALIASES.iter().find(|(alias, _)| *alias == written) {
        return Some((*meant).to_owned());
    }
    super::closest(&written, KNOWN).map(|known| format!("`{{{known}}}`"))
}

// Private

/// The word in braces that `text` begins with.
fn inner(text: &str) -> Option<&str> {
    let (word, _) = text.strip_prefix('{')?.split_once('}')?;
    let begins = word.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    let goes_on = word
        .chars()
        .all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-');
    (begins && goes_on).then_some(word)
}

#[cfg(test)]
mod tests {
    use super::Part::{Placeholder, Text};
    use super::*;

    #[test]
    fn words_in_braces_are_placeholders() {
        for (text, expected) in [
            ("", vec![]),
            ("--port", vec![Text("--port")]),
            ("{tcp_port}", vec![Placeholder("tcp_port")]),
            (
                "a{n}b{port}",
                vec![Text("a"), Placeholder("n"), Text("b"), Placeholder("port")],
            ),
            ("${HOME}", vec![Text("${"), Text("HOME}")]),
            ("{{n}}{n}", vec![Text("{n}"), Placeholder("n")]),
            (
                "{\"a\": {n}}",
                vec![Text("{"), Text("\"a\": "), Placeholder("n"), Text("}")],
            ),
            ("{", vec![Text("{")]),
            ("{}{1}", vec![Text("{"), Text("}{"), Text("1}")]),
            ("{{", vec![Text("{"), Text("{")]),
            ("{ü}{n", vec![Text("{"), Text("ü}{"), Text("n")]),
        ] {
            assert_eq!(parts(text), expected, "{text}");
        }
    }

    #[test]
    fn near_misses_are_suggested() {
        for (name, expected) in [
            ("port", "`{tcp_port}` or `{http_port}`"),
            ("tcpport", "`{tcp_port}`"),
            ("HTTP-PORT", "`{http_port}`"),
            ("adress", "`{address}`"),
            ("host", "`{address}`"),
        ] {
            assert_eq!(meant(name).as_deref(), Some(expected), "{name}");
        }
        assert_eq!(meant("print"), None);
    }
}
