//! Just enough of Rust's grammar to separate code from comments and strings.

/// `text` with a space instead of each comment, string and character literal.
pub(crate) fn code_of(text: &str) -> String {
    let mut code = String::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let length = literal(rest, code.chars().last());
        if length > 0 {
            code.push(' ');
            // Line breaks are kept.
            code.extend(rest[..length].chars().filter(|c| *c == '\n'));
            rest = &rest[length..];
        } else {
            code.push(first);
            rest = &rest[first.len_utf8()..];
        }
    }
    code
}

/// Names, `::`, and every other character that is not a space.
pub(crate) fn words(code: &str) -> Vec<&str> {
    let mut words = Vec::new();
    let mut rest = code.trim_start();
    while let Some(first) = rest.chars().next() {
        let name = rest.find(|c: char| !is_name(c)).unwrap_or(rest.len());
        let length = match name {
            0 if rest.starts_with("::") => 2,
            0 => first.len_utf8(),
            name => name,
        };
        words.push(&rest[..length]);
        rest = rest[length..].trim_start();
    }
    words
}

// Private

fn is_name(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// The length in bytes of the comment or literal at the start of `text`; 0 for code. `before` is
/// the preceding character.
fn literal(text: &str, before: Option<char>) -> usize {
    if text.starts_with("//") {
        return text.find('\n').unwrap_or(text.len());
    }
    if text.starts_with("/*") {
        return block_comment(text);
    }
    if before.is_some_and(is_name) {
        return 0;
    }
    let prefix = ["br", "cr", "b", "c", "r", ""].into_iter().find(|prefix| {
        let quoted = text.strip_prefix(prefix);
        quoted.is_some_and(|rest| rest.starts_with('"') || (prefix.ends_with('r') && rest.starts_with('#')))
    });
    match prefix {
        Some(prefix) if prefix.ends_with('r') => raw_string(text, prefix.len()),
        Some(prefix) => prefix.len() + quoted(&text[prefix.len()..], '"'),
        None => character(text),
    }
}

fn block_comment(text: &str) -> usize {
    let mut depth = 0;
    for (index, pair) in text.as_bytes().windows(2).enumerate() {
        match pair {
            b"/*" => depth += 1,
            b"*/" => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return index + 2;
        }
    }
    text.len()
}

fn raw_string(text: &str, prefix: usize) -> usize {
    let hashes = text[prefix..].bytes().take_while(|byte| *byte == b'#').count();
    let start = prefix + hashes + 1;
    if !text[prefix + hashes..].starts_with('"') {
        // A raw identifier, `r#type`.
        return 0;
    }
    let end = format!("\"{}", "#".repeat(hashes));
    text[start..]
        .find(&end)
        .map_or(text.len(), |at| start + at + end.len())
}

/// The length up to the next quote without a backslash before it.
fn quoted(text: &str, quote: char) -> usize {
    let mut escaped = true;
    for (index, c) in text.char_indices() {
        if c == quote && !escaped {
            return index + 1;
        }
        // The first character is the opening quote itself.
        escaped = c == '\\' && !escaped && index > 0;
    }
    text.len()
}

/// `'x'` or `'\n'`, but not the lifetime `'x`.
fn character(text: &str) -> usize {
    let text = text
        .strip_prefix('b')
        .filter(|rest| rest.starts_with('\''))
        .map_or((0, text), |rest| (1, rest));
    let (prefix, text) = text;
    let mut chars = text.chars();
    if chars.next() != Some('\'') {
        return 0;
    }
    let is_character = match chars.next() {
        Some('\\') => true,
        Some(_) => chars.next() == Some('\''),
        None => false,
    };
    if is_character {
        prefix + quoted(text, '\'')
    } else {
        0
    }
}
