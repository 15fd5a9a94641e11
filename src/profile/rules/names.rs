//! Names become directories, log files, and words of a balancer's configuration.

use std::collections::BTreeMap;

use crate::base::units::excerpt;
use crate::profile::balancer_kind::BalancerKind;
use crate::profile::document::Runtime;
use crate::profile::parsed::ParsedProfile;
use crate::profile::problem::Problem;

/// Longest name of a cluster, a node, a cookie.
const MAX_CHARS: usize = 64;
/// Longest name of a member with a host name: `-` and an address follow, which has at most 39.
const MAX_CHARS_BEFORE_ADDRESS: usize = MAX_CHARS - 1 - 39;
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
    if nodes.runtime == Runtime::External || !nodes.members.is_empty() {
        return members(written);
    }
    let mut problems = Vec::new();
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
    let only_n = "only `{n}` is filled in, such as in `erlmcp{n}`";
    let name = nodes.name_of(nodes.count);
    problems.extend(word(written, "nodes.name", &name, only_n));
    problems.extend(erlang(written, "nodes.name", &name, &nodes.name));
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

fn members(written: &ParsedProfile) -> Vec<Problem> {
    let mut problems = Vec::new();
    let mut seen: BTreeMap<String, String> = BTreeMap::new();
    for (index, member) in written.document.nodes.members.iter().enumerate() {
        let path = format!("nodes.members[{index}].name");
        let name = member.name.as_str();
        let written_out = "the name of a member is written out, such as `blue`";
        problems.extend(word(written, &path, name, written_out));
        problems.extend(erlang(written, &path, name, name));
        if member.host().is_some() && name.len() > MAX_CHARS_BEFORE_ADDRESS {
            let message = format!("`{}` is too long for the nodes of a host name", excerpt(name));
            problems.push(written.problem(&path, message).hint(format!(
                "it has at most {MAX_CHARS_BEFORE_ADDRESS} characters, which each node's address follows"
            )));
        }
        for (name, _) in member.nodes() {
            if let Some(first) = seen.get(&name) {
                let problem = written.problem(&path, format!("two nodes are called `{}`", excerpt(&name)));
                let problem = problem.mark(written.mark(first, "first"));
                problems.push(problem.hint("give one of them another name"));
            } else {
                seen.insert(name, path.clone());
            }
        }
    }
    problems
}

/// The problem with the `name` of a BEAM node, which was `written_as`.
fn erlang(written: &ParsedProfile, path: &str, name: &str, written_as: &str) -> Option<Problem> {
    let nodes = &written.document.nodes;
    if !nodes.are_beam() || !name.contains('.') {
        return None;
    }
    let message = format!("`{}` cannot name an Erlang node", excerpt(written_as));
    let problem = written.problem(path, message);
    Some(problem.hint("remove the `.` from the name"))
}

/// The problem with the `name` of a node; `braces` is the hint for one that has them.
fn word(written: &ParsedProfile, path: &str, name: &str, braces: &str) -> Option<Problem> {
    let shown = excerpt(name);
    if !is_word(name) {
        let problem = written.problem(path, format!("`{shown}` cannot name a node"));
        if name.contains('{') {
            return Some(problem.hint(braces));
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
