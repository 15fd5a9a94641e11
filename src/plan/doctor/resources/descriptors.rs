//! Descriptors of the balancer and of a load test.

use super::{Resource, fix, tables};
use crate::plan::rules::{self, Case};
use crate::plan::tables::Tables;
use crate::plan::{BalancerPlan, balancer, generator};
use crate::profile::ScaledBy;

pub(super) fn balancer_descriptors(case: &Case) -> Resource {
    let plan = &case.plan.balancer;
    let nofile = case.host.nofile;
    let (needed, given, action) = match plan.kind.facts().scales_by {
        ScaledBy::Threads => (
            u64::from(case.load.total) * 2,
            format!("{nofile} a thread"),
            format!("{}, for {} connections", tables(plan.threads), plan.maxconn),
        ),
        ScaledBy::Workers => (
            u64::from(case.load.total) * 2,
            format!("{nofile} a process"),
            format!("{} workers for {} connections", plan.threads, plan.maxconn),
        ),
        ScaledBy::Processes if plan.instances > 1 => (
            u64::from(case.load.total) * 2,
            format!("{nofile} a process"),
            processes(plan),
        ),
        ScaledBy::Processes => (
            balancer::descriptors(
                case.cluster,
                plan.kind,
                &case.plan.addresses,
                plan.threads,
                plan.members(0),
            ),
            format!("{nofile} a process"),
            processes(plan),
        ),
    };
    let most = plan.holds().into();
    Resource::new("balancer descriptors", &needed, &given, action).for_at_most(
        most,
        case,
        fix(rules::balancer_descriptors(case)),
    )
}

pub(super) fn generator_descriptors(case: &Case) -> Resource {
    let total = case.load.total;
    let Tables {
        nofile,
        workers,
        held,
    } = generator::tables(total, 1, case.host);
    let lacking = held < total.into();
    let action = if lacking {
        format!("a load test holds {held} at most")
    } else {
        format!("{}, in a load test", tables(workers))
    };
    Resource::new(
        "generator descriptors",
        &total,
        &format!("{nofile} a thread"),
        action,
    )
    .with_a_loss(lacking)
}

// Private

fn processes(plan: &BalancerPlan) -> String {
    let BalancerPlan {
        instances, maxconn, ..
    } = plan;
    match instances {
        1 => format!("1 process for {maxconn} connections"),
        several => format!("{several} processes for up to {maxconn} connections each"),
    }
}
