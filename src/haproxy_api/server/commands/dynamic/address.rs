//! The address of a new server. The sentences are HAProxy's, which also takes names, relative ports
//! and UNIX sockets.

use std::net::{IpAddr, SocketAddr};

use super::super::find::strtol;

/// The address that `text` is, with a port.
pub(super) fn read(text: &str) -> Result<SocketAddr, String> {
    let missing = || format!("missing port number: '{text}'");
    let unresolved = || format!("could not resolve address '{text}'");
    let (host, port) = text.rsplit_once(':').ok_or_else(|| match ip(text) {
        Some(_) => missing(),
        None => unresolved(),
    })?;
    let port = match port.bytes().next() {
        None => return Err(missing()),
        Some(b'+' | b'-') => return Err(format!("port offset not permitted here in '{text}'")),
        Some(b'0'..=b'9') if port.contains('-') => {
            return Err(format!("port range not permitted here in '{text}'"));
        }
        Some(_) => number(port, text)?,
    };
    let ip = ip(host).ok_or_else(unresolved)?;
    Ok(SocketAddr::new(ip, port))
}

/// An IP address, an IPv6 one also in brackets.
pub(super) fn ip(text: &str) -> Option<IpAddr> {
    let bare = text.strip_prefix('[').and_then(|it| it.strip_suffix(']'));
    bare.unwrap_or(text).parse().ok()
}

// Private

fn number(port: &str, text: &str) -> Result<u16, String> {
    let (number, rest) = strtol(port).unwrap_or((0, port));
    if let Some(character) = rest.chars().next() {
        return Err(format!(
            "invalid character '{character}' in port number '{port}' in '{text}'\n"
        ));
    }
    match u16::try_from(number) {
        Ok(number @ 1..) => Ok(number),
        _ => Err(format!("invalid port '{port}'")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_have_a_port() {
        for (text, address) in [
            ("127.0.0.1:80", "127.0.0.1:80"),
            ("::1:80", "[::1]:80"),
            ("[::1]:80", "[::1]:80"),
        ] {
            assert_eq!(read(text), Ok(address.parse().unwrap()), "{text}");
        }
        for (text, why) in [
            ("127.0.0.1", "missing port number: '127.0.0.1'"),
            ("127.0.0.1:", "missing port number: '127.0.0.1:'"),
            ("127.0.0.1:0", "invalid port '0'"),
            ("127.0.0.1:99999", "invalid port '99999'"),
            (
                "127.0.0.1:+80",
                "port offset not permitted here in '127.0.0.1:+80'",
            ),
            (
                "127.0.0.1:80-90",
                "port range not permitted here in '127.0.0.1:80-90'",
            ),
            (
                "127.0.0.1:8x",
                "invalid character 'x' in port number '8x' in '127.0.0.1:8x'\n",
            ),
            ("node:80", "could not resolve address 'node:80'"),
            ("/run/x", "could not resolve address '/run/x'"),
        ] {
            assert_eq!(read(text), Err(why.to_owned()), "{text}");
        }
    }
}
