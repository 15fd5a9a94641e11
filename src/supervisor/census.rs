//! Connections per node, as the kernel counts them.

use std::net::SocketAddr;

use super::setting::{PROBE_SOURCE, Setting};
use crate::api::ConnectionsBy;
use crate::platform::sock_diag::{count_established, count_to};
use crate::profile::Runtime;

/// Each node's established connections now, our own probes left out; zeros when the kernel does not tell.
pub(super) async fn census(setting: &Setting) -> Vec<ConnectionsBy> {
    let nodes = &setting.cluster.nodes;
    let tcp: Vec<SocketAddr> = nodes.iter().map(|node| node.tcp).collect();
    let http: Vec<SocketAddr> = nodes.iter().filter_map(|node| node.http).collect();
    let all: Vec<SocketAddr> = tcp.iter().chain(&http).copied().collect();
    // Only a node on this host has its end of the connection here.
    let count = if setting.cluster.runtime == Runtime::External {
        count_to
    } else {
        count_established
    };
    // Reading a hundred thousand sockets takes a while.
    let counted = tokio::task::spawn_blocking(move || count(&all, &[PROBE_SOURCE])).await;
    let counts = match counted {
        Ok(Ok(counts)) => counts,
        Ok(Err(error)) => {
            tracing::warn!("connections not counted: {error}");
            return vec![ConnectionsBy::default(); nodes.len()];
        }
        Err(_) => return vec![ConnectionsBy::default(); nodes.len()],
    };
    let (tcp, http) = counts.split_at(nodes.len().min(counts.len()));
    let mut http = http.iter().copied();
    nodes
        .iter()
        .zip(tcp)
        .map(|(node, tcp)| ConnectionsBy {
            tcp: *tcp,
            http: node.http.and_then(|_| http.next()).unwrap_or(0),
        })
        .collect()
}
