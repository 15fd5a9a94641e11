//! How a request's path is matched, in HAProxy and nginx alike.

use serde::Serialize;

use crate::profile::{PathKind, Paths, is_below};

/// A pattern, without regard to case, for paths that are refused, which extended regular expressions
/// of POSIX and those of Perl read in the same way: `//`, `/./`, `/../`, `;`, `\`, an encoded dot,
/// slash, backslash or NUL, because two programs may read such a path in two ways; and what is not
/// a path in RFC 3986: `#`, characters other than printable ASCII, `%` without two hexadecimal
/// digits.
pub(crate) const REFUSED: &str = r"//|/\.\.?(/|$)|[;\\#]|[^!-~]|%(2e|2f|5c|00|[^0-9a-f]|.[^0-9a-f]|.?$)";

/// The answer to a refused path.
pub(crate) const REFUSED_JSON: &str = r#"{"error":"ambiguous path"}"#;

/// Prefixes in one rule of HAProxy, each of which takes two of the 64 words of a line.
const PREFIXES_PER_RULE: usize = 16;

/// One rule of HAProxy that sets the kind of a path. A later rule overrides an earlier one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct PathRuleView {
    kind: &'static str,
    /// The prefixes themselves, separated by blanks.
    exact: String,
    /// What paths below them begin with, separated by blanks.
    below: String,
}

/// The rules of HAProxy: the prefixes that contain others come first, so that the longest prefix of
/// a path decides. There is one rule for each kind and depth, not one for each prefix.
pub(crate) fn rules(paths: &Paths) -> Vec<PathRuleView> {
    let mut prefixes: Vec<(usize, PathKind, &str)> = paths
        .prefixes()
        .map(|(prefix, kind)| (depth(paths, prefix), kind, prefix))
        .collect();
    prefixes.sort();
    prefixes
        .chunk_by(|a, b| (a.0, a.1) == (b.0, b.1))
        .flat_map(|group| group.chunks(PREFIXES_PER_RULE))
        .filter_map(|group| {
            let words = |word: fn(&str) -> String| {
                let words: Vec<String> = group
                    .iter()
                    .map(|(_, _, prefix)| escaped(&word(prefix)))
                    .collect();
                words.join(" ")
            };
            Some(PathRuleView {
                kind: group.first()?.1.name(),
                exact: words(str::to_owned),
                below: words(|prefix| format!("{}/", prefix.strip_suffix('/').unwrap_or(prefix))),
            })
        })
        .collect()
}

/// All prefixes, the longest first.
pub(super) fn longest_first(paths: &Paths) -> Vec<(&str, PathKind)> {
    let mut prefixes: Vec<_> = paths.prefixes().collect();
    prefixes.sort_by_key(|(prefix, _)| (std::cmp::Reverse(prefix.len()), *prefix));
    prefixes
}

// Private

/// How many other prefixes contain `prefix`.
fn depth(paths: &Paths, prefix: &str) -> usize {
    paths
        .prefixes()
        .filter(|(other, _)| *other != prefix && is_below(prefix, other))
        .count()
}

/// A prefix as a word of haproxy.cfg. Of the characters that a rule of the profile allows only the
/// quote has a meaning there.
pub(super) fn escaped(prefix: &str) -> String {
    prefix.replace('\'', "\\'")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::{DEFAULT, Source, load};

    fn ruled(sets: &[&str]) -> Vec<String> {
        let mut source = Source::read(DEFAULT).unwrap();
        source.sets = sets.iter().map(|set| (*set).to_owned()).collect();
        rules(&load(&source).unwrap().routing.paths)
            .iter()
            .map(|rule| format!("{}: {} | {}", rule.kind, rule.exact, rule.below))
            .collect()
    }

    #[test]
    fn there_is_one_rule_for_each_kind_and_depth() {
        assert_eq!(
            ruled(&["routing.paths.other=[/health]"]),
            [
                "mcp: /mcp | /mcp/",
                "sse: /messages /sse | /messages/ /sse/",
                "other: /health | /health/",
                "sse: /mcp/sse | /mcp/sse/",
                "websocket: /mcp/ws | /mcp/ws/",
            ]
        );
    }

    #[test]
    fn a_prefix_within_another_one_comes_later() {
        assert_eq!(
            ruled(&["routing.paths={mcp: [/a/b/c, /], sse: [/a/b/], websocket: [\"/a'\"], other: []}"]),
            [
                "mcp: / | /",
                "sse: /a/b/ | /a/b/",
                "websocket: /a\\' | /a\\'/",
                "mcp: /a/b/c | /a/b/c/",
            ]
        );
    }

    #[test]
    fn many_prefixes_take_several_lines() {
        let many: Vec<String> = (0..40).map(|number| format!("/p{number}")).collect();
        let set = format!("routing.paths.other=[{}]", many.join(", "));
        let rules = ruled(&[&set]);
        assert_eq!(
            rules.iter().filter(|rule| rule.starts_with("other: ")).count(),
            3,
            "{rules:#?}"
        );
    }
}
