//! Any answer may be a stream: its parts arrive when the node sends them, and it may be silent for
//! long.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clusterctl::platform::{Process, Program};
use clusterctl::profile::{Certificate, Cluster};
use nix::sys::signal::Signal;

use crate::haproxy::nodes::SILENCE;
use crate::haproxy::running::eventually;

/// `Accept` headers of requests that may be answered by a stream.
pub(crate) const ACCEPT_STREAMS: [&[&str]; 5] = [
    &["application/json, text/event-stream"],
    &["application/json", "Text/Event-Stream;q=0.9"],
    &["application/json, text/*"],
    &["*/*"],
    &[],
];

/// A request for a stream.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Request<'a> {
    pub(crate) method: &'a str,
    pub(crate) accept: &'a [&'a str],
    /// `gzip`, or any other encoding.
    pub(crate) encoding: &'a str,
    /// `events`, `json`, or `nothing` for a node that never answers.
    pub(crate) answer: &'a str,
    /// `silence`, `second` or `death` after the first part.
    pub(crate) then: &'a str,
}

/// A client that prints what it receives at once.
pub(crate) struct Curl {
    process: Process,
    output: PathBuf,
    _directory: tempfile::TempDir,
}

impl<'a> Request<'a> {
    /// A request as MCP clients send it. Its answer is silent for a while and then goes on.
    pub(crate) const fn of_mcp(method: &'a str, answer: &'a str) -> Request<'a> {
        Request {
            method,
            accept: ACCEPT_STREAMS[0],
            encoding: "gzip",
            answer,
            then: "second",
        }
    }

    /// All requests for streams, for the given `Accept` headers.
    pub(crate) fn all(accepted: &[&'a [&'a str]]) -> Vec<Request<'a>> {
        let mut requests = Vec::new();
        for accept in accepted {
            for method in ["GET", "POST"] {
                for answer in ["events", "json"] {
                    for encoding in ["gzip", "identity"] {
                        requests.push(Request {
                            accept,
                            encoding,
                            ..Request::of_mcp(method, answer)
                        });
                    }
                }
            }
        }
        requests
    }

    pub(crate) fn then(self, then: &'a str) -> Request<'a> {
        Request { then, ..self }
    }

    /// Sends it to `url`; `authority` is the certificate of a server with TLS.
    pub(crate) fn send(self, url: &str, authority: Option<&Path>) -> Curl {
        let directory = tempfile::tempdir().unwrap();
        let output = directory.path().join("output");
        let mut curl = Program::new("/usr/bin/curl")
            .args([
                "--silent",
                "--show-error",
                "--no-buffer",
                "--include",
                "--compressed",
            ])
            .args([
                "--request",
                self.method,
                "--header",
                "Content-Length: 0",
                "--header",
            ])
            .arg(format!("Accept-Encoding: {}", self.encoding))
            .args(["--header".to_owned(), format!("Answer-With: {}", self.answer)])
            .args(["--header".to_owned(), format!("Then: {}", self.then)]);
        if self.accept.is_empty() {
            // Without this, curl adds its own header.
            curl = curl.args(["--header", "Accept:"]);
        }
        for accept in self.accept {
            curl = curl.args(["--header".to_owned(), format!("Accept: {accept}")]);
        }
        if let Some(authority) = authority {
            curl = curl.args(["--http2".as_ref(), "--cacert".as_ref(), authority.as_os_str()]);
        }
        Curl {
            process: curl.arg(url).spawn(&output).unwrap(),
            output,
            _directory: directory,
        }
    }
}

impl Curl {
    pub(crate) fn printed(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(&self.output).unwrap()).into_owned()
    }

    /// Waits until it has printed `words`.
    pub(crate) async fn prints(&self, words: &str) {
        let printed = || self.printed();
        eventually(words, async || printed().contains(words)).await;
    }

    /// Waits until its request has ended; everything that it printed.
    pub(crate) async fn ended(mut self) -> String {
        let waited = tokio::time::timeout(Duration::from_secs(20), self.process.ended()).await;
        assert!(waited.is_ok(), "not ended: {}", self.printed());
        self.printed()
    }
}

impl Drop for Curl {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.process.identity().signal(Signal::SIGKILL);
    }
}

/// Requests may be silent for a second, and streams are silent for longer.
pub(crate) fn short_timeouts(cluster: &mut Cluster) {
    let second = Duration::from_secs(1).into();
    assert!(SILENCE > Duration::from_secs(1));
    let timeouts = &mut cluster.timeouts;
    (timeouts.client, timeouts.server, timeouts.keep_alive) = (second, second, second);
    timeouts.tunnel = Duration::from_mins(1).into();
    cluster.tls = Some(Certificate::SelfSigned);
    // All clients have the same address.
    let limits = &mut cluster.limits.per_ip;
    (limits.connections, limits.connection_rate, limits.message_rate) = (0, 0, 0);
}

/// A balancer in front of nodes, as the tests reach it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Served<'a> {
    /// The port of its HTTP listener.
    pub(crate) http: u16,
    /// The port of its HTTPS listener, and its certificate; `None` for a balancer without TLS.
    pub(crate) secure: Option<(u16, &'a Path)>,
}

impl Served<'_> {
    /// Sends all `requests`, and waits until each client has printed `words`.
    pub(crate) async fn all_print(self, words: &str, requests: &[Request<'_>]) {
        let plain = format!("http://localhost:{}/mcp", self.http);
        let is_usual = |request: &&Request<'_>| request.accept == ACCEPT_STREAMS[0];
        let by_http = requests.iter().map(|request| (request, plain.clone(), None));
        let by_https = self.secure.into_iter().flat_map(|(port, authority)| {
            let url = format!("https://localhost:{port}/mcp");
            let usual = requests.iter().filter(is_usual);
            usual.map(move |request| (request, url.clone(), Some(authority)))
        });
        let mut clients = Vec::new();
        for (request, url, authority) in by_http.chain(by_https) {
            clients.push((request, request.send(&url, authority)));
            // The nodes answer meanwhile: a request may wait for a second only.
            tokio::task::yield_now().await;
        }
        for (request, client) in clients {
            let printed = || client.printed();
            eventually(&format!("{words} for {request:?}"), async || {
                printed().contains(words)
            })
            .await;
        }
    }

    /// A node sends the first part of its answer and nothing more, so a part that waits for the
    /// next one never arrives.
    pub(crate) async fn a_part_does_not_wait_for_the_next(self) {
        let accepted = [&ACCEPT_STREAMS[..], &[&["application/json"]]].concat();
        let requests = Request::all(&accepted).into_iter();
        let silent: Vec<_> = requests.map(|request| request.then("silence")).collect();
        self.all_print(r#""part":"first"}"#, &silent).await;
    }

    /// A stream goes on after a silence that is too long for other answers.
    pub(crate) async fn streams_may_be_silent(self, accepted: &[&[&str]]) {
        self.all_print(r#""part":"second"}"#, &Request::all(accepted))
            .await;
    }

    /// A request whose node does not begin to answer is given up.
    pub(crate) async fn requests_without_an_answer_time_out(self, accept: &[&str]) {
        let request = Request {
            accept,
            ..Request::of_mcp("POST", "nothing")
        };
        self.all_print(" 504 ", &[request]).await;
    }

    /// A stream that the node breaks off is broken off at the client, too.
    pub(crate) async fn a_stream_ends_with_its_node(self) {
        for answer in ["events", "json"] {
            let request = Request::of_mcp("POST", answer).then("death");
            let client = request.send(&format!("http://localhost:{}/mcp", self.http), None);
            let printed = client.ended().await;
            assert!(printed.contains("curl: ("), "{printed}");
        }
    }
}
