//! The keys about the nodes: the members, how they run, and their health checks.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::base::secret::Secret;
use crate::base::units::{Count, Period, PeriodRange, whole};
use crate::profile::member::Member;

/// The kind of the nodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Runtime {
    /// The MCP node inside this binary.
    Embedded,
    /// A BEAM node.
    Erlang,
    /// Any program.
    Command,
    /// Nodes that run elsewhere and are never spawned.
    External,
}

impl Runtime {
    /// The Debian packages that its nodes need, as far as they are known.
    #[must_use]
    pub const fn packages(self) -> Option<&'static str> {
        match self {
            Runtime::Erlang => Some("erlang-base"),
            Runtime::Embedded | Runtime::Command | Runtime::External => None,
        }
    }
}

/// The cluster's members.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::profile) struct Nodes {
    /// The kind of the nodes.
    pub runtime: Runtime,
    /// How many nodes, where `members` lists none.
    #[serde(deserialize_with = "whole")]
    #[schemars(with = "Count")]
    pub count: u16,
    /// Name of a node, where `members` lists none; `{n}` counts from 1.
    pub name: String,
    /// Address that the nodes listen on.
    pub address: IpAddr,
    /// TCP port of the first node, the other nodes get the next ones; null for nodes that serve MCP
    /// over HTTP alone.
    pub tcp_port: Option<u16>,
    /// HTTP port of the first node, the other nodes get the next ones; null for nodes without HTTP.
    pub http_port: Option<u16>,
    /// Connections that one node should hold.
    #[serde(deserialize_with = "whole")]
    #[schemars(with = "Count")]
    pub target: u32,
    /// Connections that one node can hold.
    #[serde(deserialize_with = "whole")]
    #[schemars(with = "Count")]
    pub maxconn: u32,
    /// Share of the load relative to the other nodes, 0 to 256.
    #[serde(deserialize_with = "whole")]
    #[schemars(with = "Count")]
    pub weight: u16,
    /// What happens when a node dies.
    pub restart: Restart,
    /// The program of runtime `command`, and its arguments.
    pub command: Option<Vec<String>>,
    /// Variables of a node's environment, by name.
    pub environment: BTreeMap<String, Secret>,
    /// A file with more such variables, in lines `KEY=VALUE`.
    pub environment_file: Option<PathBuf>,
    /// The directory in which a program runs.
    pub directory: Option<PathBuf>,
    /// A checkout or release of erlmcp that runtime `command` runs instead of a program.
    pub path: Option<PathBuf>,
    /// The Erlang expressions by which such a node begins to serve.
    pub eval: String,
    /// A configuration of Erlang applications for such nodes, laid over ours: its values win.
    pub config: Option<PathBuf>,
    /// The nodes by name, instead of `count` and `name`; runtime `external` needs them.
    pub members: Vec<Member>,
    /// How BEAM nodes run.
    pub erlang: Erlang,
}

/// How the nodes of runtime `erlang` run.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Erlang {
    /// Distribution port of the first node, on loopback; the other nodes get the next ones.
    pub distribution_port: u16,
    /// How long schedulers look for work before they sleep.
    pub busy_wait: BusyWait,
    /// Minor garbage collections of a process before a full one.
    #[serde(deserialize_with = "whole")]
    #[schemars(with = "Count")]
    pub fullsweep_after: u16,
    /// Silence of a client after which its process hibernates.
    pub idle_after: Period,
    /// More arguments of `erl`.
    pub arguments: Vec<String>,
}

/// How long a scheduler of the BEAM looks for work before it sleeps: `erl +sbwt`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum BusyWait {
    /// Not at all: best where nodes share processors.
    None,
    /// Very shortly.
    VeryShort,
    /// Shortly.
    Short,
    /// OTP's default.
    Medium,
    /// Long.
    Long,
    /// Very long.
    VeryLong,
}

impl BusyWait {
    /// The value of the flag of `erl`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            BusyWait::None => "none",
            BusyWait::VeryShort => "very_short",
            BusyWait::Short => "short",
            BusyWait::Medium => "medium",
            BusyWait::Long => "long",
            BusyWait::VeryLong => "very_long",
        }
    }
}

impl Nodes {
    /// Whether the nodes are known to be Erlang nodes.
    pub(in crate::profile) fn are_beam(&self) -> bool {
        match self.runtime {
            Runtime::Erlang => true,
            Runtime::Command => self.path.is_some(),
            Runtime::Embedded | Runtime::External => false,
        }
    }

    /// The name of node `number`, counted from 1.
    pub(in crate::profile) fn name_of(&self, number: u16) -> String {
        self.name.replace("{n}", &number.to_string())
    }

    /// How many nodes there are. A host name that was not resolved counts as one.
    pub(in crate::profile) fn total(&self) -> u64 {
        match self.members.as_slice() {
            [] if self.runtime != Runtime::External => u64::from(self.count),
            members => members.iter().map(|member| member.nodes().len() as u64).sum(),
        }
    }

    /// The number and the name of each node that this cluster starts.
    pub(in crate::profile) fn numbered(&self) -> Vec<(u16, String)> {
        if self.members.is_empty() {
            let counted = 1..=self.count;
            return counted.map(|number| (number, self.name_of(number))).collect();
        }
        let listed = (1..=u16::MAX).zip(&self.members);
        listed
            .map(|(position, member)| (member.n.unwrap_or(position), member.name.clone()))
            .collect()
    }
}

/// What happens when a node dies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Restart {
    /// Wait before a restart, doubled each time.
    pub backoff: PeriodRange,
    /// Restarts in a row before giving up.
    #[serde(deserialize_with = "whole")]
    #[schemars(with = "Count")]
    pub give_up_after: u32,
    /// Time without a restart after which the count starts again.
    pub forget_after: Period,
    /// Time without an answer after which a node is killed.
    pub hung_after: Period,
}

impl HealthCheck {
    /// Time between two checks while the state is about to change.
    #[must_use]
    pub fn fast_interval(&self) -> Period {
        self.interval.min(Period::from(Duration::from_secs(1)))
    }
}

/// The balancer's health checks.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HealthCheck {
    /// The kind of check.
    pub kind: HealthKind,
    /// The path that a healthy node answers with a 2xx.
    pub path: String,
    /// Time between two checks.
    pub interval: Period,
    /// Time limit for an answer.
    pub timeout: Period,
    /// Good answers in a row until a node is up.
    #[serde(deserialize_with = "whole")]
    #[schemars(with = "Count")]
    pub rise: u16,
    /// Bad answers in a row until a node is down.
    #[serde(deserialize_with = "whole")]
    #[schemars(with = "Count")]
    pub fall: u16,
    /// Answers to clients with a status of 500 or more in a row until a node is down; null: they do
    /// not count. HTTP only.
    pub eject: Option<u16>,
}

/// The kind of a health check.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum HealthKind {
    /// `mcp` on TCP ports. On HTTP ports `http` where every node answers `health.path`, which is
    /// found out at the start, else `mcp`.
    Auto,
    /// A connection is enough; a hung node passes.
    Tcp,
    /// On TCP ports, a JSON-RPC line must be answered by a JSON-RPC line. On HTTP ports, a `POST` of
    /// MCP's `server/discover` must be answered with any status below 500.
    Mcp,
    /// `GET` of `health.path` must be answered by a 2xx; nodes without HTTP are checked with `mcp`.
    Http,
}
