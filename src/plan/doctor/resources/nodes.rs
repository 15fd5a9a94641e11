//! What the nodes can hold.

use super::{Resource, fix, tables};
use crate::plan::demand::Load;
use crate::plan::rules::{self, Case};
use crate::profile::Runtime;

/// What the profile allows each node, and the capacity when one of them is dead.
pub(super) fn nodes(case: &Case) -> Resource {
    let Load { total, per_node } = case.load;
    let nodes = &case.cluster.nodes;
    let held: u64 = nodes.iter().map(|node| u64::from(node.maxconn)).sum();
    let largest = nodes.iter().map(|node| node.maxconn).max().unwrap_or(0);
    let left = held - u64::from(largest);
    let others = u32::try_from(nodes.len()).unwrap_or(u32::MAX).saturating_sub(1);
    let in_need = total.div_ceil(others.max(1));
    let action = if held < total.into() {
        format!("`--set nodes.maxconn={in_need}`, or more nodes")
    } else if others == 0 {
        "no other node is left when this one is down".to_owned()
    } else if left < total.into() {
        format!("{left} when one is down; `--set nodes.maxconn={in_need}` for all")
    } else {
        "all of them also when one is down".to_owned()
    };
    let needed = match others {
        0 => per_node.to_string(),
        _ => format!("{per_node}, {in_need} when one is down"),
    };
    let more = format!("`--set nodes.maxconn={in_need}`");
    Resource::new(
        "connections per node",
        &needed,
        &format!("{largest} (nodes.maxconn)"),
        action,
    )
    .for_at_most(held, case, Some(more))
    .with_a_loss(others > 0 && left < total.into())
}

pub(super) fn node_descriptors(case: &Case) -> Resource {
    let plan = &case.plan.nodes;
    let needed = case.load.per_node;
    let (given, action) = match case.cluster.runtime {
        Runtime::External => (
            "their own limits".to_owned(),
            "none: external nodes have their own limits".to_owned(),
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
    Resource::new("node descriptors", &needed, &given, action).for_at_most(
        most,
        case,
        fix(rules::node_descriptors(case)),
    )
}
