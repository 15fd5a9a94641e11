//! What a number of connections costs the host. Measured figures, rounded up.

use crate::profile::{BalancerKind, Cluster, Runtime};

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;

/// Memory of the kernel for the four sockets of a proxied connection.
const KERNEL: u64 = 16 * KIB;
/// Memory of the kernel for the two ends of a connection that does not pass our own balancer.
const KERNEL_DIRECT: u64 = 8 * KIB;
/// Memory of the load generator for each connection.
const GENERATOR: u64 = 2 * KIB;
/// Memory of a process without connections.
const PROCESS: u64 = 32 * MIB;

/// Connections through a cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Load {
    /// Connections through the balancer.
    pub(super) total: u32,
    /// Connections on each node when they are spread evenly.
    pub(super) per_node: u32,
}

impl Load {
    /// Entries of the connection tracking table for each connection: client to balancer, and
    /// balancer to node.
    pub(super) const TRACKED: u64 = 2;

    /// `total` connections over the nodes of `cluster`.
    pub(super) fn of(cluster: &Cluster, total: u32) -> Load {
        let nodes = u32::try_from(cluster.nodes.len()).unwrap_or(u32::MAX).max(1);
        Load {
            total,
            per_node: total.div_ceil(nodes),
        }
    }

    /// Bytes of memory that they need with a balancer of `kind`, including the kernel's.
    pub(super) fn memory(self, cluster: &Cluster, kind: BalancerKind) -> u64 {
        let processes = 2 + cluster.nodes.len() as u64;
        processes * PROCESS + u64::from(self.total) * per_connection(cluster.runtime, kind)
    }

    /// The most connections that fit into `bytes` of memory.
    pub(super) fn fitting(bytes: u64, cluster: &Cluster, kind: BalancerKind) -> u64 {
        let none = Load {
            total: 0,
            per_node: 0,
        };
        bytes.saturating_sub(none.memory(cluster, kind)) / per_connection(cluster.runtime, kind)
    }

    /// Entries of the connection tracking table.
    pub(super) fn tracked(self) -> u64 {
        u64::from(self.total) * Load::TRACKED
    }
}

/// Bytes of memory that `connections` of a load test add on this host: for the generator, the
/// kernel, and those own `parties` that already run. If the target is not on loopback, the
/// other end is on another host.
pub(super) fn of_a_test(
    connections: u32,
    parties: Option<(BalancerKind, Runtime)>,
    on_loopback: bool,
) -> u64 {
    PROCESS + u64::from(connections) * per_client(parties, on_loopback)
}

/// The most connections of a load test that fit into `bytes` of memory.
pub(super) fn fitting_a_test(bytes: u64, parties: Option<(BalancerKind, Runtime)>, on_loopback: bool) -> u64 {
    bytes.saturating_sub(PROCESS) / per_client(parties, on_loopback)
}

// Private

fn per_client(parties: Option<(BalancerKind, Runtime)>, on_loopback: bool) -> u64 {
    let others = match parties {
        Some((kind, runtime)) => per_connection(runtime, kind),
        None if on_loopback => KERNEL_DIRECT,
        None => KERNEL_DIRECT / 2,
    };
    GENERATOR + others
}

fn per_connection(runtime: Runtime, kind: BalancerKind) -> u64 {
    let node = match runtime {
        Runtime::Embedded => 4 * KIB,
        // Measured with BEAM: an idle connection takes 13 kB.
        Runtime::Erlang | Runtime::Command => 16 * KIB,
        Runtime::External => 0,
    };
    KERNEL + kind.facts().bytes_per_connection + node
}

#[cfg(test)]
mod tests {
    use super::super::tests::cluster;
    use super::*;

    #[test]
    fn a_hundred_thousand_connections_need_about_three_gigabytes() {
        let load = Load::of(&cluster(), 100_000);
        assert_eq!((load.per_node, load.tracked()), (25_000, 200_000));
        for kind in [BalancerKind::Haproxy, BalancerKind::Builtin] {
            let memory = load.memory(&cluster(), kind);
            assert!((2_500_000_000..3_500_000_000).contains(&memory), "{memory}");
            assert_eq!(Load::fitting(memory, &cluster(), kind), 100_000);
            assert_eq!(Load::fitting(0, &cluster(), kind), 0);
        }
    }
}
