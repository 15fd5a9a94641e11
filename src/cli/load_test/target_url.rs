//! The value of `--target`: `HOST:PORT`, or a URL of a protocol that the load test supports.

use crate::base::units::excerpt;
use crate::load_test::Protocol;
use crate::profile::closest;

/// The schemes and their protocols.
const SCHEMES: [(&str, Protocol); 4] = [
    ("tcp", Protocol::Tcp),
    ("http", Protocol::Http),
    ("ws", Protocol::Ws),
    ("sse", Protocol::Sse),
];

/// The port of HTTP where a URL has none.
const HTTP_PORT: u16 = 80;

/// A target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Target {
    /// A name or an address, without brackets.
    pub(super) host: String,
    pub(super) port: u16,
    /// Host and port as they were written, for the Host header.
    pub(super) authority: String,
    pub(super) protocol: Protocol,
    /// The path of the requests.
    pub(super) path: String,
}

/// A text that is not a target.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a target: {why}")]
pub(super) struct TargetError {
    text: String,
    why: String,
    pub(super) hint: String,
}

impl Target {
    /// Reads `text`; `protocol` is the one that `--protocol` names. Without that and without a
    /// scheme it is `tcp`.
    ///
    /// # Errors
    /// When it is not a target, or a target of another protocol.
    pub(super) fn read(text: &str, protocol: Option<Protocol>) -> Result<Target, TargetError> {
        let error = |why: &str, hint: String| TargetError {
            text: excerpt(text),
            why: why.to_owned(),
            hint,
        };
        let usual = || "it is `HOST:PORT`, `tcp://HOST:PORT` or `http://HOST:PORT/PATH`".to_owned();
        let (scheme, rest) = match text.split_once("://") {
            Some((scheme, rest)) => (Some(scheme.to_ascii_lowercase()), rest),
            None => (None, text),
        };
        let by_scheme = match scheme.as_deref() {
            None => None,
            Some("https" | "wss") => {
                return Err(error(
                    "the load test does not speak TLS",
                    "test the listener without TLS, such as `http://HOST:8080/mcp`".to_owned(),
                ));
            }
            Some(scheme) => Some(named(scheme).map_err(|hint| error("unknown scheme", hint))?),
        };
        let spoken = match (by_scheme, protocol) {
            (None, None) => Protocol::Tcp,
            (Some(one), None) | (None, Some(one)) => one,
            // WebSockets and event streams begin as HTTP.
            (Some(Protocol::Http), Some(other)) if other != Protocol::Tcp => other,
            (Some(named), Some(other)) if named == other => named,
            (Some(_), Some(other)) => {
                return Err(error(
                    &format!("`--protocol {other}` contradicts it"),
                    "leave `--protocol` out: the scheme names the protocol".to_owned(),
                ));
            }
        };
        let (authority, path) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
        if by_scheme.is_none() && !path.is_empty() {
            return Err(error(
                "a path needs a scheme",
                format!("`http://{}`", excerpt(text)),
            ));
        }
        if spoken == Protocol::Tcp && !matches!(path, "" | "/") {
            return Err(error("raw TCP has no paths", usual()));
        }
        if authority.contains('@') {
            return Err(error("it cannot have a user", usual()));
        }
        let default = (by_scheme.is_some() && spoken != Protocol::Tcp).then_some(HTTP_PORT);
        let (host, port) = host_and_port(authority, default).map_err(|why| error(why, usual()))?;
        Ok(Target {
            host: host.to_owned(),
            port,
            authority: authority.to_owned(),
            protocol: spoken,
            path: match path {
                "" => spoken.path().to_owned(),
                path if !path.bytes().all(|byte| byte.is_ascii_graphic()) || path.contains('#') => {
                    return Err(error("its path has characters that a URL cannot have", usual()));
                }
                path if path.starts_with('?') => format!("/{path}"),
                path => path.to_owned(),
            },
        })
    }
}

// Private

/// The protocol of a `scheme`; else the error with the scheme that was probably meant.
fn named(scheme: &str) -> Result<Protocol, String> {
    let known = SCHEMES.iter().find(|(known, _)| *known == scheme);
    known.map(|(_, protocol)| *protocol).ok_or_else(|| {
        match closest(scheme, SCHEMES.map(|(known, _)| known)) {
            Some(near) => format!("did you mean `{near}://`?"),
            None => "available: `tcp://`, `http://`, `ws://`, `sse://`".to_owned(),
        }
    })
}

/// The parts of an authority; the port can be left out where there is a `default`.
fn host_and_port(authority: &str, default: Option<u16>) -> Result<(&str, u16), &'static str> {
    let (host, port) = if let Some(bracketed) = authority.strip_prefix('[') {
        let (host, port) = bracketed.split_once(']').ok_or("`]` is missing")?;
        host.parse::<std::net::Ipv6Addr>()
            .map_err(|_| "brackets hold an IPv6 address, such as `[::1]:8000`")?;
        let port = match port.strip_prefix(':') {
            None if !port.is_empty() => return Err("after `]` comes `:PORT`"),
            port => port,
        };
        (host, port)
    } else {
        match authority.split_once(':') {
            Some((_, port)) if port.contains(':') => {
                return Err("an IPv6 address needs brackets, such as `[::1]:8000`");
            }
            Some((host, port)) => (host, Some(port)),
            None => (authority, None),
        }
    };
    if host.is_empty() {
        return Err("it has no host");
    }
    if !host.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err("its host is not a name");
    }
    let port = match (port, default) {
        (Some(port), _) if port.starts_with('+') => None,
        (Some(port), _) => port.parse().ok().filter(|port| *port > 0),
        (None, Some(default)) => Some(default),
        (None, None) => return Err("it has no port"),
    };
    port.map(|port| (host, port))
        .ok_or("a port is a number from 1 to 65535")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, protocol: Option<Protocol>) -> Result<String, (String, String)> {
        Target::read(text, protocol)
            .map(
                |Target {
                     host,
                     port,
                     authority,
                     protocol,
                     path,
                 }| format!("{protocol} {host} {port} {authority} {path}"),
            )
            .map_err(|error| (error.why.clone(), error.hint.clone()))
    }

    #[test]
    fn targets_are_addresses_or_urls() {
        for (text, protocol, expected) in [
            ("127.0.0.1:8000", None, "tcp 127.0.0.1 8000 127.0.0.1:8000 /"),
            (
                "localhost:8080",
                Some(Protocol::Http),
                "http localhost 8080 localhost:8080 /mcp",
            ),
            ("[::1]:8000", None, "tcp ::1 8000 [::1]:8000 /"),
            (
                "tcp://127.0.0.1:8000",
                None,
                "tcp 127.0.0.1 8000 127.0.0.1:8000 /",
            ),
            ("TCP://[::1]:8000/", None, "tcp ::1 8000 [::1]:8000 /"),
            ("http://h:8080/", None, "http h 8080 h:8080 /"),
            (
                "http://h:8080/api/mcp?a=1",
                None,
                "http h 8080 h:8080 /api/mcp?a=1",
            ),
            ("http://h?a=1", None, "http h 80 h /?a=1"),
            ("http://[::1]", None, "http ::1 80 [::1] /mcp"),
            ("ws://h:8001", None, "ws h 8001 h:8001 /mcp/ws"),
            ("http://h:8001/w", Some(Protocol::Ws), "ws h 8001 h:8001 /w"),
            ("sse://h:8002", None, "sse h 8002 h:8002 /mcp/sse"),
            ("http://h:8002/sse", Some(Protocol::Sse), "sse h 8002 h:8002 /sse"),
        ] {
            assert_eq!(read(text, protocol).as_deref(), Ok(expected), "{text}");
        }
    }

    #[test]
    fn an_invalid_target_is_refused_with_a_reason() {
        for (text, protocol, why, hint) in [
            ("", None, "it has no host", "it is `HOST:PORT`"),
            ("localhost", None, "it has no port", "it is `HOST:PORT`"),
            ("tcp://localhost", None, "it has no port", "it is `HOST:PORT`"),
            (":8000", None, "it has no host", "it is `HOST:PORT`"),
            ("h:0", None, "a port is a number", "it is"),
            ("h:70000", None, "a port is a number", "it is"),
            ("h:http", None, "a port is a number", "it is"),
            ("::1:8000", None, "an IPv6 address needs brackets", "it is"),
            ("[::1:8000", None, "`]` is missing", "it is"),
            ("[x]:1", None, "brackets hold an IPv6 address", "it is"),
            ("[::1]8000", None, "after `]` comes", "it is"),
            (
                "https://h/mcp",
                None,
                "does not speak TLS",
                "test the listener without TLS",
            ),
            (
                "wss://h/mcp",
                None,
                "does not speak TLS",
                "test the listener without TLS",
            ),
            ("htp://h/mcp", None, "unknown scheme", "did you mean `http://`?"),
            ("ftp://h/mcp", None, "unknown scheme", ""),
            ("h:1/mcp", None, "a path needs a scheme", "`http://h:1/mcp`"),
            ("tcp://h:1/mcp", None, "raw TCP has no paths", "it is"),
            (
                "tcp://h:1",
                Some(Protocol::Http),
                "`--protocol http` contradicts it",
                "leave",
            ),
            (
                "http://h:1",
                Some(Protocol::Tcp),
                "`--protocol tcp` contradicts it",
                "leave",
            ),
            ("http://u:p@h:1", None, "it cannot have a user", "it is"),
            ("http://h:1/a b", None, "its path has characters", "it is"),
            ("http://h:1/#a", None, "its path has characters", "it is"),
            ("a b:1", None, "its host is not a name", "it is"),
        ] {
            let (message, hinted) = read(text, protocol).unwrap_err();
            assert!(
                message.contains(why) && hinted.starts_with(hint),
                "{text}: {message}: {hinted}"
            );
        }
    }
}
