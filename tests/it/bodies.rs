//! The limit of a request's body. Each balancer's tests call these checks.

use std::net::Ipv4Addr;

use clusterctl::profile::Cluster;

use crate::haproxy::client::{get, post};

const SOURCE: Ipv4Addr = Ipv4Addr::new(127, 0, 7, 9);
/// Bytes of the largest body that passes.
const LIMIT: usize = 4096;

/// Limits bodies.
pub(crate) fn limit(cluster: &mut Cluster) {
    cluster.limits.body = Some((LIMIT as u64).into());
}

/// Bodies up to the limit pass, larger ones get a 413. A body in chunks gets `small` below the
/// limit, and `large` above it.
pub(crate) async fn the_limit_is_kept(cluster: &Cluster, small: u16, large: u16) {
    let port = cluster.listen.http.unwrap();
    let sized = async |length: usize| {
        let header = format!("Content-Length: {length}");
        post(SOURCE, port, "/mcp", &[&header], &"x".repeat(length)).await
    };
    let chunked = async |length: usize| {
        let body = format!("{length:x}\r\n{}\r\n0\r\n\r\n", "x".repeat(length));
        post(SOURCE, port, "/mcp", &["Transfer-Encoding: chunked"], &body).await
    };
    for (what, answer, status) in [
        ("no body", get(SOURCE, port, "/mcp", &[]).await, 200),
        ("empty", sized(0).await, 200),
        ("largest", sized(LIMIT).await, 200),
        ("too large", sized(LIMIT + 1).await, 413),
        ("small, in chunks", chunked(10).await, small),
        ("too large, in chunks", chunked(2 * LIMIT).await, large),
    ] {
        let (head, body) = answer
            .split_once("\r\n\r\n")
            .unwrap_or_else(|| panic!("{what}: {answer}"));
        assert!(
            head.starts_with(&format!("HTTP/1.1 {status} ")),
            "{what}: {answer}"
        );
        if status != 200 {
            let body: serde_json::Value = serde_json::from_str(body).unwrap();
            assert!(body["error"].is_string(), "{what}: {answer}");
            assert!(
                head.to_lowercase().contains("content-type: application/json"),
                "{answer}"
            );
        }
    }
}
