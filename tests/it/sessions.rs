//! The promises to clients with MCP sessions, behind every HTTP balancer.
//!
//! The nodes are small servers: one that gets `Begin: ID` gives that id to a session, and each
//! answer contains whether the node knows the session of the request.

use std::net::Ipv4Addr;

use clusterctl::profile::Listeners;

use crate::haproxy::client::{Stream, get, request};

/// The ports that clients of sessions use.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Entrance {
    http: u16,
    sse: u16,
    websocket: u16,
}

/// A session on the client's side.
#[derive(Clone, Debug)]
pub(crate) struct Session {
    /// The header line with its id.
    pub(crate) header: String,
    pub(crate) node: String,
    /// The id given by the node.
    id: String,
    /// The header line for the cookie of the first answer.
    cookie: Option<String>,
}

/// The answer to a request.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) node: String,
    pub(crate) known: bool,
    /// Whether the client got a cookie.
    pub(crate) sets_cookie: bool,
    /// The id that reached the node.
    id: Option<String>,
}

impl Entrance {
    pub(crate) fn new(listen: &Listeners) -> Entrance {
        Entrance {
            http: listen.http.unwrap(),
            sse: listen.sse.unwrap(),
            websocket: listen.websocket.unwrap(),
        }
    }

    /// Begins a session to which its node gives the id `id`.
    pub(crate) async fn begin(self, number: u8, id: &str) -> Session {
        let begin = format!("Begin: {id}");
        let text = get(address(number), self.http, "/mcp", &[&begin]).await;
        let given = response_header(&text, "mcp-session-id").unwrap_or_else(|| panic!("{text}"));
        let node = Answer::read(&text).node;
        assert_eq!(given, format!("{id}~{node}"));
        Session {
            header: format!("Mcp-Session-Id: {given}"),
            id: id.to_owned(),
            node,
            cookie: response_header(&text, "set-cookie")
                .map(|cookie| format!("Cookie: {}", cookie.split(';').next().unwrap())),
        }
    }

    /// Two sessions on different nodes.
    async fn two(self, id: &str) -> [Session; 2] {
        let first = self.begin(1, &format!("{id}-1")).await;
        for attempt in 2..40 {
            let second = self.begin(attempt, &format!("{id}-{attempt}")).await;
            if second.node != first.node {
                return [first, second];
            }
        }
        panic!("every session begins on {}", first.node);
    }

    pub(crate) async fn ask(self, number: u8, headers: &[&str]) -> Answer {
        Answer::read(&get(address(number), self.http, "/mcp", headers).await)
    }

    /// Asks in the session from several addresses, and expects its node each time.
    pub(crate) async fn keeps(self, session: &Session) {
        for number in [1, 2, 77] {
            let answer = self.ask(number, &[&session.header]).await;
            assert!(
                answer.known && answer.node == session.node,
                "{session:?}: {answer:?}"
            );
            assert_eq!(answer.id.as_ref(), Some(&session.id));
        }
    }
}

impl Answer {
    fn read(text: &str) -> Answer {
        let body = &text[text.find("{\"").unwrap_or_else(|| panic!("{text}"))..];
        let body = &body[..=body.rfind('}').unwrap()];
        let body: serde_json::Value = serde_json::from_str(body).unwrap_or_else(|_| panic!("{text}"));
        let head = body["head"].as_str().unwrap();
        let ids: Vec<&str> = head
            .lines()
            .filter_map(|line| line.split_once(':'))
            .filter(|(name, _)| name.eq_ignore_ascii_case("mcp-session-id"))
            .map(|(_, id)| id.trim())
            .collect();
        Answer {
            node: body["node"].as_str().unwrap().to_owned(),
            known: body["known"].as_bool().unwrap(),
            sets_cookie: response_header(text, "set-cookie").is_some(),
            id: (!ids.is_empty()).then(|| ids.join(", ")),
        }
    }
}

/// Ids of any length and with any character that MCP allows are kept apart, and each node gets its
/// ids as it gave them.
pub(crate) async fn any_id_is_kept(at: Entrance) {
    let prefix = "p".repeat(299);
    let mut ids: Vec<String> = (1..=8).map(|number| format!("{prefix}{number}")).collect();
    ids.extend(
        [
            "a~b",
            "a~",
            "~~",
            "~",
            "a~erlmcp1",
            "~erlmcp1",
            "x,y;z=\"%1f\\1$",
            "a~erlmcp2~erlmcp3",
        ]
        .map(str::to_owned),
    );
    let mut sessions = Vec::new();
    for (number, id) in (1..).zip(&ids) {
        sessions.push(at.begin(number, id).await);
    }
    for session in &sessions {
        at.keeps(session).await;
    }
}

/// A client with one cookie jar has two sessions: each request reaches its session's node, and the
/// jar does not change.
pub(crate) async fn two_sessions_share_a_cookie_jar(at: Entrance) {
    for round in 0..5 {
        let sessions = at.two(&format!("jar{round}")).await;
        for jar in &sessions {
            let cookie = jar.cookie.as_deref().unwrap();
            for session in &sessions {
                let answer = at.ask(1, &[cookie, &session.header]).await;
                assert!(answer.known, "{session:?} {jar:?}: {answer:?}");
                assert!(!answer.sets_cookie, "{session:?} {jar:?}: {answer:?}");
            }
        }
        let answer = at.ask(1, &[&sessions[0].header]).await;
        assert!(answer.known && !answer.sets_cookie, "{answer:?}");
    }
}

/// An id without the name of a node passes unchanged and routes nothing.
pub(crate) async fn foreign_ids_pass_untouched(at: Entrance) {
    for id in [
        "x",
        "x~erlmcp9",
        "x~ERLMCP1",
        "x~erlmcp11",
        "x~erlmcp1~",
        "~erlmcp1",
        "~",
        "~~",
        "x~erlmcp1~y",
    ] {
        let header = format!("Mcp-Session-Id: {id}");
        for node in ["erlmcp2", "erlmcp3"] {
            let answer = at.ask(1, &[&header, &format!("Cookie: SERVERID={node}")]).await;
            assert_eq!((answer.node.as_str(), answer.id.as_deref()), (node, Some(id)));
        }
        let answer = at.ask(1, &[&header]).await;
        assert_eq!(answer.id.as_deref(), Some(id));
        assert!(answer.sets_cookie, "{id}: {answer:?}");
    }
    let answer = at.ask(1, &["Mcp-Session-Id: ", "Cookie: SERVERID=erlmcp3"]).await;
    assert_eq!(answer.node, "erlmcp3");
    // The first of several lines counts.
    let twice = ["Mcp-Session-Id: a~erlmcp2", "Mcp-Session-Id: b~erlmcp3"];
    let answer = at.ask(1, &twice).await;
    assert_eq!(
        (answer.node.as_str(), answer.id.as_deref()),
        ("erlmcp2", Some("a"))
    );
}

/// Requests of MCP 2026-07-28 and later have no sessions: a client's id routes nothing, and ids pass
/// as they are in both directions. With other values of the header there are sessions.
pub(crate) async fn revisions_without_sessions_pass_ids_untouched(at: Entrance) {
    let [session, other] = at.two("era").await;
    let id = session.header.strip_prefix("Mcp-Session-Id: ").unwrap();
    let cookie = format!("Cookie: SERVERID={}", other.node);
    for version in [
        "2026-07-28",
        "2026-07-31",
        "2026-08-01",
        "2026-10-01",
        "2026-12-31",
        "2027-01-01",
        "2030-05-05",
        "2100-01-01",
        "9999-12-31",
    ] {
        let version = format!("MCP-Protocol-Version: {version}");
        let answer = at.ask(1, &[&version, &session.header, &cookie]).await;
        assert_eq!(
            (answer.node.as_str(), answer.id.as_deref()),
            (other.node.as_str(), Some(id)),
            "{version}"
        );
        let text = get(address(1), at.http, "/mcp", &[&version, "Begin: plain"]).await;
        assert_eq!(
            response_header(&text, "mcp-session-id"),
            Some("plain"),
            "{version}"
        );
    }
    for version in [
        "2024-11-05",
        "2025-11-25",
        "2026-07-27",
        "2026-06-30",
        "2026-01-31",
        "2019-12-31",
        "1999-99-99",
        "2026-7-28",
        "2026-07-28-rc",
        "x2026-07-28",
        "20260728",
        "DRAFT-2027",
        "",
    ] {
        let version = format!("MCP-Protocol-Version: {version}");
        let answer = at.ask(1, &[&version, &session.header, &cookie]).await;
        assert!(
            answer.known && answer.node == session.node,
            "{version}: {answer:?}"
        );
        let text = get(address(1), at.http, "/mcp", &[&version, "Begin: tagged"]).await;
        let given = response_header(&text, "mcp-session-id").unwrap();
        assert!(given.starts_with("tagged~"), "{version}: {given}");
    }
}

/// Every kind of request in a session reaches the session's node, at every listener.
pub(crate) async fn every_kind_of_request_reaches_the_session(at: Entrance) {
    for session in at.two("kinds").await {
        for method in ["POST", "DELETE"] {
            let length = ["Content-Length: 0", session.header.as_str()];
            let answer = Answer::read(&request(address(3), at.http, method, "/mcp", &length).await);
            assert!(answer.known, "{method}: {answer:?}");
        }
        let events = [session.header.as_str(), "Accept: text/event-stream"];
        for (port, path) in [(at.http, "/mcp"), (at.http, "/mcp/sse"), (at.sse, "/mcp/sse")] {
            let mut stream = Stream::get(address(4), port, path, &events).await;
            stream.until(&format!("data: {} first\n", session.node)).await;
        }
        let upgrade = [
            session.header.as_str(),
            "Connection: Upgrade",
            "Upgrade: websocket",
            "Sec-WebSocket-Version: 13",
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        ];
        for (port, path) in [(at.http, "/mcp/ws"), (at.websocket, "/mcp/ws")] {
            let mut stream = Stream::get(address(5), port, path, &upgrade).await;
            stream.until(&format!("{} upgraded\n", session.node)).await;
        }
    }
}

/// The session's node gets no new connections: the next request reaches another node, which does
/// not know the session.
pub(crate) async fn is_served_by_others(at: Entrance, session: &Session) {
    for number in 1..=20 {
        let answer = at.ask(number, &[&session.header]).await;
        assert!(
            answer.node != session.node && !answer.known,
            "{session:?}: {answer:?}"
        );
        assert_eq!(answer.id.as_ref(), Some(&session.id));
    }
    let events = [session.header.as_str(), "Accept: text/event-stream"];
    let mut stream = Stream::get(address(4), at.http, "/mcp", &events).await;
    let text = stream.until(" first\n").await;
    assert!(!text.contains(&session.node), "{text}");
}

// Private

fn address(number: u8) -> Ipv4Addr {
    Ipv4Addr::new(127, 0, 40, number)
}

/// The value of a header of a response.
fn response_header<'a>(response: &'a str, name: &str) -> Option<&'a str> {
    let head = response.split("\r\n\r\n").next()?;
    head.lines()
        .filter_map(|line| line.split_once(": "))
        .find(|(key, _)| key.eq_ignore_ascii_case(name))
        .map(|(_, value)| value)
}
