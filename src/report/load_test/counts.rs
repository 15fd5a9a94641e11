//! The same connections, counted by the generator, the balancer and the kernel.

use super::super::status::section;
use super::super::{style, table};
use super::wrap::wrapped;
use crate::load_test::Protocol;
use crate::load_test::results::{Count, Counts, NodeResult, Results};

/// Shown where there is no count.
const UNKNOWN: &str = "-";

/// A row for each node, one for all, and the meaning of each count unless all are the same for each
/// node.
pub(super) fn counts(results: &Results) -> String {
    let counts = &results.counts;
    let names = names(counts, &results.nodes);
    let each = names.into_iter().map(|name| {
        row(name, counts, |count| {
            let node = count.nodes.iter().find(|node| node.name == name);
            node.map(|node| node.connections)
        })
    });
    let all = row("all", counts, |count| Some(count.total));
    let rows = each.chain([all]);
    let mut lines = table::lines(["", "generator", "balancer", "kernel"], rows, 1);
    let has_counted = |count: &Option<Count>| count.as_ref().is_some_and(|count| !count.nodes.is_empty());
    let all_have_counted = has_counted(&counts.balancer) && has_counted(&counts.kernel);
    let plain = results.test.protocol == Protocol::Tcp && counts.agree == Some(true) && all_have_counted;
    if !plain {
        let meanings = counts.meaning.iter();
        lines.extend(meanings.map(|meaning| style::dim(&wrapped(meaning))));
    }
    if counts.others > 0 {
        let others = format!("{} connections to the target were other clients'", counts.others);
        lines.push(style::yellow(&others));
    }
    section("Counts", &lines)
}

/// All nodes that have a count, those of the results first.
pub(super) fn names<'a>(counts: &'a Counts, nodes: &'a [NodeResult]) -> Vec<&'a str> {
    let mut names: Vec<&str> = nodes.iter().map(|node| node.name.as_str()).collect();
    let counted = [
        Some(&counts.generator),
        counts.balancer.as_ref(),
        counts.kernel.as_ref(),
    ];
    for node in counted.into_iter().flatten().flat_map(|count| &count.nodes) {
        if !names.contains(&node.name.as_str()) {
            names.push(&node.name);
        }
    }
    names
}

// Private

fn row(name: &str, counts: &Counts, of: impl Fn(&Count) -> Option<u64>) -> [String; 4] {
    let cell = |count: Option<&Count>| {
        let number = count.and_then(&of);
        number.map_or(UNKNOWN.to_owned(), |number| number.to_string())
    };
    [
        name.to_owned(),
        cell(Some(&counts.generator)),
        cell(counts.balancer.as_ref()),
        cell(counts.kernel.as_ref()),
    ]
}
