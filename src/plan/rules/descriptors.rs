//! Descriptors.

use super::{Case, Warning};
use crate::plan::{balancer, fix, nodes};

/// The balancer has fewer connections than the profile wants.
pub(in crate::plan) fn balancer_descriptors(case: &Case) -> Option<Warning> {
    let (planned, wanted) = (case.plan.balancer.maxconn, case.cluster.limits.maxconn);
    let needed = balancer::descriptors(case.cluster, &case.plan.addresses, case.plan.balancer.threads);
    (planned < wanted).then(|| Warning {
        what: format!("maxconn is {planned} instead of {wanted}"),
        why: format!(
            "{} needs two descriptors per connection, {needed} in all, and this host allows a process {}",
            case.plan.balancer.kind, case.host.nofile
        ),
        fix: Some(fix::nofile(case.host, needed)),
        remedies: fix::nofile_remedy(case.host, needed).into_iter().collect(),
    })
}

/// The nodes have fewer connections than the profile wants.
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
