//! The loopback addresses that we connect from, where nodes are on loopback: what connects to a node can be told by it, and
//! each has ports of its own.

use std::net::{IpAddr, Ipv4Addr};

use super::NodePlan;
use crate::platform::Host;
use crate::profile::Cluster;

/// Probes and checks of nodes on loopback come from here, so that they are not counted as clients.
pub const PROBE_SOURCE: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 255, 255, 254));

/// The address after `127.0.0.1`, which is everybody's.
const FIRST: u32 = 0x7f00_0002;
/// More would be a misunderstanding: 256 of them have some 7,000,000 ports.
const MAX_SOURCES: u32 = 256;

/// Addresses for the connections to the nodes, so many that each uses at most half of its ports to a node: beyond half,
/// finding a free one takes the kernel thousands of steps. Where one address is not enough there is one for each of the
/// `workers` (or backends), so that they do not meet at the same ports. Empty where the kernel's own choice will do.
pub(super) fn pool(
    cluster: &Cluster,
    nodes: &NodePlan,
    maxconn: u32,
    workers: u16,
    host: &Host,
) -> Vec<IpAddr> {
    let most = |node: &crate::profile::Node| node.maxconn.min(nodes.maxconn).min(maxconn);
    let per_node = cluster.nodes.iter().map(most).max().unwrap_or(0);
    let half = (host.ephemeral_ports() / 2).max(1);
    let needed = per_node.div_ceil(half);
    if needed <= 1 || !on_loopback(cluster) {
        return Vec::new();
    }
    (FIRST..)
        .map(|bits| IpAddr::V4(Ipv4Addr::from_bits(bits)))
        .filter(|ip| *ip != PROBE_SOURCE && addresses(cluster).all(|node| node != *ip))
        .take(needed.max(workers.into()).min(MAX_SOURCES) as usize)
        .collect()
}

/// Where the balancer's checks come from; the kernel's choice when nodes are elsewhere.
pub(super) fn of_checks(cluster: &Cluster) -> Option<IpAddr> {
    on_loopback(cluster).then_some(PROBE_SOURCE)
}

// Private

/// Whether every node can be connected to from any loopback address.
fn on_loopback(cluster: &Cluster) -> bool {
    addresses(cluster).all(|ip| ip.is_ipv4() && ip.is_loopback())
}

/// Of the nodes, for TCP and for HTTP.
fn addresses(cluster: &Cluster) -> impl Iterator<Item = IpAddr> {
    let of = |node: &crate::profile::Node| [Some(node.tcp), node.http].into_iter().flatten();
    cluster.nodes.iter().flat_map(of).map(|address| address.ip())
}

#[cfg(test)]
mod tests {
    use super::super::tests::{big_host, cluster};
    use super::*;

    /// As Linux has it by default: 28,232 ports.
    fn host() -> Host {
        Host {
            ephemeral: 32_768..=60_999,
            ..big_host()
        }
    }

    fn pooled(cluster: &Cluster, maxconn: u32, workers: u16) -> Vec<IpAddr> {
        let nodes = NodePlan {
            nofile: 20_000,
            workers: 3,
            maxconn: 35_000,
        };
        pool(cluster, &nodes, maxconn, workers, &host())
    }

    #[test]
    fn half_of_the_ports_of_each_are_enough_and_each_worker_has_one() {
        let two = pooled(&cluster(), 20_000, 1);
        assert_eq!(
            two,
            ["127.0.0.2", "127.0.0.3"].map(|ip| ip.parse::<IpAddr>().unwrap())
        );
        assert_eq!(pooled(&cluster(), 100_000, 1).len(), 3);
        assert_eq!(pooled(&cluster(), 100_000, 14).len(), 14);
        assert_eq!(pooled(&cluster(), 14_116, 14), Vec::<IpAddr>::new());
    }

    #[test]
    fn nodes_keep_their_addresses_and_nodes_elsewhere_are_left_to_the_kernel() {
        let mut cluster = cluster();
        cluster.nodes[0].tcp = "127.0.0.2:9001".parse().unwrap();
        assert_eq!(
            pooled(&cluster, 100_000, 1)[0],
            "127.0.0.3".parse::<IpAddr>().unwrap()
        );
        assert_eq!(of_checks(&cluster), Some(PROBE_SOURCE));
        cluster.nodes[0].tcp = "[::1]:9001".parse().unwrap();
        assert_eq!(
            (pooled(&cluster, 100_000, 1).len(), of_checks(&cluster)),
            (0, None)
        );
        let mut cluster = super::super::tests::cluster();
        cluster.nodes[3].http = Some("10.0.0.1:8084".parse().unwrap());
        assert_eq!(pooled(&cluster, 100_000, 1), Vec::<IpAddr>::new());
    }

    #[test]
    fn hardly_any_ports_make_no_endless_pool() {
        let none = Host {
            ephemeral: 1..=1,
            ..host()
        };
        let nodes = NodePlan {
            nofile: 1,
            workers: 1,
            maxconn: 35_000,
        };
        let pool = pool(&cluster(), &nodes, 35_000, 1, &none);
        assert_eq!(pool.len(), 256);
    }
}
