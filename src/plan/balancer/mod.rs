//! How many connections one balancer process can have.
//!
//! The built-in balancer has enough workers, each with its own descriptor table, for all wanted
//! connections.
//!
//! HAProxy sums up its descriptors when it starts (`global.maxsock`; measured with 2.6) and refuses
//! to start when they exceed the hard limit: two per connection, three per thread (epoll and a
//! wake-up pipe), one per listener, one per health check, and some of its own. Where one process is
//! not enough there are several, which share the listeners. nginx has workers, which are planned
//! like those of the built-in balancer.

#[cfg(test)]
mod tests;

use std::net::IpAddr;
use std::ops::RangeInclusive;

use super::tables::{Filled, MAX_WORKERS, Tables};
use super::{BalancerPlan, NodePlan, sources};
use crate::platform::Host;
use crate::profile::{BalancerKind, Cluster, ScaledBy};

/// HAProxy before 2.7 refuses more threads.
const MAX_THREADS: u16 = 64;
const PER_CONNECTION: u64 = 2;
const PER_THREAD: u64 = 3;
/// Backends in which each node is checked: TCP, HTTP, WebSocket, event streams.
const BACKENDS: u16 = 4;
/// An upper limit; more instances are never useful.
const MAX_INSTANCES: u16 = 64;
/// The listeners of several instances get one in this many of the supervisor's descriptors.
const FOR_LISTENERS: u64 = 4;
/// The listeners of workers and threads get at most so much of the supervisor's descriptors.
const FOR_LISTENERS_OF_WORKERS: (u64, u64) = (3, 4);
/// HAProxy's reserve (10), its runtime API (1 and 10 clients), the peers section (4), and the same
/// number again for what other versions and template overrides add.
const OWN: u64 = 50;
/// A limit that is never reached costs nothing, unless it is so high that a program sizes its
/// tables by it.
const PLENTY: u64 = 1 << 20;

/// Plans the balancer of `kind` in front of `nodes`, so that it serves `sockets` listening sockets
/// of each public address, if there are so many already.
pub(super) fn plan(
    cluster: &Cluster,
    kind: BalancerKind,
    addresses: &[IpAddr],
    nodes: &NodePlan,
    host: &Host,
    sockets: u16,
) -> BalancerPlan {
    let plan = match kind.facts().scales_by {
        ScaledBy::Processes => processes,
        ScaledBy::Workers => workers,
        ScaledBy::Threads => threads,
    };
    plan(cluster, kind, addresses, nodes, host, sockets)
}

/// The `RLIMIT_NOFILE` with which the balancer of `kind` can serve everything that the profile
/// requests. An instance serves `sockets` of each public address.
pub(super) fn descriptors(
    cluster: &Cluster,
    kind: BalancerKind,
    addresses: &[IpAddr],
    threads: u16,
    sockets: u16,
) -> u64 {
    let connections = u64::from(cluster.limits.maxconn) * PER_CONNECTION;
    match kind.facts().scales_by {
        ScaledBy::Processes => fixed(cluster, addresses, threads, sockets) + connections,
        ScaledBy::Workers => Tables::least_nofile(connections, of_worker(cluster, addresses), Filled::ByHash),
        ScaledBy::Threads => {
            Tables::least_nofile(connections, fixed(cluster, addresses, 0, 1), Filled::ByHash)
        }
    }
}

// Private

/// One process, or enough processes for the wanted connections and a
/// [quarter](BalancerPlan::with_headroom) more.
fn processes(
    cluster: &Cluster,
    kind: BalancerKind,
    addresses: &[IpAddr],
    nodes: &NodePlan,
    host: &Host,
    sockets: u16,
) -> BalancerPlan {
    let one = process(cluster, kind, addresses, host, sockets);
    let wanted = cluster.limits.maxconn;
    if one.maxconn >= wanted {
        return from_backends(one, cluster, nodes, host);
    }
    let listeners = FOR_LISTENERS * listeners(cluster, addresses, 1);
    let most = (host.nofile / listeners.max(1)).clamp(1, MAX_INSTANCES.into());
    let most = u16::try_from(most).unwrap_or(MAX_INSTANCES);
    let threads = |instances: u16| (host.cpus / instances).clamp(1, MAX_THREADS);
    let members = |instances: u16| sockets.div_ceil(instances).max(1);
    let room = |instances: u16| room(cluster, addresses, threads(instances), members(instances), host);
    let holds = |instances: u16| u64::from(instances) * room(instances);
    let instances = (1..most)
        .find(|instances| holds(*instances) >= BalancerPlan::with_headroom(wanted))
        .unwrap_or(most);
    if instances == 1 {
        return from_backends(one, cluster, nodes, host);
    }
    let mut sources = sources::pool(cluster, nodes, wanted, instances, host);
    sources.truncate(instances.into());
    BalancerPlan {
        maxconn: at_most(wanted, room(instances)),
        threads: threads(instances),
        instances,
        sockets: sockets.max(instances),
        sources,
        ..one
    }
}

/// One process whose backends have their own source addresses if one of them would need too many
/// ports to a node: three backends share the nodes' HTTP ports, and so must not share source ports
/// as well.
fn from_backends(
    mut process: BalancerPlan,
    cluster: &Cluster,
    nodes: &NodePlan,
    host: &Host,
) -> BalancerPlan {
    process.sources = sources::pool(cluster, nodes, process.maxconn, BACKENDS, host);
    process.sources.truncate(BACKENDS.into());
    process
}

/// One process with one descriptor table.
fn process(
    cluster: &Cluster,
    kind: BalancerKind,
    addresses: &[IpAddr],
    host: &Host,
    sockets: u16,
) -> BalancerPlan {
    let threads = host.cpus.clamp(1, MAX_THREADS);
    let sockets = sockets.max(1);
    let fixed = fixed(cluster, addresses, threads, sockets);
    let wanted = cluster.limits.maxconn;
    BalancerPlan {
        kind,
        maxconn: at_most(wanted, room(cluster, addresses, threads, sockets, host)),
        nofile: host
            .nofile
            .min(PLENTY.max(fixed + u64::from(wanted) * PER_CONNECTION)),
        threads,
        instances: 1,
        sockets,
        sources: Vec::new(),
        check_source: None,
    }
}

/// One process with a descriptor table for each worker; at least one worker for each processor.
fn threads(
    cluster: &Cluster,
    kind: BalancerKind,
    addresses: &[IpAddr],
    nodes: &NodePlan,
    host: &Host,
    sockets: u16,
) -> BalancerPlan {
    let wanted = cluster.limits.maxconn;
    let tables = Tables::among(
        numbers_of_workers(cluster, addresses, host, sockets),
        u64::from(wanted) * PER_CONNECTION,
        fixed(cluster, addresses, 0, 1),
        host.cpus.into(),
        Filled::ByHash,
        host,
    );
    let maxconn = at_most(wanted, tables.held / PER_CONNECTION);
    BalancerPlan {
        kind,
        maxconn,
        nofile: tables.nofile,
        threads: tables.workers,
        instances: 1,
        sockets: tables.workers,
        sources: sources::pool(cluster, nodes, maxconn, tables.workers, host),
        check_source: sources::of_checks(cluster),
    }
}

/// One master, and workers with their own descriptors; at least one worker for each processor.
fn workers(
    cluster: &Cluster,
    kind: BalancerKind,
    addresses: &[IpAddr],
    nodes: &NodePlan,
    host: &Host,
    sockets: u16,
) -> BalancerPlan {
    let wanted = u64::from(cluster.limits.maxconn) * PER_CONNECTION;
    let own = of_worker(cluster, addresses);
    let numbers = numbers_of_workers(cluster, addresses, host, sockets);
    let tables = Tables::among(numbers, wanted, own, host.cpus.into(), Filled::ByHash, host);
    let maxconn = at_most(cluster.limits.maxconn, tables.held / PER_CONNECTION);
    BalancerPlan {
        kind,
        maxconn,
        // A worker allocates memory for its whole limit when it starts.
        nofile: tables
            .nofile
            .min(Tables::least_of(tables.workers, wanted, own, Filled::ByHash)),
        threads: tables.workers,
        instances: 1,
        sockets: tables.workers,
        sources: sources::pool(cluster, nodes, maxconn, tables.workers, host),
        check_source: None,
    }
}

/// The possible numbers of workers or threads. Each of the `sockets` that are open already has to be
/// served by one of them. The supervisor has the listeners of all of them.
fn numbers_of_workers(
    cluster: &Cluster,
    addresses: &[IpAddr],
    host: &Host,
    sockets: u16,
) -> RangeInclusive<u64> {
    let (part, whole) = FOR_LISTENERS_OF_WORKERS;
    let most = host.nofile * part / whole / listeners(cluster, addresses, 1).max(1);
    let fewest = u64::from(sockets.max(1));
    fewest..=most.clamp(1, MAX_WORKERS).max(fewest)
}

/// Descriptors of an nginx worker without connections: it inherits the listeners of all others.
fn of_worker(cluster: &Cluster, addresses: &[IpAddr]) -> u64 {
    fixed(cluster, addresses, 0, 1)
        + MAX_WORKERS * cluster.listen.ports().count() as u64 * addresses.len() as u64
}

fn at_most(wanted: u32, limit: u64) -> u32 {
    wanted.min(u32::try_from(limit).unwrap_or(u32::MAX)).max(1)
}

/// Connections for which one process has descriptors.
fn room(cluster: &Cluster, addresses: &[IpAddr], threads: u16, sockets: u16, host: &Host) -> u64 {
    let fixed = fixed(cluster, addresses, threads, sockets);
    host.nofile.saturating_sub(fixed) / PER_CONNECTION
}

/// Descriptors of a process without connections that serves `sockets` of each public address.
fn fixed(cluster: &Cluster, addresses: &[IpAddr], threads: u16, sockets: u16) -> u64 {
    let checks = u64::from(BACKENDS) * cluster.nodes.len() as u64;
    PER_THREAD * u64::from(threads) + listeners(cluster, addresses, sockets) + checks + OWN
}

fn listeners(cluster: &Cluster, addresses: &[IpAddr], sockets: u16) -> u64 {
    let ports = cluster.listen.ports().count() as u64;
    let pages = cluster.listen.pages().count() as u64;
    ports * addresses.len() as u64 * u64::from(sockets) + pages
}
