//! The addresses that a cluster listens on.

use std::net::{IpAddr, SocketAddr};

use super::Plan;
use crate::platform::Host;
use crate::profile::{Cluster, Runtime};

/// One address that the cluster binds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bound {
    /// What binds it: a key of the profile such as `listen.tcp`, or a node's name.
    pub owner: String,
    /// The address.
    pub address: SocketAddr,
}

/// One address that the balancer listens on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Listener {
    /// The address.
    pub address: SocketAddr,
    /// The sockets that share it.
    pub members: u16,
}

impl Plan {
    /// The addresses that the balancer listens on: for clients, and its pages.
    pub fn listeners(&self, cluster: &Cluster) -> impl Iterator<Item = Listener> {
        let members = self.balancer.sockets;
        let serves_https = cluster.tls.is_some() && self.balancer.kind.facts().serves_https;
        let is_served = move |key: &str| match key {
            "tcp" => true,
            "https" => cluster.has_http() && serves_https,
            _ => cluster.has_http(),
        };
        let ports = cluster.listen.ports().filter(move |(key, _)| is_served(key));
        let clients = ports.flat_map(move |(_, port)| {
            let addresses = self.addresses.iter();
            addresses.map(move |ip| (SocketAddr::new(*ip, port), members))
        });
        let pages = cluster.listen.pages().map(|(_, address)| (address, 1));
        clients
            .chain(pages)
            .map(|(address, members)| Listener { address, members })
    }

    /// All addresses that `cluster` binds on this host, which must be free before its start.
    #[must_use]
    pub fn bound(&self, cluster: &Cluster) -> Vec<Bound> {
        let listeners = cluster.listen.ports().flat_map(|(key, port)| {
            self.addresses
                .iter()
                .map(move |ip| (format!("listen.{key}"), SocketAddr::new(*ip, port)))
        });
        let observe = cluster.listen.observe.map(|at| ("observe", at));
        let pages = cluster
            .listen
            .pages()
            .chain(observe)
            .map(|(key, at)| (format!("listen.{key}"), at));
        let nodes = cluster
            .nodes
            .iter()
            .filter(|_| cluster.runtime != Runtime::External)
            .flat_map(|node| {
                node.addresses()
                    .chain(node.distribution)
                    .map(|at| (node.name.clone(), at))
            });
        listeners
            .chain(pages)
            .chain(nodes)
            .map(|(owner, address)| Bound { owner, address })
            .collect()
    }
}

/// The listen addresses that `host` has; all of them if it has none, so that the error of binding
/// shows what is wrong.
pub(super) fn usable(cluster: &Cluster, host: &Host) -> Vec<IpAddr> {
    let all = &cluster.listen.addresses;
    let usable: Vec<IpAddr> = all
        .iter()
        .copied()
        .filter(|ip| host.ipv6 || ip.is_ipv4())
        .collect();
    if usable.is_empty() { all.clone() } else { usable }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{big_host, cluster};
    use super::*;
    use crate::profile::BalancerKind;

    #[test]
    fn every_listener_is_bound_on_every_address() {
        let plan = super::super::plan(&cluster(), BalancerKind::Haproxy, &big_host());
        let bound = plan.bound(&cluster());
        // Four ports on two addresses, three pages, four nodes with two ports each.
        assert_eq!(bound.len(), 4 * 2 + 3 + 4 * 2);
        let has = |owner: &str, address: &str| {
            bound
                .iter()
                .any(|it| it.owner == owner && it.address == address.parse().unwrap())
        };
        assert!(has("listen.tcp", "[::]:8000") && has("listen.stats", "127.0.0.1:8404"));
        assert!(has("erlmcp4", "127.0.0.1:9004"));
    }

    #[test]
    fn the_balancer_listens_on_clients_addresses_and_pages() {
        let planned = |nofile| -> Vec<(String, u16)> {
            let host = Host { nofile, ..big_host() };
            let plan = super::super::plan(&cluster(), BalancerKind::Haproxy, &host);
            let cluster = cluster();
            let listeners = plan.listeners(&cluster);
            listeners.map(|at| (at.address.to_string(), at.members)).collect()
        };
        let several = planned(20_000);
        assert_eq!(several.len(), 4 * 2 + 2);
        let has = |address: &str, members| several.contains(&(address.to_owned(), members));
        assert!(has("[::]:8000", 13) && has("127.0.0.1:8888", 1));
        let one = planned(1 << 20);
        assert_eq!(one.len(), 4 * 2 + 2);
        assert!(
            one.contains(&("127.0.0.1:8404".to_owned(), 1)) && one.iter().all(|(_, members)| *members == 1)
        );
    }

    #[test]
    fn a_listener_without_nodes_or_certificate_is_not_opened() {
        let mut cluster = cluster();
        cluster.listen.https = Some(8443);
        let count = |cluster: &Cluster| {
            let plan = super::super::plan(cluster, BalancerKind::Haproxy, &big_host());
            plan.listeners(cluster).count()
        };
        assert_eq!(count(&cluster), 4 * 2 + 2);
        for node in &mut cluster.nodes {
            node.http = None;
        }
        // TCP and the pages.
        assert_eq!(count(&cluster), 2 + 2);
    }

    #[test]
    fn a_host_without_ipv6_has_fewer_addresses() {
        let host = Host {
            ipv6: false,
            ..big_host()
        };
        let mut cluster = cluster();
        assert_eq!(usable(&cluster, &host), ["0.0.0.0".parse::<IpAddr>().unwrap()]);
        cluster.listen.addresses = vec!["::".parse().unwrap()];
        assert_eq!(usable(&cluster, &host), cluster.listen.addresses);
    }
}
