//! Long-lived traffic: event streams and `WebSockets` pass without delay, and may be silent for as
//! long as allowed.

use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clusterctl::platform::Program;
use clusterctl::profile::{Certificate, Cluster};

use super::client::{Stream, get, request};
use super::nodes::SILENCE;
use super::running::Running;
use crate::streaming::{self, ACCEPT_STREAMS, Request, Served};

const SOURCE: Ipv4Addr = Ipv4Addr::new(127, 0, 5, 1);
const EVENTS: &str = "Accept: text/event-stream";
const PACKED: &str = "Accept-Encoding: gzip";
const UPGRADE: [&str; 5] = [
    "Connection: Upgrade",
    "Upgrade: websocket",
    "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    "Sec-WebSocket-Protocol: echo",
];

/// Requests may be silent for a second, streams for longer than any test.
fn short_timeouts(cluster: &mut Cluster) {
    let second = Duration::from_secs(1).into();
    let timeouts = &mut cluster.timeouts;
    (timeouts.client, timeouts.server, timeouts.keep_alive) = (second, second, second);
    timeouts.tunnel = Duration::from_mins(1).into();
}

#[tokio::test]
async fn the_first_event_does_not_wait_for_the_second() {
    let running = Running::start(short_timeouts).await;
    let listen = &running.cluster.listen;
    for (port, path) in [
        (listen.http.unwrap(), "/mcp"),
        (listen.http.unwrap(), "/mcp/sse"),
        (listen.sse.unwrap(), "/mcp/sse"),
    ] {
        let mut stream = Stream::get(SOURCE, port, path, &[EVENTS, PACKED]).await;
        let first = stream.until(" first\n").await;
        assert!(!first.contains("second"), "{path}: {first}");
        assert!(!first.contains("content-encoding"), "{path}: {first}");
        // Longer than the timeout for the answer to a request.
        assert!(SILENCE > running.cluster.timeouts.server.duration());
        stream.until("second").await;
    }
}

/// A running HAProxy whose requests may be silent for a second only.
async fn with_short_timeouts() -> (Running, PathBuf) {
    let running = Running::start(streaming::short_timeouts).await;
    let authority = running.certificate();
    (running, authority)
}

fn served<'a>(running: &Running, authority: &'a Path) -> Served<'a> {
    Served {
        http: running.http(),
        secure: Some((running.https(), authority)),
    }
}

#[tokio::test]
async fn a_part_of_any_answer_does_not_wait_for_the_next() {
    let (running, authority) = with_short_timeouts().await;
    served(&running, &authority)
        .a_part_does_not_wait_for_the_next()
        .await;
}

#[tokio::test]
async fn a_stream_may_be_silent_for_every_kind_of_request() {
    let (running, authority) = with_short_timeouts().await;
    let served = served(&running, &authority);
    served.streams_may_be_silent(&ACCEPT_STREAMS).await;
    served
        .requests_without_an_answer_time_out(&["application/json"])
        .await;
    served.a_stream_ends_with_its_node().await;
}

#[tokio::test]
async fn a_stream_goes_on_after_a_reload() {
    let (mut running, _) = with_short_timeouts().await;
    let url = format!("http://localhost:{}/mcp", running.http());
    let streams: Vec<_> = ["GET", "POST"]
        .map(|method| Request::of_mcp(method, "events").send(&url, None))
        .into();
    for stream in &streams {
        stream.prints(r#""part":"first"}"#).await;
    }
    running.reload().await;
    for stream in &streams {
        stream.prints(r#""part":"second"}"#).await;
    }
}

#[tokio::test]
async fn possible_streams_are_not_compressed_and_other_encodings_still_reach_nodes() {
    let running = Running::start(|_| {}).await;
    let encodings = [
        "Accept-Encoding: br;q=1.0, GZIP;q=0.8, *;q=0.1",
        "Accept-Encoding: gzip",
    ];
    for accept in ACCEPT_STREAMS {
        let accept = accept
            .iter()
            .map(|value| format!("Accept: {value}"))
            .collect::<Vec<_>>();
        let mut headers: Vec<&str> = accept.iter().map(String::as_str).chain(encodings).collect();
        headers.push("Answer-With: whole");
        let answer = request(SOURCE, running.http(), "POST", "/mcp", &headers).await;
        let answer = answer.to_lowercase();
        assert!(!answer.contains("\r\ncontent-encoding"), "{answer}");
        assert!(answer.contains("\r\ncontent-length: "), "{answer}");
        let (_, asked) = answer.split_once("accept-encoding: ").unwrap();
        assert!(asked.starts_with("br;q=1.0"), "{answer}");
        assert!(!asked.contains("gzip"), "{answer}");
    }
}

#[tokio::test]
async fn an_idle_websocket_outlives_a_requests_timeouts_in_both_directions() {
    let running = Running::start(short_timeouts).await;
    let listen = &running.cluster.listen;
    for (port, path) in [
        (listen.http.unwrap(), "/mcp/ws"),
        (listen.websocket.unwrap(), "/mcp/ws"),
    ] {
        let mut stream = Stream::get(SOURCE, port, path, &UPGRADE).await;
        stream.until(" upgraded\n").await;
        assert!(stream.is_silent_for(Duration::from_millis(2500)).await, "{path}");
        stream.send("still here").await;
        stream.until("still here").await;
    }
}

#[tokio::test]
async fn everything_is_served_over_tls_with_a_self_signed_certificate() {
    let running = Running::start(|cluster| {
        cluster.tls = Some(Certificate::SelfSigned);
        short_timeouts(cluster);
    })
    .await;
    let port = running.https();
    let pem = running.certificate();
    let curl = async |arguments: &[&str], path: &str| -> String {
        let output = Program::new("/usr/bin/curl")
            .args([
                "--silent",
                "--show-error",
                "--no-buffer",
                "--include",
                "--max-time",
                "20",
            ])
            .args(["--cacert".as_ref(), pem.as_os_str()])
            .args(arguments)
            .arg(format!("https://localhost:{port}{path}"))
            .output(Duration::from_mins(1))
            .await
            .unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(!text.is_empty(), "{arguments:?}: {output:?}");
        text
    };
    for version in ["--http1.1", "--http2"] {
        let answer = curl(&[version], "/mcp").await;
        // The node gets the scheme, too.
        assert!(answer.contains("x-forwarded-proto: https"), "{version}: {answer}");
        assert!(answer.contains("set-cookie: SERVERID="), "{version}: {answer}");
        let events = curl(&[version, "-H", EVENTS], "/mcp/sse").await;
        assert!(events.contains("data: second"), "{version}: {events}");
    }
    let mut upgrade = vec!["--http1.1"];
    for header in &UPGRADE[..4] {
        upgrade.extend(["-H", header]);
    }
    let upgraded = curl(&upgrade, "/mcp/ws").await;
    assert!(upgraded.ends_with(" upgraded\n"), "{upgraded}");
    // Plain HTTP on another port.
    assert!(
        get(SOURCE, running.http(), "/mcp", &[])
            .await
            .starts_with("HTTP/1.1 200 ")
    );
}
