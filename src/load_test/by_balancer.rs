//! The number of connections according to the balancer.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;

use super::counting::{blocking, total};
use super::order::Cluster;
use super::results::{Count, NodeCount};
use crate::api::{Endpoints, GetStats, GetStatus};
use crate::haproxy_api::StatusPage;
use crate::platform::sock_diag::count_established;

/// Counts the balancer's connections: its sessions per server, or nginx's status page. An error is
/// the reason why it has no count.
pub(super) async fn by_balancer(cluster: &Cluster, target: SocketAddr) -> Result<Count, String> {
    let status = cluster
        .supervisor
        .call(&GetStatus)
        .await
        .map_err(|error| error.to_string())?;
    let Some(balancer) = status.balancer else {
        return Err("it has no balancer".to_owned());
    };
    if let Some(page) = &balancer.endpoints.status_socket {
        return by_page(page, &balancer.endpoints, target).await;
    }
    if balancer.pids.len() > balancer.stats_sockets.len() {
        return Err(
            "a process from before a reload still has connections, and its count is not available".to_owned(),
        );
    }
    by_rows(cluster).await
}

// Private

async fn by_rows(cluster: &Cluster) -> Result<Count, String> {
    let stats = cluster
        .supervisor
        .call(&GetStats)
        .await
        .map_err(|error| error.to_string())?;
    if stats.silent > 0 {
        return Err(format!("{} of its processes do not answer", stats.silent));
    }
    let of_node = |name: &str| {
        let rows = stats
            .rows
            .iter()
            .filter(|row| row.proxy == cluster.backend && row.name == name);
        rows.map(|row| row.sessions).sum()
    };
    let nodes = cluster.nodes.iter().map(|node| NodeCount {
        name: node.name.clone(),
        connections: of_node(&node.name),
    });
    Ok(total(nodes.collect()))
}

/// nginx counts the connections of all its workers, including those from before a reload, and of
/// all its listeners. Connections that are not at the target are subtracted, and the one of this
/// query.
async fn by_page(page: &Path, endpoints: &Endpoints, target: SocketAddr) -> Result<Count, String> {
    let ports = endpoints.listeners.values().map(SocketAddr::port);
    let others: Vec<SocketAddr> = ports
        .filter(|port| *port != target.port())
        .map(|port| (Ipv4Addr::UNSPECIFIED, port).into())
        .collect();
    let page = StatusPage::new(page)
        .read()
        .await
        .map_err(|error| error.to_string())?;
    let elsewhere = blocking(move || count_established(&others, &[])).await;
    let elsewhere: u64 = elsewhere.map_err(|error| error.to_string())?.iter().sum();
    Ok(Count {
        total: page.active.saturating_sub(elsewhere.saturating_add(1)),
        nodes: Vec::new(),
    })
}
