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

use std::net::IpAddr;

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
/// HAProxy's reserve (10), its runtime API (1 and 10 clients), the peers section (4), and the same
/// number again for what other versions and template overrides add.
const OWN: u64 = 50;
/// A limit that is never reached costs nothing, unless it is so high that a program sizes its
/// tables by it.
const PLENTY: u64 = 1 << 20;

/// Plans the balancer of `kind` in front of `nodes`.
pub(super) fn plan(
    cluster: &Cluster,
    kind: BalancerKind,
    addresses: &[IpAddr],
    nodes: &NodePlan,
    host: &Host,
) -> BalancerPlan {
    let plan = match kind.facts().scales_by {
        ScaledBy::Processes => processes,
        ScaledBy::Workers => workers,
        ScaledBy::Threads => threads,
    };
    plan(cluster, kind, addresses, nodes, host)
}

/// The `RLIMIT_NOFILE` with which the balancer of `kind` can serve everything that the profile
/// requests.
pub(super) fn descriptors(cluster: &Cluster, kind: BalancerKind, addresses: &[IpAddr], threads: u16) -> u64 {
    let connections = u64::from(cluster.limits.maxconn) * PER_CONNECTION;
    match kind.facts().scales_by {
        ScaledBy::Processes => fixed(cluster, addresses, threads) + connections,
        ScaledBy::Workers => Tables::least_nofile(connections, of_worker(cluster, addresses), Filled::ByHash),
        ScaledBy::Threads => Tables::least_nofile(connections, fixed(cluster, addresses, 0), Filled::ByHash),
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
) -> BalancerPlan {
    let one = process(cluster, kind, addresses, host);
    let wanted = cluster.limits.maxconn;
    if one.maxconn >= wanted {
        return from_backends(one, cluster, nodes, host);
    }
    let listeners = FOR_LISTENERS * listeners(cluster, addresses);
    let most = (host.nofile / listeners.max(1)).clamp(1, MAX_INSTANCES.into());
    let most = u16::try_from(most).unwrap_or(MAX_INSTANCES);
    let threads = |instances: u16| (host.cpus / instances).clamp(1, MAX_THREADS);
    let room = |instances: u16| room(cluster, addresses, threads(instances), host);
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
fn process(cluster: &Cluster, kind: BalancerKind, addresses: &[IpAddr], host: &Host) -> BalancerPlan {
    let threads = host.cpus.clamp(1, MAX_THREADS);
    let fixed = fixed(cluster, addresses, threads);
    let wanted = cluster.limits.maxconn;
    BalancerPlan {
        kind,
        maxconn: at_most(wanted, room(cluster, addresses, threads, host)),
        nofile: host
            .nofile
            .min(PLENTY.max(fixed + u64::from(wanted) * PER_CONNECTION)),
        threads,
        instances: 1,
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
) -> BalancerPlan {
    let wanted = cluster.limits.maxconn;
    let tables = Tables::plan(
        u64::from(wanted) * PER_CONNECTION,
        fixed(cluster, addresses, 0),
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
) -> BalancerPlan {
    let wanted = u64::from(cluster.limits.maxconn) * PER_CONNECTION;
    let own = of_worker(cluster, addresses);
    let tables = Tables::plan(wanted, own, host.cpus.into(), Filled::ByHash, host);
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
        sources: sources::pool(cluster, nodes, maxconn, tables.workers, host),
        check_source: None,
    }
}

/// Descriptors of an nginx worker without connections: it inherits the listeners of all others.
fn of_worker(cluster: &Cluster, addresses: &[IpAddr]) -> u64 {
    fixed(cluster, addresses, 0)
        + MAX_WORKERS * cluster.listen.ports().count() as u64 * addresses.len() as u64
}

fn at_most(wanted: u32, limit: u64) -> u32 {
    wanted.min(u32::try_from(limit).unwrap_or(u32::MAX)).max(1)
}

/// Connections for which one process has descriptors.
fn room(cluster: &Cluster, addresses: &[IpAddr], threads: u16, host: &Host) -> u64 {
    host.nofile.saturating_sub(fixed(cluster, addresses, threads)) / PER_CONNECTION
}

/// Descriptors of a process without connections.
fn fixed(cluster: &Cluster, addresses: &[IpAddr], threads: u16) -> u64 {
    let checks = u64::from(BACKENDS) * cluster.nodes.len() as u64;
    PER_THREAD * u64::from(threads) + listeners(cluster, addresses) + checks + OWN
}

fn listeners(cluster: &Cluster, addresses: &[IpAddr]) -> u64 {
    let ports = cluster.listen.ports().count() as u64;
    let pages = cluster.listen.pages().count() as u64;
    ports * addresses.len() as u64 + pages
}

#[cfg(test)]
mod tests {
    use std::fmt::Write;
    use std::os::unix::net::UnixStream;
    use std::path::Path;
    use std::time::{Duration, Instant};

    use nix::sys::signal::Signal;
    use proptest::prelude::*;

    use super::super::tests::{big_host, cluster};
    use super::*;
    use crate::platform::Program;

    /// A configuration with as many listeners, checks and threads as the default profile's, but
    /// without ports.
    fn config(dir: &Path, maxconn: u32, threads: u16) -> String {
        let dir = dir.display();
        let mut text = format!(
            "global\n maxconn {maxconn}\n nbthread {threads}\n localpeer me\n \
             stats socket {dir}/api.sock mode 600 level admin expose-fd listeners\n\
             peers reload\n peer me unix@{dir}/peer.sock\n\
             defaults\n mode tcp\n timeout connect 5s\n timeout client 5m\n timeout server 5m\n"
        );
        for listener in 0..10 {
            let _ = write!(
                text,
                "frontend f{listener}\n bind unix@{dir}/{listener}.sock\n default_backend b0\n"
            );
        }
        for backend in 0..BACKENDS {
            let _ = writeln!(text, "backend b{backend}");
            for node in 0..4 {
                let _ = writeln!(text, " server n{node} unix@{dir}/node{node}.sock check inter 3s");
            }
        }
        text
    }

    /// Whether the real HAProxy starts with `maxconn` and `nofile`.
    async fn starts(maxconn: u32, threads: u16, nofile: u64) -> bool {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("haproxy.cfg");
        std::fs::write(&file, config(dir.path(), maxconn, threads)).unwrap();
        let mut haproxy = Program::new("/usr/sbin/haproxy").arg("-db").arg("-f").arg(&file);
        haproxy.nofile = Some(nofile);
        let mut process = haproxy.spawn(&dir.path().join("log")).unwrap();
        let identity = process.identity();
        // HAProxy checks its limits before it binds, so a process that answers has accepted them.
        let answers = || UnixStream::connect(dir.path().join("api.sock")).is_ok();
        let deadline = Instant::now() + Duration::from_secs(30);
        let mut started = answers();
        while !started && identity.is_alive() && Instant::now() < deadline {
            tokio::time::sleep(Duration::from_millis(10)).await;
            started = answers();
        }
        let in_time = started || !identity.is_alive();
        identity.signal(Signal::SIGKILL).unwrap();
        process.ended().await.unwrap();
        assert!(in_time, "neither up nor gone");
        started
    }

    #[test]
    fn backends_have_separate_addresses_where_ports_are_few() {
        let nodes = NodePlan {
            nofile: 20_000,
            workers: 3,
            maxconn: 35_000,
        };
        let planned = |ephemeral| {
            let host = Host {
                ephemeral,
                ..big_host()
            };
            let plan = processes(
                &cluster(),
                BalancerKind::Haproxy,
                &cluster().listen.addresses,
                &nodes,
                &host,
            );
            (plan.sources.len(), plan.addresses())
        };
        // The TCP backend has only one of them.
        assert_eq!(planned(32_768..=60_999), (4, 1));
        assert_eq!(planned(60_000..=60_010), (4, 1));
        assert_eq!(planned(0..=u16::MAX), (4, 1));
        let mut few = cluster();
        few.limits.maxconn = 14_116;
        let host = Host {
            ephemeral: 32_768..=60_999,
            ..big_host()
        };
        assert!(
            processes(&few, BalancerKind::Haproxy, &few.listen.addresses, &nodes, &host)
                .sources
                .is_empty()
        );
        let plan = process(
            &cluster(),
            BalancerKind::Nginx,
            &cluster().listen.addresses,
            &host,
        );
        assert!(plan.sources.is_empty());
    }

    /// HAProxy of the default profile on a host where a process can have `nofile` descriptors.
    fn instances(nofile: u64, cpus: u16) -> BalancerPlan {
        let host = Host {
            nofile,
            cpus,
            ephemeral: 32_768..=60_999,
            ..big_host()
        };
        let nodes = super::super::nodes::plan(&cluster(), &host);
        processes(
            &cluster(),
            BalancerKind::Haproxy,
            &cluster().listen.addresses,
            &nodes,
            &host,
        )
    }

    #[test]
    fn several_processes_hold_all_connections_and_a_quarter_more() {
        let plan = instances(20_000, 2);
        assert_eq!((plan.instances, plan.threads, plan.nofile), (13, 1, 20_000));
        assert!((9_930..9_980).contains(&plan.maxconn), "{}", plan.maxconn);
        assert!(plan.holds() >= 100_000, "{}", plan.holds());
        assert_eq!((plan.sources.len(), plan.addresses()), (13, 13));
        // Each instance has an address, and so its backends have none.
        assert_eq!(plan.sources.first(), Some(&"127.0.0.2".parse().unwrap()));
        let plan = instances(110_000, 8);
        assert_eq!((plan.instances, plan.threads, plan.sources.len()), (3, 2, 3));
        let plan = instances(1 << 20, 8);
        assert_eq!((plan.instances, plan.threads, plan.maxconn), (1, 8, 100_000));
        assert_eq!((plan.holds(), plan.sources.len()), (100_000, 4));
    }

    #[test]
    fn the_supervisors_descriptors_limit_the_number_of_processes() {
        let plan = instances(400, 2);
        assert_eq!((plan.instances, plan.addresses()), (10, 1));
        assert!(plan.holds() < 1_500, "{}", plan.holds());
        assert_eq!(instances(20, 2).instances, 1);
    }

    #[tokio::test]
    async fn installed_haproxy_starts_with_the_planned_maxconn_and_not_with_much_more() {
        let host = Host {
            nofile: 20_000,
            cpus: 2,
            ..big_host()
        };
        let addresses = cluster().listen.addresses;
        let plan = process(&cluster(), BalancerKind::Haproxy, &addresses, &host);
        assert!(starts(plan.maxconn, plan.threads, plan.nofile).await);
        assert!(!starts(plan.maxconn + 100, plan.threads, plan.nofile).await);
    }

    #[test]
    fn a_fitting_maxconn_is_not_lowered() {
        let cluster = cluster();
        let enough = descriptors(&cluster, BalancerKind::Haproxy, &cluster.listen.addresses, 8);
        let at = |nofile| {
            let host = Host { nofile, ..big_host() };
            process(&cluster, BalancerKind::Haproxy, &cluster.listen.addresses, &host).maxconn
        };
        assert_eq!((at(enough), at(enough - 1)), (100_000, 99_999));
    }

    /// The built-in balancer of the default profile on a host where a table can have `nofile`
    /// descriptors.
    fn threaded(nofile: u64) -> BalancerPlan {
        let (cluster, host) = (
            cluster().behind(BalancerKind::Builtin),
            Host {
                nofile,
                cpus: 2,
                ephemeral: 32_768..=60_999,
                ..big_host()
            },
        );
        let nodes = super::super::nodes::plan(&cluster, &host);
        threads(
            &cluster,
            BalancerKind::Builtin,
            &cluster.listen.addresses,
            &nodes,
            &host,
        )
    }

    #[test]
    fn workers_hold_what_one_table_cannot() {
        let plan = threaded(20_000);
        assert_eq!((plan.maxconn, plan.threads, plan.nofile), (100_000, 14, 20_000));
        assert_eq!(plan.sources.len(), 14);
        let plan = threaded(1 << 20);
        assert_eq!((plan.maxconn, plan.threads, plan.sources.len()), (100_000, 2, 3));
        assert!((20_000..30_000).contains(&threaded(1_500).maxconn));
        assert_eq!((threaded(20).maxconn, threaded(20).sources.len()), (1, 0));
    }

    #[test]
    fn the_descriptors_that_workers_need_are_enough() {
        let cluster = cluster().behind(BalancerKind::Builtin);
        let enough = descriptors(&cluster, BalancerKind::Builtin, &cluster.listen.addresses, 2);
        assert_eq!(
            (threaded(enough).maxconn, threaded(enough).threads),
            (100_000, 64)
        );
    }

    proptest! {
        #[test]
        fn what_is_planned_fits_and_grows_with_the_limit(nofile in 200..300_000_u64, cpus in 1..100_u16) {
            let cluster = cluster();
            let addresses = &cluster.listen.addresses;
            let at = |nofile| {
                let host = Host { cpus, nofile, ..big_host() };
                process(&cluster, BalancerKind::Haproxy, addresses, &host)
            };
            let (plan, next) = (at(nofile), at(nofile + 2));
            let used = fixed(&cluster, addresses, plan.threads) + u64::from(plan.maxconn) * PER_CONNECTION;
            prop_assert!(used <= nofile || plan.maxconn == 1);
            prop_assert!(plan.nofile <= nofile && plan.maxconn <= next.maxconn);
        }

        #[test]
        fn instances_fit_and_have_addresses_of_their_own(nofile in 20..300_000_u64, cpus in 1..100_u16) {
            let plan = instances(nofile, cpus);
            let used = fixed(&cluster(), &cluster().listen.addresses, plan.threads) + u64::from(plan.maxconn) * PER_CONNECTION;
            prop_assert!(used <= nofile || plan.maxconn == 1);
            prop_assert!((1..=64).contains(&plan.instances) && plan.threads >= 1);
            prop_assert!(plan.instances == 1 || plan.sources.len() <= plan.instances.into());
            prop_assert!(plan.holds() >= 100_000 || nofile < 4_500);
        }

        #[test]
        fn workers_hold_what_is_planned_from_addresses_that_are_ours(
            nofile in 64..300_000_u64, cpus in 1..100_u16, last in 33_000..=65_535_u16
        ) {
            let cluster = cluster().behind(BalancerKind::Builtin);
            let host = Host { cpus, nofile, ephemeral: 32_768..=last, ..big_host() };
            let nodes = super::super::nodes::plan(&cluster, &host);
            let plan = threads(&cluster, BalancerKind::Builtin, &cluster.listen.addresses, &nodes, &host);
            let tables = plan.nofile * u64::from(plan.threads);
            prop_assert!(u64::from(plan.maxconn) * PER_CONNECTION <= tables || plan.maxconn == 1);
            prop_assert!(plan.nofile <= nofile && (1..=64).contains(&plan.threads));
            let strange = |ip: &IpAddr| !ip.is_loopback() || Some(*ip) == plan.check_source;
            prop_assert!(!plan.sources.iter().any(strange));
            let half = u64::from(host.ephemeral_ports() / 2) * u64::from(plan.addresses());
            prop_assert!(u64::from(nodes.maxconn.min(plan.maxconn)) <= half || plan.sources.len() == 256);
        }
    }
}
