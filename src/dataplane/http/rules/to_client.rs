//! An answer's head, as the client gets it.

use super::cookies;
use super::headers::{Kind, is_removed, kind, write};
use super::numbers::write_number;
use super::redirects::NodeAddresses;
use crate::dataplane::http::{Framing, Response, Version};
use crate::dataplane_config::DataplaneHttpBackend;

/// What is written into an answer.
#[derive(Clone, Copy, Debug)]
pub struct ToClient<'a> {
    /// The settings of the backend.
    pub settings: &'a DataplaneHttpBackend,
    /// The name of the node to add to its session's id.
    pub session_tag: Option<&'a str>,
    /// The name of the node for the balancer's cookie.
    pub set_cookie: Option<&'a str>,
    /// How its body is framed.
    pub framing: ClientFraming,
    /// What happens to the client's connection.
    pub connection: ClientConnection,
    /// Whether it answers a `HEAD` request.
    pub is_head: bool,
    /// The length of its body, compressed by gzip; `None` if it is not compressed.
    pub compressed: Option<u64>,
    /// The addresses of the nodes, to which clients are not redirected.
    pub nodes: &'a NodeAddresses,
}

/// How the body of an answer is framed for the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientFraming {
    /// As by the node: by its length, or without a body. Its `Content-Length` passes with an answer
    /// to `HEAD` and with a 304, too.
    AsIs,
    /// In chunks.
    Chunked,
    /// By the end of the connection.
    UntilClose,
}

/// What an answer says about the client's connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientConnection {
    /// Nothing: it stays open, with HTTP/1.1.
    Default,
    /// It is closed after the answer.
    Close,
    /// It stays open, with HTTP/1.0.
    KeepAlive,
    /// It carries `WebSocket` from now on.
    Upgrade,
}

impl ClientConnection {
    /// What an answer to a request of this version says, after which the connection ends or not.
    #[must_use]
    pub const fn after_answer(version: Version, closes: bool) -> ClientConnection {
        match (version, closes) {
            (_, true) => ClientConnection::Close,
            (Version::Http10, false) => ClientConnection::KeepAlive,
            (Version::Http11, false) => ClientConnection::Default,
        }
    }
}

/// Writes an answer's head for a client.
pub fn write_response(response: &Response, to: &ToClient, out: &mut Vec<u8>) {
    write_status(response.status, response.reason, out);
    let mut is_private = false;
    let mut tag = to.session_tag;
    let mut length = None;
    let cookie = to.settings.cookie.as_deref();
    for header in response.headers {
        let (name, mut value) = (header.name, header.value);
        match kind(name) {
            Kind::OneConnection => continue,
            Kind::ContentLength => {
                length = length.or(Some(value));
                continue;
            }
            Kind::SetCookie if cookie.is_some_and(|own| cookies::sets(value, own)) => continue,
            Kind::SessionId if to.session_tag.is_some() && !value.is_empty() => {
                // Only the first of several passes, as behind HAProxy.
                if let Some(tag) = tag.take() {
                    write_tagged(name, value, tag, out);
                }
                continue;
            }
            Kind::ETag if to.compressed.is_some() => {
                write_weak(name, value, out);
                continue;
            }
            Kind::Location => value = to.nodes.relative(value),
            Kind::CacheControl => is_private |= forbids_shared_caches(value),
            _ if response.connection.lists_headers && is_removed(response.headers, name) => continue,
            _ => {}
        }
        write(out, name, value);
    }
    if let (Some(cookie), Some(node)) = (cookie, to.set_cookie) {
        for part in ["Set-Cookie: ", cookie, "=", node, "; path=/; HttpOnly\r\n"] {
            out.extend_from_slice(part.as_bytes());
        }
        if !is_private {
            // A cache must not give this client's cookie to others.
            write(out, "Cache-Control", b"private");
        }
    }
    if to.compressed.is_some() {
        write(out, "Content-Encoding", b"gzip");
        write(out, "Vary", b"Accept-Encoding");
    }
    write_framing(response, to, length, out);
    write_connection(to.connection, out);
    out.extend_from_slice(b"\r\n");
}

/// Writes an interim answer for a client: one with a status of 1xx other than 101.
pub fn write_interim(response: &Response, out: &mut Vec<u8>) {
    write_status(response.status, response.reason, out);
    for header in response.headers {
        match kind(header.name) {
            Kind::OneConnection | Kind::ContentLength => {}
            _ => write(out, header.name, header.value),
        }
    }
    out.extend_from_slice(b"\r\n");
}

/// Writes what an answer says about the client's connection.
pub(super) fn write_connection(connection: ClientConnection, out: &mut Vec<u8>) {
    out.extend_from_slice(match connection {
        ClientConnection::Default => b"",
        ClientConnection::Close => b"Connection: close\r\n",
        ClientConnection::KeepAlive => b"Connection: keep-alive\r\n",
        ClientConnection::Upgrade => b"Connection: upgrade\r\nUpgrade: websocket\r\n",
    });
}

// Private

fn write_status(status: u16, reason: &str, out: &mut Vec<u8>) {
    out.extend_from_slice(b"HTTP/1.1 ");
    write_number(status.into(), out);
    for part in [" ", reason, "\r\n"] {
        out.extend_from_slice(part.as_bytes());
    }
}

fn write_length(length: u64, out: &mut Vec<u8>) {
    out.extend_from_slice(b"Content-Length: ");
    write_number(length, out);
    out.extend_from_slice(b"\r\n");
}

fn write_tagged(name: &str, id: &[u8], tag: &str, out: &mut Vec<u8>) {
    for part in [name.as_bytes(), b": ", id, b"~", tag.as_bytes(), b"\r\n"] {
        out.extend_from_slice(part);
    }
}

/// Writes an entity tag that stands for the content, not for its bytes (RFC 9110, section 8.8.3).
fn write_weak(name: &str, value: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b": ");
    if !value.starts_with(b"W/") {
        out.extend_from_slice(b"W/");
    }
    out.extend_from_slice(value);
    out.extend_from_slice(b"\r\n");
}

fn write_framing(response: &Response, to: &ToClient, length: Option<&[u8]>, out: &mut Vec<u8>) {
    if let Some(length) = to.compressed {
        write_length(length, out);
        return;
    }
    match (to.framing, response.framing) {
        (ClientFraming::Chunked, _) => write(out, "Transfer-Encoding", b"chunked"),
        (ClientFraming::UntilClose, _) => {}
        (ClientFraming::AsIs, Framing::Length(length)) => write_length(length, out),
        (ClientFraming::AsIs, _) => {
            // A fact about a body that is not sent, or 0.
            let may_have = !matches!(response.status, 100..=199 | 204);
            let is_number = |length: &&[u8]| !length.is_empty() && length.iter().all(u8::is_ascii_digit);
            let has_no_body = |length: &&[u8]| {
                to.is_head || response.status == 304 || length.iter().all(|digit| *digit == b'0')
            };
            let length = length.filter(|_| may_have).filter(is_number).filter(has_no_body);
            if let Some(length) = length {
                write(out, "Content-Length", length);
            }
        }
    }
}

/// Whether a `Cache-Control` header keeps an answer out of caches that clients share.
fn forbids_shared_caches(value: &[u8]) -> bool {
    let forbids = |directive: &[u8]| {
        directive.eq_ignore_ascii_case(b"private") || directive.eq_ignore_ascii_case(b"no-store")
    };
    super::headers::elements(value).any(forbids)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataplane::http::rules::tests::{Answered, backend};

    fn got(answered: &Answered, change: impl FnOnce(&mut ToClient)) -> String {
        let (settings, nodes) = (backend(), NodeAddresses::new(["127.0.0.1:8081".parse().unwrap()]));
        let mut to = ToClient {
            settings: &settings,
            session_tag: None,
            set_cookie: None,
            framing: ClientFraming::AsIs,
            connection: ClientConnection::Default,
            is_head: false,
            compressed: None,
            nodes: &nodes,
        };
        change(&mut to);
        let mut out = Vec::new();
        answered.with(|response| write_response(response, &to, &mut out));
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_client_gets_the_headers_that_it_gets_from_haproxy() {
        let answered = Answered::new(200, Framing::Length(2))
            .header(("Content-Length", "2"))
            .header(("Cache-Control", "max-age=5"))
            .header(("Set-Cookie", "a=b"))
            .header(("Set-Cookie", "SERVERID=forged; path=/"))
            .header(("Mcp-Session-Id", "abc"))
            .header(("mcp-session-id", "second"))
            .header(("Location", "http://127.0.0.1:8081/x/y?z"))
            .header(("Keep-Alive", "timeout=5"))
            .header(("Connection", "keep-alive, X-Foo"))
            .header(("X-Foo", "1"));
        let text = got(&answered, |to| {
            (to.session_tag, to.set_cookie) = (Some("node1"), Some("node1"));
        });
        assert_eq!(
            text,
            "HTTP/1.1 200 OK\r\nCache-Control: max-age=5\r\nSet-Cookie: a=b\r\nMcp-Session-Id: abc~node1\r\n\
             Location: /x/y?z\r\nSet-Cookie: SERVERID=node1; path=/; HttpOnly\r\nCache-Control: private\r\n\
             Content-Length: 2\r\n\r\n"
        );
    }

    #[test]
    fn without_a_tag_ids_pass_as_they_are() {
        let answered = Answered::new(200, Framing::Length(2)).header(("Mcp-Session-Id", "abc~node9"));
        assert_eq!(
            got(&answered, |_| {}),
            "HTTP/1.1 200 OK\r\nMcp-Session-Id: abc~node9\r\nContent-Length: 2\r\n\r\n"
        );
    }

    #[test]
    fn an_answer_that_no_cache_stores_needs_no_further_header() {
        let private = Answered::new(200, Framing::Length(2)).header(("cache-control", "No-Store, max-age=0"));
        let text = got(&private, |to| to.set_cookie = Some("node1"));
        assert_eq!(text.to_lowercase().matches("cache-control").count(), 1, "{text}");
    }

    #[test]
    fn the_framing_is_written_from_what_was_understood() {
        let length = ("Content-Length", "007");
        for (answered, framing, is_head, expected) in [
            (
                Answered::new(200, Framing::Length(7)).header(length),
                ClientFraming::AsIs,
                false,
                "Content-Length: 7\r\n",
            ),
            (
                Answered::new(200, Framing::Chunked).header(("Transfer-Encoding", "chunked")),
                ClientFraming::Chunked,
                false,
                "Transfer-Encoding: chunked\r\n",
            ),
            (
                Answered::new(200, Framing::Chunked),
                ClientFraming::UntilClose,
                false,
                "",
            ),
            (
                Answered::new(200, Framing::UntilClose),
                ClientFraming::Chunked,
                false,
                "Transfer-Encoding: chunked\r\n",
            ),
            (
                Answered::new(200, Framing::Empty).header(length),
                ClientFraming::AsIs,
                true,
                "Content-Length: 007\r\n",
            ),
            (
                Answered::new(304, Framing::Empty).header(length),
                ClientFraming::AsIs,
                false,
                "Content-Length: 007\r\n",
            ),
            (
                Answered::new(204, Framing::Empty).header(length),
                ClientFraming::AsIs,
                false,
                "",
            ),
            (
                Answered::new(200, Framing::Empty).header(("content-length", "0")),
                ClientFraming::AsIs,
                false,
                "Content-Length: 0\r\n",
            ),
            (
                Answered::new(200, Framing::Empty).header(("Content-Length", "1,1")),
                ClientFraming::AsIs,
                true,
                "",
            ),
        ] {
            let text = got(&answered, |to| (to.framing, to.is_head) = (framing, is_head));
            let head = text.split_once("\r\n").unwrap().1;
            assert_eq!(head, format!("{expected}\r\n"), "{answered:?}");
        }
    }

    #[test]
    fn the_connection_is_announced() {
        for (connection, expected) in [
            (ClientConnection::Default, ""),
            (ClientConnection::Close, "Connection: close\r\n"),
            (ClientConnection::KeepAlive, "Connection: keep-alive\r\n"),
            (
                ClientConnection::Upgrade,
                "Connection: upgrade\r\nUpgrade: websocket\r\n",
            ),
        ] {
            let answered = Answered::new(101, Framing::Empty)
                .header(("Upgrade", "WebSocket"))
                .header(("Connection", "upgrade"));
            let text = got(&answered, |to| to.connection = connection);
            assert_eq!(text, format!("HTTP/1.1 101 OK\r\n{expected}\r\n"));
        }
    }

    #[test]
    fn an_interim_answer_has_neither_framing_nor_connection() {
        let answered = Answered::new(103, Framing::Empty)
            .header(("Link", "</a>"))
            .header(("Content-Length", "3"))
            .header(("Connection", "close"));
        let mut out = Vec::new();
        answered.with(|response| write_interim(response, &mut out));
        assert_eq!(out, b"HTTP/1.1 103 OK\r\nLink: </a>\r\n\r\n");
    }
}
