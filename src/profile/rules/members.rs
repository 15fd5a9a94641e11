//! The nodes that a profile lists: what it gives of each depends on their runtime.

use std::collections::BTreeMap;

use super::range_of;
use crate::base::units::excerpt;
use crate::profile::document::Runtime;
use crate::profile::member::Member;
use crate::profile::parsed::ParsedProfile;
use crate::profile::problem::Problem;

/// No more nodes can be listed than counted.
pub(super) fn count(written: &ParsedProfile) -> Vec<Problem> {
    let nodes = &written.document.nodes;
    let listed = nodes.total();
    match range_of("nodes.count") {
        Some(range) if !nodes.members.is_empty() && listed > *range.end() => {
            let problem = written.problem("nodes.members", format!("`nodes.members` lists {listed} nodes"));
            vec![problem.hint(format!("a cluster has at most {}", range.end()))]
        }
        _ => Vec::new(),
    }
}

/// Every node that this cluster starts has a number of its own, from 1.
pub(super) fn numbers(written: &ParsedProfile) -> Vec<Problem> {
    let nodes = &written.document.nodes;
    if nodes.runtime == Runtime::External || nodes.members.is_empty() {
        return Vec::new();
    }
    let mut problems = Vec::new();
    let mut seen: BTreeMap<u16, usize> = BTreeMap::new();
    for (index, (number, name)) in nodes.numbered().into_iter().enumerate() {
        let path = format!("nodes.members[{index}].n");
        if number == 0 {
            let problem = written.problem(&path, format!("node {} cannot have the number 0", excerpt(&name)));
            problems.push(
                problem
                    .hint("numbers begin at 1, which has the ports `nodes.tcp_port` and `nodes.http_port`"),
            );
        } else if let Some(first) = seen.insert(number, index) {
            let other = excerpt(&nodes.members[first].name);
            let message = format!(
                "node {other} and node {} both have the number {number}",
                excerpt(&name)
            );
            problems.push(
                written
                    .problem(&path, message)
                    .mark(written.mark(&format!("nodes.members[{first}].n"), "first"))
                    .hint("give each another `n`; without it, a node's number is its position in the list"),
            );
        }
    }
    problems
}

/// A node that this cluster starts has its address and ports from `nodes` and its number.
pub(super) fn started(written: &ParsedProfile) -> Vec<Problem> {
    let nodes = &written.document.nodes;
    if nodes.runtime == Runtime::External {
        return Vec::new();
    }
    let is_forgotten = written.origin("nodes.runtime") == 0 && written.origin("nodes.members") > 0;
    let mut problems = Vec::new();
    for (index, member) in nodes.members.iter().enumerate() {
        let Some((key, hint)) = of_external(member) else {
            continue;
        };
        let path = format!("nodes.members[{index}].{key}");
        let problem = written.problem(&path, format!("`{path}` is only used by runtime `external`"));
        if is_forgotten {
            // One cause is reported once.
            let problem = problem.mark(written.mark("nodes.runtime", ""));
            return vec![problem.hint("set `nodes.runtime: external`")];
        }
        problems.push(problem.hint(hint));
    }
    problems
}

/// An external node has an address, and no number.
pub(super) fn external(written: &ParsedProfile) -> Vec<Problem> {
    let nodes = &written.document.nodes;
    if nodes.runtime != Runtime::External {
        return Vec::new();
    }
    let mut problems = Vec::new();
    for (index, member) in nodes.members.iter().enumerate() {
        if member.address.is_none() {
            let path = format!("nodes.members[{index}].name");
            let problem = written.problem(&path, format!("node {} has no address", excerpt(&member.name)));
            problems.push(problem.hint("give it the `address` at which this host reaches it"));
        }
        if member.n.is_some() {
            let path = format!("nodes.members[{index}].n");
            let problem = written.problem(&path, format!("`{path}` is not used by runtime `external`"));
            problems.push(problem.hint("leave it out: an external node has its own `address` and ports"));
        }
    }
    problems
}

// Private

/// The first key of `member` that only an external node has, and what a node that this cluster
/// starts uses instead.
fn of_external(member: &Member) -> Option<(&'static str, &'static str)> {
    const PORTS: &str =
        "leave it out: `n` chooses the ports, which count from `nodes.tcp_port` and `nodes.http_port`";

    if member.address.is_some() {
        Some((
            "address",
            "leave it out: nodes that this cluster starts listen on `nodes.address`",
        ))
    } else if member.tcp_port.is_some() {
        Some(("tcp_port", PORTS))
    } else if member.http_port.is_some() {
        Some(("http_port", PORTS))
    } else {
        None
    }
}
