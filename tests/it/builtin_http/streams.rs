//! Long-lived traffic: event streams and `WebSockets` pass without delay, and may be silent for as
//! long as allowed.

use std::net::Ipv4Addr;

use super::running::Running;
use crate::haproxy::client::Stream;
use crate::haproxy::nodes::SILENCE;
use crate::rendered::Running as _;
use crate::streaming::{self, ACCEPT_STREAMS, Request, Served};

const SOURCE: Ipv4Addr = Ipv4Addr::new(127, 0, 15, 1);

#[tokio::test]
async fn any_answer_may_be_a_stream() {
    let running = Running::start(streaming::short_timeouts).await;
    let served = Served {
        http: running.http(),
        secure: None,
    };
    served.a_part_does_not_wait_for_the_next().await;
    served.streams_may_be_silent(&ACCEPT_STREAMS).await;
    // An answer shows whether it is a stream, so no `Accept` lets a request without one wait.
    for accept in [&["application/json"][..], ACCEPT_STREAMS[0]] {
        served.requests_without_an_answer_time_out(accept).await;
    }
    served.a_stream_ends_with_its_node().await;
}

#[tokio::test]
async fn a_stream_goes_on_after_a_reload() {
    let mut running = Running::start(streaming::short_timeouts).await;
    let url = format!("http://localhost:{}/mcp", running.http());
    let streams = ["GET", "POST"].map(|method| Request::of_mcp(method, "events").send(&url, None));
    for stream in &streams {
        stream.prints(r#""part":"first"}"#).await;
    }
    running.reload(|_| {}).await;
    for stream in &streams {
        stream.prints(r#""part":"second"}"#).await;
    }
}

#[tokio::test]
async fn an_idle_websocket_outlives_a_requests_timeouts_and_a_reload() {
    let mut running = Running::start(streaming::short_timeouts).await;
    let upgrade = [
        "Connection: Upgrade",
        "Upgrade: websocket",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        "Sec-WebSocket-Protocol: echo",
    ];
    let mut streams = Vec::new();
    for (port, path) in [
        (running.http(), "/mcp"),
        (running.http(), "/mcp/ws"),
        (running.cluster.listen.websocket.unwrap(), "/mcp/ws"),
    ] {
        let mut stream = Stream::get(SOURCE, port, path, &upgrade).await;
        stream.until(" upgraded\n").await;
        streams.push(stream);
    }
    running.reload(|_| {}).await;
    for stream in &mut streams {
        assert!(stream.is_silent_for(SILENCE).await);
        stream.send("still here").await;
        stream.until("still here").await;
    }
}
