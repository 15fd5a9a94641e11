//! Connections per node, as the kernel counts them.

use std::collections::BTreeMap;
use std::io;
use std::iter;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use futures_util::future::join_all;

use super::core::Core;
use super::event::CoreEvent;
use super::spec::Spec;
use crate::api::{ConnectionsBy, FormerBalancer, Status};
use crate::haproxy_api::Socket;
use crate::plan::PROBE_SOURCE;
use crate::platform::ports::sockets_of;
use crate::platform::sock_diag::{accepted, count_established, count_to, own_sockets};
use crate::platform::worker::children;
use crate::profile::{NodeId, Runtime};

/// A balancer that does not report its idle connections within this time is taken to have none.
const COUNT_TIMEOUT: Duration = Duration::from_millis(500);

/// The connections of each node.
pub(super) type Connections = BTreeMap<NodeId, ConnectionsBy>;

impl Core {
    /// Counts the connections of each node; the result is an event.
    pub(super) fn count(&self) {
        let spec = self.spec.clone();
        self.events.spawn(async move {
            let asked = Instant::now();
            let connections = count_connections(&spec, true).await;
            CoreEvent::Counted { asked, connections }
        });
    }
}

/// Counts the clients of former balancer processes, which have no runtime API any more.
pub(super) async fn count_former(spec: &Spec, status: &mut Status) {
    let Some(balancer) = status.balancer.as_mut().filter(|it| !it.former.is_empty()) else {
        return;
    };
    let (public, former) = (spec.public_addresses(), balancer.former.clone());
    // Reading 100,000 sockets takes a while.
    let counted = tokio::task::spawn_blocking(move || {
        let accepted = accepted(&public)?;
        let of_one = |former: &FormerBalancer| {
            let processes: Vec<u32> = iter::once(former.pid).chain(children(former.pid)).collect();
            sockets_of(&processes, &accepted).len() as u64
        };
        io::Result::Ok(former.iter().map(of_one).collect::<Vec<u64>>())
    });
    if let Ok(Ok(counted)) = counted.await {
        for (former, count) in balancer.former.iter_mut().zip(counted) {
            former.connections = Some(count);
        }
    }
}

/// Each node's established connections now, without our own probes; zeros when the kernel does not
/// report them. `drains` means that a drain waits for connections to end: connections that the
/// balancer keeps idle for later requests may outlive every client, and are left out then.
pub(super) async fn count_connections(spec: &Spec, drains: bool) -> Connections {
    let nodes = &spec.cluster.nodes;
    let tcp = nodes.iter().filter_map(|node| node.tcp);
    let all: Vec<SocketAddr> = tcp.chain(nodes.iter().filter_map(|node| node.http)).collect();
    let elsewhere = spec.cluster.runtime == Runtime::External;
    // Reading 100,000 sockets takes a while.
    let counted = tokio::task::spawn_blocking(move || {
        if elsewhere {
            // Only a node on this host has its end of the connection here, and probes without an
            // address of their own.
            count_to(&all, &own_sockets()?)
        } else {
            count_established(&all, &[PROBE_SOURCE])
        }
    });
    let counted = counted.await;
    let zeros = || {
        spec.cluster
            .ids()
            .map(|id| (id, ConnectionsBy::default()))
            .collect()
    };
    let counts = match counted {
        Ok(Ok(counts)) => counts,
        Ok(Err(error)) => {
            tracing::warn!("connections not counted: {error}");
            return zeros();
        }
        Err(_) => return zeros(),
    };
    // Read after the kernel's count: a request that ends in between has become idle, and none
    // begins on a drained node.
    let idle = if drains { idle(spec).await } else { BTreeMap::new() };
    let mut counts = counts.into_iter();
    let tcp: Vec<u64> = nodes
        .iter()
        .map(|node| node.tcp.and_then(|_| counts.next()).unwrap_or(0))
        .collect();
    let mut connections: Connections = nodes
        .iter()
        .zip(tcp)
        .map(|(node, tcp)| {
            let http = node.http.and_then(|_| counts.next()).unwrap_or(0);
            let http = http.saturating_sub(idle.get(&node.name).copied().unwrap_or(0));
            (node.id, ConnectionsBy { tcp, http })
        })
        .collect();
    // The balancer's own checks come from the same address as clients' connections; a node that
    // never answers always has one such connection.
    if drains
        && elsewhere
        && let Some(sessions) = sessions(spec).await
    {
        for node in nodes {
            let counted = connections.entry(node.id).or_default();
            *counted = at_most(*counted, sessions.get(&node.name).copied().unwrap_or(0));
        }
    }
    connections
}

// Private

/// Clients' sessions by node, as the balancer counts them; `None` when one of its instances does
/// not answer.
async fn sessions(spec: &Spec) -> Option<BTreeMap<String, u64>> {
    let sockets = spec.sockets();
    if sockets.is_empty() {
        return None;
    }
    let asked = sockets
        .into_iter()
        .map(|socket| tokio::time::timeout(COUNT_TIMEOUT, async move { Socket::new(socket).stat().await }));
    let mut sessions = BTreeMap::new();
    for answer in join_all(asked).await {
        for row in answer.ok()?.ok()?.iter().filter(|row| row.is_server()) {
            *sessions.entry(row.name().to_owned()).or_default() += row.number("scur")?;
        }
    }
    Some(sessions)
}

/// `counted`, limited to `most` in all.
fn at_most(counted: ConnectionsBy, most: u64) -> ConnectionsBy {
    let tcp = counted.tcp.min(most);
    ConnectionsBy {
        tcp,
        http: counted.http.min(most - tcp),
    }
}

/// Connections that the balancer keeps idle for later requests, by node.
async fn idle(spec: &Spec) -> BTreeMap<String, u64> {
    let mut idle = BTreeMap::new();
    let asked = spec
        .sockets()
        .into_iter()
        .map(|socket| tokio::time::timeout(COUNT_TIMEOUT, async move { Socket::new(socket).idle().await }));
    for answer in join_all(asked).await {
        for (server, count) in answer.ok().and_then(Result::ok).unwrap_or_default() {
            *idle.entry(server).or_default() += count;
        }
    }
    idle
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_limited_by_the_number_of_sessions() {
        let by = |tcp, http| ConnectionsBy { tcp, http };
        assert_eq!(at_most(by(3, 2), 9), by(3, 2));
        assert_eq!(at_most(by(3, 2), 4), by(3, 1));
        assert_eq!(at_most(by(3, 2), 2), by(2, 0));
        assert_eq!(at_most(by(1, 1), 0), by(0, 0));
    }
}
