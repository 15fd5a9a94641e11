//! A request's head, as the node gets it.

use std::net::IpAddr;

use super::affinity::Affinity;
use super::cookies;
use super::headers::{Forwarded, Kind, is_removed, kind, write};
use super::numbers::{write_ip, write_number};
use crate::dataplane::http::{Framing, Request};
use crate::dataplane_config::DataplaneHttpBackend;

/// What is written into a request.
#[derive(Clone, Copy, Debug)]
pub struct ToNode<'a> {
    /// The settings of the backend.
    pub settings: &'a DataplaneHttpBackend,
    /// What the request says about its node.
    pub affinity: &'a Affinity<'a>,
    /// The address at the other end of the client's connection.
    pub peer: IpAddr,
    /// Whether `peer` is a trusted proxy.
    pub is_trusted: bool,
    /// The `X-Request-ID` of a request that has none.
    pub request_id: Option<&'a str>,
}

/// The headers that the balancer adds unless the request has them.
#[derive(Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "one for each header")]
struct Passed<'b> {
    host: Option<&'b [u8]>,
    forwarded_proto: bool,
    forwarded_host: bool,
    request_id: bool,
    session_id: bool,
    content_length: bool,
}

/// Writes a request's head for a node, as HTTP/1.1 in origin form.
///
/// The framing headers are written from the parsed framing. Headers about the client's connection are
/// removed, and those about the client unless a trusted proxy has sent them. The node gets a session
/// id as it has given it, and no cookie of the balancer.
pub fn write_request(request: &Request, to: &ToNode, out: &mut Vec<u8>) {
    for part in [request.method, " ", request.target, " HTTP/1.1\r\n"] {
        out.extend_from_slice(part.as_bytes());
    }
    let passed = write_headers(request, to, out);
    write_own_headers(request, to, &passed, out);
    out.extend_from_slice(b"\r\n");
}

// Private

/// Writes the client's headers, except those that do not pass.
fn write_headers<'b>(request: &Request<'b>, to: &ToNode, out: &mut Vec<u8>) -> Passed<'b> {
    let mut passed = Passed::default();
    for header in request.headers {
        let (name, value) = (header.name, header.value);
        match kind(name) {
            Kind::OneConnection | Kind::Forwarded(Forwarded::WithUnderscores) => continue,
            Kind::ContentLength => {
                passed.content_length = true;
                continue;
            }
            Kind::Host => passed.host = Some(value),
            Kind::Cookie => {
                write_cookies(name, value, to, out);
                continue;
            }
            Kind::SessionId => {
                let first = !std::mem::replace(&mut passed.session_id, true);
                match to.affinity.session_id {
                    Some(id) if first => write(out, name, id.as_bytes()),
                    Some(_) => {}
                    None => write(out, name, value),
                }
                continue;
            }
            Kind::RequestId => passed.request_id = true,
            Kind::Forwarded(_) if !to.is_trusted => continue,
            Kind::Forwarded(Forwarded::Proto) => {
                if value.is_empty() {
                    continue;
                }
                passed.forwarded_proto = true;
            }
            Kind::Forwarded(Forwarded::Host) => {
                if value.is_empty() {
                    continue;
                }
                passed.forwarded_host = true;
            }
            _ if request.connection.lists_headers && is_removed(request.headers, name) => continue,
            _ => {}
        }
        write(out, name, value);
    }
    passed
}

fn write_cookies(name: &str, value: &[u8], to: &ToNode, out: &mut Vec<u8>) {
    let own = to.settings.cookie.as_deref();
    let Some(own) = own.filter(|own| cookies::find(value, own).is_some()) else {
        return write(out, name, value);
    };
    let start = out.len();
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b": ");
    if cookies::write_others(value, own, out) {
        out.extend_from_slice(b"\r\n");
    } else {
        out.truncate(start);
    }
}

fn write_own_headers(request: &Request, to: &ToNode, passed: &Passed, out: &mut Vec<u8>) {
    match passed.host {
        // HTTP/1.0; a request of HTTP/1.1 must have one.
        None => out.extend_from_slice(b"Host: \r\n"),
        Some(host) if !passed.forwarded_host && !host.is_empty() => write(out, "X-Forwarded-Host", host),
        Some(_) => {}
    }
    if !passed.forwarded_proto {
        write(out, "X-Forwarded-Proto", b"http");
    }
    out.extend_from_slice(b"X-Forwarded-For: ");
    write_ip(to.peer, out);
    out.extend_from_slice(b"\r\n");
    if let Some(id) = to.request_id.filter(|_| !passed.request_id) {
        write(out, "X-Request-ID", id.as_bytes());
    }
    match request.framing {
        Framing::Length(length) => {
            out.extend_from_slice(b"Content-Length: ");
            write_number(length, out);
            out.extend_from_slice(b"\r\n");
        }
        Framing::Chunked => write(out, "Transfer-Encoding", b"chunked"),
        Framing::Empty | Framing::UntilClose => {
            if passed.content_length {
                write(out, "Content-Length", b"0");
            }
        }
    }
    if request.upgrades {
        out.extend_from_slice(b"Connection: upgrade\r\nUpgrade: websocket\r\n");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataplane::http::Version;
    use crate::dataplane::http::rules::affinity;
    use crate::dataplane::http::rules::tests::{Asked, backend};

    /// The lines that a node gets, sorted after the first one, with names in lower case, as HAProxy
    /// writes them.
    fn sent(asked: &Asked, is_trusted: bool) -> Vec<String> {
        let settings = backend();
        asked.with(|request| {
            let affinity = affinity(request, &settings, |name| name == "node1");
            let to = ToNode {
                settings: &settings,
                affinity: &affinity,
                peer: "127.0.0.1".parse().unwrap(),
                is_trusted,
                request_id: None,
            };
            let mut out = Vec::new();
            write_request(request, &to, &mut out);
            lines(&out)
        })
    }

    fn lines(head: &[u8]) -> Vec<String> {
        let head = String::from_utf8(head.to_vec()).unwrap();
        let head = head.strip_suffix("\r\n\r\n").unwrap();
        let mut lines: Vec<String> = head.split("\r\n").map(str::to_owned).collect();
        for line in &mut lines[1..] {
            let (name, value) = line.split_once(':').unwrap();
            *line = format!("{}:{value}", name.to_lowercase());
        }
        lines[1..].sort();
        lines
    }

    /// What HAProxy 2.6 sends a node for the same request with the configuration that is rendered
    /// for it.
    const ADDED: [&str; 4] = [
        "host: example.com",
        "x-forwarded-for: 127.0.0.1",
        "x-forwarded-host: example.com",
        "x-forwarded-proto: http",
    ];

    fn expected(first: &str, more: &[&str], without: &[&str]) -> Vec<String> {
        let added = ADDED.iter().filter(|line| !without.contains(line));
        let mut lines: Vec<String> = added.chain(more).map(|line| (*line).to_owned()).collect();
        lines.sort();
        lines.insert(0, first.to_owned());
        lines
    }

    #[test]
    fn a_node_gets_the_headers_that_it_gets_from_haproxy() {
        let host = ("Host", "example.com");
        let get = || Asked::new("GET", "/mcp?x=1").header(host);
        let first = "GET /mcp?x=1 HTTP/1.1";
        assert_eq!(sent(&get(), false), expected(first, &[], &[]));
        let forged = || {
            get()
                .header(("X-Forwarded-For", "1.2.3.4"))
                .header(("X-Forwarded-Proto", "https"))
                .header(("X_Forwarded_For", "5.6.7.8"))
                .header(("X-Real-IP", "1.1.1.1"))
                .header(("Forwarded", "for=1"))
                .header(("x-forwarded-host", ""))
        };
        assert_eq!(sent(&forged(), false), expected(first, &[], &[]));
        assert_eq!(
            sent(&forged(), true),
            expected(
                first,
                &[
                    "x-forwarded-for: 1.2.3.4",
                    "x-forwarded-proto: https",
                    "x-real-ip: 1.1.1.1",
                    "forwarded: for=1"
                ],
                &["x-forwarded-proto: http"]
            )
        );
        let known = get()
            .header(("Cookie", "a=1; SERVERID=node1; b=2"))
            .header(("cookie", "SERVERID=node1"))
            .header(("Mcp-Session-Id", "abc~x~node1"))
            .header(("mcp-session-id", "second"))
            .header(("Origin", "http://a"))
            .header(("Authorization", "Bearer x"));
        assert_eq!(
            sent(&known, false),
            expected(
                first,
                &[
                    "cookie: a=1; b=2",
                    "mcp-session-id: abc~x",
                    "origin: http://a",
                    "authorization: Bearer x"
                ],
                &[]
            )
        );
        let foreign = get().header(("Mcp-Session-Id", "abc~other"));
        assert_eq!(
            sent(&foreign, false),
            expected(first, &["mcp-session-id: abc~other"], &[])
        );
    }

    #[test]
    fn headers_about_the_clients_connection_are_removed() {
        let asked = Asked::new("POST", "/mcp")
            .header(("Host", "example.com"))
            .header(("Connection", "close, X-Foo, Authorization"))
            .header(("X-Foo", "1"))
            .header(("Authorization", "x"))
            .header(("Keep-Alive", "timeout=1"))
            .header(("TE", "trailers"))
            .header(("Proxy-Connection", "keep-alive"))
            .header(("Upgrade", "h2c"))
            .header(("HTTP2-Settings", "x"))
            .header(("Expect", "100-continue"))
            .header(("Content-Length", "0"));
        assert_eq!(
            sent(&asked, false),
            expected(
                "POST /mcp HTTP/1.1",
                &["authorization: x", "content-length: 0", "expect: 100-continue"],
                &[]
            )
        );
    }

    #[test]
    fn a_body_is_framed_as_it_was_understood() {
        let post = || Asked::new("POST", "/mcp").header(("Host", "example.com"));
        for (asked, framing) in [
            (
                post()
                    .header(("Content-Length", "0012"))
                    .framed(Framing::Length(12)),
                "content-length: 12",
            ),
            (
                post()
                    .header(("transfer-encoding", "CHUNKED"))
                    .framed(Framing::Chunked),
                "transfer-encoding: chunked",
            ),
        ] {
            assert_eq!(
                sent(&asked, false),
                expected("POST /mcp HTTP/1.1", &[framing], &[])
            );
        }
    }

    #[test]
    fn an_upgrade_to_websocket_passes() {
        let mut asked = Asked::new("GET", "/mcp/ws")
            .header(("Host", "example.com"))
            .header(("Connection", "keep-alive, Upgrade"))
            .header(("Upgrade", "WebSocket"))
            .header(("Sec-WebSocket-Key", "x"));
        asked.upgrades = true;
        assert_eq!(
            sent(&asked, false),
            expected(
                "GET /mcp/ws HTTP/1.1",
                &[
                    "connection: upgrade",
                    "sec-websocket-key: x",
                    "upgrade: websocket"
                ],
                &[]
            )
        );
    }

    #[test]
    fn a_request_of_http_1_0_without_host_gets_an_empty_one() {
        let mut asked = Asked::new("GET", "/mcp");
        asked.version = Version::Http10;
        assert_eq!(
            sent(&asked, false),
            expected(
                "GET /mcp HTTP/1.1",
                &["host: "],
                &["host: example.com", "x-forwarded-host: example.com"]
            )
        );
    }

    #[test]
    fn a_request_gets_an_id_unless_it_has_one() {
        let settings = DataplaneHttpBackend::default();
        let affinity = Affinity::default();
        for (own, id) in [(None, "made"), (Some("kept"), "kept")] {
            let mut asked = Asked::new("GET", "/");
            if let Some(own) = own {
                asked = asked.header(("x-request-id", own));
            }
            let to = ToNode {
                settings: &settings,
                affinity: &affinity,
                peer: "::1".parse().unwrap(),
                is_trusted: false,
                request_id: Some("made"),
            };
            let mut out = Vec::new();
            asked.with(|request| write_request(request, &to, &mut out));
            let lines = lines(&out);
            let ids: Vec<_> = lines
                .iter()
                .filter(|line| line.starts_with("x-request-id"))
                .collect();
            assert_eq!(ids, [&format!("x-request-id: {id}")]);
            assert!(lines.contains(&"x-forwarded-for: ::1".to_owned()));
        }
    }
}
