//! Which paths every HTTP balancer serves, at which listener, and that they arrive as they were
//! sent.

use std::net::Ipv4Addr;

use clusterctl::profile::{Cluster, Paths};

use crate::haproxy::client::request;

const SOURCE: Ipv4Addr = Ipv4Addr::new(127, 0, 9, 1);

/// What becomes of a path.
#[derive(Clone, Copy, Debug)]
enum Fate {
    /// Two servers could read it in two ways, or it is not a path.
    Refused,
    NotFound,
    /// Served by the HTTP listener only.
    Http,
    /// Served by the HTTP listener, and by that for `WebSockets`.
    WebSocket,
    /// Served by the HTTP listener, and by that for event streams.
    Sse,
}

use Fate::{Http, NotFound, Refused, Sse, WebSocket};

/// Prefixes within prefixes, in every list.
fn nested() -> Paths {
    paths(
        &["/mcp", "/deep/er/est", "/a'b$c(d)", "/~user*"],
        &["/mcp/sse", "/sse", "/messages"],
        &["/mcp/ws", "/deep/er"],
        &[
            "/health",
            "/.well-known/oauth-protected-resource",
            "/deep",
            "/slash/",
            "/p%20q",
        ],
    )
}

const WITH_NESTED: [(&str, Fate); 76] = [
    ("/mcp", Http),
    ("/mcp?", Http),
    ("/mcp?x=1", Http),
    ("/mcp/", Http),
    ("/mcp/?x=/../", Http),
    ("/mcp/x", Http),
    ("/mcp?path=//&a=%2e%2e%2f;b\\c", Http),
    ("/mcp?/mcp/ws", Http),
    ("/mcp/x/mcp/ws", Http),
    ("/mcp/a%20b%c3%bc%25%7e", Http),
    ("/mcp/a%252fb", Http),
    ("/mcp/...", Http),
    ("/mcp/.x", Http),
    ("/mcp/x..", Http),
    ("/mcp/..x", Http),
    ("/mcp/:@!$&'()*+,=-._~", Http),
    ("/mcp/ws", WebSocket),
    ("/mcp/ws/", WebSocket),
    ("/mcp/ws/x?y", WebSocket),
    ("/mcp/wss", Http),
    ("/mcp/sse", Sse),
    ("/mcp/sse/1", Sse),
    ("/sse", Sse),
    ("/sse?session=1", Sse),
    ("/messages?sessionId=7f-3", Sse),
    ("/messages/?session_id=7f-3", Sse),
    ("/health", Http),
    ("/.well-known/oauth-protected-resource", Http),
    ("/.well-known/oauth-protected-resource/mcp", Http),
    ("/deep", Http),
    ("/deep/x", Http),
    ("/deep/er", WebSocket),
    ("/deep/er/x", WebSocket),
    ("/deep/erx", Http),
    ("/deep/er/est", Http),
    ("/deep/er/est/x", Http),
    ("/slash/", Http),
    ("/slash/x", Http),
    ("/p%20q", Http),
    ("/p%20q/x", Http),
    ("/a'b$c(d)", Http),
    ("/~user*/x", Http),
    ("/slash", NotFound),
    ("/", NotFound),
    ("/?x=/mcp", NotFound),
    ("/mcpx", NotFound),
    ("/mcp.", NotFound),
    ("/MCP", NotFound),
    ("/Mcp/ws", NotFound),
    ("/m%63p", NotFound),
    ("/x/mcp", NotFound),
    ("/messagesx", NotFound),
    ("/.well-known/oauth-protected-resourcex", NotFound),
    ("/p+q", NotFound),
    ("//", Refused),
    ("//mcp", Refused),
    ("/mcp//", Refused),
    ("/mcp//ws", Refused),
    ("/mcp/./ws", Refused),
    ("/mcp/../mcp", Refused),
    ("/mcp/..", Refused),
    ("/mcp/.", Refused),
    ("/../mcp", Refused),
    ("/mcp/..?x=1", Refused),
    ("/mcp;x", Refused),
    ("/mcp/a;b?c", Refused),
    ("/mcp\\ws", Refused),
    ("/mcp/%2e%2e/health", Refused),
    ("/mcp/%2E./x", Refused),
    ("/mcp%2fws", Refused),
    ("/mcp%2Fws", Refused),
    ("/mcp%5Cws", Refused),
    ("/mcp/%00", Refused),
    ("/other/%2e", Refused),
    ("/mcp#ws", Refused),
    ("/mcp/ü", Refused),
];

/// Paths that are not of RFC 3986.
const MALFORMED: [&str; 5] = ["/mcp/%", "/mcp/%2", "/mcp/%zz", "/mcp/%2g?x", "/mcp/%g0/x"];

/// Every path of the table has the same fate at each listener.
pub(crate) fn nest(cluster: &mut Cluster) {
    cluster.routing.paths = nested();
    without_limits(cluster);
}

pub(crate) async fn longest_prefixes_decide(cluster: &Cluster) {
    for (path, fate) in WITH_NESTED {
        meets(cluster, path, fate).await;
    }
    for path in MALFORMED {
        meets(cluster, path, Refused).await;
    }
}

/// With `/`, everything that is not refused is served.
pub(crate) fn serve_everything(cluster: &mut Cluster) {
    cluster.routing.paths = paths(&["/"], &["/mcp/sse"], &["/mcp/ws"], &[]);
    without_limits(cluster);
}

pub(crate) async fn everything_is_served(cluster: &Cluster) {
    for (path, fate) in [
        ("/", Http),
        ("/?x", Http),
        ("/x", Http),
        ("/mcp", Http),
        ("/mcp/", Http),
        ("/mcp/ws", WebSocket),
        ("/mcp/sse/x", Sse),
        ("/a//b", Refused),
        ("/..", Refused),
        ("/%2f", Refused),
    ] {
        meets(cluster, path, fate).await;
    }
}

/// Lifts the limits of a client address.
pub(crate) fn without_limits(cluster: &mut Cluster) {
    let per_ip = &mut cluster.limits.per_ip;
    (per_ip.connections, per_ip.connection_rate, per_ip.message_rate) = (0, 0, 0);
}

// Private

fn paths(mcp: &[&str], sse: &[&str], websocket: &[&str], other: &[&str]) -> Paths {
    let list = |prefixes: &[&str]| prefixes.iter().map(|prefix| (*prefix).to_owned()).collect();
    Paths {
        mcp: list(mcp),
        sse: list(sse),
        websocket: list(websocket),
        other: list(other),
    }
}

async fn meets(cluster: &Cluster, path: &str, fate: Fate) {
    let listen = &cluster.listen;
    let served = match fate {
        Refused | NotFound => [false; 3],
        Http => [true, false, false],
        WebSocket => [true, true, false],
        Sse => [true, false, true],
    };
    for (port, served) in [listen.http, listen.websocket, listen.sse]
        .into_iter()
        .zip(served)
    {
        let status = match fate {
            Refused => 400,
            _ if served => 200,
            _ => 404,
        };
        let answer = request(SOURCE, port.unwrap(), "GET", path, &["Accept: application/json"]).await;
        let what = format!("{path} ({fate:?}) at {port:?}: {answer}");
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{what}");
        if served {
            assert!(answer.contains(&sent(path)), "{what}");
        }
    }
}

/// The beginning of the request that a node received, in the JSON of its answer.
fn sent(path: &str) -> String {
    let line = serde_json::json!(format!("GET {path} HTTP/1.1\r\n")).to_string();
    format!(r#""head":{}"#, line.trim_end_matches('"'))
}
