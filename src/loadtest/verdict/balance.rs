//! Whether clients lie evenly on the nodes, and come back to their own.

use super::super::results::{Check, CheckName, Results, Verdict};
use crate::api;
use crate::units::Percent;

/// Each node has its share: the variance is below `target`.
pub(super) fn distribution(results: &Results, target: Percent) -> Check {
    let spread = &results.distribution;
    let name = CheckName::Distribution;
    let judged = match spread.nodes.len() {
        0 => results.nodes.len(),
        taking_clients => taking_clients,
    };
    match judged {
        0 => Check::skipped(name, "no node has served"),
        1 => Check::skipped(name, "one node has all there is"),
        _ if spread.mean < api::Verdict::ENOUGH => {
            Check::skipped(name, "under 50 connections per node: too few to judge")
        }
        _ => Check::made(
            name,
            Verdict::of(spread.variance_percent < target.get()),
            format!("{:.1}%{}", spread.variance_percent, with_others(spread.others)),
            format!("<{target}"),
        ),
    }
}

/// Every client of the sample came back to its node.
pub(super) fn sticky(results: &Results) -> Check {
    match &results.sticky {
        Some(sticky) if sticky.sampled > 0 => Check::made(
            CheckName::Sticky,
            Verdict::of(sticky.same == sticky.sampled),
            format!("{} of {}", sticky.same, sticky.sampled),
            "all",
        ),
        _ => Check::skipped(CheckName::Sticky, "nobody was to come back"),
    }
}

// Private

fn with_others(others: u64) -> String {
    match others {
        0 => String::new(),
        others => format!(" with {others} connections of others"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::results::{NodeCount, Sticky};
    use super::super::super::testing::{sample, targets};
    use super::*;

    fn judged(results: &Results) -> (Verdict, String) {
        let check = distribution(results, targets().variance);
        (check.verdict, check.measured)
    }

    #[test]
    fn a_variance_on_the_target_is_not_below_it() {
        let mut results = sample();
        assert_eq!(judged(&results), (Verdict::Passed, "2.4%".to_owned()));
        results.distribution.variance_percent = 5.0;
        assert_eq!(judged(&results), (Verdict::Failed, "5.0%".to_owned()));
        results.distribution.variance_percent = f64::NAN;
        assert_eq!(judged(&results).0, Verdict::Failed);
    }

    #[test]
    fn few_connections_and_lonely_nodes_are_not_judged() {
        let mut results = sample();
        results.distribution.variance_percent = 100.0;
        results.distribution.mean = 49.9;
        assert_eq!(judged(&results).0, Verdict::Skipped);
        results.distribution.mean = 50.0;
        assert_eq!(judged(&results).0, Verdict::Failed);
        results.nodes.truncate(1);
        assert_eq!(judged(&results).0, Verdict::Skipped);
        results.nodes.clear();
        assert_eq!(judged(&results).0, Verdict::Skipped);
    }

    #[test]
    fn the_connections_of_others_count_and_nodes_without_clients_do_not() {
        let mut results = sample();
        let taking = |name: &str| NodeCount {
            name: name.to_owned(),
            connections: 25_000,
        };
        results.distribution.nodes = ["erlmcp1", "erlmcp2"].map(taking).into();
        results.distribution.others = 1_500;
        let with_others = "2.4% with 1500 connections of others".to_owned();
        assert_eq!(judged(&results), (Verdict::Passed, with_others));
        results.distribution.nodes.truncate(1);
        assert_eq!(judged(&results).0, Verdict::Skipped);
    }

    #[test]
    fn one_client_on_another_node_is_one_too_many() {
        let mut results = sample();
        assert_eq!(sticky(&results).verdict, Verdict::Passed);
        let came = |sampled, same| {
            Some(Sticky {
                sampled,
                same,
                moved: Vec::new(),
            })
        };
        results.sticky = came(1_000, 999);
        assert_eq!(sticky(&results).verdict, Verdict::Failed);
        assert_eq!(sticky(&results).measured, "999 of 1000");
        for nobody in [came(0, 0), None] {
            results.sticky = nobody;
            assert_eq!(sticky(&results).verdict, Verdict::Skipped);
        }
    }
}
