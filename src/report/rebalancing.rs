//! `rebalance`: what it will close, and how it ended.

use super::{numbers, table};
use crate::api::{EndedRebalance, RebalanceFigures, RebalanceNode, RebalancePlan};
use crate::base::units::Percent;

/// The plan of a rebalance that closes connections until the nodes differ by less than `to`.
#[must_use]
pub fn rebalance_plan(plan: &RebalancePlan, to: Percent) -> String {
    let mut lines = nodes(&plan.nodes);
    lines.push(if !plan.impossible.is_empty() {
        format!(
            "the nodes differ by {}%; nothing is closed",
            plan.variance_percent
        )
    } else if plan.closes == 0 {
        format!("the nodes are even: they differ by {}%", plan.variance_percent)
    } else {
        format!(
            "{} to close, at most {} a second: from {}% apart to less than {to}",
            connections(plan.closes),
            numbers::grouped(plan.per_second),
            plan.variance_percent
        )
    });
    lines.extend(plan.notes.iter().cloned());
    lines.join("\n")
}

/// The result of a rebalance.
#[must_use]
pub fn rebalance_ended(ended: &EndedRebalance) -> String {
    let RebalanceFigures {
        closed,
        most_in_a_second,
        variance_percent,
        nodes: counts,
        ..
    } = &ended.figures;
    let mut lines = nodes(counts);
    lines.push(format!(
        "closed {}, at most {} in a second; the nodes differ by {variance_percent}%",
        connections(*closed),
        numbers::grouped(*most_in_a_second)
    ));
    lines.join("\n")
}

// Private

fn nodes(nodes: &[RebalanceNode]) -> Vec<String> {
    let rows = nodes.iter().map(|node| {
        [
            node.node.clone(),
            numbers::grouped(node.connections),
            numbers::grouped(node.share),
            numbers::grouped(node.may_be_closed),
        ]
    });
    table::lines(["NODE", "CONNECTIONS", "SHARE", "CLOSABLE"], rows, 1)
}

fn connections(count: u64) -> String {
    let s = if count == 1 { "" } else { "s" };
    format!("{} connection{s}", numbers::grouped(count))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::RebalanceResult;

    fn node(number: u32, connections: u64) -> RebalanceNode {
        RebalanceNode {
            node: format!("erlmcp{number}"),
            connections,
            share: 1_000,
            may_be_closed: connections,
        }
    }

    fn plan() -> RebalancePlan {
        RebalancePlan {
            nodes: vec![node(1, 2_000), node(2, 0)],
            variance_percent: 200.0,
            closes: 976,
            per_second: 49,
            after_percent: 4.8,
            notes: vec!["3 WebSockets are spared".to_owned()],
            impossible: Vec::new(),
            begun: true,
        }
    }

    #[test]
    fn a_plan_says_how_many_connections_are_closed() {
        let to = "5%".parse().unwrap();
        insta::assert_snapshot!(rebalance_plan(&plan(), to), @r"
        NODE     CONNECTIONS  SHARE  CLOSABLE
        erlmcp1        2,000  1,000     2,000
        erlmcp2            0  1,000         0
        976 connections to close, at most 49 a second: from 200% apart to less than 5%
        3 WebSockets are spared
        ");
        let impossible = RebalancePlan {
            closes: 0,
            impossible: vec!["why".to_owned()],
            notes: Vec::new(),
            ..plan()
        };
        let text = rebalance_plan(&impossible, to);
        assert!(
            text.ends_with("\nthe nodes differ by 200%; nothing is closed"),
            "{text}"
        );
        let even = RebalancePlan {
            closes: 0,
            notes: Vec::new(),
            variance_percent: 1.5,
            ..plan()
        };
        assert!(rebalance_plan(&even, to).ends_with("\nthe nodes are even: they differ by 1.5%"));
    }

    #[test]
    fn the_result_has_the_highest_number_of_a_second() {
        let ended = EndedRebalance {
            by: "root (pid 1)".to_owned(),
            since: "2026-11-29T10:00:00Z".to_owned(),
            ended: "2026-11-29T10:00:20Z".to_owned(),
            result: RebalanceResult::Even,
            reason: None,
            planned: 1,
            per_second: 1,
            figures: RebalanceFigures {
                closed: 1,
                most_in_a_second: 1,
                returning: 0,
                variance_percent: 0.0,
                nodes: Vec::new(),
            },
        };
        assert!(
            rebalance_ended(&ended)
                .ends_with("closed 1 connection, at most 1 in a second; the nodes differ by 0%")
        );
    }
}
