//! The single checks.

use super::{Finding, Level, Observed, ObservedBinary, Resource};
use crate::plan::BalancerPlan;
use crate::plan::demand::Load;
use crate::plan::fix;
use crate::plan::rules::{self, Case};
use crate::platform::{Holder, Host};
use crate::profile::ScaledBy;

/// Whether all connections fit; not if `tightest` allows fewer.
pub(super) fn connections(case: &Case, tightest: Option<&Resource>) -> Finding {
    let total = case.load.total;
    let kind = case.plan.balancer.kind;
    let Some(Resource {
        resource,
        needed,
        given,
        most,
        fix,
        ..
    }) = tightest
    else {
        let verb = if total == 1 { "fits" } else { "fit" };
        return Finding::ok(
            "connections",
            format!("{total} {verb} behind {kind} on this host"),
        );
    };
    let fewer = format!("`clusterctl start --set limits.maxconn={most}`");
    Finding {
        check: "connections".to_owned(),
        level: Level::Fail,
        detail: format!(
            "{total} do not fit behind {kind} on this host, {most} do: {resource}, {needed} needed and {given} given"
        ),
        fix: Some(match fix {
            Some(more) => format!("{fewer}, or {more}"),
            None => fewer,
        }),
        remedies: Vec::new(),
    }
}

/// Whether a program is installed and usable.
pub(super) fn binary(observed: &ObservedBinary) -> Finding {
    let detail = match (&observed.path, &observed.problem) {
        (None, None) if observed.needed => "not found".to_owned(),
        (None, None) => "not found, and not needed by this profile".to_owned(),
        (None, Some(problem)) => problem.clone(),
        (Some(path), problem) => {
            let version = observed.version.as_deref().unwrap_or("of unknown version");
            let problem = problem
                .as_ref()
                .map_or_else(String::new, |problem| format!(": {problem}"));
            format!("{version} at {}{problem}", path.display())
        }
    };
    let fit = observed.path.is_some() && observed.problem.is_none();
    let level = match observed.needed {
        _ if fit => Level::Ok,
        true => Level::Fail,
        // A program that is not needed can be missing; a broken one deserves a warning.
        false if observed.problem.is_some() => Level::Warn,
        false => Level::Ok,
    };
    Finding {
        check: observed.name.to_owned(),
        level,
        detail,
        fix: (level != Level::Ok).then(|| observed.fix.clone()),
        remedies: Vec::new(),
    }
}

/// One finding for each port that another program holds, or one for all free ports.
pub(super) fn ports(case: &Case, observed: &Observed) -> Vec<Finding> {
    let bound = case.plan.bound(case.cluster);
    let is_own = |holder: &Holder| holder.pid.is_some_and(|pid| observed.own_pids.contains(&pid));
    let taken: Vec<Finding> = observed
        .holders
        .iter()
        .filter(|(_, holder)| !is_own(holder))
        .map(|(address, holder)| {
            let owner = bound.iter().find(|bound| bound.address == *address);
            let owner = owner.map_or("", |bound| bound.owner.as_str());
            let kill = holder
                .pid
                .map_or_else(String::new, |pid| format!(", or `kill {pid}`"));
            Finding {
                check: "ports".to_owned(),
                level: Level::Fail,
                detail: format!("{address} ({owner}) is held by {holder}"),
                fix: Some(format!("`clusterctl start --port-offset 10000`{kill}")),
                remedies: Vec::new(),
            }
        })
        .collect();
    if !taken.is_empty() {
        return taken;
    }
    let detail = match observed.holders.len() {
        0 => format!("all {} are free", bound.len()),
        ours => format!("{ours} are held by this running cluster; the others are free"),
    };
    vec![Finding::ok("ports", detail)]
}

/// The limits of the kernel and the machine.
pub(super) fn limits(case: &Case) -> Vec<Finding> {
    let Host {
        cpus,
        memory_available,
        nofile,
        nproc,
        somaxconn,
        ephemeral,
        conntrack,
        ..
    } = case.host;
    let Load { total, per_node } = case.load;
    let ephemeral = fix::range(ephemeral);
    vec![
        Finding::of(
            "listeners",
            rules::unserved(case),
            format!("{} serves all listeners of the profile", case.plan.balancer.kind),
        ),
        Finding::of(
            "nofile",
            rules::balancer_descriptors(case),
            format!(
                "{nofile} descriptors{} are enough for {total} connections through the balancer",
                each_table(case)
            ),
        ),
        Finding::of(
            "node nofile",
            rules::node_descriptors(case),
            format!("each node can hold {} connections", case.plan.nodes.maxconn),
        ),
        Finding::of(
            "nproc",
            rules::threads(case),
            nproc.map_or_else(
                || "unlimited".to_owned(),
                |nproc| format!("{nproc}, and about {} are needed", rules::threads_needed(case)),
            ),
        ),
        Finding::of(
            "ephemeral range",
            rules::our_ports(case),
            format!("{ephemeral}, which contains no unreserved port of this cluster"),
        ),
        Finding::of(
            "source ports",
            rules::source_ports(case),
            format!(
                "{}{} for {per_node} connections per node",
                case.host.ephemeral_ports(),
                each_address(case)
            ),
        ),
        Finding::of("ipv6", rules::addresses(case), ipv6(case).to_owned()),
        Finding::of("somaxconn", rules::accept_queue(case), somaxconn.to_string()),
        Finding::of(
            "conntrack",
            rules::tracking(case),
            conntrack.map_or_else(
                || "the kernel tracks no connections".to_owned(),
                |table| format!("{} of {} entries are in use", table.count, table.max),
            ),
        ),
        Finding::of(
            "memory",
            rules::memory(case),
            format!(
                "{} MiB available, and about {} MiB are needed",
                memory_available >> 20,
                case.load.memory(case.cluster, case.plan.balancer.kind) >> 20
            ),
        ),
        Finding::of("cores", rules::cores(case), cpus.to_string()),
    ]
}

// Private

/// If several tables each have this many descriptors, the text that gives the number of tables.
fn each_table(case: &Case) -> String {
    let BalancerPlan {
        kind,
        threads,
        instances,
        ..
    } = case.plan.balancer;
    match (kind.facts().scales_by, instances) {
        (ScaledBy::Threads, _) => format!(" in each of {threads} threads"),
        (ScaledBy::Workers, _) => format!(" in each of {threads} workers"),
        (ScaledBy::Processes, 1) => String::new(),
        (ScaledBy::Processes, instances) => format!(" in each of {instances} processes"),
    }
}

/// If several addresses each have this many ports, the text that gives the number of addresses.
fn each_address(case: &Case) -> String {
    match case.plan.balancer.addresses() {
        0 | 1 => String::new(),
        addresses => format!(" at each of {addresses} source addresses"),
    }
}

fn ipv6(case: &Case) -> &'static str {
    if case.host.ipv6 {
        "available"
    } else {
        "not available, and not used"
    }
}
