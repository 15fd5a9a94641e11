//! The environment of nodes, and their directory. No message contains any part of a value.

use super::runtime::without_value;
use crate::base::secret::{HIDDEN, Secret};
use crate::base::units::excerpt;
use crate::profile::document::Runtime;
use crate::profile::layer::VARIABLES;
use crate::profile::parsed::ParsedProfile;
use crate::profile::placeholders::{KNOWN, Part, meant, parts};
use crate::profile::problem::Problem;
use crate::profile::spans::join;

/// The longest `NAME=VALUE` that the kernel passes to a program, with the zero behind it
/// (`MAX_ARG_STRLEN`).
const MAX_BYTES: usize = 128 << 10;

/// The names of `platform::mark`, by which the processes of a node are found.
const RESERVED: [&str; 5] = [
    "CLUSTERCTL_CHILD",
    "CLUSTERCTL_RUN_ID",
    "CLUSTERCTL_CHILD_RUN_DIR",
    "CLUSTERCTL_CHILD_INSTANCE",
    "CLUSTERCTL_APART",
];

/// A variable has a name that the kernel can pass on, and that we do not use.
pub(super) fn names(written: &ParsedProfile) -> Vec<Problem> {
    let problem = |name: &String| {
        let (what, hint) = if name.is_empty() {
            (
                "the name of a variable is empty".to_owned(),
                "write a name such as `PORT`",
            )
        } else if name.contains(['=', '\0']) {
            let what = format!("`{}` cannot name a variable", excerpt(name));
            (what, "a name contains neither `=` nor a NUL")
        } else if RESERVED.contains(&name.as_str()) {
            let what = format!("`{name}` is set by clusterctl itself");
            (what, "leave it out: it marks the processes of a node")
        } else {
            return None;
        };
        Some(written.problem(&join(VARIABLES, name), what).hint(hint))
    };
    written
        .document
        .nodes
        .environment
        .keys()
        .filter_map(problem)
        .collect()
}

/// A variable has a value that the kernel can pass on.
pub(super) fn values(written: &ParsedProfile) -> Vec<Problem> {
    let variables = written.document.nodes.environment.iter();
    let problem = |(name, value): (&String, &Secret)| {
        let what = if value.expose() == HIDDEN {
            let what = format!(
                "the value of `{}` is `{HIDDEN}`, which stands for a hidden one",
                excerpt(name)
            );
            let hint = "write the value itself; `profile show` does not print it";
            return Some(written.problem(&join(VARIABLES, name), what).hint(hint));
        } else if value.expose().contains('\0') {
            "contains a NUL"
        } else if name.len() + value.expose().len() + 2 > MAX_BYTES {
            "is longer than the 128 kB that Linux passes to a program"
        } else {
            return None;
        };
        let what = format!("the value of `{}` {what}", excerpt(name));
        Some(
            written
                .problem(&join(VARIABLES, name), what)
                .hint("let the program read it from a file"),
        )
    };
    variables.filter_map(problem).collect()
}

/// A value contains only known placeholders.
pub(super) fn placeholders(written: &ParsedProfile) -> Vec<Problem> {
    let nodes = &written.document.nodes;
    let mut problems = Vec::new();
    for (variable, value) in &nodes.environment {
        let path = join(VARIABLES, variable);
        for part in parts(value.expose()) {
            let Part::Placeholder(name) = part else { continue };
            if let Some(problem) = without_value(written, &path, name) {
                problems.push(problem);
            } else if !KNOWN.contains(&name) {
                let what = format!("unknown placeholder in the value of `{}`", excerpt(variable));
                problems.push(written.problem(&path, what).hint(match meant(name) {
                    Some(meant) => format!("did you mean {meant}?"),
                    None => format!(
                        "available: {}; double the braces of other text, as in `{{{{word}}}}`, \
                         or move the variable to `nodes.environment_file`",
                        KNOWN.map(|known| format!("`{{{known}}}`")).join(", "),
                    ),
                }));
            }
        }
    }
    problems
}

/// Only a runtime that starts programs of the user has a use for these keys. A runtime that was set
/// over a profile, as by `--set`, leaves its other keys unused.
pub(super) fn used(written: &ParsedProfile) -> Vec<Problem> {
    let nodes = &written.document.nodes;
    let is_command = nodes.runtime == Runtime::Command;
    let runs_program = is_command && nodes.path.is_none();
    let mut problems = Vec::new();
    for (path, is_given, is_used) in [
        (VARIABLES, !nodes.environment.is_empty(), is_command),
        (
            "nodes.environment_file",
            nodes.environment_file.is_some(),
            is_command,
        ),
        ("nodes.directory", nodes.directory.is_some(), runs_program),
    ] {
        if !is_given || is_used || (!is_command && written.origin("nodes.runtime") > written.origin(path)) {
            continue;
        }
        let problem = if is_command {
            written
                .problem(path, format!("`{path}` is not used by nodes of erlmcp"))
                .mark(written.mark("nodes.path", ""))
                .hint("leave it out: each of them runs in a directory of its own")
        } else {
            written
                .problem(path, format!("`{path}` is only used by runtime `command`"))
                .mark(written.mark("nodes.runtime", ""))
                .hint("set `nodes.runtime: command`, or leave it out")
        };
        problems.push(problem);
    }
    problems
}
