//! Chunks as we write them.

/// The start of names of trailers that are not passed on.
const REFUSED_PREFIXES: [&str; 6] = [
    "access-control-",
    "content-",
    "if-",
    "mcp-",
    "proxy-",
    "x-forwarded-",
];

/// Names of trailers that are not passed on: they frame, route, authenticate or control (RFC 9110,
/// section 6.5.1). Sorted.
const REFUSED: [&str; 36] = [
    "accept",
    "age",
    "authentication-info",
    "authorization",
    "cache-control",
    "connection",
    "cookie",
    "date",
    "expect",
    "expires",
    "forwarded",
    "host",
    "http2-settings",
    "keep-alive",
    "last-event-id",
    "location",
    "max-forwards",
    "origin",
    "pragma",
    "range",
    "retry-after",
    "set-cookie",
    "strict-transport-security",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "vary",
    "via",
    "warning",
    "www-authenticate",
    "x-client-ip",
    "x-http-method-override",
    "x-real-ip",
    "x-request-id",
    "x-xsrf-token",
];

/// Appends one chunk; nothing for empty data, as an empty chunk would end the body.
pub fn write_chunk(data: &[u8], out: &mut Vec<u8>) {
    if data.is_empty() {
        return;
    }
    out.reserve(data.len() + 20);
    write_hexadecimal(data.len(), out);
    out.extend_from_slice(b"\r\n");
    out.extend_from_slice(data);
    out.extend_from_slice(b"\r\n");
}

/// Appends the last chunk with those of the trailers that may be passed on. `trailers` are lines as
/// [`Piece::End`] has them.
///
/// [`Piece::End`]: super::Piece::End
pub fn write_last_chunk(trailers: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(b"0\r\n");
    for line in trailers.split_inclusive(|byte| *byte == b'\n') {
        let name = line.split(|byte| *byte == b':').next().unwrap_or_default();
        if may_pass(name) {
            out.extend_from_slice(line);
        }
    }
    out.extend_from_slice(b"\r\n");
}

// Private

fn write_hexadecimal(number: usize, out: &mut Vec<u8>) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digits = (usize::BITS - number.leading_zeros()).div_ceil(4).max(1);
    out.extend((0..digits).rev().map(|place| DIGITS[number >> (4 * place) & 15]));
}

/// Whether a trailer of this name may be passed on. An underscore counts as a hyphen, as programs
/// behind CGI-like interfaces cannot tell them apart.
fn may_pass(name: &[u8]) -> bool {
    let is_same = |name: &u8, refused: &u8| {
        let name = if *name == b'_' {
            b'-'
        } else {
            name.to_ascii_lowercase()
        };
        name == *refused
    };
    let starts_with = |refused: &&str| {
        name.len() >= refused.len()
            && name
                .iter()
                .zip(refused.as_bytes())
                .all(|(name, refused)| is_same(name, refused))
    };
    !REFUSED_PREFIXES.iter().any(starts_with)
        && !REFUSED
            .iter()
            .any(|refused| refused.len() == name.len() && starts_with(refused))
}
