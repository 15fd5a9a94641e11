//! The `map` blocks for a request's path, and for the headers of trusted proxies.

use serde::Serialize;

use super::affinity::quote;
use super::quoting::literal;
use crate::profile::{Cluster, PathKind, Paths};
use crate::render::forwarded;
use crate::render::paths::{REFUSED, REFUSED_JSON, longest_first};

/// The `map` of a path to its kind.
#[derive(Debug, Serialize)]
pub(super) struct PathsView {
    /// A pattern for refused paths, and the answer to them.
    refused: String,
    refused_json: &'static str,
    /// Patterns, and the kind of the paths that they match. The first that matches wins.
    rows: Vec<(String, &'static str)>,
    /// The kinds that have their own listener.
    alone: Vec<&'static str>,
}

/// The `X-Forwarded-*` headers.
#[derive(Debug, Serialize)]
pub(super) struct ForwardedView {
    /// Networks of proxies that are believed.
    trusted: Vec<String>,
    /// Headers that pass from those, and are not set otherwise.
    passed: Vec<HeaderView>,
    /// Headers that never pass.
    never: Vec<String>,
}

/// A header with its name in variables.
#[derive(Debug, Serialize)]
struct HeaderView {
    header: &'static str,
    variable: String,
}

impl PathsView {
    pub(super) fn new(paths: &Paths) -> PathsView {
        PathsView {
            refused: quote(&format!("~*{REFUSED}")),
            refused_json: REFUSED_JSON,
            rows: longest_first(paths)
                .into_iter()
                .map(|(prefix, kind)| (quote(&pattern(prefix)), kind.name()))
                .collect(),
            alone: vec![PathKind::WebSocket.name(), PathKind::Sse.name()],
        }
    }
}

impl ForwardedView {
    pub(super) fn new(cluster: &Cluster) -> ForwardedView {
        let header = |header: &'static str| HeaderView {
            header,
            variable: header.to_ascii_lowercase().replace('-', "_"),
        };
        ForwardedView {
            trusted: cluster.listen.trusted.iter().map(ToString::to_string).collect(),
            passed: forwarded::PASSED.map(header).into(),
            never: forwarded::with_underscores(),
        }
    }
}

// Private

/// A pattern for `prefix` and what continues it with another segment.
fn pattern(prefix: &str) -> String {
    let end = if prefix.ends_with('/') { "" } else { "(?:/|$)" };
    format!("~^{}{end}", literal(prefix))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_matches_whole_segments() {
        assert_eq!(pattern("/mcp"), r"~^\/mcp(?:/|$)");
        assert_eq!(pattern("/a.b/"), r"~^\/a\.b\/");
    }
}
