//! The keywords of a new server. The sentences are HAProxy's.

use std::net::SocketAddr;
use std::time::Duration;

use super::super::super::figures::BackendFigures;
use super::super::super::line::Words;
use super::super::super::subject::{NewCheck, NewServer, ServerRef};
use super::super::find::{atoi, strtol};
use super::address;

/// HAProxy's longest delay, in ms.
const MAX_DELAY_MS: u64 = 2_147_483_647;

/// HAProxy's keywords that this data plane does not take, with or without an argument.
#[rustfmt::skip]
const OTHERS: &[&str] = &[
    "agent-addr", "agent-check", "agent-inter", "agent-port", "agent-send", "allow-0rtt", "alpn", "backup", "ca-file",
    "check-alpn", "check-proto", "check-send-proxy", "check-sni", "check-ssl", "check-via-socks4", "ciphers",
    "ciphersuites", "cookie", "crl-file", "crt", "downinter", "error-limit", "force-sslv3", "force-tlsv10",
    "force-tlsv11", "force-tlsv12", "force-tlsv13", "init-addr", "log-proto", "max-reuse", "maxqueue", "minconn",
    "namespace", "no-agent-check", "no-backup", "no-check", "non-stick", "npn", "observe", "on-error", "on-marked-up",
    "pool-low-conn", "pool-max-conn", "pool-purge-delay", "proto", "redir", "resolvers", "send-proxy",
    "send-proxy-v2", "slowstart", "sni", "socks4", "source", "ssl", "stick", "tfo", "tls-tickets", "usesrc", "verify",
    "verifyhost", "ws",
];

/// The server `name` of `backend` at `address`, with what the words behind its address say.
pub(super) fn read(
    backend: &BackendFigures,
    name: &str,
    address: SocketAddr,
    words: &Words,
) -> Result<NewServer, String> {
    let mut server = NewServer {
        address,
        id: None,
        weight: 1,
        maxconn: 0,
        ready: false,
        check: None,
        track: None,
    };
    let (mut check, mut is_checked) = (NewCheck::default(), false);
    let mut at = 4;
    while !words.at(at).is_empty() {
        let (keyword, argument) = (words.at(at), words.at(at + 1));
        at += 2;
        match keyword {
            "check" | "enabled" | "disabled" => {
                at -= 1;
                match keyword {
                    "check" => is_checked = true,
                    _ => server.ready = keyword == "enabled",
                }
            }
            "id" => server.id = Some(id(backend, argument)?),
            "weight" => server.weight = weight(name, argument)?,
            // A negative number means no limit, as for HAProxy, which reads it as a very large one.
            "maxconn" => server.maxconn = u32::try_from(atoi(argument)).unwrap_or(u32::MAX),
            "inter" => check.interval = Some(delay(keyword, name, argument)?),
            "fastinter" => check.fast_interval = Some(delay(keyword, name, argument)?),
            "rise" => check.rise = Some(times(keyword, argument)?),
            "fall" => check.fall = Some(times(keyword, argument)?),
            "port" if argument.is_empty() => {
                return Err("'port' expects a port number as argument..".to_owned());
            }
            "port" => {
                // HAProxy keeps the low 16 bits of any number.
                let [.., high, low] = atoi(argument).to_be_bytes();
                check.port = Some(u16::from_be_bytes([high, low])).filter(|port| *port != 0);
            }
            "addr" if argument.is_empty() => {
                return Err("'addr' expects <ipv4|ipv6> as argument..".to_owned());
            }
            "addr" => {
                let ip = address::ip(argument);
                let invalid = || format!("'addr' : invalid address: '{argument}' in '{argument}'.");
                check.ip = Some(ip.ok_or_else(invalid)?);
            }
            "track" => server.track = Some(tracked(backend, argument)?),
            // What happens anyway.
            "on-marked-down" if argument == "shutdown-sessions" => {}
            "on-marked-down" => {
                return Err(format!(
                    "'on-marked-down' expects 'shutdown-sessions' but got '{argument}'."
                ));
            }
            _ if OTHERS.contains(&keyword) => {
                return Err(format!("'{keyword}' option is not accepted for dynamic server"));
            }
            _ => return Err(format!("unknown keyword '{keyword}'.")),
        }
    }
    server.check = is_checked.then_some(check);
    Ok(server)
}

// Private

fn id(backend: &BackendFigures, text: &str) -> Result<u32, String> {
    if text.is_empty() {
        return Err("'id' : expects an integer argument.".to_owned());
    }
    let id = u32::try_from(atoi(text)).unwrap_or(0);
    if id == 0 {
        return Err("'id' : custom id has to be > 0.".to_owned());
    }
    match backend.servers.iter().find(|it| it.id == id) {
        // HAProxy names the place in its configuration file, and this one if the server has none.
        Some(other) => Err(format!(
            "'id' : custom id {id} already used at (null):0 ('server {}').",
            other.name
        )),
        None => Ok(id),
    }
}

fn weight(name: &str, text: &str) -> Result<u16, String> {
    let weight = atoi(text);
    match u16::try_from(weight) {
        Ok(weight @ 0..=256) => Ok(weight),
        _ => Err(format!(
            "weight of server {name} is not within 0 and 256 ({weight}).."
        )),
    }
}

/// How many checks change the state.
fn times(keyword: &str, text: &str) -> Result<u16, String> {
    if text.is_empty() {
        return Err(format!("'{keyword}' expects an integer argument.."));
    }
    match atoi(text) {
        ..=0 => Err(format!("'{keyword}' has to be > 0..")),
        times => Ok(u16::try_from(times).unwrap_or(u16::MAX)),
    }
}

/// A time with a unit, of which ms is the default.
fn delay(keyword: &str, name: &str, text: &str) -> Result<Duration, String> {
    if text.is_empty() {
        return Err(format!("'{keyword}' expects a delay as argument.."));
    }
    let unexpected = |character| {
        // HAProxy 2.6 names this keyword for all of them.
        format!("unexpected character '{character}' in 'agent-inter' argument of server {name}..")
    };
    let (number, unit) = match strtol(text) {
        Some((number, unit)) if text.starts_with(|it: char| it.is_ascii_digit()) => (number, unit),
        _ => return Err(unexpected(text.chars().next().unwrap_or_default())),
    };
    let number = u64::try_from(number).unwrap_or(0);
    let ms = match unit {
        "us" => number.div_ceil(1_000),
        "" | "ms" => number,
        "s" => number.saturating_mul(1_000),
        "m" => number.saturating_mul(60_000),
        "h" => number.saturating_mul(3_600_000),
        "d" => number.saturating_mul(86_400_000),
        other => return Err(unexpected(other.chars().next().unwrap_or_default())),
    };
    match ms {
        0 => Err(format!(
            "invalid value {number} for argument '{keyword}' of server {name}.."
        )),
        1..=MAX_DELAY_MS => Ok(Duration::from_millis(ms)),
        _ => Err(format!(
            "timer overflow in argument <{text}> to <{keyword}> of server {name}, maximum value is {MAX_DELAY_MS} ms \
             (~24.8 days).."
        )),
    }
}

fn tracked(backend: &BackendFigures, text: &str) -> Result<ServerRef, String> {
    if text.is_empty() {
        return Err("'track' expects [<proxy>/]<server> as argument..".to_owned());
    }
    let (backend, server) = text.split_once('/').unwrap_or((&backend.name, text));
    Ok(ServerRef {
        backend: backend.to_owned(),
        server: server.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_have_a_unit() {
        for (text, ms) in [
            ("5", 5),
            ("3s", 3_000),
            ("1us", 1),
            ("2m", 120_000),
            ("1h", 3_600_000),
        ] {
            assert_eq!(delay("inter", "s", text), Ok(Duration::from_millis(ms)), "{text}");
        }
        for (text, why) in [
            ("", "'inter' expects a delay as argument.."),
            ("0", "invalid value 0 for argument 'inter' of server s.."),
            (
                "-5",
                "unexpected character '-' in 'agent-inter' argument of server s..",
            ),
            (
                "2w",
                "unexpected character 'w' in 'agent-inter' argument of server s..",
            ),
        ] {
            assert_eq!(delay("inter", "s", text), Err(why.to_owned()), "{text}");
        }
        assert!(
            delay("inter", "s", "999d")
                .unwrap_err()
                .starts_with("timer overflow")
        );
    }
}
