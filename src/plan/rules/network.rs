//! Addresses, ports and the kernel's tables of connections.

use super::{Case, Warning};
use crate::plan::{Remedy, fix};

/// An accept queue below this overflows when all clients reconnect at once.
pub(in crate::plan) const MIN_BACKLOG: u32 = 1024;
/// The lowest port that the kernel can use for outgoing connections.
const LOWEST_EPHEMERAL: u32 = 1024;

/// Addresses that this host does not have.
pub(in crate::plan) fn addresses(case: &Case) -> Option<Warning> {
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
        // An administrator has switched it off, probably with a reason.
        remedies: Vec::new(),
    })
}

/// Our own ports that an outgoing connection can take before we start.
pub(in crate::plan) fn our_ports(case: &Case) -> Option<Warning> {
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
        what: format!("an outgoing connection may take port {list} before the start"),
        why: format!(
            "the kernel's ephemeral ports are {}",
            fix::range(&case.host.ephemeral)
        ),
        fix: Some(fix::sysctl(case.host, &[fix::reserved(case.host, &ports)])),
        remedies: vec![Remedy::Reserve { ports }],
    })
}

/// The balancer's ports for connections to one node. The kernel tries the ports of one parity
/// first, and beyond them scans thousands for each connection.
pub(in crate::plan) fn source_ports(case: &Case) -> Option<Warning> {
    let addresses = case.plan.balancer.addresses();
    let ports = case.host.ephemeral_ports().saturating_mul(addresses);
    let wanted = case.load.per_node;
    if wanted <= ports / 2 {
        return None;
    }
    let limit = match addresses {
        0 | 1 => "one source address has".to_owned(),
        many => format!("{many} source addresses have"),
    };
    let why = if wanted > ports {
        format!("{limit} only {ports} ports to a node")
    } else {
        format!("{limit} {ports} ports to a node, and beyond half of them finding a free one is slow")
    };
    let (fix, remedies) = widen(case);
    Some(Warning {
        what: format!("the balancer cannot make {wanted} connections per node quickly"),
        why,
        fix: Some(fix),
        remedies,
    })
}

/// Clients that come all at once wait in the accept queue.
pub(in crate::plan) fn accept_queue(case: &Case) -> Option<Warning> {
    let longest = case.host.somaxconn;
    let settings = vec![("net.core.somaxconn", "4096".to_owned())];
    (longest < MIN_BACKLOG).then(|| Warning {
        what: format!("when more than {longest} clients connect at once, some wait a second or longer"),
        why: format!("the longest accept queue, net.core.somaxconn, is {longest}"),
        fix: Some(fix::sysctl(case.host, &settings)),
        remedies: Remedy::sysctls(settings, Vec::new()),
    })
}

/// The connection tracking table drops packets when it is full.
pub(in crate::plan) fn tracking(case: &Case) -> Option<Warning> {
    let table = case.host.conntrack?;
    let needed = table.count.saturating_add(case.load.tracked());
    let settings = vec![(
        "net.netfilter.nf_conntrack_max",
        needed.next_multiple_of(1 << 16).to_string(),
    )];
    (needed > table.max).then(|| Warning {
        what: format!(
            "{} connections do not fit into the connection tracking table",
            case.load.total
        ),
        why: format!(
            "it has {} entries, and {needed} are needed: two for each connection, plus the current ones",
            table.max
        ),
        fix: Some(fix::sysctl(case.host, &settings)),
        remedies: Remedy::sysctls(settings, Vec::new()),
    })
}

// Private

/// A wider range of ports, in which our own are reserved; or more nodes, if the widest range is too
/// small.
fn widen(case: &Case) -> (String, Vec<Remedy>) {
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
        let more_nodes = format!(
            "`clusterctl start --set nodes.count={}`, or a lower limits.maxconn",
            case.load.total.div_ceil(widest)
        );
        return (more_nodes, Vec::new());
    };
    let ours: Vec<u16> = case
        .plan
        .bound(case.cluster)
        .iter()
        .map(|bound| bound.address.port())
        .filter(|port| *port >= lowest)
        .collect();
    let range = ("net.ipv4.ip_local_port_range", format!("{lowest} 65535"));
    let mut settings = vec![range.clone()];
    if !ours.is_empty() {
        settings.push(fix::reserved(case.host, &ours));
    }
    (
        fix::sysctl(case.host, &settings),
        Remedy::sysctls(vec![range], ours),
    )
}

#[cfg(test)]
mod tests {
    use super::super::tests::{fix_of, planned};
    use super::*;
    use crate::plan::demand::Load;
    use crate::plan::plan;
    use crate::plan::tests::{big_host, cluster};
    use crate::platform::Host;
    use crate::platform::host::Conntrack;
    use crate::profile::BalancerKind;

    #[test]
    fn ports_in_the_ephemeral_range_are_named_and_reserved() {
        let host = Host {
            ephemeral: 9_000..=65_535,
            reserved: vec![9_001..=9_002],
            ..big_host()
        };
        let fix = fix_of(&planned(&host), "take port 9003, 9004");
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
        // Connections that do not fit anyway need no ports.
        let small = Host {
            nofile: 20_000,
            ..host
        };
        let texts: Vec<_> = planned(&small).warnings.iter().map(ToString::to_string).collect();
        assert!(
            !texts
                .iter()
                .any(|text| text.contains("connections per node quickly")),
            "{texts:?}"
        );
    }

    #[test]
    fn a_widened_range_leaves_our_ports_out_or_more_nodes_are_needed() {
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
        let (fix, remedies) = wanted(116_000);
        assert!(
            fix.contains("=6000 65535' net.ipv4.ip_local_reserved_ports=8000-8002,"),
            "{fix}"
        );
        let [Remedy::Reserve { ports }, Remedy::Sysctl { value, .. }] = remedies.as_slice() else {
            panic!("{remedies:?}");
        };
        assert!(ports.contains(&8_000) && value == "6000 65535");
        let (fix, remedies) = wanted(500_000);
        assert!(fix.contains("nodes.count=16") && remedies.is_empty(), "{fix}");
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
