//! The kinds of nodes, and what each kind needs.

use crate::base::units::excerpt;
use crate::profile::closest;
use crate::profile::document::Runtime;
use crate::profile::member::Member;
use crate::profile::parsed::ParsedProfile;
use crate::profile::placeholders::{KNOWN, Part, meant, parts};
use crate::profile::problem::Problem;

/// Runtime `command` needs a program, or an erlmcp.
pub(super) fn command(written: &ParsedProfile) -> Vec<Problem> {
    let nodes = &written.document.nodes;
    let program = nodes.command.as_ref().and_then(|words| words.first());
    let missing = nodes.runtime == Runtime::Command && program.is_none() && nodes.path.is_none();
    if !missing && program.is_none_or(|program| !program.is_empty()) {
        return Vec::new();
    }
    vec![
        written
            .problem("nodes.command", "`nodes.command` names no program")
            .mark(written.mark("nodes.runtime", "").filter(|_| missing))
            .hint(
                "it is a list, such as `[./my-node, --port, \"{tcp_port}\"]`; \
                 for nodes of erlmcp there is `--profile erlmcp`",
            ),
    ]
}

/// A command and its directory contain only known placeholders.
pub(super) fn placeholders(written: &ParsedProfile) -> Vec<Problem> {
    let nodes = &written.document.nodes;
    let mut problems = Vec::new();
    let words = nodes.command.iter().flatten().enumerate();
    let words = words.map(|(index, word)| (format!("nodes.command[{index}]"), word.clone()));
    let directory = nodes.directory.iter();
    let directory =
        directory.map(|directory| ("nodes.directory".to_owned(), directory.display().to_string()));
    for (path, text) in words.chain(directory) {
        for part in parts(&text) {
            let Part::Placeholder(name) = part else { continue };
            if let Some(problem) = without_value(written, &path, name) {
                problems.push(problem);
            } else if !KNOWN.contains(&name) {
                let problem = written.problem(&path, format!("unknown placeholder `{{{}}}`", excerpt(name)));
                problems.push(problem.hint(match meant(name) {
                    Some(meant) => format!("did you mean {meant}?"),
                    None => format!(
                        "available: {}; to pass `{{{name}}}` on as it is, write `{{{{{name}}}}}`",
                        KNOWN.map(|known| format!("`{{{known}}}`")).join(", "),
                        name = excerpt(name)
                    ),
                }));
            }
        }
    }
    // Erlang has tuples of one word, so only a near miss is a mistake in it.
    for part in parts(&nodes.eval) {
        if let Part::Placeholder(name) = part
            && nodes.path.is_some()
            && !KNOWN.contains(&name)
            && let Some(near) = closest(name, KNOWN)
        {
            let problem = written.problem(
                "nodes.eval",
                format!("unknown placeholder `{{{}}}`", excerpt(name)),
            );
            problems.push(problem.hint(format!("did you mean `{{{near}}}`?")));
        }
    }
    problems
}

/// The problem with the placeholder `name` at `path`, if nodes have no such port.
pub(super) fn without_value(written: &ParsedProfile, path: &str, name: &str) -> Option<Problem> {
    let nodes = &written.document.nodes;
    let (port, why) = match name {
        "tcp_port" => (nodes.tcp_port, "nodes serve no raw TCP"),
        "http_port" => (nodes.http_port, "nodes have no HTTP"),
        _ => return None,
    };
    let is_missing = port.is_none() && nodes.runtime == Runtime::Command;
    is_missing.then(|| {
        written
            .problem(path, format!("`{{{name}}}` has no value: {why}"))
            .mark(written.mark(&format!("nodes.{name}"), ""))
            .hint(format!("set `nodes.{name}`"))
    })
}

/// A node is either a program or an erlmcp, and serves the ports that it opens.
pub(super) fn erlmcp(written: &ParsedProfile) -> Vec<Problem> {
    let nodes = &written.document.nodes;
    if nodes.runtime != Runtime::Command || nodes.path.is_none() {
        return Vec::new();
    }
    let mut problems = Vec::new();
    if nodes.command.is_some() {
        problems.push(
            written
                .problem("nodes.command", "`nodes.command` and `nodes.path` are both set")
                .mark(written.mark("nodes.path", ""))
                .hint("leave one of them out; `nodes.eval` customizes erlmcp nodes"),
        );
    }
    if nodes.http_port.is_some() && !nodes.eval.contains("{http_port}") {
        problems.push(
            written
                .problem("nodes.http_port", "`nodes.eval` opens no HTTP port")
                .mark(written.mark("nodes.eval", ""))
                .hint("set `nodes.http_port: null`, as `--profile erlmcp` does, or open `{http_port}` there"),
        );
    }
    problems
}

/// Every node has a port, and BEAM nodes serve MCP over TCP.
pub(super) fn ports(written: &ParsedProfile) -> Vec<Problem> {
    let nodes = &written.document.nodes;
    if nodes.runtime == Runtime::External {
        let without = nodes.members.iter().enumerate();
        return without
            .filter(|(_, member)| member.tcp_port.is_none() && member.http_port.is_none())
            .map(|(index, member)| {
                let message = format!("node {} has no port", excerpt(&member.name));
                written
                    .problem(&format!("nodes.members[{index}].name"), message)
                    .hint("give it a `tcp_port`, an `http_port`, or both")
            })
            .collect();
    }
    let problem = match (nodes.tcp_port, nodes.http_port) {
        (None, None) => written
            .problem("nodes.tcp_port", "nodes have no port")
            .mark(written.mark("nodes.http_port", ""))
            .hint("set `nodes.tcp_port`, `nodes.http_port`, or both"),
        (None, Some(_)) if nodes.are_beam() => written
            .problem("nodes.tcp_port", "BEAM nodes serve MCP over TCP")
            .mark(written.mark(
                if nodes.runtime == Runtime::Erlang {
                    "nodes.runtime"
                } else {
                    "nodes.path"
                },
                "",
            ))
            .hint("set `nodes.tcp_port`"),
        _ => return Vec::new(),
    };
    vec![problem]
}

/// Runtime `external` needs members, all with the same kinds of ports.
pub(super) fn members(written: &ParsedProfile) -> Vec<Problem> {
    let nodes = &written.document.nodes;
    if nodes.runtime != Runtime::External {
        return Vec::new();
    }
    if nodes.members.is_empty() {
        return vec![
            written
                .problem("nodes.members", "runtime `external` needs `nodes.members`")
                .mark(written.mark("nodes.runtime", ""))
                .hint("list the nodes, such as `[{name: a, address: 127.0.0.1, http_port: 8081}]`"),
        ];
    }
    let at = |index: usize, label: &str| written.mark(&format!("nodes.members[{index}].name"), label);
    let mixed = |key: &str, port: fn(&Member) -> Option<u16>| {
        let with = nodes.members.iter().position(|member| port(member).is_some())?;
        let without = nodes.members.iter().position(|member| port(member).is_none())?;
        let message = format!("some members have {key} and some do not");
        Some(
            Problem::new(message)
                .mark(at(without, "without"))
                .mark(at(with, "with"))
                .hint("give one to all of them or to none"),
        )
    };
    let tcp = mixed("a `tcp_port`", |member| member.tcp_port);
    let http = mixed("an `http_port`", |member| member.http_port);
    tcp.into_iter().chain(http).collect()
}

/// A profile with a `command` wants it used: a runtime that was left at its default was forgotten.
pub(super) fn forgotten(written: &ParsedProfile) -> Vec<Problem> {
    let nodes = &written.document.nodes;
    let command = nodes.command.is_some();
    let mut problems = Vec::new();
    for (path, given) in [("nodes.command", command), ("nodes.path", nodes.path.is_some())] {
        let untouched = written.origin("nodes.runtime") == 0 && written.origin(path) > 0;
        if given && untouched && nodes.runtime != Runtime::Command {
            problems.push(
                written
                    .problem(path, format!("`{path}` is only used by runtime `command`"))
                    .mark(written.mark("nodes.runtime", ""))
                    .hint("set `nodes.runtime: command`"),
            );
        }
    }
    problems
}

/// A cookie on a command line is not secret.
pub(super) fn cookie(written: &ParsedProfile) -> Vec<Problem> {
    let arguments = &written.document.nodes.erlang.arguments;
    if !arguments.iter().any(|argument| argument == "-setcookie") {
        return Vec::new();
    }
    vec![
        written
            .problem(
                "nodes.erlang.arguments",
                "`-setcookie` would show the cookie to every user of this host",
            )
            .hint("leave it out: nodes get a cookie that only this user can read"),
    ]
}
