//! Changes a server: its state, health, weight, address, and whether it is checked.

use std::fmt::Write as _;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use super::super::answer::{Answer, Severity};
use super::super::line::Words;
use super::super::subject::{Order, Subject};
use super::find::{Found, strtol};
use super::{Reply, find, order, weight};
use crate::haproxy_api::{ServerHealth, ServerState};

const USAGE: &str = "usage: set server <backend>/<server> addr | agent | agent-addr | agent-port | agent-send | \
                     check-addr | check-port | fqdn | health | ssl | state | weight\n";

pub(super) async fn set<S: Subject>(words: &Words, subject: &Arc<S>) -> Reply {
    let proxies = subject.proxies();
    let server = find::server(&proxies, words.at(2))?;
    let value = words.at(4);
    match words.at(3) {
        "weight" => weight::set(words, value, subject).await,
        "state" => {
            let state = match value {
                "ready" => ServerState::Ready,
                "drain" => ServerState::Drain,
                "maint" => ServerState::Maint,
                _ => return refused("'set server <srv> state' expects 'ready', 'drain' and 'maint'.\n"),
            };
            order(subject, Order::State(server.place(), state)).await
        }
        "health" if server.server.tracked.is_some() => {
            refused("cannot change health on a tracking server.\n")
        }
        "health" => {
            let health = match value {
                "up" => ServerHealth::Up,
                "down" => ServerHealth::Down,
                // `stopping` is not supported: `state drain` does the same.
                _ => return refused("'set server <srv> health' expects 'up', 'stopping', or 'down'.\n"),
            };
            order(subject, Order::Health(server.place(), health)).await
        }
        "addr" if value.is_empty() => {
            refused("set server <b>/<s> addr requires an address and optionally a port.\n")
        }
        "addr" => move_to(&server, words, subject).await,
        "agent" | "agent-send" => refused("agent checks are not enabled on this server.\n"),
        "agent-addr" if value.is_empty() => {
            refused("set server <b>/<s> agent-addr requires an address and optionally a port.\n")
        }
        "agent-port" if value.is_empty() => refused("set server <b>/<s> agent-port requires a port.\n"),
        "agent-addr" | "agent-port" => warned("agent checks are not enabled on this server"),
        "check-addr" if value.is_empty() => {
            refused("set server <b>/<s> check-addr requires an address and optionally a port.\n")
        }
        "check-port" if value.is_empty() => refused("set server <b>/<s> check-port requires a port.\n"),
        "check-addr" | "check-port" if server.server.check.is_none() => {
            warned("health checks are not enabled on this server")
        }
        "fqdn" if value.is_empty() => refused("set server <b>/<s> fqdn requires a FQDN.\n"),
        "fqdn" => refused("set server <b>/<s> fqdn failed because no resolution is configured.\n"),
        "ssl" => {
            refused("'set server <srv> ssl' cannot be set.  default-server should define ssl settings\n")
        }
        _ => refused(USAGE),
    }
}

pub(super) async fn disable<S: Subject>(words: &Words, subject: &Arc<S>) -> Reply {
    let server = find::server(&subject.proxies(), words.at(2))?.place();
    order(subject, Order::State(server, ServerState::Maint)).await
}

pub(super) async fn enable<S: Subject>(words: &Words, subject: &Arc<S>) -> Reply {
    let server = find::server(&subject.proxies(), words.at(2))?.place();
    order(subject, Order::State(server, ServerState::Ready)).await
}

/// `enable health`, `disable health`.
pub(super) async fn checks<S: Subject>(words: &Words, enabled: bool, subject: &Arc<S>) -> Reply {
    let proxies = subject.proxies();
    let server = find::server(&proxies, words.at(2))?;
    match server.server.check {
        None if enabled => refused("Health check was not configured on this server, cannot enable.\n"),
        None => Ok(Answer::done()),
        Some(_) => order(subject, Order::Checks(server.place(), enabled)).await,
    }
}

/// `enable agent`, `disable agent`; agents are not supported.
pub(super) fn agent<S: Subject>(words: &Words, enabled: bool, subject: &S) -> Reply {
    find::server(&subject.proxies(), words.at(2))?;
    if enabled {
        refused("Agent was not configured on this server, cannot enable.\n")
    } else {
        Ok(Answer::done())
    }
}

// Private

fn refused(why: &str) -> Reply {
    Err(Answer::refusal(why))
}

fn warned(why: &str) -> Reply {
    Err(Answer::message(Severity::Warning, why))
}

/// `set server b/s addr A [port P]`.
async fn move_to<S: Subject>(server: &Found<'_>, words: &Words, subject: &Arc<S>) -> Reply {
    let port = (words.at(5) == "port").then(|| words.at(6));
    let now = server
        .server
        .address
        .unwrap_or(SocketAddr::from(([0, 0, 0, 0], 0)));
    let (wanted, mut message) = moved(now, words.at(4), port);
    if wanted != now {
        order(subject, Order::Address(server.place(), wanted)).await?;
    }
    message.push_str(" by 'stats socket command'\n");
    Ok(Answer::message(Severity::Warning, message))
}

/// The new address of a server that was at `now`, and the answer about it: HAProxy's
/// `srv_update_addr_port`.
fn moved(now: SocketAddr, address: &str, port: Option<&str>) -> (SocketAddr, String) {
    let mut wanted = now;
    let Ok(ip) = address.parse::<IpAddr>() else {
        return (now, format!("Invalid addr '{address}'"));
    };
    let mut message = if ip == now.ip() {
        "no need to change the addr".to_owned()
    } else {
        wanted.set_ip(ip);
        format!("IP changed from '{}' to '{address}'", now.ip())
    };
    let Some(port) = port else {
        return (wanted, message);
    };
    message.push_str(", ");
    match strtol(port) {
        None => {
            let _infallible = write!(message, "problem converting port '{port}' to an int");
        }
        // Ports relative to the client's: HAProxy refuses them for servers whose checks have no
        // port of their own.
        Some(_) if port.starts_with(['+', '-']) => message.push_str(
            "can't change <port> to port map because it is incompatible with current health check port \
             configuration (use 'port' statement from the 'server' directive.",
        ),
        Some((number, _)) => {
            // HAProxy keeps the low 16 bits of any number.
            let [.., high, low] = number.to_be_bytes();
            let number = u16::from_be_bytes([high, low]);
            if number == now.port() {
                message.push_str("no need to change the port");
            } else {
                wanted.set_port(number);
                let _infallible = write!(message, "port changed from '{}' to '{number}'", now.port());
            }
        }
    }
    (wanted, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_change_in_haproxys_words() {
        let now: SocketAddr = "127.0.0.1:28471".parse().unwrap();
        for (address, port, wanted, message) in [
            (
                "127.0.0.1",
                Some("28471"),
                "127.0.0.1:28471",
                "no need to change the addr, no need to change the port",
            ),
            (
                "127.0.0.2",
                Some("9"),
                "127.0.0.2:9",
                "IP changed from '127.0.0.1' to '127.0.0.2', port changed from '28471' to '9'",
            ),
            ("::1", None, "[::1]:28471", "IP changed from '127.0.0.1' to '::1'"),
            ("x", Some("1"), "127.0.0.1:28471", "Invalid addr 'x'"),
            (
                "127.0.0.1",
                Some(""),
                "127.0.0.1:28471",
                "no need to change the addr, problem converting port '' to an int",
            ),
            (
                "127.0.0.1",
                Some("99999"),
                "127.0.0.1:34463",
                "no need to change the addr, port changed from '28471' to '34463'",
            ),
        ] {
            assert_eq!(
                moved(now, address, port),
                (wanted.parse().unwrap(), message.to_owned())
            );
        }
    }
}
