//! How many connections one node can have.

use super::NodePlan;
use super::tables::{Filled, Tables};
use crate::platform::Host;
use crate::profile::{Cluster, Runtime};

/// Descriptors of a table that are not connections: listeners, epoll, logs, probes, inherited ones.
const HEADROOM: u64 = 64;
/// Descriptors of a BEAM node that are not connections, including those of its schedulers, of the
/// distribution, and of clients that query it.
const BEAM_HEADROOM: u64 = 128;
/// The limit for unknown programs: they may need files in addition to two descriptors per
/// connection.
const UNKNOWN: u64 = 1 << 16;

/// Plans each node of `cluster`.
pub(super) fn plan(cluster: &Cluster, host: &Host) -> NodePlan {
    let wanted = wanted(cluster);
    match cluster.runtime {
        Runtime::Embedded => embedded(wanted, cluster.nodes.len(), host),
        Runtime::Command => program(wanted, HEADROOM, host),
        Runtime::Erlang => program(wanted, BEAM_HEADROOM, host),
        Runtime::External => NodePlan {
            nofile: 0,
            workers: 0,
            maxconn: wanted,
        },
    }
}

/// The connections that each node must be able to hold according to the profile.
pub(super) fn wanted(cluster: &Cluster) -> u32 {
    cluster.nodes.iter().map(|node| node.maxconn).max().unwrap_or(0)
}

/// The descriptors that one table of a node needs for everything that the profile requests.
pub(super) fn descriptors(cluster: &Cluster) -> u64 {
    let connections = u64::from(wanted(cluster));
    match cluster.runtime {
        Runtime::Embedded => Tables::least_nofile(connections, HEADROOM, Filled::ByHash),
        Runtime::Erlang => connections + BEAM_HEADROOM,
        _ => connections + HEADROOM,
    }
}

// Private

/// Enough workers for all connections, but at least one for each processor of this node's share.
fn embedded(wanted: u32, nodes: usize, host: &Host) -> NodePlan {
    let by_processors = u64::from(host.cpus).div_ceil(nodes.max(1) as u64);
    let Tables {
        nofile,
        workers,
        held,
    } = Tables::plan(wanted.into(), HEADROOM, by_processors, Filled::ByHash, host);
    NodePlan {
        nofile,
        workers,
        maxconn: at_most(wanted, held),
    }
}

fn program(wanted: u32, headroom: u64, host: &Host) -> NodePlan {
    let nofile = host.nofile.min(UNKNOWN.max(u64::from(wanted) * 2));
    NodePlan {
        nofile,
        workers: 0,
        maxconn: at_most(wanted, nofile.saturating_sub(headroom)),
    }
}

fn at_most(wanted: u32, limit: u64) -> u32 {
    wanted.min(u32::try_from(limit).unwrap_or(u32::MAX)).max(1)
}

#[cfg(test)]
mod tests {
    use super::super::tests::{big_host, cluster};
    use super::*;

    fn planned(runtime: Runtime, nofile: u64) -> NodePlan {
        let mut cluster = cluster();
        cluster.runtime = runtime;
        plan(&cluster, &Host { nofile, ..big_host() })
    }

    #[test]
    fn workers_multiply_a_low_limit() {
        let plan = planned(Runtime::Embedded, 20_000);
        assert_eq!((plan.workers, plan.maxconn, plan.nofile), (3, 35_000, 20_000));
        let plan = planned(Runtime::Embedded, 2_048);
        assert_eq!((plan.workers, plan.maxconn), (26, 35_000));
        let plan = planned(Runtime::Embedded, 1_024);
        assert_eq!((plan.workers, plan.maxconn), (64, 64 * 432));
        // More workers would fill the tables with what each needs for itself.
        let plan = planned(Runtime::Embedded, 256);
        assert_eq!((plan.workers, plan.maxconn), (16, 16 * 72));
        let plan = planned(Runtime::Embedded, 20);
        assert_eq!((plan.workers, plan.maxconn), (1, 1));
    }

    #[test]
    fn a_high_limit_leaves_a_worker_for_each_processor() {
        let plan = planned(Runtime::Embedded, u64::MAX);
        assert_eq!((plan.workers, plan.maxconn, plan.nofile), (2, 35_000, 1 << 20));
    }

    #[test]
    fn a_program_has_one_table_with_a_finite_limit() {
        let plan = planned(Runtime::Command, 20_000);
        assert_eq!((plan.workers, plan.maxconn, plan.nofile), (0, 19_936, 20_000));
        let plan = planned(Runtime::Command, u64::MAX);
        assert_eq!((plan.maxconn, plan.nofile), (35_000, 70_000));
    }

    #[test]
    fn external_nodes_get_no_limits() {
        assert_eq!(planned(Runtime::External, 256).maxconn, 35_000);
    }

    #[test]
    fn the_descriptors_that_a_node_needs_are_enough() {
        for runtime in [Runtime::Embedded, Runtime::Command] {
            let mut cluster = cluster();
            cluster.runtime = runtime;
            assert_eq!(planned(runtime, descriptors(&cluster)).maxconn, 35_000);
        }
    }
}
