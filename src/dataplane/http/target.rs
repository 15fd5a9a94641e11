//! The target of a request, and the authority that it is meant for (RFC 9112, section 3.2).

use memchr::memchr;

use super::headers::decimal;

/// A target in one of its four forms.
pub(super) struct Target<'b> {
    /// The target as a node gets it: path and query, `*`, or the authority of `CONNECT`.
    pub(super) origin: &'b str,
    /// The authority that it names itself, and the default port of its scheme.
    pub(super) authority: Option<(&'b str, &'static [u8])>,
}

/// Reads a target: characters other than controls and spaces.
pub(super) fn read_target<'b>(method: &str, target: &'b str) -> Result<Target<'b>, &'static str> {
    if !target.is_ascii() {
        return Err("the target has a character beyond ASCII");
    }
    if memchr(b'#', target.as_bytes()).is_some() {
        return Err("the target has a fragment");
    }
    if method == "CONNECT" {
        return connect(target);
    }
    if target.starts_with('/') {
        return Ok(Target {
            origin: target,
            authority: None,
        });
    }
    if target == "*" && method == "OPTIONS" {
        return Ok(Target {
            origin: target,
            authority: None,
        });
    }
    absolute(method, target)
}

/// Whether `authority` is a host with an optional port, without user information; it may be empty.
pub(super) fn is_authority(authority: &[u8]) -> bool {
    let (host, port) = split_port(authority);
    let is_host = match host {
        [b'[', address @ .., b']'] => !address.is_empty() && address.iter().all(|byte| is_address(*byte)),
        _ => host.iter().all(|byte| is_name(*byte)),
    };
    is_host && is_port(port) && (!host.is_empty() || authority.is_empty())
}

/// Whether two authorities are the same: without regard to case and to the default port.
pub(super) fn is_same_authority(one: &[u8], other: &[u8], default_port: &[u8]) -> bool {
    let (one, port) = split_port(one);
    let (other, other_port) = split_port(other);
    let number = |port: &[u8]| {
        decimal(
            port.strip_prefix(b":")
                .filter(|port| !port.is_empty())
                .unwrap_or(default_port),
        )
    };
    one.eq_ignore_ascii_case(other) && number(port) == number(other_port)
}

// Private

fn absolute<'b>(method: &str, target: &'b str) -> Result<Target<'b>, &'static str> {
    let (scheme, rest) = target
        .split_once("://")
        .ok_or("the target is neither a path nor a URL")?;
    let default_port: &[u8] = match scheme.len() {
        4 if scheme.eq_ignore_ascii_case("http") => b"80",
        5 if scheme.eq_ignore_ascii_case("https") => b"443",
        _ => return Err("the target has another scheme than http or https"),
    };
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    if authority.is_empty() || !is_authority(authority.as_bytes()) {
        return Err("the target has an invalid authority");
    }
    let origin = match path.as_bytes().first() {
        Some(b'/') => path,
        Some(_) => return Err("the target has a query without a path"),
        None if method == "OPTIONS" => "*",
        None => "/",
    };
    Ok(Target {
        origin,
        authority: Some((authority, default_port)),
    })
}

fn connect(target: &str) -> Result<Target<'_>, &'static str> {
    let (host, port) = split_port(target.as_bytes());
    if host.is_empty() || port.len() < 2 || !is_authority(target.as_bytes()) {
        return Err("the target of `CONNECT` is not a host and a port");
    }
    Ok(Target {
        origin: target,
        authority: Some((target, b"")),
    })
}

/// The host, and the port with its colon.
fn split_port(authority: &[u8]) -> (&[u8], &[u8]) {
    let host = match authority {
        [b'[', ..] => memchr(b']', authority).map_or(authority.len(), |bracket| bracket + 1),
        _ => memchr(b':', authority).unwrap_or(authority.len()),
    };
    authority.split_at(host)
}

/// Whether this is nothing, or a colon with a port, which may be empty.
fn is_port(port: &[u8]) -> bool {
    match port {
        [] | [b':'] => true,
        [b':', digits @ ..] => {
            digits.len() <= 5 && decimal(digits).is_some_and(|port| port <= u16::MAX.into())
        }
        _ => false,
    }
}

/// A character of a registered name or an IPv4 address. A comma is one, too, but would rather join
/// two hosts.
const fn is_name(byte: u8) -> bool {
    matches!(byte, b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'%')
        || matches!(
            byte,
            b'!' | b'$' | b'&' | b'\'' | b'(' | b')' | b'*' | b'+' | b';' | b'='
        )
}

/// A character between the brackets of an address: IPv6, its zone, or a later version.
const fn is_address(byte: u8) -> bool {
    is_name(byte) || byte == b':'
}
