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

impl Plan {
    /// The addresses on which several instances of the balancer listen together. The statistics
    /// page is not among them: there is a single one for all instances.
    #[must_use]
    pub fn shared(&self, cluster: &Cluster) -> Vec<SocketAddr> {
        if self.balancer.instances == 1 {
            return Vec::new();
        }
        let ports = cluster.listen.ports();
        let clients =
            ports.flat_map(|(_, port)| self.addresses.iter().map(move |ip| SocketAddr::new(*ip, port)));
        clients.chain(cluster.listen.status).collect()
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
    fn several_instances_share_all_but_the_statistics() {
        let planned = |nofile| {
            let host = Host { nofile, ..big_host() };
            super::super::plan(&cluster(), BalancerKind::Haproxy, &host).shared(&cluster())
        };
        let shared = planned(20_000);
        assert_eq!(shared.len(), 4 * 2 + 1);
        let has = |address: &str| shared.contains(&address.parse().unwrap());
        assert!(has("[::]:8000") && has("127.0.0.1:8888") && !has("127.0.0.1:8404"));
        assert_eq!(planned(1 << 20), []);
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
