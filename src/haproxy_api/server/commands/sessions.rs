//! `show sess`, and the commands that end sessions.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use super::super::answer::Answer;
use super::super::figures::SessionFigures;
use super::super::line::Words;
use super::super::subject::{Order, Subject};
use super::{Reply, find, order};

/// HAProxy's word for a session without a backend.
const NO_BACKEND: &str = "<NONE>";

pub(super) async fn show<S: Subject>(words: &Words, subject: &Arc<S>) -> Reply {
    let sessions = Arc::clone(subject).sessions().await;
    let mut text = String::new();
    match (words.at(2), pointer(words.at(2))) {
        ("all", _) => sessions.iter().for_each(|session| in_full(session, &mut text)),
        // Every word that is not a number means no particular session, and so all of them.
        (_, 0) => sessions.iter().for_each(|session| in_short(session, &mut text)),
        (_, id) => match sessions.iter().find(|session| session.id == id) {
            Some(session) => in_full(session, &mut text),
            None => text.push_str("Session not found.\n"),
        },
    }
    Ok(Answer::figures(text))
}

pub(super) async fn shut_down<S: Subject>(words: &Words, subject: &Arc<S>) -> Reply {
    let id = pointer(words.at(2));
    if id == 0 {
        return Err(Answer::refusal("Session pointer expected (use 'show sess').\n"));
    }
    let sessions = Arc::clone(subject).sessions().await;
    if sessions.iter().any(|session| session.id == id) {
        order(subject, Order::ShutdownSession(id)).await
    } else {
        Err(Answer::refusal("No such session (use 'show sess').\n"))
    }
}

pub(super) async fn shut_down_of_server<S: Subject>(words: &Words, subject: &Arc<S>) -> Reply {
    let server = find::server(&subject.proxies(), words.at(3))?.place();
    order(subject, Order::ShutdownSessions(server)).await
}

// Private

/// HAProxy prints addresses of its memory, and reads them by `strtoul` with any base.
fn pointer(text: &str) -> u64 {
    let (digits, base) = match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        Some(digits) => (digits, 16),
        None if text.starts_with('0') => (text, 8),
        None => (text, 10),
    };
    let end = digits.find(|c: char| !c.is_digit(base)).unwrap_or(digits.len());
    u64::from_str_radix(&digits[..end], base).unwrap_or(0)
}

/// One line. Values that only HAProxy has (flags, analysers, descriptors) are 0; the calls are the
/// requests over HTTP.
fn in_short(session: &SessionFigures, text: &mut String) {
    let _infallible = writeln!(
        text,
        "{:#x}: proto={} src={} fe={} be={} srv={} ts=00 epoch=0 age={} calls={} rate=0 cpu=0 lat=0 \
         rq[f=0h,i=0,an=00h,rx=,wx=,ax=] rp[f=0h,i=0,an=00h,rx=,wx=,ax=] scf=[8,0h,fd=-1] scb=[8,1h,fd=-1] exp= \
         rc=0 c_exp=",
        session.id,
        protocol(session.client),
        bare(session.client),
        session.frontend,
        session.backend.as_deref().unwrap_or(NO_BACKEND),
        session.server.as_deref().unwrap_or("<none>"),
        human(session.age),
        session.http.map_or(0, |http| http.count),
    );
}

/// HAProxy's description of a session in several lines, as far as there are values.
fn in_full(session: &SessionFigures, text: &mut String) {
    let address = |address: Option<SocketAddr>| address.map(bare).unwrap_or_default();
    let mode = if session.http.is_some() { "http" } else { "tcp" };
    let requests = session.http.map_or_else(String::new, |http| {
        format!(
            "  txn=(requests={} status={})\n",
            http.count,
            http.status.unwrap_or(0)
        )
    });
    let _infallible = writeln!(
        text,
        "{:#x}: proto={} source={}\n  frontend={} (mode={mode})\n  backend={} (mode={mode}) addr={}\n  server={}\n  \
         age={} idle={}\n{requests}  req=(total={})\n  res=(total={})",
        session.id,
        protocol(session.client),
        bare(session.client),
        session.frontend,
        session.backend.as_deref().unwrap_or(NO_BACKEND),
        address(session.source),
        session.server.as_deref().unwrap_or("<none>"),
        human(session.age),
        human(session.idle),
        session.bytes_in,
        session.bytes_out,
    );
}

const fn protocol(address: SocketAddr) -> &'static str {
    if address.is_ipv4() { "tcpv4" } else { "tcpv6" }
}

/// HAProxy does not write brackets.
fn bare(address: SocketAddr) -> String {
    format!("{}:{}", address.ip(), address.port())
}

/// A time in its two largest units.
fn human(time: Duration) -> String {
    let seconds = time.as_secs();
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60);
    let parts = [(days, 'd'), (hours, 'h'), (minutes, 'm'), (seconds % 60, 's')];
    let first = parts.iter().position(|(number, _)| *number > 0).unwrap_or(3);
    let shown = parts.iter().enumerate().skip(first).take(2);
    let shown = shown.filter(|(index, (number, _))| *number > 0 || *index == first);
    let shown: Vec<String> = shown
        .map(|(_, (number, unit))| format!("{number}{unit}"))
        .collect();
    shown.concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_two_units() {
        for (seconds, expected) in [
            (0, "0s"),
            (59, "59s"),
            (60, "1m"),
            (90, "1m30s"),
            (3_600, "1h"),
            (90_061, "1d1h"),
        ] {
            assert_eq!(human(Duration::from_secs(seconds)), expected);
        }
    }

    #[test]
    fn pointers_are_hexadecimal_or_not() {
        assert_eq!(pointer("0x1f"), 31);
        assert_eq!(pointer("31"), 31);
        assert_eq!(pointer("x"), 0);
        assert_eq!(pointer(""), 0);
    }
}
