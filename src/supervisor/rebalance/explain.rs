//! The figures and sentences of a rebalance.

use super::plan::{Pace, Plan, shares, variance};
use super::survey::{Kept, Scope, Survey};
use crate::api::{RebalanceNode, RebalanceOrder, RebalancePlan};
use crate::plan::ChosenBy;
use crate::render::Held;

/// Why nothing can become even.
pub(super) const TOO_FEW_NODES: &str = "fewer than two nodes take clients";

/// The plan as it is shown.
pub(super) fn shown(scope: &Scope, order: &RebalanceOrder, survey: &Survey, plan: &Plan) -> RebalancePlan {
    let pace = pace(order, plan);
    let mut loads = survey.loads.clone();
    for (load, after) in loads.iter_mut().zip(&plan.after) {
        load.connections = *after;
    }
    let after_percent = rounded(variance(&loads));
    let is_possible = plan.becomes_even;
    let mut shown = RebalancePlan {
        nodes: nodes(survey, 0),
        variance_percent: rounded(variance(&survey.loads)),
        closes: if is_possible { plan.total } else { 0 },
        per_second: if is_possible && plan.total > 0 {
            pace.per_second()
        } else {
            0
        },
        after_percent,
        notes: Vec::new(),
        impossible: Vec::new(),
        begun: false,
    };
    let kept: Vec<String> = survey
        .kept
        .iter()
        .map(|(why, count)| sentence(*why, *count))
        .collect();
    if is_possible {
        shown.notes = kept;
        if shown.closes > 0 && !survey.slow.is_empty() {
            let slow: Vec<&str> = survey.slow.iter().map(String::as_str).collect();
            shown.notes.push(format!(
                "{} came back just now: nothing is closed until it gets its share of new clients",
                slow.join(", ")
            ));
        }
        return shown;
    }
    let counts: Vec<String> = plan.after.iter().map(u64::to_string).collect();
    shown.impossible.push(format!(
        "the nodes would have {} connections at best, which differ by {after_percent}%, and not by less than {}",
        counts.join(", "),
        order.to
    ));
    if survey.loads.len() < 2 {
        shown.impossible = vec![TOO_FEW_NODES.to_owned()];
    }
    shown.impossible.extend(large_group(survey));
    if scope.spec.balancer.chosen_by(scope.spec.deployment(), "tcp") == Some(ChosenBy::Address) {
        shown.impossible.push(
            "the balancer computes the node of a client from its address, and addresses are distributed \
             unevenly"
                .to_owned(),
        );
    }
    shown.impossible.extend(kept);
    shown
}

/// The closes of each second.
pub(super) fn pace(order: &RebalanceOrder, plan: &Plan) -> Pace {
    Pace {
        total: plan.total,
        over: order.over.duration(),
    }
}

/// The nodes with their connections and shares, while so many clients are `returning`.
pub(super) fn nodes(survey: &Survey, returning: u64) -> Vec<RebalanceNode> {
    let shares = shares(&survey.loads, returning);
    let loads = survey.loads.iter().zip(shares).zip(survey.may_be_closed());
    loads
        .map(|((load, share), may_be_closed)| RebalanceNode {
            node: load.node.clone(),
            connections: load.connections,
            share: whole(share),
            may_be_closed,
        })
        .collect()
}

/// To two digits.
pub(super) fn rounded(percent: f64) -> f64 {
    (percent * 100.0).round() / 100.0
}

// Private

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a number of connections"
)]
fn whole(share: f64) -> u64 {
    share.round() as u64
}

/// The address that is too large to be moved.
fn large_group(survey: &Survey) -> Option<String> {
    let largest = survey.groups.iter().max_by_key(|group| group.connections.len())?;
    let size = largest.connections.len() as u64;
    let shares = shares(&survey.loads, 0);
    let share = shares.get(largest.from).copied().map_or(0, whole);
    let held = survey.loads.get(largest.from)?;
    let is_too_large = size > 1 && held.connections.saturating_sub(size) < share;
    is_too_large.then(|| {
        format!(
            "one address has {size} of the {} connections of {}, and `sticky: source` keeps them at one node",
            held.connections, held.node
        )
    })
}

fn sentence(why: Kept, count: u64) -> String {
    match why {
        Kept::Spared(held) => format!("{count} {held} are spared: `--streams` closes them, too"),
        Kept::ComesBack(held) => {
            format!("{count} {held} stay: their clients belong to a node by session or cookie")
        }
        Kept::UnknownNode(held) => {
            format!("{count} {held} stay: it is not known which nodes their clients would get")
        }
        Kept::AtFormerBalancer => {
            format!("{count} {} stay: a former balancer process has them", Held::Tcp)
        }
        Kept::NotShown => {
            "WebSockets and event streams stay: nginx does not show which connections they have".to_owned()
        }
    }
}
