//! What this host or balancer does not give: one rule a function.

use super::demand::Load;
use super::{Plan, Warning, balancer, fix, nodes};
use crate::platform::Host;
use crate::profile::{BalancerKind, Cluster, Runtime};

/// What a rule looks at.
#[derive(Clone, Copy, Debug)]
pub(super) struct Case<'a> {
    pub(super) cluster: &'a Cluster,
    pub(super) plan: &'a Plan,
    pub(super) host: &'a Host,
    /// The connections that are to be held.
    pub(super) load: Load,
}

/// An accept queue below this overflows when clients come back all at once.
const MIN_BACKLOG: u32 = 1024;
/// The lowest port that the kernel may be told to give to outgoing connections.
const LOWEST_EPHEMERAL: u32 = 1024;
/// Threads of a process of ours beside its workers, and those of whatever else this user runs.
const OTHER_THREADS: u64 = 16;

/// What is different from the profile's wishes, for the connections that fit.
pub(super) fn warnings(cluster: &Cluster, plan: &Plan, host: &Host) -> Vec<Warning> {
    let case = Case {
        cluster,
        plan,
        host,
        load: Load::of(cluster, plan.capacity),
    };
    let rules = [
        balancer_descriptors,
        node_descriptors,
        addresses,
        message_rate,
        connection_rate,
        our_ports,
        source_ports,
        accept_queue,
        tracking,
        memory,
        threads,
    ];
    rules.iter().filter_map(|rule| rule(&case)).collect()
}

/// The balancer has fewer connections than the profile wants.
pub(super) fn balancer_descriptors(case: &Case) -> Option<Warning> {
    let (planned, wanted) = (case.plan.balancer.maxconn, case.cluster.limits.maxconn);
    let needed = balancer::descriptors(case.cluster, &case.plan.addresses, case.plan.balancer.threads);
    (planned < wanted).then(|| Warning {
        what: format!("maxconn is {planned} instead of {wanted}"),
        why: format!(
            "{} needs two descriptors per connection, {needed} in all, and this host allows a process {}",
            case.plan.balancer.kind, case.host.nofile
        ),
        fix: Some(fix::nofile(case.host, needed)),
    })
}

/// The nodes have fewer connections than the profile wants.
pub(super) fn node_descriptors(case: &Case) -> Option<Warning> {
    let (planned, wanted) = (case.plan.nodes.maxconn, nodes::wanted(case.cluster));
    (planned < wanted).then(|| Warning {
        what: format!("a node holds {planned} connections instead of {wanted}"),
        why: format!(
            "it needs a descriptor for each, and this host allows it {}",
            case.plan.nodes.nofile
        ),
        fix: Some(fix::nofile(case.host, nodes::descriptors(case.cluster))),
    })
}

/// Addresses that this host does not have.
pub(super) fn addresses(case: &Case) -> Option<Warning> {
    let listed: Vec<String> = case
        .cluster
        .listen
        .addresses
        .iter()
        .filter(|ip| ip.is_ipv6())
        .map(ToString::to_string)
        .collect();
    (!case.host.ipv6 && !listed.is_empty()).then(|| Warning {
        what: format!("nothing listens on {}", listed.join(", ")),
        why: "this host has no IPv6".to_owned(),
        fix: Some(fix::sysctl(
            case.host,
            &[
                ("net.ipv6.conf.all.disable_ipv6", "0".to_owned()),
                ("net.ipv6.conf.lo.disable_ipv6", "0".to_owned()),
            ],
        )),
    })
}

/// Messages per second inside raw TCP are counted by nobody but the built-in balancer.
pub(super) fn message_rate(case: &Case) -> Option<Warning> {
    let kind = case.plan.balancer.kind;
    (kind != BalancerKind::Builtin && case.cluster.listen.tcp.is_some()).then(|| Warning {
        what: "messages per second are not limited on the TCP listener".to_owned(),
        why: format!("{kind} sees no messages inside a TCP connection; HTTP requests are limited"),
        fix: None,
    })
}

/// nginx has no limit on new connections per second outside HTTP.
pub(super) fn connection_rate(case: &Case) -> Option<Warning> {
    let nginx = case.plan.balancer.kind == BalancerKind::Nginx;
    (nginx && case.cluster.listen.tcp.is_some()).then(|| Warning {
        what: "new connections per second are not limited on the TCP listener".to_owned(),
        why: "nginx's stream module limits connections at the same time only".to_owned(),
        fix: None,
    })
}

/// Ports of ours that an outgoing connection may have taken when we start.
pub(super) fn our_ports(case: &Case) -> Option<Warning> {
    let mut ports: Vec<u16> = case
        .plan
        .bound(case.cluster)
        .iter()
        .map(|bound| bound.address.port())
        .filter(|port| case.host.is_ephemeral(*port))
        .collect();
    ports.sort_unstable();
    ports.dedup();
    if ports.is_empty() {
        return None;
    }
    let list = ports
        .iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(", ");
    Some(Warning {
        what: format!("a start may find port {list} taken by an outgoing connection"),
        why: format!(
            "the kernel gives ports {} to those",
            fix::range(&case.host.ephemeral)
        ),
        fix: Some(fix::sysctl(case.host, &[fix::reserved(case.host, &ports)])),
    })
}

/// Ports that the balancer has for its own connections to one node. The kernel tries the ports of one parity first,
/// and beyond them scans thousands for each connection.
pub(super) fn source_ports(case: &Case) -> Option<Warning> {
    let ports = case.host.ephemeral_ports();
    let wanted = case.load.per_node;
    if wanted <= ports / 2 {
        return None;
    }
    let why = if wanted > ports {
        format!("one source address has only {ports} ports to a node")
    } else {
        format!(
            "one source address has {ports} ports to a node, and beyond half of them finding a free one is slow"
        )
    };
    Some(Warning {
        what: format!("{wanted} connections per node are more than the balancer can make quickly"),
        why,
        fix: Some(widen(case)),
    })
}

/// Clients that come all at once wait in the accept queue.
pub(super) fn accept_queue(case: &Case) -> Option<Warning> {
    let longest = case.host.somaxconn;
    (longest < MIN_BACKLOG).then(|| Warning {
        what: format!("more than {longest} clients at once wait for a second or longer"),
        why: format!("the longest accept queue, net.core.somaxconn, is {longest}"),
        fix: Some(fix::sysctl(
            case.host,
            &[("net.core.somaxconn", "4096".to_owned())],
        )),
    })
}

/// The connection tracking table drops packets when it is full.
pub(super) fn tracking(case: &Case) -> Option<Warning> {
    let table = case.host.conntrack?;
    let needed = table.count.saturating_add(case.load.tracked());
    (needed > table.max).then(|| Warning {
        what: format!(
            "{} connections do not fit into the tracking table",
            case.load.total
        ),
        why: format!(
            "it has {} entries, and {needed} are needed: two for each connection, and those of now",
            table.max
        ),
        fix: Some(fix::sysctl(
            case.host,
            &[(
                "net.netfilter.nf_conntrack_max",
                needed.next_multiple_of(1 << 16).to_string(),
            )],
        )),
    })
}

/// Memory for every connection, kernel included.
pub(super) fn memory(case: &Case) -> Option<Warning> {
    let needed = case.load.memory(case.cluster);
    let available = case.host.memory_available;
    (needed > available).then(|| Warning {
        what: format!("{} connections may not fit into memory", case.load.total),
        why: format!(
            "they need about {} MiB, and {} MiB are available",
            needed >> 20,
            available >> 20
        ),
        fix: Some(format!(
            "free memory, or `clusterctl start --set limits.maxconn={}`",
            Load::fitting(available, case.cluster).max(1)
        )),
    })
}

/// Processes and threads of this user.
pub(super) fn threads(case: &Case) -> Option<Warning> {
    let limit = case.host.nproc?;
    let needed = threads_needed(case);
    (needed > limit).then(|| Warning {
        what: "not every process or thread may start".to_owned(),
        why: format!("about {needed} are needed, and this user may have {limit}"),
        fix: Some(fix::nproc(needed.next_multiple_of(1024))),
    })
}

/// Processes and threads of the whole cluster, roughly.
pub(super) fn threads_needed(case: &Case) -> u64 {
    let balancer = u64::from(case.plan.balancer.threads) * u64::from(case.plan.balancer.instances);
    let per_node = u64::from(case.plan.nodes.workers) + OTHER_THREADS;
    let nodes = match case.cluster.runtime {
        Runtime::External => 0,
        _ => case.cluster.nodes.len() as u64,
    };
    balancer + nodes * per_node + u64::from(case.host.cpus) + OTHER_THREADS
}

// Private

/// A wider range of ports, in which ours are reserved; or more nodes, where the widest range is too small.
fn widen(case: &Case) -> String {
    let wanted = case.load.per_node;
    let lowest = 65_536_u32
        .saturating_sub(wanted.saturating_mul(2))
        .saturating_sub(1_000)
        / 1_000
        * 1_000;
    let widest = (65_536 - LOWEST_EPHEMERAL) / 2;
    let Some(lowest) = u16::try_from(lowest)
        .ok()
        .filter(|port| u32::from(*port) >= LOWEST_EPHEMERAL)
    else {
        return format!(
            "`clusterctl start --set nodes.count={}`, or a lower limits.maxconn",
            case.load.total.div_ceil(widest)
        );
    };
    let ours: Vec<u16> = case
        .plan
        .bound(case.cluster)
        .iter()
        .map(|bound| bound.address.port())
        .filter(|port| *port >= lowest)
        .collect();
    let mut settings = vec![("net.ipv4.ip_local_port_range", format!("{lowest} 65535"))];
    if !ours.is_empty() {
        settings.push(fix::reserved(case.host, &ours));
    }
    fix::sysctl(case.host, &settings)
}

#[cfg(test)]
mod tests {
    use super::super::tests::{big_host, cluster, warnings};
    use super::super::{Plan, plan};
    use super::*;
    use crate::platform::host::Conntrack;

    /// The fix of the warning that contains `text`.
    fn fix_of(plan: &Plan, text: &str) -> String {
        let warning = plan
            .warnings
            .iter()
            .find(|warning| warning.to_string().contains(text));
        warning
            .unwrap_or_else(|| panic!("{:?}", plan.warnings))
            .fix
            .clone()
            .unwrap()
    }

    fn planned(host: &Host) -> Plan {
        plan(&cluster(), BalancerKind::Haproxy, host)
    }

    #[test]
    fn a_big_host_lacks_only_what_haproxy_lacks() {
        let warnings = warnings(&big_host());
        assert_eq!(
            warnings,
            [
                "messages per second are not limited on the TCP listener: haproxy sees no messages inside a TCP \
              connection; HTTP requests are limited"
            ]
        );
    }

    #[test]
    fn what_a_balancer_cannot_limit_depends_on_the_balancer() {
        let rates = |kind| plan(&cluster(), kind, &big_host()).warnings.len();
        assert_eq!((rates(BalancerKind::Builtin), rates(BalancerKind::Nginx)), (0, 2));
    }

    #[test]
    fn ports_in_the_ephemeral_range_are_named_and_reserved() {
        let host = Host {
            ephemeral: 9_000..=65_535,
            reserved: vec![9_001..=9_002],
            ..big_host()
        };
        let fix = fix_of(&planned(&host), "port 9003, 9004 taken");
        assert_eq!(fix, "sudo sysctl -w net.ipv4.ip_local_reserved_ports=9001-9004");
    }

    #[test]
    fn more_than_half_of_the_source_ports_is_too_much() {
        let host = Host {
            ephemeral: 32_768..=60_999,
            ..big_host()
        };
        let fix = fix_of(&planned(&host), "25000 connections per node");
        assert_eq!(fix, "sudo sysctl -w 'net.ipv4.ip_local_port_range=14000 65535'");
        let wide = Host {
            ephemeral: 14_000..=65_535,
            ..big_host()
        };
        assert_eq!(planned(&wide).warnings.len(), 1);
        // What does not fit anyway needs no ports.
        let small = Host {
            nofile: 20_000,
            ..host
        };
        let texts: Vec<_> = planned(&small).warnings.iter().map(ToString::to_string).collect();
        assert!(
            !texts.iter().any(|text| text.contains("per node are more")),
            "{texts:?}"
        );
    }

    #[test]
    fn a_widened_range_leaves_our_ports_out_or_asks_for_nodes() {
        let mut cluster = cluster();
        cluster.limits.maxconn = 116_000;
        let host = Host {
            ephemeral: 32_768..=60_999,
            ..big_host()
        };
        let few = plan(&cluster, BalancerKind::Haproxy, &host);
        let wanted = |total| {
            widen(&Case {
                cluster: &cluster,
                plan: &few,
                host: &host,
                load: Load::of(&cluster, total),
            })
        };
        let fix = wanted(116_000);
        assert!(
            fix.contains("=6000 65535' net.ipv4.ip_local_reserved_ports=8000-8002,"),
            "{fix}"
        );
        assert!(wanted(500_000).contains("nodes.count=16"), "{}", wanted(500_000));
    }

    #[test]
    fn a_full_tracking_table_drops_packets() {
        let host = Host {
            conntrack: Some(Conntrack {
                max: 200_000,
                count: 1,
            }),
            ..big_host()
        };
        let fix = fix_of(&planned(&host), "tracking table");
        assert_eq!(fix, "sudo sysctl -w net.netfilter.nf_conntrack_max=262144");
        let enough = Host {
            conntrack: Some(Conntrack {
                max: 200_000,
                count: 0,
            }),
            ..big_host()
        };
        assert_eq!(planned(&enough).warnings.len(), 1);
    }

    #[test]
    fn short_queues_little_memory_and_few_threads_are_said() {
        let host = Host {
            somaxconn: 128,
            memory_available: 1 << 30,
            nproc: Some(50),
            ..big_host()
        };
        let plan = planned(&host);
        assert!(fix_of(&plan, "128 clients").ends_with("net.core.somaxconn=4096"));
        assert!(fix_of(&plan, "memory").contains("limits.maxconn="));
        assert!(fix_of(&plan, "this user may have").contains("--nproc=1024:1024"));
    }

    #[test]
    fn a_host_without_ipv6_skips_those_addresses() {
        let host = Host {
            ipv6: false,
            ..big_host()
        };
        let plan = planned(&host);
        assert!(plan.addresses.iter().all(std::net::IpAddr::is_ipv4));
        assert!(fix_of(&plan, "nothing listens on ::").contains("disable_ipv6=0"));
    }
}
