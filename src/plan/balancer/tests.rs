//! The plans of HAProxy, nginx and the built-in balancer.

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
            0,
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
        processes(
            &few,
            BalancerKind::Haproxy,
            &few.listen.addresses,
            &nodes,
            &host,
            0
        )
        .sources
        .is_empty()
    );
    let plan = process(
        &cluster(),
        BalancerKind::Nginx,
        &cluster().listen.addresses,
        &host,
        0,
    );
    assert!(plan.sources.is_empty());
}

/// HAProxy of the default profile on a host where a process can have `nofile` descriptors.
fn instances(nofile: u64, cpus: u16) -> BalancerPlan {
    instances_on(0, nofile, cpus)
}

fn instances_on(sockets: u16, nofile: u64, cpus: u16) -> BalancerPlan {
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
        sockets,
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
    let plan = process(&cluster(), BalancerKind::Haproxy, &addresses, &host, 0);
    assert!(starts(plan.maxconn, plan.threads, plan.nofile).await);
    assert!(!starts(plan.maxconn + 100, plan.threads, plan.nofile).await);
}

#[test]
fn a_fitting_maxconn_is_not_lowered() {
    let cluster = cluster();
    let enough = descriptors(&cluster, BalancerKind::Haproxy, &cluster.listen.addresses, 8, 1);
    let at = |nofile| {
        let host = Host { nofile, ..big_host() };
        process(
            &cluster,
            BalancerKind::Haproxy,
            &cluster.listen.addresses,
            &host,
            0,
        )
        .maxconn
    };
    assert_eq!((at(enough), at(enough - 1)), (100_000, 99_999));
}

/// The built-in balancer of the default profile on a host where a table can have `nofile`
/// descriptors.
fn threaded(nofile: u64) -> BalancerPlan {
    threaded_on(0, nofile)
}

fn threaded_on(sockets: u16, nofile: u64) -> BalancerPlan {
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
        sockets,
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
    let enough = descriptors(&cluster, BalancerKind::Builtin, &cluster.listen.addresses, 2, 1);
    assert_eq!(
        (threaded(enough).maxconn, threaded(enough).threads),
        (100_000, 64)
    );
}

#[test]
fn each_socket_that_is_open_already_has_a_thread() {
    assert_eq!(
        (threaded_on(0, 1 << 20).threads, threaded_on(0, 1 << 20).sockets),
        (2, 2)
    );
    let plan = threaded_on(13, 1 << 20);
    assert_eq!((plan.threads, plan.sockets, plan.maxconn), (13, 13, 100_000));
    // Where one thread would hold the most, too.
    assert_eq!(
        (threaded_on(13, 20).threads, threaded_on(13, 20).maxconn),
        (13, 1)
    );
    assert_eq!(threaded_on(99, 20_000).threads, 99);
}

#[test]
fn the_supervisor_has_descriptors_for_the_listeners_of_all_threads() {
    let listeners = listeners(&cluster(), &cluster().listen.addresses, 1);
    for nofile in [64, 256, 1_024] {
        assert!(
            u64::from(threaded(nofile).sockets) * listeners < nofile,
            "{nofile}"
        );
    }
}

#[test]
fn haproxy_serves_several_sockets_by_one_process() {
    let plan = instances_on(14, 1 << 20, 2);
    assert_eq!((plan.instances, plan.threads, plan.sockets), (1, 2, 14));
    let members = |plan: &BalancerPlan| -> Vec<u16> {
        let instances = 0..usize::from(plan.instances);
        instances.map(|index| plan.members(index)).collect()
    };
    assert_eq!(members(&plan), [14]);
    let plan = instances_on(14, 20_000, 2);
    assert_eq!((plan.instances, plan.sockets), (13, 14));
    assert_eq!((plan.members(0), plan.members(1), plan.members(12)), (2, 1, 1));
    let plan = instances_on(2, 20_000, 2);
    assert_eq!(
        (plan.instances, plan.sockets, members(&plan)),
        (13, 13, vec![1; 13])
    );
}

#[test]
fn the_listeners_of_one_process_take_its_descriptors() {
    let (cluster, host) = (
        cluster(),
        Host {
            nofile: 20_000,
            ..big_host()
        },
    );
    let addresses = &cluster.listen.addresses;
    let at = |sockets| process(&cluster, BalancerKind::Haproxy, addresses, &host, sockets).maxconn;
    // Four ports on two addresses; a connection takes two descriptors.
    assert_eq!(at(1) - at(11), 10 * 4 * 2 / 2);
}

proptest! {
    #[test]
    fn what_is_planned_fits_and_grows_with_the_limit(nofile in 200..300_000_u64, cpus in 1..100_u16) {
        let cluster = cluster();
        let addresses = &cluster.listen.addresses;
        let at = |nofile| {
            let host = Host { cpus, nofile, ..big_host() };
            process(&cluster, BalancerKind::Haproxy, addresses, &host, 0)
        };
        let (plan, next) = (at(nofile), at(nofile + 2));
        let used = fixed(&cluster, addresses, plan.threads, 1) + u64::from(plan.maxconn) * PER_CONNECTION;
        prop_assert!(used <= nofile || plan.maxconn == 1);
        prop_assert!(plan.nofile <= nofile && plan.maxconn <= next.maxconn);
    }

    #[test]
    fn instances_fit_and_have_addresses_of_their_own(nofile in 20..300_000_u64, cpus in 1..100_u16) {
        let plan = instances(nofile, cpus);
        let used = fixed(&cluster(), &cluster().listen.addresses, plan.threads, 1) + u64::from(plan.maxconn) * PER_CONNECTION;
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
        let plan = threads(&cluster, BalancerKind::Builtin, &cluster.listen.addresses, &nodes, &host, 0);
        let tables = plan.nofile * u64::from(plan.threads);
        prop_assert!(u64::from(plan.maxconn) * PER_CONNECTION <= tables || plan.maxconn == 1);
        prop_assert!(plan.nofile <= nofile && (1..=64).contains(&plan.threads));
        let strange = |ip: &IpAddr| !ip.is_loopback() || Some(*ip) == plan.check_source;
        prop_assert!(!plan.sources.iter().any(strange));
        let half = u64::from(host.ephemeral_ports() / 2) * u64::from(plan.addresses());
        prop_assert!(u64::from(nodes.maxconn.min(plan.maxconn)) <= half || plan.sources.len() == 256);
    }
}
