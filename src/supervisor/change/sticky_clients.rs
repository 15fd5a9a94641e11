//! The clients that stick to a node by their address now.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Duration;

use crate::haproxy_api::Socket;
use crate::platform::sock_diag::accepted_at;
use crate::profile::NodeId;
use crate::render;
use crate::supervisor::spec::Spec;

/// Where a table is not read within this time, its clients are not known.
const READ_TIMEOUT: Duration = Duration::from_secs(2);

/// The clients of each node, by its name. A balancer that computes nodes remembers none: all of its
/// clients are given under an empty name.
pub(super) async fn sticky_clients(spec: &Spec) -> BTreeMap<String, u64> {
    if spec.balancer.kind().facts().remembers_clients {
        in_tables(spec).await
    } else {
        BTreeMap::from([(String::new(), connected(spec).await)])
    }
}

// Private

/// The clients in the tables of all balancer instances.
async fn in_tables(spec: &Spec) -> BTreeMap<String, u64> {
    let listeners = spec.cluster.listen.ports().map(|(key, _)| key);
    let sticky = listeners.filter(|key| render::sticks_by_address(&spec.cluster, key));
    let tables: BTreeSet<&str> = sticky.map(render::backend_behind).collect();
    let mut clients = BTreeMap::new();
    for path in spec.sockets() {
        let socket = Socket::new(path);
        for table in &tables {
            let command = format!("show table {table}");
            let asked = tokio::time::timeout(READ_TIMEOUT, socket.ask(&command)).await;
            let Ok(Ok(entries)) = asked else { continue };
            for node in entries.lines().filter_map(server_id) {
                if let Some(node) = spec.cluster.by_id(node) {
                    *clients.entry(node.name.clone()).or_default() += 1;
                }
            }
        }
    }
    clients
}

/// The server of a table's entry: `0x55d0: key=127.0.0.2 use=0 exp=1799000 server_id=1`.
fn server_id(entry: &str) -> Option<NodeId> {
    let mut fields = entry.split(' ');
    let id = fields.find_map(|field| field.strip_prefix("server_id="))?;
    id.parse().ok().map(NodeId)
}

/// The addresses that are connected to the balancer.
async fn connected(spec: &Spec) -> u64 {
    let addresses = spec.public_addresses();
    // Reading 100,000 sockets takes a while.
    let counted = tokio::task::spawn_blocking(move || {
        let connections = accepted_at(&addresses)?;
        let clients: BTreeSet<IpAddr> = connections.iter().map(|it| it.peer.ip().to_canonical()).collect();
        std::io::Result::Ok(clients.len() as u64)
    });
    counted.await.ok().and_then(Result::ok).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_without_a_server_do_not_count() {
        let entry = "0x55d0a: key=127.0.0.2 use=0 exp=1799000 server_id=12 server_key=blue";
        assert_eq!(server_id(entry), Some(NodeId(12)));
        assert_eq!(
            server_id("# table: mcp_cluster_tcp, type: ip, size:204800, used:1"),
            None
        );
        assert_eq!(server_id("0x55d0a: key=127.0.0.2 use=0 exp=1799000"), None);
    }
}
