//! Which backend a request goes to.

use super::ambiguity::is_ambiguous;
use super::headers::elements;
use crate::dataplane::http::Request;
use crate::dataplane_config::DataplaneRoutes;
use crate::profile::{PathKind, is_below};

/// The part of a request's `Accept` that asks for an event stream.
const EVENT_STREAM: &[u8] = b"text/event-stream";

/// Which of a frontend's backends serves a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Destination {
    /// The frontend's own one.
    Default,
    /// The one for `WebSockets`.
    WebSocket,
    /// The one for event streams.
    Sse,
}

/// Why a request goes to no backend.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Two servers could read its path in two ways.
    AmbiguousPath,
    /// Its path is not served.
    UnknownPath,
}

/// The paths of a frontend.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Routes {
    /// Prefixes, the longest first.
    prefixes: Box<[(Box<str>, PathKind)]>,
    only: Option<PathKind>,
}

impl Routes {
    /// The rules of a frontend.
    #[must_use]
    pub fn new(routes: &DataplaneRoutes) -> Routes {
        let mut prefixes: Vec<(Box<str>, PathKind)> = routes
            .paths
            .prefixes()
            .map(|(prefix, kind)| (prefix.into(), kind))
            .collect();
        prefixes.sort_by_key(|(prefix, _)| std::cmp::Reverse(prefix.len()));
        Routes {
            prefixes: prefixes.into(),
            only: routes.only.map(crate::dataplane_config::PathOnly::kind),
        }
    }

    /// The backend for a request.
    ///
    /// # Errors
    /// When its path is not served here.
    pub fn destination(&self, request: &Request) -> Result<Destination, Refusal> {
        let path = request.path();
        if !path.starts_with('/') || is_ambiguous(path) {
            return Err(Refusal::AmbiguousPath);
        }
        let kind = self.kind_of(path).ok_or(Refusal::UnknownPath)?;
        if let Some(only) = self.only {
            let is_served = kind == only;
            return is_served
                .then_some(Destination::Default)
                .ok_or(Refusal::UnknownPath);
        }
        Ok(match kind {
            PathKind::WebSocket => Destination::WebSocket,
            PathKind::Sse => Destination::Sse,
            PathKind::Mcp if names_websocket(request) => Destination::WebSocket,
            PathKind::Mcp if request.method == "GET" && accepts_event_stream(request) => Destination::Sse,
            PathKind::Mcp | PathKind::Other => Destination::Default,
        })
    }

    // Private

    fn kind_of(&self, path: &str) -> Option<PathKind> {
        let mut matching = self.prefixes.iter().filter(|(prefix, _)| is_below(path, prefix));
        matching.next().map(|(_, kind)| *kind)
    }
}

// Private

fn values<'r>(request: &'r Request, name: &'static str) -> impl Iterator<Item = &'r [u8]> {
    let named = request.headers.iter();
    named
        .filter(move |header| header.name.eq_ignore_ascii_case(name))
        .map(|header| header.value)
}

/// Whether an `Upgrade` header has `websocket`, even where the request is not a valid upgrade.
fn names_websocket(request: &Request) -> bool {
    let mut protocols = values(request, "Upgrade").flat_map(elements);
    protocols.any(|protocol| protocol.eq_ignore_ascii_case(b"websocket"))
}

fn accepts_event_stream(request: &Request) -> bool {
    values(request, "Accept").any(|value| {
        let mut parts = value.windows(EVENT_STREAM.len());
        parts.any(|part| part.eq_ignore_ascii_case(EVENT_STREAM))
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::dataplane::http::rules::tests::{Asked, frontend};
    use crate::dataplane_config::PathOnly;
    use crate::profile::Paths;
    use crate::render::paths;

    fn routed(asked: &Asked, only: Option<PathOnly>) -> Result<Destination, Refusal> {
        let mut frontend = frontend();
        frontend.only = only;
        asked.with(|request| Routes::new(&frontend).destination(request))
    }

    #[test]
    fn path_and_headers_decide() {
        use Destination::{Default, Sse, WebSocket};
        let event_stream = ("accept", "application/json, Text/Event-Stream;q=1");
        let websocket = ("Upgrade", "h2c, WebSocket");
        for (asked, expected) in [
            (Asked::new("GET", "/mcp"), Ok(Default)),
            (Asked::new("POST", "/mcp/x?a//b;#"), Ok(Default)),
            (Asked::new("GET", "/mcp").header(event_stream), Ok(Sse)),
            (Asked::new("POST", "/mcp").header(event_stream), Ok(Default)),
            (Asked::new("HEAD", "/mcp").header(event_stream), Ok(Default)),
            (
                Asked::new("GET", "/mcp").header(websocket).header(event_stream),
                Ok(WebSocket),
            ),
            (Asked::new("POST", "/mcp").header(websocket), Ok(WebSocket)),
            (
                Asked::new("GET", "/mcp").header(("Upgrade", "websockets")),
                Ok(Default),
            ),
            (Asked::new("GET", "/mcp/ws"), Ok(WebSocket)),
            (Asked::new("POST", "/sse"), Ok(Sse)),
            (Asked::new("GET", "/sse").header(websocket), Ok(Sse)),
            (
                Asked::new("GET", "/health")
                    .header(websocket)
                    .header(event_stream),
                Ok(Default),
            ),
            (Asked::new("GET", "/mcpx"), Err(Refusal::UnknownPath)),
            (Asked::new("GET", "/MCP"), Err(Refusal::UnknownPath)),
            (Asked::new("GET", "/"), Err(Refusal::UnknownPath)),
            (Asked::new("GET", "/mcp/../x"), Err(Refusal::AmbiguousPath)),
            (Asked::new("GET", "//mcp"), Err(Refusal::AmbiguousPath)),
            (Asked::new("OPTIONS", "*"), Err(Refusal::AmbiguousPath)),
            (Asked::new("CONNECT", "a:443"), Err(Refusal::AmbiguousPath)),
        ] {
            assert_eq!(routed(&asked, None), expected, "{asked:?}");
        }
    }

    #[test]
    fn a_listener_for_one_kind_serves_only_its_paths() {
        for (path, only, expected) in [
            ("/sse", PathOnly::Sse, Ok(Destination::Default)),
            ("/mcp/ws", PathOnly::WebSocket, Ok(Destination::Default)),
            ("/mcp", PathOnly::Sse, Err(Refusal::UnknownPath)),
            ("/mcp/ws", PathOnly::Sse, Err(Refusal::UnknownPath)),
            ("/sse", PathOnly::WebSocket, Err(Refusal::UnknownPath)),
        ] {
            let asked = Asked::new("GET", path).header(("Upgrade", "websocket"));
            assert_eq!(routed(&asked, Some(only)), expected, "{path}");
        }
    }

    /// The kind of a path by the rules that are rendered for HAProxy: the last one that matches.
    fn by_haproxy<'r>(rules: &'r [serde_json::Value], path: &str) -> Option<&'r str> {
        let words = |rule: &'r serde_json::Value, key: &str| rule[key].as_str().unwrap().split(' ');
        let matching = |rule: &&'r serde_json::Value| {
            words(rule, "exact").any(|word| word == path)
                || words(rule, "below").any(|word| path.starts_with(word))
        };
        rules.iter().rfind(matching)?["kind"].as_str()
    }

    proptest! {
        #[test]
        fn any_path_has_the_kind_that_it_has_in_haproxy(
            lists in prop::collection::vec(prop::collection::vec("/([ab]{1,2}(/[ab]{1,2}){0,2}/?)?", 0..3), 4),
            path in "/([ab]{1,3}(/[ab]{1,2}){0,3}/?)?",
        ) {
            let [mcp, sse, websocket, other] = <[Vec<String>; 4]>::try_from(lists).unwrap();
            let paths = Paths { mcp, sse, websocket, other };
            // The profile refuses a path in two lists.
            let mut all: Vec<&str> = paths.prefixes().map(|(prefix, _)| prefix).collect();
            all.sort_unstable();
            prop_assume!(all.windows(2).all(|two| two[0] != two[1]));
            let rules: Vec<_> = paths::rules(&paths)
                .iter()
                .map(|rule| serde_json::to_value(rule).unwrap())
                .collect();
            let routes = Routes::new(&DataplaneRoutes { paths, ..frontend() });
            prop_assert_eq!(routes.kind_of(&path).map(PathKind::name), by_haproxy(&rules, &path));
        }
    }
}
