//! Which node a request belongs to: by its session first, then by its cookie.

use super::cookies;
use super::headers::{Kind, kind};
use super::revision::has_no_sessions;
use crate::dataplane::http::Request;
use crate::dataplane_config::DataplaneHttpBackend;

/// What a request says about its node.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Affinity<'b> {
    /// The node of its session, where sessions are followed. Only that node can answer.
    pub session_node: Option<&'b str>,
    /// The id of its session as the node knows it, when the client's id names one of our nodes.
    pub session_id: Option<&'b str>,
    /// The value of the balancer's cookie, if it has one.
    pub cookie: Option<&'b str>,
    /// It is of a revision of MCP without sessions: ids pass as they are, in both directions.
    pub has_no_session: bool,
}

/// What a request says about its node. `is_ours` knows the names of the nodes.
pub fn affinity<'b>(
    request: &Request<'b>,
    settings: &DataplaneHttpBackend,
    is_ours: impl Fn(&str) -> bool,
) -> Affinity<'b> {
    let (mut session, mut version, mut cookie) = (None, None, None);
    for header in request.headers {
        match kind(header.name) {
            Kind::SessionId => session = session.or(Some(header.value)),
            Kind::ProtocolVersion => version = version.or(Some(header.value)),
            Kind::Cookie => {
                let find = |name: &String| cookies::find(header.value, name);
                cookie = cookie.or_else(|| settings.cookie.as_ref().and_then(find));
            }
            _ => {}
        }
    }
    let has_no_session = version.is_some_and(has_no_sessions);
    let text = |bytes: &'b [u8]| std::str::from_utf8(bytes).ok();
    let session = session
        .filter(|_| settings.names_sessions && !has_no_session)
        .and_then(text)
        .and_then(|id| id.rsplit_once('~'))
        .filter(|(id, node)| !id.is_empty() && is_ours(node));
    Affinity {
        session_node: session
            .map(|(_, node)| node)
            .filter(|_| settings.follows_sessions),
        session_id: session.map(|(id, _)| id),
        cookie: cookie.and_then(text).filter(|cookie| !cookie.is_empty()),
        has_no_session,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataplane::http::rules::tests::{Asked, backend};

    type Found<'a> = (Option<&'a str>, Option<&'a str>, Option<&'a str>);

    fn check(settings: &DataplaneHttpBackend, headers: &[(&'static str, &str)], expected: Found<'_>) {
        let start = Asked::new("POST", "/mcp");
        let asked = headers.iter().fold(start, |asked, header| asked.header(*header));
        asked.with(|request| {
            let found = affinity(request, settings, |name| name == "node1" || name == "node2");
            let found = (found.session_node, found.session_id, found.cookie);
            assert_eq!(found, expected, "{headers:?}");
        });
    }

    #[test]
    fn a_session_names_its_node_behind_the_last_tilde() {
        let settings = backend();
        for (id, expected) in [
            ("abc~node1", Some(("node1", "abc"))),
            ("a~b~node2", Some(("node2", "a~b"))),
            ("~~node2", Some(("node2", "~"))),
            ("abc~node3", None),
            ("abc~Node1", None),
            ("~node1", None),
            ("node1", None),
            ("abc~", None),
            ("", None),
        ] {
            let expected = (expected.map(|it| it.0), expected.map(|it| it.1), None);
            check(&settings, &[("mcp-session-id", id)], expected);
        }
        // The first one counts.
        let two = [("Mcp-Session-Id", "a~node2"), ("Mcp-Session-Id", "b~node1")];
        check(&settings, &two, (Some("node2"), Some("a"), None));
    }

    #[test]
    fn revisions_without_sessions_have_none() {
        let settings = backend();
        for (version, expected) in [
            ("2025-11-25", (Some("node1"), Some("a"), None)),
            ("2026-07-28", (None, None, None)),
            ("latest", (Some("node1"), Some("a"), None)),
        ] {
            let headers = [("Mcp-Session-Id", "a~node1"), ("mcp-protocol-version", version)];
            check(&settings, &headers, expected);
        }
    }

    #[test]
    fn a_backend_that_does_not_follow_sessions_still_translates_their_ids() {
        let session = [("Mcp-Session-Id", "a~node1")];
        let mut settings = backend();
        settings.follows_sessions = false;
        check(&settings, &session, (None, Some("a"), None));
        settings.names_sessions = false;
        check(&settings, &session, (None, None, None));
    }

    #[test]
    fn the_cookie_is_found_among_others() {
        let settings = backend();
        for (headers, expected) in [
            (&[("Cookie", "a=b; SERVERID=node2")][..], Some("node2")),
            (&[("cookie", "a=b"), ("cookie", "SERVERID=x")], Some("x")),
            (&[("Cookie", "SERVERID=")], None),
            (&[("X-Cookie", "SERVERID=node1")], None),
        ] {
            check(&settings, headers, (None, None, expected));
        }
        let settings = DataplaneHttpBackend::default();
        check(&settings, &[("Cookie", "SERVERID=node2")], (None, None, None));
    }
}
