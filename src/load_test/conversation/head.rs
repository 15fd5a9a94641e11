//! The fields of an HTTP response's head that a client needs.

use super::excerpt::excerpt;
use crate::load_test::error::{Kind, LoadError};

/// The most headers that are parsed.
const MAX_HEADERS: usize = 100;
/// The longest value that is kept, in bytes.
const MAX_VALUE: usize = 4096;

/// The parsed head.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Head {
    /// The status, such as 200.
    pub(super) status: u16,
    /// The length of the body in bytes, if the head has it.
    pub(super) length: Option<u64>,
    /// Whether the body comes in chunks.
    pub(super) chunked: bool,
    /// Whether the server closes the connection after the body.
    pub(super) closes: bool,
    /// Whether the body is a stream of events.
    pub(super) events: bool,
    /// The id of the MCP session that begins.
    pub(super) session: Option<Box<str>>,
    /// The value of `Sec-WebSocket-Accept`.
    pub(super) accept: Option<Box<str>>,
    /// The values of `Set-Cookie`.
    pub(super) cookies: Vec<Box<str>>,
}

impl Head {
    /// Parses a head and returns its length with it; `None` while its end is missing.
    ///
    /// # Errors
    /// If it is not HTTP.
    pub(super) fn read(bytes: &[u8]) -> Result<Option<(usize, Head)>, LoadError> {
        let garbage = || LoadError::new(Kind::Garbage, format!("not HTTP: `{}`", excerpt(bytes)));
        let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
        let mut response = httparse::Response::new(&mut headers);
        let parsed = response.parse(bytes).map_err(|_| garbage())?;
        let httparse::Status::Complete(length) = parsed else {
            return Ok(None);
        };
        let mut head = Head {
            status: response.code.ok_or_else(garbage)?,
            closes: response.version == Some(0),
            ..Head::default()
        };
        for header in response.headers.iter() {
            // A value that is not text counts as empty.
            let value = std::str::from_utf8(header.value).unwrap_or_default().trim();
            head.note(header.name, value).ok_or_else(garbage)?;
        }
        if head.chunked {
            head.length = None;
        }
        if head.status < 200 || [204, 304].contains(&head.status) {
            (head.length, head.chunked) = (Some(0), false);
        }
        Ok(Some((length, head)))
    }

    // Private

    /// Stores a header; `None` if its value is invalid.
    fn note(&mut self, name: &str, value: &str) -> Option<()> {
        let is = |other| name.eq_ignore_ascii_case(other);
        if is("content-length") {
            let length = value.parse().ok()?;
            let differs = self.length.replace(length).is_some_and(|before| before != length);
            return (!differs).then_some(());
        } else if is("transfer-encoding") {
            self.chunked = true;
            return value.eq_ignore_ascii_case("chunked").then_some(());
        } else if is("connection") {
            self.closes |= value
                .split(',')
                .any(|word| word.trim().eq_ignore_ascii_case("close"));
        } else if is("content-type") {
            let media_type = value.split(';').next().unwrap_or_default().trim();
            self.events = media_type.eq_ignore_ascii_case("text/event-stream");
        } else if is("mcp-session-id") {
            self.session = Some(sendable(value)?);
        } else if is("sec-websocket-accept") {
            self.accept = Some(sendable(value)?);
        } else if is("set-cookie") {
            self.cookies.push(value.into());
        }
        Some(())
    }
}

// Private

/// A value that may be repeated in a header.
fn sendable(value: &str) -> Option<Box<str>> {
    let sendable = value.len() <= MAX_VALUE && value.bytes().all(|byte| byte.is_ascii_graphic());
    sendable.then(|| value.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_needed_fields_are_parsed() {
        let text = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\nMcp-Session-Id: e2\r\n\
            Transfer-Encoding: chunked\r\nset-cookie: SERVERID=n1; path=/\r\nconnection: Keep-Alive, Close\r\n\r\nrest";
        let (length, head) = Head::read(text.as_bytes()).unwrap().unwrap();
        assert_eq!(&text[length..], "rest");
        let expected = Head {
            status: 200,
            chunked: true,
            closes: true,
            events: true,
            session: Some("e2".into()),
            cookies: vec!["SERVERID=n1; path=/".into()],
            ..Head::default()
        };
        assert_eq!(head, expected);
        assert_eq!(Head::read(&text.as_bytes()[..length - 1]), Ok(None));
    }

    #[test]
    fn an_invalid_head_is_refused() {
        for text in [
            "{\"jsonrpc\":\"2.0\"}\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n",
            "HTTP/1.1 200 OK\r\nMcp-Session-Id: a b\r\n\r\n",
            &format!("HTTP/1.1 200 OK\r\n{}\r\n", "a: b\r\n".repeat(101)),
        ] {
            assert_eq!(
                Head::read(text.as_bytes()).unwrap_err().kind,
                Kind::Garbage,
                "{text}"
            );
        }
    }
}
