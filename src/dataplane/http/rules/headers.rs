//! Names of headers that have a meaning for the balancer.

use httparse::Header;

use crate::render::forwarded;

/// What a header of a message is for the balancer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// It is about one connection, and never passes: `Connection`, `Keep-Alive`, `Proxy-Connection`,
    /// `TE`, `Upgrade`, `HTTP2-Settings`, `Transfer-Encoding`.
    OneConnection,
    /// `Content-Length`
    ContentLength,
    /// `Host`
    Host,
    /// `Cookie`
    Cookie,
    /// `Set-Cookie`
    SetCookie,
    /// `ETag`
    ETag,
    /// `Location`
    Location,
    /// `Cache-Control`
    CacheControl,
    /// `Mcp-Session-Id`
    SessionId,
    /// `MCP-Protocol-Version`
    ProtocolVersion,
    /// `X-Request-ID`
    RequestId,
    /// About the client, from a proxy.
    Forwarded(Forwarded),
    /// Any other.
    Other,
}

/// A header about the client, from a proxy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Forwarded {
    /// `X-Forwarded-For`
    For,
    /// `X-Forwarded-Proto`
    Proto,
    /// `X-Forwarded-Host`
    Host,
    /// Passes from trusted proxies only.
    Passed,
    /// With underscores instead of hyphens; never passes.
    WithUnderscores,
}

/// Names in `Connection` headers beyond these are ignored, so that long lists cost no time.
const MAX_LISTED: usize = 32;

/// What the header called `name` is.
pub(super) fn kind(name: &str) -> Kind {
    let is = |other: &str| name.eq_ignore_ascii_case(other);
    match name.len() {
        2 if is("te") => Kind::OneConnection,
        4 if is("etag") => Kind::ETag,
        4 if is("host") => Kind::Host,
        6 if is("cookie") => Kind::Cookie,
        7 if is("upgrade") => Kind::OneConnection,
        8 if is("location") => Kind::Location,
        10 if is("connection") || is("keep-alive") => Kind::OneConnection,
        10 if is("set-cookie") => Kind::SetCookie,
        12 if is("x-request-id") => Kind::RequestId,
        13 if is("cache-control") => Kind::CacheControl,
        14 if is("content-length") => Kind::ContentLength,
        14 if is("mcp-session-id") => Kind::SessionId,
        14 if is("http2-settings") => Kind::OneConnection,
        16 if is("proxy-connection") => Kind::OneConnection,
        17 if is("transfer-encoding") => Kind::OneConnection,
        20 if is("mcp-protocol-version") => Kind::ProtocolVersion,
        9 | 15..=18 => forwarded(name).map_or(Kind::Other, Kind::Forwarded),
        _ => Kind::Other,
    }
}

/// The names that a message's `Connection` headers list.
pub(super) fn listed<'b>(headers: &'b [Header<'b>]) -> impl Iterator<Item = &'b [u8]> {
    headers
        .iter()
        .filter(|header| header.name.eq_ignore_ascii_case("connection"))
        .flat_map(|header| elements(header.value))
        .take(MAX_LISTED)
}

/// Whether the `Connection` headers of a message list the name `name`, and may do so: they cannot
/// remove what routes, frames or authenticates a message, nor what describes its body.
pub(super) fn is_removed<'b>(headers: &'b [Header<'b>], name: &str) -> bool {
    listed(headers).any(|listed| listed.eq_ignore_ascii_case(name.as_bytes())) && !is_protected(name)
}

/// The elements of a list in a header's value.
pub(super) fn elements(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value.split(|byte| *byte == b',').map(<[u8]>::trim_ascii)
}

/// Writes one header.
pub(super) fn write(out: &mut Vec<u8>, name: &str, value: &[u8]) {
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b": ");
    out.extend_from_slice(value);
    out.extend_from_slice(b"\r\n");
}

// Private

/// Prefixes of names that cannot be removed.
const PROTECTED_PREFIXES: [&str; 7] = [
    "mcp-",
    "content-",
    "accept",
    "sec-",
    "x-forwarded-",
    "access-control-",
    "x-mcp-",
];
/// Names that cannot be removed.
const PROTECTED: [&str; 16] = [
    "host",
    "origin",
    "authorization",
    "proxy-authorization",
    "www-authenticate",
    "cookie",
    "set-cookie",
    "location",
    "cache-control",
    "expect",
    "range",
    "vary",
    "last-event-id",
    "forwarded",
    "x-real-ip",
    "x-request-id",
];

fn is_protected(name: &str) -> bool {
    let begins_with = |prefix: &&str| {
        name.as_bytes()
            .get(..prefix.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(prefix.as_bytes()))
    };
    PROTECTED_PREFIXES.iter().any(begins_with)
        || PROTECTED.iter().any(|known| known.eq_ignore_ascii_case(name))
}

fn forwarded(name: &str) -> Option<Forwarded> {
    if !matches!(name.as_bytes().first(), Some(b'x' | b'X' | b'f' | b'F')) {
        return None;
    }
    let all = forwarded::SET.iter().chain(&forwarded::PASSED);
    let at = all.copied().position(|known| is_same(known, name))?;
    Some(match at {
        _ if name.contains('_') => Forwarded::WithUnderscores,
        0 => Forwarded::For,
        1 => Forwarded::Proto,
        2 => Forwarded::Host,
        _ => Forwarded::Passed,
    })
}

/// Whether CGI reads the two names as the same one.
fn is_same(known: &str, name: &str) -> bool {
    let same = |(a, b): (u8, u8)| a.eq_ignore_ascii_case(&b) || (a, b) == (b'-', b'_');
    known.len() == name.len() && known.bytes().zip(name.bytes()).all(same)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_headers_of_proxies_are_those_that_are_rendered_for_haproxy() {
        for (name, expected) in forwarded::SET
            .into_iter()
            .zip([Forwarded::For, Forwarded::Proto, Forwarded::Host])
            .chain(forwarded::PASSED.map(|name| (name, Forwarded::Passed)))
        {
            for name in [name.to_owned(), name.to_lowercase(), name.to_uppercase()] {
                assert_eq!(kind(&name), Kind::Forwarded(expected), "{name}");
            }
        }
        for name in forwarded::with_underscores() {
            assert_eq!(kind(&name), Kind::Forwarded(Forwarded::WithUnderscores), "{name}");
        }
        for name in ["X-Forwarded_For", "x_real-ip"] {
            assert_eq!(kind(name), Kind::Forwarded(Forwarded::WithUnderscores), "{name}");
        }
        for name in ["X-Forwarded", "X-Forwarded-Fox", "X-Reel-IP", "X-Frame-Options"] {
            assert_eq!(kind(name), Kind::Other, "{name}");
        }
    }

    #[test]
    fn a_connection_header_cannot_remove_what_matters() {
        let connection = |value: &'static str| {
            [Header {
                name: "Connection",
                value: value.as_bytes(),
            }]
        };
        let headers =
            connection("close, X-Foo ,mcp-session-id,Authorization, Content-Type, HOST, Origin,Cookie");
        assert!(is_removed(&headers, "x-foo"));
        for name in [
            "Mcp-Session-Id",
            "MCP-Protocol-Version",
            "authorization",
            "Content-Type",
            "Host",
            "origin",
            "cookie",
            "X-Bar",
        ] {
            assert!(!is_removed(&headers, name), "{name}");
        }
    }
}
