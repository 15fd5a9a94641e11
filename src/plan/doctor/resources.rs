//! What a number of connections takes of each resource, what this host gives, and what will be done about it.

use std::net::IpAddr;

use serde::{Serialize, Serializer};

use super::Level;
use crate::plan::demand::{self, Load};
use crate::plan::rules::{self, Case};
use crate::plan::tables::Tables;
use crate::plan::{Warning, balancer, generator};
use crate::profile::{BalancerKind, Runtime};

/// One resource, for so many connections.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Resource {
    /// What it is.
    pub resource: &'static str,
    /// How much of it they need.
    pub needed: String,
    /// How much of it there is.
    pub given: String,
    /// What will be done.
    pub action: String,
    /// Fails where they do not fit, warns where they do with a loss. To programs: whether it is as wanted.
    #[serde(rename = "ok", serialize_with = "is_ok")]
    pub level: Level,
    /// Connections that it allows.
    #[serde(skip)]
    pub(super) most: u64,
    /// What gives more of it.
    #[serde(skip)]
    pub(super) fix: Option<String>,
}

/// All of them; the first sums the others up.
pub(super) fn all(case: &Case) -> Vec<Resource> {
    let mut rows = vec![
        balancer_descriptors(case),
        nodes(case),
        node_descriptors(case),
        generator_descriptors(case),
        source_ports(case),
        clients(case),
        accept_queue(case),
        tracking(case),
        memory(case),
        threads(case),
    ];
    rows.insert(0, connections(case, &rows));
    rows
}

/// The one that allows the fewest connections, if that is too few.
pub(super) fn tightest<'a>(case: &Case, rows: &'a [Resource]) -> Option<&'a Resource> {
    let wanted = u64::from(case.load.total);
    rows.iter()
        .filter(|row| row.most < wanted)
        .min_by_key(|row| row.most)
}

// Private

impl Resource {
    /// Of which there is enough.
    fn new(resource: &'static str, needed: impl ToString, given: impl ToString, action: String) -> Resource {
        Resource {
            resource,
            needed: needed.to_string(),
            given: given.to_string(),
            action,
            level: Level::Ok,
            most: u64::MAX,
            fix: None,
        }
    }

    /// The same where no more than `most` connections fit.
    fn for_at_most(mut self, most: u64, case: &Case, fix: Option<String>) -> Resource {
        self.most = most;
        if most < u64::from(case.load.total) {
            self.level = Level::Fail;
            self.fix = fix;
        }
        self
    }

    /// The same where `lacking` says what is lost.
    fn with_a_loss(mut self, lacking: bool) -> Resource {
        if lacking {
            self.level = self.level.max(Level::Warn);
        }
        self
    }
}

fn connections(case: &Case, rows: &[Resource]) -> Resource {
    let Load { total, per_node } = case.load;
    let nodes = case.cluster.nodes.len();
    match tightest(case, rows) {
        None => Resource::new(
            "connections",
            total,
            total,
            format!("limits.maxconn={total}, up to {per_node} on each of {nodes} nodes"),
        ),
        Some(row) => Resource {
            level: Level::Fail,
            ..Resource::new(
                "connections",
                total,
                row.most,
                format!("do not fit: {}", row.resource),
            )
        },
    }
}

fn balancer_descriptors(case: &Case) -> Resource {
    let plan = &case.plan.balancer;
    let nofile = case.host.nofile;
    let (needed, given, action) = match plan.kind {
        BalancerKind::Builtin => (
            u64::from(case.load.total) * 2,
            format!("{nofile} a thread"),
            format!("{}, for {} connections", tables(plan.threads), plan.maxconn),
        ),
        BalancerKind::Haproxy | BalancerKind::Nginx => (
            balancer::descriptors(case.cluster, plan.kind, &case.plan.addresses, plan.threads),
            format!("{nofile} a process"),
            format!("{} process for {} connections", plan.instances, plan.maxconn),
        ),
    };
    let most = u64::from(plan.maxconn) * u64::from(plan.instances);
    Resource::new("balancer descriptors", needed, given, action).for_at_most(
        most,
        case,
        fix(rules::balancer_descriptors(case)),
    )
}

/// What the profile allows each node, and what is left when one of them dies.
fn nodes(case: &Case) -> Resource {
    let Load { total, per_node } = case.load;
    let nodes = &case.cluster.nodes;
    let held: u64 = nodes.iter().map(|node| u64::from(node.maxconn)).sum();
    let largest = nodes.iter().map(|node| node.maxconn).max().unwrap_or(0);
    let left = held - u64::from(largest);
    let others = u32::try_from(nodes.len()).unwrap_or(u32::MAX).saturating_sub(1);
    let in_need = total.div_ceil(others.max(1));
    let action = match () {
        () if held < total.into() => format!("`--set nodes.maxconn={in_need}`, or more nodes"),
        () if others == 0 => "no other node when this one is down".to_owned(),
        () if left < total.into() => {
            format!("{left} when one is down; `--set nodes.maxconn={in_need}` for all")
        }
        () => "all of them also when one is down".to_owned(),
    };
    let needed = match others {
        0 => per_node.to_string(),
        _ => format!("{per_node}, {in_need} when one is down"),
    };
    let more = format!("`--set nodes.maxconn={in_need}`");
    Resource::new(
        "connections per node",
        needed,
        format!("{largest} (nodes.maxconn)"),
        action,
    )
    .for_at_most(held, case, Some(more))
    .with_a_loss(others > 0 && left < total.into())
}

fn node_descriptors(case: &Case) -> Resource {
    let plan = &case.plan.nodes;
    let needed = case.load.per_node;
    let (given, action) = match case.cluster.runtime {
        Runtime::External => (
            "theirs".to_owned(),
            "none: nodes elsewhere have limits of their own".to_owned(),
        ),
        Runtime::Embedded => (
            format!("{} a thread", plan.nofile),
            format!(
                "{}, for {} connections in each node",
                tables(plan.workers),
                plan.maxconn
            ),
        ),
        Runtime::Command | Runtime::Erlang => (
            format!("{} a process", plan.nofile),
            format!("1 process for {} connections in each node", plan.maxconn),
        ),
    };
    let most = u64::from(plan.maxconn) * case.cluster.nodes.len() as u64;
    Resource::new("node descriptors", needed, given, action).for_at_most(
        most,
        case,
        fix(rules::node_descriptors(case)),
    )
}

fn generator_descriptors(case: &Case) -> Resource {
    let total = case.load.total;
    let Tables {
        nofile,
        workers,
        held,
    } = generator::tables(total, 1, case.host);
    let lacking = held < total.into();
    let action = match lacking {
        true => format!("a load test holds {held} at most"),
        false => format!("{}, in a load test", tables(workers)),
    };
    Resource::new(
        "generator descriptors",
        total,
        format!("{nofile} a thread"),
        action,
    )
    .with_a_loss(lacking)
}

/// Ports from the balancer's addresses to each node.
fn source_ports(case: &Case) -> Resource {
    let addresses = case.plan.balancer.addresses();
    let ports = case.host.ephemeral_ports();
    let nodes = case.cluster.nodes.len() as u64;
    let slow = rules::source_ports(case);
    let from = match case.plan.balancer.sources.as_slice() {
        [] => "the address that the kernel chooses".to_owned(),
        [first, .., last] if case.plan.balancer.kind == BalancerKind::Haproxy => {
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
        case.load.per_node,
        format!("{ports} an address"),
        action,
    )
    .with_a_loss(slow.is_some())
    .for_at_most(most, case, fix(slow))
}

/// Addresses of a load test's clients.
fn clients(case: &Case) -> Resource {
    let per_ip = &case.cluster.limits.per_ip;
    let total = case.load.total;
    let (needed, why) = match per_ip.connections {
        0 => (1, "limits.per_ip has no limit".to_owned()),
        limit => (
            total.div_ceil((limit / 2).max(1)),
            format!("{limit} a client are allowed"),
        ),
    };
    let lacking = total > generator::POOL;
    let action = format!("one for each connection of a load test; {why}");
    Resource::new("client addresses", needed, generator::POOL, action).with_a_loss(lacking)
}

fn accept_queue(case: &Case) -> Resource {
    let longest = case.host.somaxconn;
    let short = rules::accept_queue(case);
    let action = match &short {
        None => "as long as the kernel allows".to_owned(),
        Some(warning) => warning.what.clone(),
    };
    Resource::new("accept queue", rules::MIN_BACKLOG, longest, action).with_a_loss(short.is_some())
}

fn tracking(case: &Case) -> Resource {
    let name = "connection tracking";
    let Some(table) = case.host.conntrack else {
        return Resource::new(
            name,
            0,
            "no table",
            "none: the kernel tracks no connections".to_owned(),
        );
    };
    let free = table.max.saturating_sub(table.count);
    let needed = table.count.saturating_add(case.load.tracked());
    let action = "two entries for each connection, beside those of now".to_owned();
    Resource::new(name, needed, table.max, action).for_at_most(
        free / Load::TRACKED,
        case,
        fix(rules::tracking(case)),
    )
}

/// Memory of the cluster and of a load test, kernel included.
fn memory(case: &Case) -> Resource {
    let parties = Some((case.plan.balancer.kind, case.cluster.runtime));
    let idle = Load::of(case.cluster, 0).memory(case.cluster, case.plan.balancer.kind);
    let needed = idle + demand::of_a_test(case.load.total, parties, true);
    let available = case.host.memory_available;
    let most = demand::fitting_a_test(available.saturating_sub(idle), parties, true);
    let each = demand::of_a_test(1, parties, true) - demand::of_a_test(0, parties, true);
    Resource::new(
        "memory",
        format!("{} MiB", needed >> 20),
        format!("{} MiB", available >> 20),
        format!("{} KiB a connection, kernel and load test included", each >> 10),
    )
    .for_at_most(most, case, Some("free memory".to_owned()))
}

fn threads(case: &Case) -> Resource {
    let needed = rules::threads_needed(case);
    let given = case
        .host
        .nproc
        .map_or_else(|| "unlimited".to_owned(), |limit| limit.to_string());
    let short = rules::threads(case);
    let action = match &short {
        None => "started as they are needed".to_owned(),
        Some(warning) => warning.what.clone(),
    };
    Resource::new("threads", needed, given, action).with_a_loss(short.is_some())
}

fn tables(threads: u16) -> String {
    match threads {
        1 => "1 thread with a table".to_owned(),
        many => format!("{many} threads with a table each"),
    }
}

fn fix(warning: Option<Warning>) -> Option<String> {
    warning.and_then(|warning| warning.fix)
}

fn range(first: IpAddr, last: IpAddr) -> String {
    format!("{first} to {last}")
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
fn is_ok<S: Serializer>(level: &Level, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_bool(*level == Level::Ok)
}
