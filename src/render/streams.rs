//! How HAProxy passes an answer of unknown length on: at once, and with a timeout for streams.
//!
//! Any answer to an HTTP request can be such a stream. HAProxy decides about compression before it
//! receives the answer and, before 2.9, about timeouts too: in these cases the `Accept` header of
//! the request decides.

use crate::profile::Timeouts;

use super::build::HaproxyBuild;
use super::haproxy::timer;

/// Parts of an `Accept` header that allow an event stream.
const EVENT_STREAM: &str = "text/event-stream text/* */*";
/// Parts of an `Accept` header that allow JSON.
const JSON: &str = "application/json application/*";
/// Values of `Accept-Encoding` for which HAProxy uses gzip.
const GZIP: &str = "^([gG][zZ][iI][pP]|[*])[[:blank:]]*(;.*|)$";

/// The rules for streams in the backend for HTTP requests.
pub(super) fn rules(timeouts: Timeouts, build: &HaproxyBuild) -> Vec<String> {
    let silence = if build.has_response_timeouts() {
        for_streams(timeouts)
    } else {
        for_requests_that_accept_streams(timeouts)
    };
    [silence, uncompressed(build)].concat()
}

// Private

fn for_streams(timeouts: Timeouts) -> Vec<String> {
    let tunnel = timer(timeouts.tunnel);
    vec![
        "# An answer without a length is a stream, which can be silent for long.".to_owned(),
        format!("http-response set-timeout server {tunnel} unless {{ res.hdr(Content-Length) -m found }}"),
    ]
}

fn for_requests_that_accept_streams(timeouts: Timeouts) -> Vec<String> {
    // An answer that is not a stream must not get a shorter timeout.
    let longer = timer(timeouts.tunnel.max(timeouts.server));
    let accepted = accepts(EVENT_STREAM);
    vec![
        "# The answer can be a silent stream: before HAProxy 2.9 the timeout has to be set with the request."
            .to_owned(),
        format!("http-request set-timeout server {longer} if {accepted}"),
    ]
}

fn uncompressed(build: &HaproxyBuild) -> Vec<String> {
    let (why, accepted) = if build.has_compression_flush() {
        (
            "# Possible streams are not compressed: compression is decided before the answer arrives.",
            accepts(EVENT_STREAM),
        )
    } else {
        (
            "# Possible streams are not compressed: before 2.9 the end of an event would wait for the next one.",
            accepts(&format!("{EVENT_STREAM} {JSON}")),
        )
    };
    vec![
        why.to_owned(),
        format!("http-request replace-value Accept-Encoding '{GZIP}' identity if {accepted}"),
    ]
}

/// The condition that a request accepts one of these types. It holds for every `Accept` header
/// line, in any case, and for a request without one, which accepts everything.
fn accepts(types: &str) -> String {
    format!("{{ req.hdr(Accept) -m sub -i {types} }} or !{{ req.hdr(Accept) -m found }}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::{DEFAULT, Source, load};

    /// The rules for HAProxy of this `version`, without comments.
    fn ruled(version: &str, server: &str, tunnel: &str) -> Vec<String> {
        let build = HaproxyBuild::parse(&format!("HAProxy version {version} 2026/01/01")).unwrap();
        let mut timeouts = load(&Source::read(DEFAULT).unwrap()).unwrap().timeouts;
        (timeouts.server, timeouts.tunnel) = (server.parse().unwrap(), tunnel.parse().unwrap());
        let mut rules = rules(timeouts, &build);
        rules.retain(|line| !line.starts_with('#'));
        rules
    }

    #[test]
    fn before_2_9_the_request_decides() {
        for version in ["2.4.0", "2.6.12-1+deb12u4", "2.8.5"] {
            assert_eq!(
                ruled(version, "5m", "1h"),
                [
                    "http-request set-timeout server 1h if { req.hdr(Accept) -m sub -i text/event-stream text/* */* } \
                     or !{ req.hdr(Accept) -m found }",
                    "http-request replace-value Accept-Encoding '^([gG][zZ][iI][pP]|[*])[[:blank:]]*(;.*|)$' identity \
                     if { req.hdr(Accept) -m sub -i text/event-stream text/* */* application/json application/* } \
                     or !{ req.hdr(Accept) -m found }",
                ]
            );
        }
    }

    #[test]
    fn from_2_9_on_the_answer_decides() {
        for version in ["2.9.0", "3.0.11-1+deb13u4", "3.5-dev5-ac24b6"] {
            assert_eq!(
                ruled(version, "5m", "1h"),
                [
                    "http-response set-timeout server 1h unless { res.hdr(Content-Length) -m found }",
                    "http-request replace-value Accept-Encoding '^([gG][zZ][iI][pP]|[*])[[:blank:]]*(;.*|)$' identity \
                     if { req.hdr(Accept) -m sub -i text/event-stream text/* */* } \
                     or !{ req.hdr(Accept) -m found }",
                ]
            );
        }
    }

    #[test]
    fn a_request_that_accepts_streams_never_gets_a_shorter_timeout() {
        let first = |version| ruled(version, "5m", "1m")[0].clone();
        assert!(first("2.6.12").starts_with("http-request set-timeout server 5m "));
        assert!(first("3.0.11").starts_with("http-response set-timeout server 1m "));
    }

    #[test]
    fn timers_are_within_the_limits_of_haproxy() {
        for version in ["2.6.12", "3.0.11"] {
            let rule = &ruled(version, "365d", "365d")[0];
            assert!(rule.contains(" set-timeout server 576h "), "{rule}");
        }
    }
}
