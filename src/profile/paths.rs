//! The paths of the HTTP listeners, and which of the lists a request's path belongs to.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The paths of the HTTP listeners, as prefixes of whole segments: `/mcp` means `/mcp`, `/mcp/` and
/// `/mcp/x`, not `/mcpx`; `/mcp/` means `/mcp/` and `/mcp/x`, not `/mcp`; `/` means everything. They
/// are compared byte for byte with the path as it was sent, without its query. The longest one wins.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Paths {
    /// MCP: requests, GETs of event streams, and upgrades to WebSocket.
    pub mcp: Vec<String>,
    /// Event streams of HTTP with SSE, and the messages that belong to them.
    pub sse: Vec<String>,
    /// `WebSockets`.
    pub websocket: Vec<String>,
    /// Whatever else nodes serve, such as the metadata of OAuth.
    pub other: Vec<String>,
}

/// The list that a path belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum PathKind {
    /// `routing.paths.mcp`.
    Mcp,
    /// `routing.paths.sse`.
    Sse,
    /// `routing.paths.websocket`.
    WebSocket,
    /// `routing.paths.other`.
    Other,
}

impl PathKind {
    /// The key of its list in `routing.paths`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            PathKind::Mcp => "mcp",
            PathKind::Sse => "sse",
            PathKind::WebSocket => "websocket",
            PathKind::Other => "other",
        }
    }
}

impl Paths {
    /// Each list with its kind.
    #[must_use]
    pub fn lists(&self) -> [(PathKind, &[String]); 4] {
        [
            (PathKind::Mcp, &self.mcp),
            (PathKind::Sse, &self.sse),
            (PathKind::WebSocket, &self.websocket),
            (PathKind::Other, &self.other),
        ]
    }

    /// All prefixes, each with its kind, in the order of the profile.
    pub fn prefixes(&self) -> impl Iterator<Item = (&str, PathKind)> {
        let lists = self.lists().into_iter();
        lists.flat_map(|(kind, list)| list.iter().map(move |prefix| (prefix.as_str(), kind)))
    }

    /// The kind of a request's `path`, which has no query; `None` for a path that is not served.
    #[must_use]
    pub fn kind_of(&self, path: &str) -> Option<PathKind> {
        self.prefixes()
            .filter(|(prefix, _)| is_below(path, prefix))
            .max_by_key(|(prefix, _)| prefix.len())
            .map(|(_, kind)| kind)
    }
}

/// Whether `path` is `prefix`, or continues it with another segment.
#[must_use]
pub fn is_below(path: &str, prefix: &str) -> bool {
    path.strip_prefix(prefix)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/') || prefix.ends_with('/'))
}

/// What a path must not contain, since two programs could read it as two different paths: the
/// balancer would then route a request by a path that the node does not see. `None` for a path that
/// is not ambiguous.
#[must_use]
pub(super) fn ambiguity(path: &str) -> Option<&'static str> {
    const PARTS: [&str; 9] = ["//", "/./", "/../", ";", "\\", "%2e", "%2f", "%5c", "%00"];
    const ENDS: [&str; 2] = ["/.", "/.."];

    let lower = path.to_ascii_lowercase();
    let part = PARTS.into_iter().find(|part| lower.contains(part));
    part.or_else(|| ENDS.into_iter().find(|end| lower.ends_with(end)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths(mcp: &[&str], sse: &[&str], websocket: &[&str], other: &[&str]) -> Paths {
        let list = |prefixes: &[&str]| prefixes.iter().map(|prefix| (*prefix).to_owned()).collect();
        Paths {
            mcp: list(mcp),
            sse: list(sse),
            websocket: list(websocket),
            other: list(other),
        }
    }

    #[test]
    fn prefixes_are_whole_segments() {
        for (prefix, below, beside) in [
            (
                "/mcp",
                &["/mcp", "/mcp/", "/mcp/x", "/mcp/x/y"][..],
                &["/", "/mcpx", "/MCP", "/mcp%2fx"][..],
            ),
            ("/mcp/", &["/mcp/", "/mcp/x"], &["/mcp", "/mcpx"]),
            ("/", &["/", "/x", "/x/y"], &["", "*"]),
        ] {
            for path in below {
                assert!(is_below(path, prefix), "{path} {prefix}");
            }
            for path in beside {
                assert!(!is_below(path, prefix), "{path} {prefix}");
            }
        }
    }

    #[test]
    fn the_longest_prefix_wins() {
        let paths = paths(&["/", "/a/b/c"], &["/a"], &["/a/b"], &["/a/b/"]);
        for (path, kind) in [
            ("/", PathKind::Mcp),
            ("/ab", PathKind::Mcp),
            ("/a", PathKind::Sse),
            ("/a/c", PathKind::Sse),
            ("/a/b", PathKind::WebSocket),
            ("/a/b/", PathKind::Other),
            ("/a/b/cd", PathKind::Other),
            ("/a/b/c", PathKind::Mcp),
            ("/a/b/c/d", PathKind::Mcp),
        ] {
            assert_eq!(paths.kind_of(path), Some(kind), "{path}");
        }
    }

    #[test]
    fn without_a_matching_prefix_a_path_is_not_served() {
        assert_eq!(paths(&["/mcp"], &[], &[], &[]).kind_of("/other"), None);
        assert_eq!(paths(&[], &[], &[], &[]).kind_of("/"), None);
    }

    #[test]
    fn ambiguous_paths_are_found_in_any_case() {
        for path in [
            "/a//b", "/./a", "/a/../b", "/a/..", "/a/.", "/a;b", "/a\\b", "/%2E", "/a%2Fb", "/%5c", "/%00",
        ] {
            assert!(ambiguity(path).is_some(), "{path}");
        }
        for path in [
            "/",
            "/a.b",
            "/.well-known/x",
            "/a/...",
            "/a..",
            "/a%20b",
            "/a%252f",
        ] {
            assert_eq!(ambiguity(path), None, "{path}");
        }
    }
}
