//! What makes a client's requests reach the same node.

use clusterctl::dataplane_config::DataplaneHttpBackend;
use clusterctl::profile::Algorithm;

use super::node::Node;
use super::{Raw, plane_with, with_length};
use crate::plane::Plane;

/// A node that answers with its number, and gives the session id `abc`.
fn numbered(number: u32) -> Node {
    Node::answering(format!(
        "HTTP/1.1 200 OK\r\nMcp-Session-Id: abc\r\nContent-Length: 1\r\n\r\n{number}"
    ))
}

/// A request with these headers; the node that answered, and the answer's head.
fn ask(client: &mut Raw, path: &str, headers: &str) -> (String, String) {
    client.send(format!("GET {path} HTTP/1.1\r\nHost: a\r\n{headers}\r\n"));
    let answer = client.answer();
    (answer.body.clone(), answer.head)
}

fn sticky(nodes: &[&Node], settings: DataplaneHttpBackend) -> Plane {
    plane_with(nodes, |config| config.backends[0].http = Some(settings))
}

#[test]
fn a_session_stays_on_its_node_and_its_tag_at_the_balancer() {
    let (one, two) = (numbered(1), numbered(2));
    let settings = DataplaneHttpBackend {
        follows_sessions: true,
        names_sessions: true,
        cookie: Some("SERVERID".to_owned()),
        ..DataplaneHttpBackend::default()
    };
    let plane = sticky(&[&one, &two], settings);
    let mut client = Raw::connect(&plane);
    let (home, head) = ask(&mut client, "/mcp", "");
    let tag = format!("abc~node{home}");
    assert!(head.contains(&format!("Mcp-Session-Id: {tag}\r\n")), "{head}");
    let other = if home == "1" { "node2" } else { "node1" };
    for _ in 0..6 {
        // The session is stronger than the cookie.
        let headers = format!("Mcp-Session-Id: {tag}\r\nCookie: SERVERID={other}\r\n");
        assert_eq!(ask(&mut client, "/mcp", &headers).0, home);
    }
    let received = one.received() + &two.received();
    assert_eq!(
        received.matches("Mcp-Session-Id: abc\r\n").count(),
        6,
        "{received}"
    );
    assert!(
        !received.contains('~') && !received.contains("SERVERID"),
        "{received}"
    );
    // A weight of 0 keeps only other clients away.
    plane.order(&format!("set server nodes/node{home} weight 0"));
    let kept = ask(&mut client, "/mcp", &format!("Mcp-Session-Id: {tag}\r\n")).0;
    assert_eq!(kept, home);
    assert_ne!(ask(&mut client, "/mcp", "").0, home);
    // A drained node's session goes to another one.
    plane.order(&format!("set server nodes/node{home} state drain"));
    let moved = ask(&mut client, "/mcp", &format!("Mcp-Session-Id: {tag}\r\n")).0;
    assert_ne!(moved, home);
}

#[test]
fn a_cookie_is_inserted_once_and_not_shown_to_nodes() {
    let (one, two) = (numbered(1), numbered(2));
    let settings = DataplaneHttpBackend {
        cookie: Some("SERVERID".to_owned()),
        ..DataplaneHttpBackend::default()
    };
    let plane = sticky(&[&one, &two], settings);
    let mut client = Raw::connect(&plane);
    let (home, head) = ask(&mut client, "/mcp", "Cookie: a=b\r\n");
    let cookie = format!("SERVERID=node{home}");
    assert!(
        head.contains(&format!("Set-Cookie: {cookie}; path=/; HttpOnly\r\n")),
        "{head}"
    );
    for _ in 0..4 {
        let (node, head) = ask(&mut client, "/mcp", &format!("Cookie: a=b; {cookie}\r\n"));
        assert_eq!(node, home);
        assert!(!head.contains("Set-Cookie"), "{head}");
    }
    assert!(!(one.received() + &two.received()).contains("SERVERID"));
    // The cookie of a node that is out of service is replaced.
    plane.order(&format!("set server nodes/node{home} state maint"));
    let (node, head) = ask(&mut client, "/mcp", &format!("Cookie: {cookie}\r\n"));
    assert_ne!(node, home);
    assert!(
        head.contains(&format!("Set-Cookie: SERVERID=node{node};")),
        "{head}"
    );
}

#[test]
fn a_path_determines_its_node() {
    let (one, two) = (numbered(1), numbered(2));
    let plane = plane_with(&[&one, &two], |config| {
        config.backends[0].algorithm = Algorithm::Uri;
    });
    let mut client = Raw::connect(&plane);
    let mut nodes = std::collections::BTreeSet::new();
    for path in (0..20).map(|number| format!("/mcp/{number}")) {
        let home = ask(&mut client, &path, "").0;
        // The query does not count.
        assert_eq!(ask(&mut client, &format!("{path}?x={path}"), "").0, home);
        nodes.insert(home);
    }
    assert_eq!(nodes.len(), 2);
}

#[test]
fn requests_beyond_the_limit_of_an_address_are_denied() {
    let node = Node::answering(with_length(200, "ok"));
    let plane = plane_with(&[&node], |config| config.frontends[0].limits.message_rate = 10);
    let mut client = Raw::connect(&plane);
    let statuses: Vec<u16> = (0..30).map(|_| client.get().status).collect();
    assert!(statuses[..10].iter().all(|status| *status == 200), "{statuses:?}");
    assert!(statuses.contains(&429), "{statuses:?}");
    let denied = statuses.iter().filter(|status| **status == 429).count();
    assert_eq!(plane.figure("FRONTEND", "dreq"), denied as u64);
    assert_eq!(plane.figure("FRONTEND", "hrsp_4xx"), denied as u64);
    assert_eq!(plane.figure("FRONTEND", "req_tot"), 30);
    assert_eq!(plane.figure("node1", "hrsp_2xx"), 30 - denied as u64);
}
