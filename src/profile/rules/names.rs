//! Names become directories, log files, and words of a balancer's configuration.

use std::collections::BTreeMap;

use crate::base::units::excerpt;
use crate::profile::balancer_kind::BalancerKind;
use crate::profile::document::Runtime;
use crate::profile::parsed::ParsedProfile;
use crate::profile::problem::Problem;

/// Longest name of a cluster, a node, a cookie.
const MAX_CHARS: usize = 64;
const WORD: &str = "letters, digits, `.`, `_` and `-`, at most 64, and does not begin with `.` or `-`";

/// A cluster's name is the name of a directory.
pub(super) fn cluster(written: &ParsedProfile) -> Vec<Problem> {
    let name = &written.document.cluster;
    if is_word(name) {
        return Vec::new();
    }
    let message = format!("`{}` cannot name a cluster", excerpt(name));
    vec![
        written
            .problem("cluster", message)
            .hint(format!("a name has {WORD}")),
    ]
}

/// Nodes' names must be words, unique, and not reserved.
pub(super) fn nodes(written: &ParsedProfile) -> Vec<Problem> {
    let nodes = &written.document.nodes;
    let mut problems = Vec::new();
    if nodes.runtime != Runtime::External {
        if nodes.count > 1 && !nodes.name.contains("{n}") {
            let message = format!(
                "{} nodes would all be called `{}`",
                nodes.count,
                excerpt(&nodes.name)
            );
            problems.push(
                written
                    .problem("nodes.name", message)
                    .mark(written.mark("nodes.count", ""))
                    .hint("`{n}` stands for the node's number, such as `erlmcp{n}`"),
            );
        }
        let name = nodes.name_of(nodes.count);
        problems.extend(word(written, "nodes.name", &name));
        if nodes.are_beam() && name.contains('.') {
            let message = format!("`{}` cannot name an Erlang node", excerpt(&nodes.name));
            let problem = written.problem("nodes.name", message);
            problems.push(problem.hint("remove the `.` from the name"));
        }
        return problems;
    }
    let mut seen: BTreeMap<&str, String> = BTreeMap::new();
    for (index, member) in nodes.members.iter().enumerate() {
        let path = format!("nodes.members[{index}].name");
        problems.extend(word(written, &path, &member.name));
        if let Some(first) = seen.get(member.name.as_str()) {
            let message = format!("two nodes are called `{}`", excerpt(&member.name));
            problems.push(written.problem(&path, message).mark(written.mark(first, "first")));
        } else {
            seen.insert(member.name.as_str(), path);
        }
    }
    problems
}

/// A cookie's name must be a token of HTTP that needs no quotes in any balancer's configuration.
pub(super) fn cookie(written: &ParsedProfile) -> Vec<Problem> {
    let name = &written.document.routing.cookie;
    if is_word(name) {
        return Vec::new();
    }
    let message = format!("`{}` cannot name a cookie", excerpt(name));
    vec![
        written
            .problem("routing.cookie", message)
            .hint(format!("a name has {WORD}")),
    ]
}

// Private

fn word(written: &ParsedProfile, path: &str, name: &str) -> Option<Problem> {
    let shown = excerpt(name);
    if !is_word(name) {
        let problem = written.problem(path, format!("`{shown}` cannot name a node"));
        if name.contains('{') {
            return Some(problem.hint("only `{n}` is filled in, such as in `erlmcp{n}`"));
        }
        Some(problem.hint(format!("a name has {WORD}")))
    } else if reserved().contains(&name) {
        let problem = written.problem(path, format!("no node can be called `{shown}`"));
        let names = reserved().join(", ");
        Some(problem.hint(format!("these names are reserved for logs: {names}")))
    } else {
        None
    }
}

/// Names of logs that are not a node's.
fn reserved() -> Vec<&'static str> {
    let balancers = BalancerKind::ALL.iter().map(|kind| kind.name());
    balancers.chain(["supervisor"]).collect()
}

fn is_word(name: &str) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    (1..=MAX_CHARS).contains(&name.len()) && name.chars().all(allowed) && !name.starts_with(['.', '-'])
}
