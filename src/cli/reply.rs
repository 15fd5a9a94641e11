//! The `--json` output of commands that change or check something. Their notes and warnings still
//! go to stderr.

use serde::Serialize;

use super::args::{Cli, Node as RunNode, Verb};
use super::failure::Failure;
use crate::api::{ChangePlan, Changed, Node, Status};
use crate::profile::BalancerKind;

/// The output of `drain` and `ready`.
#[derive(Debug, Serialize)]
pub(super) struct NodeReply {
    /// The node, as in `status`.
    node: Option<Node>,
    /// Changes that were made directly at the balancer, and that `ready` undid.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    took_back: Vec<String>,
}

/// The output of `restart`.
#[derive(Debug, Serialize)]
pub(super) struct RestartReply {
    /// The nodes that were restarted, as in `status`.
    nodes: Vec<Node>,
}

/// The output of `reload`.
#[derive(Debug, Serialize)]
pub(super) struct ReloadReply {
    /// Whether the profile has changed, or the balancer was reloaded for another reason.
    changed: bool,
    /// The balancer process that takes new connections with the new configuration, if the change
    /// concerns the balancer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pid: Option<u32>,
    /// What is different in the profile, a line for each value.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    profile: Vec<String>,
    /// What has changed, and what it cost.
    #[serde(skip_serializing_if = "Option::is_none")]
    plan: Option<ChangePlan>,
}

/// The output of `stop`.
#[derive(Debug, Serialize)]
pub(super) struct StopReply {
    /// Whether anything ran.
    pub(super) stopped: bool,
}

/// The output of `check`.
#[derive(Debug, Serialize)]
pub(super) struct CheckReply<'a> {
    /// The balancer that has accepted the configuration.
    pub(super) balancer: BalancerKind,
    /// The version that it reports.
    pub(super) version: &'a str,
    /// Problems that do not prevent a start.
    pub(super) warnings: Vec<String>,
}

/// The output of `render`.
#[derive(Debug, Serialize)]
pub(super) struct RenderReply {
    /// The files: with `--output` those that were written, else the configuration.
    pub(super) files: Vec<RenderedFile>,
}

/// A file of the balancer.
#[derive(Debug, Serialize)]
pub(super) struct RenderedFile {
    /// Its path; for a file that was not written, its name.
    pub(super) path: String,
    /// Its content, if it was not written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) content: Option<String>,
}

/// A line of `logs`.
#[derive(Debug, Serialize)]
pub(super) struct LogLine<'a> {
    /// The log's name, which `logs NAME` accepts.
    pub(super) log: &'a str,
    /// The line, without its end.
    pub(super) line: &'a str,
}

impl NodeReply {
    /// The reply about the node `name`.
    pub(super) fn new(status: Status, name: &str, took_back: Vec<String>) -> NodeReply {
        NodeReply {
            node: status.nodes.into_iter().find(|node| node.name == name),
            took_back,
        }
    }
}

impl RestartReply {
    /// The reply about the node `name`, or about all nodes.
    pub(super) fn new(status: Status, name: Option<&str>) -> RestartReply {
        let is_meant = |node: &Node| name.is_none_or(|name| node.name == name);
        RestartReply {
            nodes: status.nodes.into_iter().filter(is_meant).collect(),
        }
    }
}

impl ReloadReply {
    /// The reply about what was `changed`, and the changes in the `profile`.
    pub(super) fn new(changed: Changed, profile: Vec<String>) -> ReloadReply {
        let Changed { pid, plan, rollout } = changed;
        let plan = Some(plan).filter(|plan| *plan != ChangePlan::default());
        ReloadReply {
            changed: pid.is_some() || rollout || plan.is_some() || !profile.is_empty(),
            pid,
            profile,
            plan,
        }
    }
}

/// Refuses `--json` for a command that has no JSON output.
pub(super) fn refuse_json(cli: &Cli) -> Result<(), Failure> {
    let command = match &cli.verb {
        Verb::Completions(_) => "completions",
        Verb::Man => "man",
        Verb::Node(RunNode { verb: None, .. }) => "node",
        Verb::Dataplane(_) => "dataplane",
        Verb::Supervise => "supervise",
        Verb::Start(args) if args.foreground => "start --foreground",
        _ => return Ok(()),
    };
    if cli.global.json {
        return Err(
            Failure::usage(format!("`{command}` does not print JSON")).hint("leave out `--json`".to_owned())
        );
    }
    Ok(())
}
