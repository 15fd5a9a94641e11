//! The pages, over real connections.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;

use clusterctl::haproxy_api::server::pages::Site;

use super::fake::Fake;
use super::talk::pages;
use crate::harness::TIMEOUT;

/// One request, and the whole answer.
fn ask(port: u16, request: &str) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.set_read_timeout(Some(TIMEOUT)).unwrap();
    write!(
        stream,
        "{request} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

/// Pages about the captured figures.
fn golden(site: Site, requests: &[&str]) -> Vec<String> {
    let (port, _runtime, _trigger) = pages(Arc::new(Fake::golden()), site);
    requests.iter().map(|request| ask(port, request)).collect()
}

fn body(answer: &str) -> &str {
    answer.split_once("\r\n\r\n").unwrap().1
}

#[test]
fn statistics_are_served_as_html_csv_and_json() {
    let answers = golden(
        Site::Stats,
        &[
            "GET /",
            "GET /stats",
            "GET /stats;csv",
            "GET /stats;json",
            "GET /stats;typed",
            "GET /other",
        ],
    );
    assert!(answers[0].starts_with("HTTP/1.1 302 "), "{}", answers[0]);
    assert!(answers[0].contains("location: /stats\r\n"));
    assert!(answers[1].contains("content-type: text/html"), "{}", answers[1]);
    for expected in [
        "testnode",
        "tcpb",
        "127.0.0.1:28471",
        "MAINT",
        "DOWN",
        "Connection refused",
        "refresh",
    ] {
        assert!(answers[1].contains(expected), "{expected}: {}", answers[1]);
    }
    let golden = include_str!("../../golden/haproxy-2.6.12/show_stat.csv");
    assert_eq!(body(&answers[2]).lines().next(), golden.lines().next());
    assert!(answers[2].contains("content-type: text/plain\r\n"));
    assert!(
        serde_json::from_str::<serde_json::Value>(body(&answers[3]))
            .unwrap()
            .is_array()
    );
    assert!(body(&answers[4]).starts_with("F.3.0.0.pxname.1:KNS:str:fe\n"));
    assert!(answers[5].starts_with("HTTP/1.1 404 "));
    assert_eq!(body(&answers[5]), r#"{"error":"not found"}"#);
}

#[test]
fn names_are_escaped_in_pages_and_metrics() {
    let fake = Fake::golden();
    let mut proxies = clusterctl::haproxy_api::server::Subject::proxies(&fake);
    proxies.backends[0].servers[0].name = "<b a=\"'&".to_owned();
    let fake = Fake::new(clusterctl::haproxy_api::server::Subject::process(&fake), proxies);
    let (port, _runtime, _trigger) = pages(Arc::new(fake), Site::Stats);
    let page = ask(port, "GET /stats");
    assert!(page.contains("&lt;b a=&quot;&#39;&amp;<small>"), "{page}");
    assert!(ask(port, "GET /metrics").contains(r#"server="<b a=\"'&""#));
}

#[test]
fn only_reading_methods_are_allowed() {
    let answers = golden(
        Site::Stats,
        &["HEAD /stats;csv", "POST /stats", "DELETE /metrics"],
    );
    assert!(answers[0].starts_with("HTTP/1.1 200 "));
    assert_eq!(body(&answers[0]), "");
    for refused in &answers[1..] {
        assert!(refused.starts_with("HTTP/1.1 405 "), "{refused}");
        assert!(refused.contains("allow: GET, HEAD\r\n"), "{refused}");
    }
}

#[test]
fn the_cluster_is_up_while_a_server_is() {
    let answers = golden(
        Site::Status,
        &[
            "GET /health",
            "GET /nginx_status",
            "GET /stats",
            "GET /ready",
            "HEAD /live",
        ],
    );
    assert!(answers[0].starts_with("HTTP/1.1 200 "));
    assert_eq!(body(&answers[0]), r#"{"status":"up","nodes_up":1,"nodes":3}"#);
    assert_eq!(
        body(&answers[1]),
        "Active connections: 0 \nserver accepts handled requests\n 107 107 107 \nReading: 0 Writing: 0 Waiting: 0 \n"
    );
    assert!(answers[2].starts_with("HTTP/1.1 404 "));
    assert!(answers[3].starts_with("HTTP/1.1 200 "));
    assert_eq!(body(&answers[3]), body(&answers[0]));
    assert!(answers[4].starts_with("HTTP/1.1 200 "));
    let fake = Fake::golden();
    let mut proxies = clusterctl::haproxy_api::server::Subject::proxies(&fake);
    proxies.backends[0].servers[0].admin.drain = true;
    let fake = Fake::new(clusterctl::haproxy_api::server::Subject::process(&fake), proxies);
    let (port, _runtime, _trigger) = pages(Arc::new(fake), Site::Status);
    for page in ["/health", "/ready"] {
        let answer = ask(port, &format!("GET {page}"));
        assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
        assert_eq!(body(&answer), r#"{"status":"down","nodes_up":0,"nodes":3}"#);
    }
    let answer = ask(port, "GET /live");
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    assert_eq!(body(&answer), r#"{"status":"live"}"#);
    assert!(ask(port, "POST /live").starts_with("HTTP/1.1 405 "));
}

#[test]
fn garbage_does_not_stop_it() {
    let (port, _runtime, _trigger) = pages(Arc::new(Fake::golden()), Site::Status);
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.set_read_timeout(Some(TIMEOUT)).unwrap();
    stream.write_all(&[0xff; 512]).unwrap();
    stream.write_all(b"\r\n\r\n").unwrap();
    let _whatever = stream.read_to_end(&mut Vec::new());
    assert!(ask(port, "GET /health").starts_with("HTTP/1.1 200 "));
}

#[test]
fn metrics_can_be_filtered() {
    let answers = golden(
        Site::Stats,
        &[
            "GET /metrics?scope=server&no-maint",
            "GET /metrics?scope=x",
            "GET /metrics",
        ],
    );
    assert!(!answers[0].contains("haproxy_process_"));
    assert!(answers[0].contains(r#"haproxy_server_status{proxy="be",server="s1",state="UP"} 1"#));
    assert!(!answers[0].contains(r#"server="s3""#));
    assert!(answers[1].starts_with("HTTP/1.1 400 "));
    assert!(answers[2].contains("content-type: text/plain; version=0.0.4\r\n"));
}
