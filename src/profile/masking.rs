//! Hides the values of `nodes.environment` in a profile's text, so that no error shows them.
//!
//! It works on text that is not valid YAML, too, and so goes by lines and brackets. It hides too
//! much rather than too little: a key that only resembles `environment` counts as well.

/// A copy of a profile's `text` in which every character of such a value is a `*`. Byte offsets and
/// lines stay the same.
pub(super) fn masked(text: &str) -> String {
    let mut masked = Vec::new();
    // The indentation of the key whose block goes on, and of the first line in it.
    let mut block: Option<(usize, Option<usize>)> = None;
    let mut brackets = 0;
    for line in text.split_inclusive('\n') {
        let indent = line.len() - line.trim_start_matches([' ', '\t', '-']).len();
        if brackets > 0 {
            brackets = still_open(brackets, line);
            hide(line, 0, &mut masked);
            continue;
        }
        if let Some((key, first)) = &mut block {
            if line.trim().is_empty() || line.trim_start().starts_with('#') {
                hide(line, 0, &mut masked);
                continue;
            }
            if indent > *key {
                let first = *first.get_or_insert(indent);
                // A deeper line goes on with the value of the line before.
                let from = if indent == first { after_key(line) } else { 0 };
                hide(line, from, &mut masked);
                continue;
            }
            block = None;
        }
        match environment(line) {
            None => masked.extend_from_slice(line.as_bytes()),
            Some(value) => {
                hide(line, value, &mut masked);
                let rest = line[value..].trim();
                brackets = still_open(0, rest);
                if brackets == 0 && !rest.starts_with(['{', '[']) {
                    block = Some((indent, None));
                }
            }
        }
    }
    String::from_utf8(masked).unwrap_or_default()
}

/// A copy of a `--set` in which the value is hidden if it may be one of `nodes.environment`.
pub(super) fn masked_set(text: &str) -> String {
    let mut masked = Vec::new();
    let value = match text.split_once('=') {
        Some((path, _)) if path.to_ascii_lowercase().contains("env") && !path.ends_with("_file") => {
            path.len() + 1
        }
        _ => environment(text).unwrap_or(text.len()),
    };
    hide(text, value, &mut masked);
    String::from_utf8(masked).unwrap_or_default()
}

// Private

/// Where the value of a key like `environment` begins in `line`, if the line has one.
fn environment(line: &str) -> Option<usize> {
    let lower = line.to_ascii_lowercase();
    let mut from = 0;
    while let Some(at) = lower[from..].find("env").map(|at| at + from) {
        let is_begin = !lower[..at].ends_with(|c: char| c.is_ascii_alphanumeric() || c == '_');
        let word = lower[at..]
            .find(|c: char| !c.is_ascii_alphanumeric() && c != '_' && c != '-')
            .map_or(lower.len(), |length| at + length);
        let rest = lower[word..]
            .trim_start_matches(['"', '\''])
            .trim_start_matches([' ', '\t']);
        if is_begin && rest.starts_with(':') && !lower[at..word].ends_with("file") {
            return Some(lower.len() - rest.len() + 1);
        }
        from = word.max(at + 1);
    }
    None
}

/// Where the value begins in a line of a block: after its key.
fn after_key(line: &str) -> usize {
    let is_end =
        |(at, _): &(usize, &str)| line[at + 1..].starts_with([' ', '\t', '\n', '\r']) || line.len() == at + 1;
    let end = line.match_indices(':').find(is_end);
    // Lists of `KEY=VALUE` are a mistake, but not a reason to show the values.
    let end = end.or_else(|| line.match_indices(['=', ':']).next());
    end.map_or(0, |(at, _)| at + 1)
}

/// How many brackets are open after `line`, of `open` before it. A bracket in a value may count as
/// one that closes, so the last one has to end its line.
fn still_open(open: usize, line: &str) -> usize {
    let counted = line.chars().fold(open, |open, c| match c {
        '{' | '[' => open + 1,
        '}' | ']' => open.saturating_sub(1),
        _ => open,
    });
    let is_closed = line.trim_end().trim_end_matches(',').ends_with(['}', ']']);
    if open > 0 && !is_closed {
        counted.max(1)
    } else {
        counted
    }
}

/// Appends `line`, with what stands at `from` and behind it hidden.
fn hide(line: &str, from: usize, masked: &mut Vec<u8>) {
    let (shown, hidden) = line.split_at(from);
    masked.extend_from_slice(shown.as_bytes());
    for c in hidden.chars() {
        match c {
            ' ' | '\t' | '\r' | '\n' | '{' | '}' => masked.push(c as u8),
            c => masked.extend(std::iter::repeat_n(b'*', c.len_utf8())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_hidden_wherever_they_are_written() {
        for (text, shown) in [
            (
                "nodes:\n  environment:\n    A: s3cret\n    B: 1\n  count: 4\n",
                "nodes:\n  environment:\n    A: ******\n    B: *\n  count: 4\n",
            ),
            (
                "nodes: {environment: {A: s}, count: 4}\n",
                "nodes: {environment: {** *}* ****** *}\n",
            ),
            (
                "  environment: {\n A: s,\n B: t}\n  count: 4\n",
                "  environment: {\n ** **\n ** *}\n  count: 4\n",
            ),
            (
                "  environment: {\n A: \"}\",\n B: t\n}\n",
                "  environment: {\n ** *}**\n ** *\n}\n",
            ),
            (
                "  environment:\n    A: |\n      x: s\n      ä\n  count: 4\n",
                "  environment:\n    A: *\n      ** *\n      **\n  count: 4\n",
            ),
            ("  env:\n  - A=s\n  count: 4\n", "  env:\n  - A=*\n  count: 4\n"),
            (
                "  \"environment\" :\n    A: s: t\n",
                "  \"environment\" :\n    A: ** *\n",
            ),
            ("  environment: s\n", "  environment: *\n"),
            (
                "  environment:\n\n    # old: s\n    A: s\n",
                "  environment:\n\n    * **** *\n    A: *\n",
            ),
            (
                "  environment_file: a.env\n  count: 4\n",
                "  environment_file: a.env\n  count: 4\n",
            ),
            (
                "  command: [sh, -c, \"env X=1 a\"]\n",
                "  command: [sh, -c, \"env X=1 a\"]\n",
            ),
        ] {
            let masked = masked(text);
            assert_eq!(masked.len(), text.len(), "{text}");
            assert_eq!(masked, shown);
        }
    }

    #[test]
    fn a_set_is_hidden_by_its_path() {
        for (set, shown) in [
            ("--set nodes.environment.A=s", "--set nodes.environment.A=*"),
            ("--set nodes.enviroment.A=s", "--set nodes.enviroment.A=*"),
            (
                "--set nodes={environment: {A: s}}",
                "--set nodes={environment: {** *}}",
            ),
            ("--set nodes.environment_file=a", "--set nodes.environment_file=a"),
            ("--set nodes.count=2", "--set nodes.count=2"),
            ("--set nodes.environment.A", "--set nodes.environment.A"),
        ] {
            assert_eq!(masked_set(set), shown);
        }
    }
}
