//! Which answers are compressed.

use super::headers::elements;
use crate::dataplane::http::{Framing, Request, Response};
use crate::dataplane_config::DataplaneHttpBackend;

/// A smaller body fits into one packet anyway.
const MIN_LENGTH: u64 = 1024;
/// A body is held until it is complete; a larger one is passed on as it comes.
const MAX_LENGTH: u64 = 256 * 1024;

/// Headers with a digest of the body.
const DIGESTS: [&str; 4] = ["digest", "content-md5", "content-digest", "repr-digest"];

/// Whether the client accepts gzip (RFC 9110, section 12.5.3).
#[must_use]
pub fn accepts_gzip(request: &Request<'_>) -> bool {
    let mut any = None;
    for header in request.headers {
        if !header.name.eq_ignore_ascii_case("accept-encoding") {
            continue;
        }
        for element in elements(header.value) {
            let mut parts = element.split(|byte| *byte == b';').map(<[u8]>::trim_ascii);
            let coding = parts.next().unwrap_or_default();
            let accepted = !parts.any(is_zero_weight);
            if coding.eq_ignore_ascii_case(b"gzip") || coding.eq_ignore_ascii_case(b"x-gzip") {
                return accepted;
            }
            if coding == b"*" {
                any = Some(accepted);
            }
        }
    }
    any.unwrap_or(false)
}

/// What is done about the compression of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compression {
    /// It is compressed.
    Yes,
    /// It is not, for its length alone.
    TooLong,
    /// It is not.
    No,
}

/// Whether an answer is compressed for a client that accepts gzip: text of a known length, which
/// neither the node nor a rule of RFC 9111 excludes. Streams have no length.
#[must_use]
pub fn compression(response: &Response<'_>, settings: &DataplaneHttpBackend) -> Compression {
    let Framing::Length(length) = response.framing else {
        return Compression::No;
    };
    if settings.compress.is_empty() || length < MIN_LENGTH || !matches!(response.status, 200..=203) {
        return Compression::No;
    }
    let mut is_text = false;
    for header in response.headers {
        let is = |name: &str| header.name.eq_ignore_ascii_case(name);
        match header.name.len() {
            12 if is("content-type") => {
                let media = header.value.split(|byte| *byte == b';').next();
                let media = media.unwrap_or_default().trim_ascii();
                let is_media = |text: &String| text.as_bytes().eq_ignore_ascii_case(media);
                is_text = settings.compress.iter().any(is_media);
            }
            16 if is("content-encoding") => return Compression::No,
            // They are of the bytes as they are.
            6 | 11 | 14 if DIGESTS.iter().any(|digest| is(digest)) => return Compression::No,
            13 if is("cache-control") => {
                let mut directives = elements(header.value);
                if directives.any(|directive| directive.eq_ignore_ascii_case(b"no-transform")) {
                    return Compression::No;
                }
            }
            _ => {}
        }
    }
    match (is_text, length) {
        (false, _) => Compression::No,
        (true, ..=MAX_LENGTH) => Compression::Yes,
        (true, _) => Compression::TooLong,
    }
}

// Private

/// Whether a parameter is `q=0`, with any number of zeros behind a point.
fn is_zero_weight(parameter: &[u8]) -> bool {
    let (b"q=" | b"Q=", weight @ [_, ..]) = parameter.split_at(parameter.len().min(2)) else {
        return false;
    };
    weight.iter().all(|digit| matches!(digit, b'0' | b'.'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataplane::http::{HeadLimits, HeadScan, header_room, parse_request, parse_response};

    const LIMITS: HeadLimits = HeadLimits {
        bytes: 4096,
        lines: 20,
    };

    #[test]
    fn weights_decide_whether_gzip_is_accepted() {
        for (value, accepted) in [
            ("gzip", true),
            ("GZIP", true),
            ("deflate, gzip;q=1.0, *;q=0.5", true),
            ("*", true),
            ("br", false),
            ("gzip;q=0", false),
            ("gzip;q=0.000", false),
            ("gzip; q=0.001", true),
            ("*;q=0", false),
            ("gzip;q=0, *", false),
            ("identity", false),
            ("", false),
        ] {
            let head = format!("GET / HTTP/1.1\r\nHost: a\r\nAccept-Encoding: {value}\r\n\r\n");
            let length = HeadScan::default().request(head.as_bytes(), LIMITS).unwrap();
            assert_eq!(length, Some(head.len()));
            let mut room = header_room();
            let request = parse_request(head.as_bytes(), &mut room).unwrap();
            assert_eq!(accepts_gzip(&request), accepted, "{value}");
        }
    }

    #[test]
    fn text_of_a_known_length_is_compressed() {
        let settings = DataplaneHttpBackend {
            compress: vec!["application/json".to_owned()],
            ..DataplaneHttpBackend::default()
        };
        for (head, expected) in [
            (
                "200 OK\r\nContent-Length: 2000\r\nContent-Type: application/json",
                Compression::Yes,
            ),
            (
                "200 OK\r\nContent-Length: 2000\r\nContent-Type: Application/JSON; charset=utf-8",
                Compression::Yes,
            ),
            (
                "200 OK\r\nContent-Length: 20\r\nContent-Type: application/json",
                Compression::No,
            ),
            (
                "200 OK\r\nContent-Length: 999999\r\nContent-Type: application/json",
                Compression::TooLong,
            ),
            (
                "200 OK\r\nTransfer-Encoding: chunked\r\nContent-Type: application/json",
                Compression::No,
            ),
            (
                "200 OK\r\nContent-Length: 2000\r\nContent-Type: text/event-stream",
                Compression::No,
            ),
            (
                "206 OK\r\nContent-Length: 2000\r\nContent-Type: application/json",
                Compression::No,
            ),
            (
                "404 OK\r\nContent-Length: 2000\r\nContent-Type: application/json",
                Compression::No,
            ),
            (
                "200 OK\r\nContent-Length: 2000\r\nContent-Type: application/json\r\nContent-Encoding: br",
                Compression::No,
            ),
            (
                "200 OK\r\nContent-Length: 2000\r\nContent-Type: application/json\r\n\
                 Cache-Control: public, no-transform",
                Compression::No,
            ),
        ] {
            let head = format!("HTTP/1.1 {head}\r\n\r\n");
            let mut room = header_room();
            let response = parse_response(head.as_bytes(), &mut room, false).unwrap();
            assert_eq!(compression(&response, &settings), expected, "{head}");
        }
    }
}
