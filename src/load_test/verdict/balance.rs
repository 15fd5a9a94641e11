//! Whether clients are distributed evenly, and return to their node.

use super::super::results::{Chance, Check, CheckName, Distribution, Results, Verdict};
use crate::api;
use crate::base::units::{Percent, grouped};
use crate::plan::ChosenBy;

/// Fewer addresses than these for a node prove nothing (W. Cochran, "Some methods for strengthening
/// the common χ² tests", Biometrics 10, 1954).
const ENOUGH_ADDRESSES: f64 = 5.0;

/// Each node must have its share: the variance is below `target`, or, where clients' addresses
/// decide, as small as chance allows. A node may differ by its share of the connections that came
/// or left while they were counted.
pub(super) fn distribution(results: &Results, target: Percent) -> Check {
    let spread = &results.distribution;
    let name = CheckName::Distribution;
    let judged = match spread.nodes.len() {
        0 => results.nodes.len(),
        taking_clients => taking_clients,
    };
    match judged {
        0 => return Check::skipped(name, "no node has served"),
        1 => return Check::skipped(name, "only one node has served"),
        _ if spread.mean < api::Verdict::ENOUGH => {
            return Check::skipped(name, "under 50 connections per node: too few to judge");
        }
        _ => {}
    }
    let measured = format!("{:.1}%{}", spread.variance_percent, with_others(spread));
    let within = spread.variance_percent - in_motion_percent(spread) < target.get();
    let (verdict, measured) = match (within, spread.chosen_by, &spread.chance) {
        (true, _, _) => (Verdict::Passed, measured),
        (false, Some(ChosenBy::Uri), _) => {
            return Check::skipped(
                name,
                "the URI decides the node, and all clients request the same one",
            );
        }
        (false, _, None) => (Verdict::Failed, measured),
        (false, _, Some(chance)) if !chance.is_chance => {
            let of = addresses(chance);
            (
                Verdict::Failed,
                format!("{measured}, more uneven than chance allows for {of}"),
            )
        }
        (false, _, Some(chance)) if proves_nothing(chance) => {
            let few = format!("nodes are chosen by {}: too few to judge", addresses(chance));
            return Check::skipped(name, few);
        }
        (false, _, Some(chance)) => {
            let of = addresses(chance);
            let even = match chance.processes {
                None => "; `leastconn` without stickiness by address gives 0%",
                Some(_) => "",
            };
            (
                Verdict::Passed,
                format!("{measured}, as even as chance allows for {of}{even}"),
            )
        }
    };
    Check::made(name, verdict, measured, format!("<{target}"))
}

/// Every client of the sample must return to its node.
pub(super) fn sticky(results: &Results) -> Check {
    match &results.sticky {
        Some(sticky) if sticky.sampled > 0 => Check::made(
            CheckName::Sticky,
            Verdict::of(sticky.same == sticky.sampled),
            format!("{} of {}", sticky.same, sticky.sampled),
            "all",
        ),
        _ => Check::skipped(CheckName::Sticky, "no clients were selected to reconnect"),
    }
}

// Private

/// Whether there are too few choices for a verdict. A process that deals clients out makes more
/// choices than there are addresses.
fn proves_nothing(chance: &Chance) -> bool {
    chance.processes.is_none() && chance.least_expected < ENOUGH_ADDRESSES
}

fn addresses(chance: &Chance) -> String {
    let addresses = match chance.addresses {
        1 => "1 address".to_owned(),
        many => format!("{} addresses", grouped(many.into())),
    };
    match chance.processes {
        None => addresses,
        Some(processes) => format!("{addresses} dealt out by {processes} processes"),
    }
}

/// A node's share of the connections in motion, in percent of the mean.
fn in_motion_percent(spread: &Distribution) -> f64 {
    let nodes = spread.nodes.len().max(1) as u64;
    let share = u32::try_from(spread.in_motion.div_ceil(nodes)).unwrap_or(u32::MAX);
    f64::from(share) / spread.mean * 100.0
}

fn with_others(spread: &Distribution) -> String {
    match (spread.others, spread.in_motion) {
        (0, _) => String::new(),
        (others, 0) => format!(" with {others} connections of others"),
        (others, moved) => {
            format!(" with {others} connections of others, {moved} of which came or left during the count")
        }
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
    fn a_node_may_differ_by_its_share_of_those_that_came_during_the_count() {
        let mut results = sample();
        results.distribution.mean = 160.0;
        results.distribution.variance_percent = 7.5;
        results.distribution.others = 442;
        assert_eq!(judged(&results).0, Verdict::Failed);
        let nodes = ["erlmcp1", "erlmcp2", "erlmcp3", "erlmcp4"];
        results.distribution.nodes = nodes
            .map(|name| NodeCount {
                name: name.to_owned(),
                connections: 160,
            })
            .into();
        // Four of 160 are 2.5 %.
        results.distribution.in_motion = 16;
        assert_eq!(judged(&results).0, Verdict::Failed);
        results.distribution.in_motion = 17;
        let measured =
            "7.5% with 442 connections of others, 17 of which came or left during the count".to_owned();
        assert_eq!(judged(&results), (Verdict::Passed, measured));
    }

    /// A test whose clients had this many addresses, distributed over the nodes by a hash; `p` is
    /// the probability of their distribution.
    fn hashed(addresses: u32, percent: f64, p: f64) -> Results {
        let mut results = sample();
        results.distribution.variance_percent = percent;
        results.distribution.chosen_by = Some(ChosenBy::Address);
        results.distribution.chance = Some(Chance {
            addresses,
            processes: None,
            least_expected: f64::from(addresses) / 4.0,
            chi_square: 0.0,
            degrees_of_freedom: 3,
            p,
            is_chance: p > 0.001,
            tolerance: 45.0,
        });
        results
    }

    #[test]
    fn where_addresses_decide_chance_is_allowed_and_a_skewed_hash_is_not() {
        let even = "8.0%, as even as chance allows for 1,000 addresses; `leastconn` without stickiness by address gives 0%";
        assert_eq!(
            judged(&hashed(1_000, 8.0, 0.4)),
            (Verdict::Passed, even.to_owned())
        );
        let skewed = "8.0%, more uneven than chance allows for 1,000 addresses";
        assert_eq!(
            judged(&hashed(1_000, 8.0, 0.0005)),
            (Verdict::Failed, skewed.to_owned())
        );
        // A variance within the target needs no explanation.
        assert_eq!(
            judged(&hashed(1_000, 4.9, 0.0005)),
            (Verdict::Passed, "4.9%".to_owned())
        );
        let mut with_others = hashed(1_000, 8.0, 0.4);
        with_others.distribution.others = 20;
        assert!(
            judged(&with_others)
                .1
                .starts_with("8.0% with 20 connections of others, as even as")
        );
    }

    #[test]
    fn few_addresses_cannot_prove_evenness_but_can_prove_a_skew() {
        let few = "nodes are chosen by 8 addresses: too few to judge";
        assert_eq!(judged(&hashed(8, 100.0, 0.4)), (Verdict::Skipped, few.to_owned()));
        let one = "nodes are chosen by 1 address: too few to judge";
        assert_eq!(judged(&hashed(1, 400.0, 0.39)).1, one);
        assert_eq!(judged(&hashed(8, 400.0, 0.0001)).0, Verdict::Failed);
        assert_eq!(judged(&hashed(20, 60.0, 0.4)).0, Verdict::Passed);
    }

    #[test]
    fn of_several_processes_each_may_be_one_client_uneven() {
        let mut results = hashed(400, 5.0, 0.6);
        results.distribution.chosen_by = Some(ChosenBy::Process);
        if let Some(chance) = &mut results.distribution.chance {
            chance.processes = Some(13);
            chance.least_expected = 2.0;
        }
        let even = "5.0%, as even as chance allows for 400 addresses dealt out by 13 processes";
        assert_eq!(judged(&results), (Verdict::Passed, even.to_owned()));
    }

    #[test]
    fn one_uri_is_one_choice() {
        let mut results = hashed(1_000, 400.0, 0.0);
        results.distribution.chosen_by = Some(ChosenBy::Uri);
        results.distribution.chance = None;
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
        for none in [came(0, 0), None] {
            results.sticky = none;
            assert_eq!(sticky(&results).verdict, Verdict::Skipped);
        }
    }
}
