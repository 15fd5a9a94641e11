//! Connections over HTTP end by their age, behind each balancer.

use std::net::Ipv4Addr;
use std::time::Duration;

use clusterctl::profile::Cluster;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::haproxy::client::Stream;
use crate::harness::TIMEOUT;
use crate::rendered::{Running, with_each_balancer};
use crate::{builtin_http, haproxy, nginx};

with_each_balancer! {
    an_old_connection_ends_with_an_answer_and_no_request_is_lost,
    an_old_event_stream_stays,
}

fn short_lived(seconds: u64) -> impl FnOnce(&mut Cluster) {
    move |cluster| {
        cluster.routing.max_age = Some(Duration::from_secs(seconds).into());
        cluster.limits.per_ip.message_rate = 0;
    }
}

async fn an_old_connection_ends_with_an_answer_and_no_request_is_lost<R: Running>() {
    let running = R::start(short_lived(2)).await;
    let port = running.cluster().listen.http.unwrap();
    let mut client = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await.unwrap();
    let (mut answers, mut sent) = (Vec::new(), 0);
    let text = |answers: &[u8]| String::from_utf8_lossy(answers).to_lowercase();
    while !text(&answers).contains("\r\nconnection: close\r\n") {
        client
            .write_all(b"GET /mcp HTTP/1.1\r\nHost: a\r\n\r\n")
            .await
            .unwrap();
        sent += 1;
        while text(&answers).matches("http/1.1 200 ").count() < sent {
            let read = tokio::time::timeout(TIMEOUT, client.read_buf(&mut answers)).await;
            assert_ne!(read.unwrap().unwrap(), 0, "a request is lost: {}", text(&answers));
        }
        // The rest of the answer, and a pause before the next request.
        let pause = Duration::from_millis(100);
        let _silent = tokio::time::timeout(pause, client.read_buf(&mut answers)).await;
    }
    assert!(sent > 1, "{}", text(&answers));
    let end = tokio::time::timeout(TIMEOUT, client.read_to_end(&mut answers)).await;
    end.unwrap().unwrap();
    assert_eq!(text(&answers).matches("http/1.1 200 ").count(), sent);
}

async fn an_old_event_stream_stays<R: Running>() {
    let running = R::start(short_lived(1)).await;
    let port = running.cluster().listen.http.unwrap();
    let headers = ["Accept: text/event-stream"];
    let mut stream = Stream::get(Ipv4Addr::new(127, 0, 13, 1), port, "/mcp", &headers).await;
    stream.until(" first").await;
    // It comes when the connection is older.
    stream.until(" second").await;
}
