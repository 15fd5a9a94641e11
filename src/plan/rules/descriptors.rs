//! Descriptors.

use super::{Case, Warning};
use crate::plan::tables::MAX_WORKERS;
use crate::plan::{BalancerPlan, balancer, fix, nodes};
use crate::profile::ScaledBy;

/// The balancer has fewer connections than the profile requests.
pub(in crate::plan) fn balancer_descriptors(case: &Case) -> Option<Warning> {
    let (planned, wanted) = (case.plan.balancer.holds(), case.cluster.limits.maxconn);
    let BalancerPlan {
        kind,
        threads,
        instances,
        ..
    } = case.plan.balancer;
    let sockets = case.plan.balancer.members(0);
    let needed = balancer::descriptors(case.cluster, kind, &case.plan.addresses, threads, sockets);
    let (all, allowed_for) = match (kind.facts().scales_by, instances) {
        (ScaledBy::Threads, _) => (format!("in each of {MAX_WORKERS} threads"), "a thread".to_owned()),
        (ScaledBy::Workers, _) => (
            format!("in each of {MAX_WORKERS} workers"),
            "a process".to_owned(),
        ),
        (ScaledBy::Processes, 1) => ("in all".to_owned(), "a process".to_owned()),
        (ScaledBy::Processes, several) => ("in all".to_owned(), format!("each of {several} processes")),
    };
    (planned < wanted).then(|| Warning {
        what: format!("maxconn is {planned} instead of {wanted}"),
        why: format!(
            "{kind} needs two descriptors per connection, {needed} {all}, and this host allows {allowed_for} {}",
            case.host.nofile
        ),
        fix: Some(fix::nofile(case.host, needed)),
        remedies: fix::nofile_remedy(case.host, needed).into_iter().collect(),
    })
}

/// The nodes have fewer connections than the profile requests.
pub(in crate::plan) fn node_descriptors(case: &Case) -> Option<Warning> {
    let (planned, wanted) = (case.plan.nodes.maxconn, nodes::wanted(case.cluster));
    let needed = nodes::descriptors(case.cluster);
    (planned < wanted).then(|| Warning {
        what: format!("a node holds {planned} connections instead of {wanted}"),
        why: format!(
            "it needs a descriptor for each, and this host allows it {}",
            case.plan.nodes.nofile
        ),
        fix: Some(fix::nofile(case.host, needed)),
        remedies: fix::nofile_remedy(case.host, needed).into_iter().collect(),
    })
}
