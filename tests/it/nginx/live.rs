//! What a running nginx does with the rendered configuration.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::time::Duration;

use clusterctl::balancer::Away;
use clusterctl::platform::Program;
use clusterctl::profile::Certificate;

use super::running::Running;
use crate::gateway;
use crate::haproxy::client::{Line, Stream, check_pages, get, node_for};
use crate::haproxy::nodes::SILENCE;
use crate::haproxy::running::eventually;
use crate::streaming::{self, ACCEPT_STREAMS, Request, Served};

fn source(number: u8) -> Ipv4Addr {
    Ipv4Addr::new(127, 0, 6, number)
}

/// The nodes of 200 addresses.
async fn homes(running: &Running) -> BTreeMap<u8, String> {
    let mut homes = BTreeMap::new();
    for number in 1..=200 {
        homes.insert(number, node_for(source(number), running.tcp()).await.unwrap());
    }
    homes
}

#[tokio::test]
async fn clients_of_an_absent_node_spread_over_all_others_and_other_clients_stay() {
    let running = Running::start(|_| {}).await;
    let before = homes(&running).await;
    for node in &running.cluster.nodes {
        let share = before.values().filter(|name| **name == node.name).count();
        assert!((25..=75).contains(&share), "{share} of 200 on {}", node.name);
    }
    running.take_away(&["erlmcp2"]).await;
    let mut received: BTreeMap<String, usize> = BTreeMap::new();
    let without = homes(&running).await;
    for (number, home) in &before {
        if home == "erlmcp2" {
            *received.entry(without[number].clone()).or_default() += 1;
        } else {
            assert_eq!(&without[number], home, "address {number} moved");
        }
    }
    let receivers: Vec<&str> = received.keys().map(String::as_str).collect();
    assert_eq!(receivers, ["erlmcp1", "erlmcp3", "erlmcp4"], "{received:?}");
    running.take_away(&["erlmcp2", "erlmcp3"]).await;
    let fewer = homes(&running).await;
    for (number, home) in &without {
        if home != "erlmcp3" {
            assert_eq!(&fewer[number], home, "address {number} moved");
        }
    }
    running.take_away(&[]).await;
    assert_eq!(homes(&running).await, before);
}

#[tokio::test]
async fn held_connections_survive_reloads() {
    let running = Running::start(|_| {}).await;
    let mut held = Vec::new();
    for number in 1..=40 {
        let mut line = Line::open(source(number), running.tcp()).await.unwrap();
        held.push((line.node().await.unwrap(), line));
    }
    for away in ["erlmcp1", "erlmcp2", "erlmcp3"] {
        running.take_away(&[away]).await;
        for (home, line) in &mut held {
            assert_eq!(&line.node().await.unwrap(), home);
        }
    }
}

#[tokio::test]
async fn connections_are_limited_per_source() {
    let running = Running::start(|cluster| {
        cluster.limits.per_ip.connections = 5;
        cluster
            .limits
            .per_ip
            .exempt
            .insert("127.0.6.3/32".parse().unwrap());
    })
    .await;
    let mut held = Vec::new();
    for _ in 0..5 {
        let mut line = Line::open(source(1), running.tcp()).await.unwrap();
        line.node().await.unwrap();
        held.push(line);
    }
    for _ in 0..20 {
        node_for(source(1), running.tcp()).await.unwrap_err();
    }
    node_for(source(2), running.tcp()).await.unwrap();
    for _ in 0..10 {
        let mut line = Line::open(source(3), running.tcp()).await.unwrap();
        line.node().await.unwrap();
        held.push(line);
    }
    held.remove(0);
    eventually("a freed slot is used", async || {
        node_for(source(1), running.tcp()).await.is_ok()
    })
    .await;
}

#[tokio::test]
async fn a_cookie_brings_a_client_back_until_its_node_is_away() {
    let running = Running::start(|_| {}).await;
    let first = get(source(1), running.http(), "/mcp", &[]).await;
    let node = running.cluster.nodes.iter().find(|node| {
        first.contains(&format!(
            "Set-Cookie: SERVERID={}; path=/; HttpOnly\r\n",
            node.name
        ))
    });
    let name = &node.unwrap_or_else(|| panic!("{first}")).name;
    assert!(first.contains("Cache-Control: private"), "{first}");
    let cookie = format!("Cookie: a=b; SERVERID={name}; c=d");
    for number in 1..=8 {
        let answer = get(source(number), running.http(), "/mcp", &[&cookie]).await;
        assert!(answer.contains(&format!(r#""node":"{name}""#)), "{answer}");
        assert!(!answer.contains("Set-Cookie"), "{answer}");
    }
    let headers = [cookie.as_str(), "Accept: text/event-stream"];
    let streamed = get(source(9), running.http(), "/mcp", &headers).await;
    assert!(streamed.contains(&format!("data: {name} first")), "{streamed}");
    running.take_away(&[name]).await;
    let elsewhere = get(source(1), running.http(), "/mcp", &[&cookie]).await;
    assert!(elsewhere.starts_with("HTTP/1.1 200 "), "{elsewhere}");
    assert!(!elsewhere.contains(&format!(r#""node":"{name}""#)), "{elsewhere}");
    assert!(elsewhere.contains("Set-Cookie: SERVERID=erlmcp"), "{elsewhere}");
}

#[tokio::test]
async fn json_is_compressed_and_nodes_learn_the_clients_address() {
    let running = Running::start(|_| {}).await;
    let plain = get(source(7), running.http(), "/mcp", &[]).await;
    assert!(
        plain.to_lowercase().contains("x-forwarded-for: 127.0.6.7"),
        "{plain}"
    );
    let packed = get(source(7), running.http(), "/mcp", &["Accept-Encoding: gzip"]).await;
    assert!(packed.contains("Content-Encoding: gzip"), "{packed}");
    assert!(packed.len() < plain.len() / 2);
}

#[tokio::test]
async fn an_event_is_passed_on_at_once_and_a_stream_may_be_silent_for_long() {
    let running = Running::start(|cluster| {
        let timeouts = &mut cluster.timeouts;
        let second = Duration::from_secs(1).into();
        (timeouts.client, timeouts.server, timeouts.keep_alive) = (second, second, second);
        assert!(SILENCE > timeouts.server.duration());
    })
    .await;
    let headers = ["Accept: text/event-stream", "Accept-Encoding: gzip"];
    for (port, path) in [
        (running.http(), "/mcp"),
        (running.http(), "/mcp/sse"),
        (running.cluster.listen.sse.unwrap(), "/mcp/sse"),
    ] {
        let mut stream = Stream::get(source(1), port, path, &headers).await;
        let first = stream.until(" first\n").await;
        assert!(!first.contains("second"), "{path}: {first}");
        assert!(!first.contains("Content-Encoding"), "{path}: {first}");
        stream.until("second").await;
    }
}

#[tokio::test]
async fn any_answer_may_be_a_stream() {
    let running = Running::start(streaming::short_timeouts).await;
    let authority = running.run_dir.certificate();
    let served = Served {
        http: running.http(),
        secure: Some((running.cluster.listen.https.unwrap(), &authority)),
    };
    served.a_part_does_not_wait_for_the_next().await;
    // nginx before 1.23 uses only the first of several `Accept` lines.
    let [first, _, others @ ..] = &ACCEPT_STREAMS;
    let accepted = [&[*first][..], others].concat();
    served.streams_may_be_silent(&accepted).await;
    served
        .requests_without_an_answer_time_out(&["application/json"])
        .await;
    served.a_stream_ends_with_its_node().await;
}

#[tokio::test]
async fn a_stream_goes_on_in_the_worker_that_took_it() {
    let running = Running::start(streaming::short_timeouts).await;
    let url = format!("http://localhost:{}/mcp", running.http());
    let streams = ["GET", "POST"].map(|method| Request::of_mcp(method, "events").send(&url, None));
    for stream in &streams {
        stream.prints(r#""part":"first"}"#).await;
    }
    running.take_away(&[]).await;
    for stream in &streams {
        stream.prints(r#""part":"second"}"#).await;
    }
}

#[tokio::test]
async fn an_idle_websocket_outlives_a_requests_timeouts() {
    let running = Running::start(streaming::short_timeouts).await;
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
        let mut stream = Stream::get(source(1), port, path, &upgrade).await;
        stream.until(" upgraded\n").await;
        streams.push(stream);
    }
    for stream in &mut streams {
        assert!(stream.is_silent_for(SILENCE).await);
        stream.send("still here").await;
        stream.until("still here").await;
    }
}

#[tokio::test]
async fn upgrades_are_distinguished_from_requests() {
    let running = Running::start(|_| {}).await;
    let upgrade = [
        "Connection: Upgrade",
        "Upgrade: WebSocket",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    ];
    for (port, path) in [
        (running.http(), "/mcp"),
        (running.http(), "/mcp/ws"),
        (running.cluster.listen.websocket.unwrap(), "/mcp/ws"),
    ] {
        let answer = get(source(1), port, path, &upgrade).await;
        assert!(answer.starts_with("HTTP/1.1 101 "), "{path}: {answer}");
        assert!(answer.ends_with(" upgraded\n"), "{path}: {answer}");
    }
    let kinds = || {
        let [_, log] = running.logs();
        log.matches(r#""kind":"websocket""#).count()
    };
    eventually("three lines of the log", async || kinds() == 3).await;
}

#[tokio::test]
async fn with_every_node_away_health_is_down() {
    let running = Running::start(|_| {}).await;
    let status = running.cluster.listen.status.unwrap().port();
    let health = get(source(1), status, "/health", &[]).await;
    assert!(health.starts_with("HTTP/1.1 200 "), "{health}");
    assert!(health.contains("Content-Type: application/json"), "{health}");
    assert!(
        health.ends_with(r#"{"status":"up","nodes_up":4,"nodes":4}"#),
        "{health}"
    );
    running
        .take_away(&["erlmcp1", "erlmcp2", "erlmcp3", "erlmcp4"])
        .await;
    let health = get(source(1), status, "/health", &[]).await;
    assert!(health.starts_with("HTTP/1.1 503 "), "{health}");
    assert!(
        health.ends_with(r#"{"status":"down","nodes_up":0,"nodes":4}"#),
        "{health}"
    );
    gateway::answers_itself(&running.cluster, &gateway::METHODS, 503, true).await;
    node_for(source(1), running.tcp()).await.unwrap_err();
}

#[tokio::test]
async fn an_announced_stop_makes_it_unready() {
    let running = Running::start(|_| {}).await;
    let status = running.cluster.listen.status.unwrap().port();
    check_pages(source(1), status, false).await;
    let announced = Away {
        announced: true,
        ..Away::default()
    };
    running.reload(&announced).await;
    check_pages(source(1), status, true).await;
    node_for(source(1), running.tcp()).await.unwrap();
}

#[tokio::test]
async fn nginxs_own_errors_are_json_rpc_errors_by_status() {
    let closing = Running::start(gateway::of_closing_nodes().await).await;
    gateway::answers_itself(&closing.cluster, &["POST"], 502, false).await;
    let silent = Running::start(gateway::of_silent_nodes().await).await;
    gateway::answers_itself(&silent.cluster, &["POST"], 504, false).await;
}

#[tokio::test]
async fn the_status_page_has_the_stub_status_format() {
    let running = Running::start(|_| {}).await;
    let status = running.cluster.listen.status.unwrap().port();
    let page = get(source(1), status, "/nginx_status", &[]).await;
    let (_, body) = page.split_once("\r\n\r\n").unwrap();
    // The format of ngx_http_stub_status_module.
    let shape: String = body
        .split(|c: char| c.is_ascii_digit())
        .filter(|part| !part.is_empty())
        .collect();
    assert_eq!(
        shape,
        "Active connections:  \nserver accepts handled requests\n    \nReading:  Writing:  Waiting:  \n"
    );
}

#[tokio::test]
async fn tls_carries_http_2_and_nodes_get_the_scheme() {
    let running = Running::start(|cluster| cluster.tls = Some(Certificate::SelfSigned)).await;
    let port = running.cluster.listen.https.unwrap();
    let curl = Program::new("/usr/bin/curl")
        .args([
            "--silent",
            "--http2",
            "--write-out",
            " over HTTP/%{http_version}",
            "--cacert",
        ])
        .arg(running.run_dir.certificate())
        .args(["--resolve", &format!("localhost:{port}:127.0.0.1")])
        .arg(format!("https://localhost:{port}/mcp"));
    let output = curl.output(Duration::from_secs(20)).await.unwrap();
    let answer = String::from_utf8_lossy(&output.stdout).to_lowercase();
    assert!(answer.ends_with(" over http/2"), "{answer} {output:?}");
    assert!(answer.contains("x-forwarded-proto: https"), "{answer}");
}
