//! Ports, addresses, and the kernel's queues and tables of connections.

use std::net::IpAddr;

use super::{Resource, fix};
use crate::plan::demand::Load;
use crate::plan::generator;
use crate::plan::rules::{self, Case};

/// Ports from the balancer's addresses to each node.
pub(super) fn source_ports(case: &Case) -> Resource {
    let addresses = case.plan.balancer.addresses();
    let ports = case.host.ephemeral_ports();
    let nodes = case.cluster.nodes.len() as u64;
    let slow = rules::source_ports(case);
    let from = match case.plan.balancer.sources.as_slice() {
        [] => "the address that the kernel chooses".to_owned(),
        [first, .., last] if case.plan.balancer.has_address_per_backend() => {
            format!("an address for each backend: {}", range(*first, *last))
        }
        [one] => one.to_string(),
        [first, .., last] => format!("{addresses} source addresses: {}", range(*first, *last)),
    };
    let action = match slow {
        Some(_) => format!("{from}; slow beyond half of the ports"),
        None => from,
    };
    let most = u64::from(ports) * u64::from(addresses) * nodes;
    Resource::new(
        "source ports to nodes",
        &case.load.per_node,
        &format!("{ports} an address"),
        action,
    )
    .with_a_loss(slow.is_some())
    .for_at_most(most, case, fix(slow))
}

/// Addresses of a load test's clients.
pub(super) fn clients(case: &Case) -> Resource {
    let per_ip = &case.cluster.limits.per_ip;
    let total = case.load.total;
    let (needed, why) = match per_ip.connections {
        0 => (1, "limits.per_ip has no limit".to_owned()),
        limit => (
            total.div_ceil((limit / 2).max(1)),
            format!("{limit} connections per client are allowed"),
        ),
    };
    let lacking = total > generator::POOL;
    let action = format!("one for each connection of a load test; {why}");
    Resource::new("client addresses", &needed, &generator::POOL, action).with_a_loss(lacking)
}

pub(super) fn accept_queue(case: &Case) -> Resource {
    let longest = case.host.somaxconn;
    let short = rules::accept_queue(case);
    let action = match &short {
        None => "the longest that the kernel allows".to_owned(),
        Some(warning) => warning.what.clone(),
    };
    Resource::new("accept queue", &rules::MIN_BACKLOG, &longest, action).with_a_loss(short.is_some())
}

pub(super) fn tracking(case: &Case) -> Resource {
    let name = "connection tracking";
    let Some(table) = case.host.conntrack else {
        return Resource::new(
            name,
            &0,
            &"no table",
            "none: the kernel tracks no connections".to_owned(),
        );
    };
    let free = table.max.saturating_sub(table.count);
    let needed = table.count.saturating_add(case.load.tracked());
    let action = "two entries for each connection, plus the current ones".to_owned();
    Resource::new(name, &needed, &table.max, action).for_at_most(
        free / Load::TRACKED,
        case,
        fix(rules::tracking(case)),
    )
}

// Private

fn range(first: IpAddr, last: IpAddr) -> String {
    format!("{first} to {last}")
}
