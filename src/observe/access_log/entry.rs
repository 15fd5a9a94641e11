//! One line of nginx's access log.

use std::net::SocketAddr;
use std::time::Duration;

use serde::Deserialize;

use super::kind::Kind;
use super::word::{Word, seconds};

/// Longer lines are not read. nginx takes at most 8 kB of a request's line, and an escape makes six
/// bytes of one.
pub(super) const LONGEST: usize = 64 * 1024;
/// The most attempts that are read of one request; they are the first ones.
const MOST_ATTEMPTS: usize = 64;

/// A request, or a TCP session, that has ended.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// The kind of traffic.
    pub kind: Kind,
    /// When it ended, in seconds since 1970.
    pub time: Option<f64>,
    /// The status of the answer; 0 when the line has none.
    pub status: u16,
    /// Bytes from the client.
    pub bytes_in: u64,
    /// Bytes to the client.
    pub bytes_out: u64,
    /// The time from the first byte of a request to the last of its answer; the whole length of a
    /// TCP session.
    pub duration: Option<Duration>,
    /// The time until the first byte from the node that served it.
    pub first_byte: Option<Duration>,
    /// The nodes that were tried, in order.
    pub attempts: Vec<Attempt>,
}

/// A node that was tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// Its address; `None` for the name of an upstream, which nginx logs when none of its nodes was
    /// left to try.
    pub server: Option<SocketAddr>,
    /// Whether the connection to it was established.
    pub connected: bool,
}

impl Entry {
    /// Parses a line; `None` when it is not a log line.
    #[must_use]
    pub fn parse(line: &[u8]) -> Option<Entry> {
        if line.len() > LONGEST {
            return None;
        }
        // nginx passes on bytes from clients that are not valid UTF-8.
        let fields: Fields = serde_json::from_str(&String::from_utf8_lossy(line)).ok()?;
        let status = u16::try_from(fields.status.count()).unwrap_or(0);
        Some(Entry {
            kind: Kind::named(fields.kind.text())?,
            time: fields.time.seconds(),
            status,
            bytes_in: fields.bytes_in.count(),
            bytes_out: fields.bytes_out.count(),
            duration: fields.duration.seconds().map(Duration::from_secs_f64),
            first_byte: fields
                .first_byte
                .parts()
                .last()
                .and_then(seconds)
                .map(Duration::from_secs_f64),
            attempts: attempts(&fields.upstream, &fields.connect, is_of_server(status)),
        })
    }

    /// Whether a limit of the balancer refused it. A node's own answers do not count.
    #[must_use]
    pub fn is_denied(&self) -> bool {
        match self.kind {
            // By the limit of connections per client address.
            Kind::Tcp => matches!(self.status, 403 | 503),
            Kind::Http | Kind::WebSocket | Kind::Sse => self.status == 429 && self.attempts.is_empty(),
        }
    }

    /// Whether the client was at fault: it sent no valid request, or did not send it in time.
    #[must_use]
    pub const fn is_bad_request(&self) -> bool {
        // 494 to 497 are nginx's own codes, sent as 400.
        matches!(self.status, 400 | 408 | 494..=497)
    }

    /// Whether there was no good answer, because of the node or the balancer.
    #[must_use]
    pub fn is_failed(&self) -> bool {
        is_of_server(self.status) && !self.is_denied()
    }
}

// Private

/// The fields that are read; the line may have others.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Fields {
    time: Word,
    kind: Word,
    status: Word,
    bytes_in: Word,
    bytes_out: Word,
    duration: Word,
    upstream: Word,
    connect: Word,
    first_byte: Word,
}

const fn is_of_server(status: u16) -> bool {
    matches!(status, 500..=599)
}

/// The nodes that were tried. Whether a node was connected follows from its connect time; in a line
/// without such times, from whether another node was tried, and from how the request ended.
fn attempts(upstream: &Word, connect: &Word, failed: bool) -> Vec<Attempt> {
    if upstream.text().is_empty() {
        return Vec::new();
    }
    let servers: Vec<&str> = upstream.parts().take(MOST_ATTEMPTS).collect();
    let times: Vec<&str> = connect.parts().take(MOST_ATTEMPTS).collect();
    let connected = |index: usize| {
        if times.len() == servers.len() && !connect.text().is_empty() {
            seconds(times[index]).is_some()
        } else {
            index + 1 == servers.len() && !failed
        }
    };
    let attempt = |(index, server): (usize, &&str)| Attempt {
        server: server.parse().ok(),
        connected: connected(index),
    };
    servers.iter().enumerate().map(attempt).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const LINE: &str = r#"{"time":"1700000000.123","kind":"http","client":"127.0.0.1","status":"200","bytes_in":"123",
        "bytes_out":"456","duration":"0.012","upstream":"127.0.0.1:8081, 127.0.0.1:8082","connect":"-, 0.001",
        "first_byte":"-, 0.002","method":"POST","uri":"/mcp"}"#;

    fn parsed(line: &str) -> Entry {
        Entry::parse(line.as_bytes()).unwrap()
    }

    fn attempt(server: &str, connected: bool) -> Attempt {
        Attempt {
            server: server.parse().ok(),
            connected,
        }
    }

    #[test]
    fn a_line_is_read() {
        let expected = Entry {
            kind: Kind::Http,
            time: Some(1_700_000_000.123),
            status: 200,
            bytes_in: 123,
            bytes_out: 456,
            duration: Some(Duration::from_millis(12)),
            first_byte: Some(Duration::from_millis(2)),
            attempts: vec![attempt("127.0.0.1:8081", false), attempt("127.0.0.1:8082", true)],
        };
        assert_eq!(parsed(LINE), expected);
        let numbers = LINE.replace("\"123\"", "123").replace("\"0.012\"", "0.012");
        assert_eq!(parsed(&numbers), expected);
    }

    #[test]
    fn fields_may_be_missing() {
        for line in [
            r#"{"kind":"tcp"}"#,
            r#"{"kind":"tcp","upstream":"","connect":"-","new":{"a":[1]}}"#,
        ] {
            let entry = parsed(line);
            assert_eq!(
                (entry.status, entry.attempts.len(), entry.time),
                (0, 0, None),
                "{line}"
            );
            assert!(!entry.is_failed() && !entry.is_denied() && !entry.is_bad_request());
        }
    }

    #[test]
    fn without_times_the_last_try_has_connected_unless_it_failed() {
        let line = r#"{"kind":"tcp","status":200,"upstream":"127.0.0.1:9001, [::1]:9002"}"#;
        let tried = |connected| vec![attempt("127.0.0.1:9001", false), attempt("[::1]:9002", connected)];
        assert_eq!(parsed(line).attempts, tried(true));
        assert_eq!(parsed(&line.replace("200", "502")).attempts, tried(false));
    }

    #[test]
    fn an_upstream_without_a_node_is_not_a_server() {
        let line = r#"{"kind":"http","status":"502","upstream":"erlmcp_http_cluster","connect":"-"}"#;
        let entry = parsed(line);
        assert_eq!(entry.attempts, [attempt("", false)]);
        assert!(entry.is_failed());
    }

    #[test]
    fn limits_are_distinguished_from_failures() {
        let denied = |line: &str| parsed(line).is_denied();
        assert!(denied(r#"{"kind":"http","status":"429"}"#));
        assert!(denied(r#"{"kind":"tcp","status":"503"}"#));
        assert!(!denied(
            r#"{"kind":"http","status":"429","upstream":"127.0.0.1:8081"}"#
        ));
        assert!(!denied(r#"{"kind":"sse","status":"503"}"#));
        assert!(!parsed(r#"{"kind":"tcp","status":"503"}"#).is_failed());
        assert!(parsed(r#"{"kind":"sse","status":"400"}"#).is_bad_request());
    }

    #[test]
    fn invalid_utf8_does_not_hide_a_request() {
        let mut line = br#"{"kind":"http","status":"200","uri":"/"#.to_vec();
        line.extend(b"\xff\xfe\"}");
        assert_eq!(Entry::parse(&line).unwrap().status, 200);
    }

    #[test]
    fn an_invalid_line_is_none() {
        for line in [
            "",
            "{}",
            "[]",
            "null",
            r#"{"kind":"ftp"}"#,
            r#"{"kind":7}"#,
            &LINE[..40],
        ] {
            assert_eq!(Entry::parse(line.as_bytes()), None, "{line}");
        }
        let long = format!(r#"{{"kind":"tcp","uri":"{}"}}"#, "x".repeat(LONGEST));
        assert_eq!(Entry::parse(long.as_bytes()), None);
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_a_panic(line in proptest::collection::vec(any::<u8>(), 0..400)) {
            let _ = Entry::parse(&line);
        }

        #[test]
        fn a_line_that_is_cut_or_spoiled_is_read_without_a_panic(
            cut in 0..LINE.len(),
            at in 0..LINE.len(),
            byte in any::<u8>(),
        ) {
            let mut line = LINE.as_bytes().to_vec();
            line[at] = byte;
            let _ = Entry::parse(&line);
            line.truncate(cut);
            let _ = Entry::parse(&line);
        }

        #[test]
        fn any_values_are_read_without_a_panic(
            values in proptest::collection::vec("[-0-9.e,: \\[\\]ainf]{0,24}", 8),
            kind in 0..Kind::COUNT,
        ) {
            let names = ["time", "status", "bytes_in", "bytes_out", "duration", "upstream", "connect", "first_byte"];
            let fields = names.iter().zip(&values).map(|(name, value)| format!(r#""{name}":"{value}""#));
            let line = format!(r#"{{"kind":"{}",{}}}"#, Kind::ALL[kind].name(), fields.collect::<Vec<_>>().join(","));
            let entry = Entry::parse(line.as_bytes()).unwrap();
            prop_assert!(entry.attempts.len() <= MOST_ATTEMPTS);
        }
    }
}
