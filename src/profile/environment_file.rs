//! The text of a file of variables, `nodes.environment_file`: lines `KEY=VALUE`.
//!
//! What systemd, Docker and dotenv read in the same way is read like that. Where they differ, a line
//! is refused rather than guessed.

use std::collections::BTreeMap;

use crate::base::secret::Secret;
use crate::base::units::excerpt;

/// A line that cannot be read. Neither variant contains any part of a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LineError {
    /// The line, from 1.
    pub line: usize,
    /// What is wrong with it.
    pub what: String,
    /// What to write instead.
    pub hint: &'static str,
}

/// The variables in `text`.
///
/// - `KEY=VALUE`, also with `export` before it. Space around the key and around the value is not
///   part of them.
/// - Empty lines, and lines that begin with `#`, are skipped.
/// - A value without quotes is taken as it is, `$`, `\` and quotes within it included.
/// - In single quotes everything is taken as it is, line ends included.
/// - In double quotes `\"`, `\\`, `\$`, `` \` ``, `\n`, `\r` and `\t` have their usual meaning; any
///   other backslash is a backslash. The value may have several lines.
/// - Behind a closing quote there may be a comment.
/// - Nothing is expanded.
///
/// # Errors
/// With the first line that is none of these, and with a key that is given twice.
pub fn parse(text: &str) -> Result<BTreeMap<String, Secret>, LineError> {
    let text = text.trim_start_matches('\u{feff}').replace("\r\n", "\n");
    let mut variables: BTreeMap<String, Secret> = BTreeMap::new();
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    let mut rest = text.as_str();
    while !rest.is_empty() {
        let line_number = text[..text.len() - rest.len()].matches('\n').count() + 1;
        let error = |what: String, hint| LineError {
            line: line_number,
            what,
            hint,
        };
        let (line, following) = rest.split_once('\n').unwrap_or((rest, ""));
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            rest = following;
            continue;
        }
        let Some((key, _)) = line.split_once('=') else {
            return Err(error(
                "has no `=`".to_owned(),
                "write `KEY=VALUE`, or `#` before a comment",
            ));
        };
        let key = key.trim().strip_prefix("export ").unwrap_or(key).trim();
        if let Some(what) = bad_name(key) {
            return Err(error(what, "write `KEY=VALUE` with a name such as `PORT`"));
        }
        if let Some(first) = seen.insert(key.to_owned(), line_number) {
            let what = format!("has `{}` again, as line {first}", excerpt(key));
            return Err(error(what, "leave one of them out"));
        }
        let after_equals = rest.find('=').map_or(rest, |at| &rest[at + 1..]);
        let value = after_equals.trim_start_matches([' ', '\t']);
        let (value, remaining) = match value.chars().next() {
            Some(quote @ ('"' | '\'')) => {
                quoted(&value[1..], quote).map_err(|(what, hint)| error(what.to_owned(), hint))?
            }
            _ => (
                plain(value).map_err(|(what, hint)| error(what.to_owned(), hint))?,
                following,
            ),
        };
        if value.contains('\0') {
            return Err(error(
                format!("has a NUL in the value of `{}`", excerpt(key)),
                "remove it",
            ));
        }
        variables.insert(key.to_owned(), Secret::new(value));
        rest = remaining;
    }
    Ok(variables)
}

// Private

/// What is wrong, and a hint.
type Wrong = (&'static str, &'static str);

fn bad_name(key: &str) -> Option<String> {
    if key.is_empty() {
        return Some("has no name before the `=`".to_owned());
    }
    let is_odd = |c: char| c.is_whitespace() || c.is_control() || matches!(c, '"' | '\'' | '#');
    // The line may be the second one of a secret, so it is not repeated.
    key.contains(is_odd)
        .then(|| "has a name that cannot be a variable's".to_owned())
}

fn plain(value: &str) -> Result<String, Wrong> {
    let line = value.lines().next().unwrap_or_default().trim_end();
    // For dotenv it is a comment, for systemd it is not.
    if line.contains(" #") || line.contains("\t#") {
        return Err(("has a `#` behind a space", "put the value in quotes"));
    }
    Ok(line.to_owned())
}

/// The value before the closing `quote`, and the lines behind it.
fn quoted(text: &str, quote: char) -> Result<(String, &str), Wrong> {
    let mut value = String::new();
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            c if c == quote => {
                let (behind, following) = text[at + 1..].split_once('\n').unwrap_or((&text[at + 1..], ""));
                let behind = behind.trim();
                if !behind.is_empty() && !behind.starts_with('#') {
                    let hint = "put the whole value in quotes; in double quotes, write `\\\"` for a quote";
                    return Err(("goes on behind the closing quote", hint));
                }
                return Ok((value, following));
            }
            '\\' if quote == '"' => match chars.next() {
                Some((_, c @ ('"' | '\\' | '$' | '`'))) => value.push(c),
                Some((_, 'n')) => value.push('\n'),
                Some((_, 'r')) => value.push('\r'),
                Some((_, 't')) => value.push('\t'),
                Some((_, c)) => value.extend(['\\', c]),
                None => value.push('\\'),
            },
            c => value.push(c),
        }
    }
    Err((
        "opens a quote that is not closed",
        "close it; a value that begins with a quote needs other quotes around it",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Vec<(String, String)> {
        let variables = parse(text).unwrap();
        let variable = |(key, value): (String, Secret)| (key, value.expose().to_owned());
        variables.into_iter().map(variable).collect()
    }

    #[test]
    fn values_are_read_as_documented() {
        for (line, value) in [
            ("A=b", "b"),
            ("A=", ""),
            ("A = b c ", "b c"),
            ("export A=b", "b"),
            ("A=it's $HOME \\n \"x\"", "it's $HOME \\n \"x\""),
            ("A=x=y", "x=y"),
            ("A=a#b", "a#b"),
            ("A='a b' # comment", "a b"),
            ("A='$a \\n'", "$a \\n"),
            ("A=\"a \\\"b\\\" \\\\ \\$ \\n \\d\"", "a \"b\" \\ $ \n \\d"),
            ("A=\"a\nb=c\n\"", "a\nb=c\n"),
            ("A='{name}'", "{name}"),
            ("A=grüße 🚀", "grüße 🚀"),
            ("\u{feff}A=b\r\n", "b"),
            ("A=\"a\r\nb\"\r\n", "a\nb"),
        ] {
            assert_eq!(parsed(line), [("A".to_owned(), value.to_owned())], "{line}");
        }
        assert_eq!(parsed("# c\n\nA=1\n  # d\nB='2'\nC=3").len(), 3);
    }

    proptest::proptest! {
        #[test]
        fn arbitrary_texts_never_panic(text in "[A= #'\"\\\\\n\r\tü\0]{0,40}") {
            if let Err(error) = parse(&text) {
                assert!(error.line <= text.matches('\n').count() + 1);
            }
        }
    }

    #[test]
    fn other_lines_are_refused_without_their_values() {
        for (text, line, what) in [
            ("A=1\ns3cret", 2, "has no `=`"),
            ("=s3cret", 1, "has no name before the `=`"),
            ("s3 cret=1", 1, "has a name that cannot be a variable's"),
            ("A=1\n\nA=2", 3, "has `A` again, as line 1"),
            ("A=s3cret #x", 1, "has a `#` behind a space"),
            ("B=1\nA=\"s3cret\n\n", 2, "opens a quote that is not closed"),
            ("A='s3'cret", 1, "goes on behind the closing quote"),
            ("A=s3\0cret", 1, "has a NUL in the value of `A`"),
        ] {
            let error = parse(text).unwrap_err();
            assert_eq!((error.line, error.what.as_str()), (line, what), "{text:?}");
        }
    }
}
