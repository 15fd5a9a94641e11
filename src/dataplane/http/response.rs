//! The head of an answer, read strictly.

use std::time::Duration;

use super::headers::{self, Announced, FramingHeaders, HeaderRoom, Known};
use super::{Connection, Framing, InvalidAnswer, Response, Version};

/// Reads the head of an answer: all of the bytes that [`HeadScan::response`] found.
///
/// `is_head`: it answers `HEAD`, so it has no body. Neither have answers with 1xx, 204 and 304.
///
/// [`HeadScan::response`]: super::HeadScan::response
pub fn parse_response<'h, 'b: 'h>(
    head: &'b [u8],
    room: &'h mut HeaderRoom<'b>,
    is_head: bool,
) -> Result<Response<'h>, InvalidAnswer> {
    let mut parsed = httparse::Response::new(&mut []);
    let status = httparse::ParserConfig::default()
        .parse_response_with_uninit_headers(&mut parsed, head, room)
        .map_err(|error| InvalidAnswer(headers::broken_rule(error).unwrap_or("it has too many headers")))?;
    let httparse::Response {
        version: Some(version),
        code: Some(code @ 100..),
        reason: Some(reason),
        headers,
    } = parsed
    else {
        return Err(InvalidAnswer("the status line is invalid"));
    };
    if status != httparse::Status::Complete(head.len()) {
        return Err(InvalidAnswer("the head is not complete"));
    }
    let headers: &'h [httparse::Header<'b>] = headers;
    let version = match version {
        0 => Version::Http10,
        _ => Version::Http11,
    };
    let mut framing = FramingHeaders::default();
    let mut connection = Connection::default();
    let mut keep_alive_timeout = None;
    for header in headers {
        match headers::known(header.name) {
            Some(Known::Connection) => connection.add(header.value).map_err(InvalidAnswer)?,
            Some(Known::ContentLength) => framing.add_length(header.value).map_err(InvalidAnswer)?,
            Some(Known::TransferEncoding) => framing.add_coding(header.value),
            Some(Known::KeepAlive) => keep_alive_timeout = timeout(header.value).or(keep_alive_timeout),
            Some(Known::Imitation) => return Err(InvalidAnswer(headers::IMITATION)),
            None | Some(Known::Host | Known::Expect | Known::Upgrade) => {}
        }
    }
    let framing = if is_head || matches!(code, 100..=199 | 204 | 304) {
        Framing::Empty
    } else {
        match framing.announced(version)? {
            Announced::Nothing => Framing::UntilClose,
            Announced::Length(0) => Framing::Empty,
            Announced::Length(length) => Framing::Length(length),
            Announced::Chunked => Framing::Chunked,
        }
    };
    Ok(Response {
        status: code,
        reason,
        version,
        headers,
        framing,
        connection,
        keep_alive_timeout,
    })
}

// Private

/// The `timeout` of a `Keep-Alive` header, in seconds: `timeout=5, max=1000`.
fn timeout(value: &[u8]) -> Option<Duration> {
    value.split(|byte| *byte == b',').find_map(|parameter| {
        let (name, seconds) = parameter.trim_ascii().split_at_checked("timeout=".len())?;
        name.eq_ignore_ascii_case(b"timeout=").then_some(())?;
        headers::decimal(seconds).map(Duration::from_secs)
    })
}
