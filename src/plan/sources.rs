//! The loopback source addresses that we use if nodes are on loopback: they identify the side that
//! connects to a node, and each has its own ports.

use std::net::{IpAddr, Ipv4Addr};

use super::NodePlan;
use crate::platform::Host;
use crate::profile::Cluster;

/// The source of probes and checks of nodes on loopback, so that they are not counted as clients.
pub const PROBE_SOURCE: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 255, 255, 254));

/// The address after `127.0.0.1`, which all programs use.
const FIRST: u32 = 0x7f00_0002;
/// An upper limit: 256 addresses have about 7,000,000 ports.
const MAX_SOURCES: u32 = 256;

/// The source addresses of the connections to the nodes: enough for each to use at most half of its
/// ports to a node, because beyond half the kernel takes thousands of steps to find a free one. If
/// one address is not enough, there is one for each of the `workers` (or backends), so that they do
/// not compete for the same ports. Empty if the kernel's own choice is sufficient.
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

/// The source address of the balancer's checks; the kernel's choice when nodes are not on loopback.
pub(super) fn of_checks(cluster: &Cluster) -> Option<IpAddr> {
    on_loopback(cluster).then_some(PROBE_SOURCE)
}

// Private

/// Whether every node can be connected to from any loopback address.
fn on_loopback(cluster: &Cluster) -> bool {
    addresses(cluster).all(|ip| ip.is_ipv4() && ip.is_loopback())
}

/// The addresses of the nodes, for TCP and for HTTP.
fn addresses(cluster: &Cluster) -> impl Iterator<Item = IpAddr> {
    let all = cluster.nodes.iter().flat_map(crate::profile::Node::addresses);
    all.map(|address| address.ip())
}

#[cfg(test)]
mod tests {
    use super::super::tests::{big_host, cluster};
    use super::*;

    /// A host with Linux's default range: 28,232 ports.
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
    fn nodes_keep_their_addresses_and_the_kernel_chooses_for_other_hosts() {
        let mut cluster = cluster();
        cluster.nodes[0].tcp = Some("127.0.0.2:9001".parse().unwrap());
        assert_eq!(
            pooled(&cluster, 100_000, 1)[0],
            "127.0.0.3".parse::<IpAddr>().unwrap()
        );
        assert_eq!(of_checks(&cluster), Some(PROBE_SOURCE));
        cluster.nodes[0].tcp = Some("[::1]:9001".parse().unwrap());
        assert_eq!(
            (pooled(&cluster, 100_000, 1).len(), of_checks(&cluster)),
            (0, None)
        );
        let mut cluster = super::super::tests::cluster();
        cluster.nodes[3].http = Some("10.0.0.1:8084".parse().unwrap());
        assert_eq!(pooled(&cluster, 100_000, 1), Vec::<IpAddr>::new());
    }

    #[test]
    fn few_ports_give_a_finite_pool() {
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
