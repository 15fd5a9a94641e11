//! The order to change what runs: its nodes, its profile, or the processes of its nodes.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::base::units::Period;
use crate::profile::{NewNode, Source};

/// Changes what runs, batch by batch, without refusing a client.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChangeOrder {
    /// What is wanted.
    pub target: Target,
    /// Whether only the plan is wanted, and nothing changes.
    #[serde(default)]
    pub dry_run: bool,
    /// Whether connections that are left on a drained node at the deadline are closed. Otherwise
    /// the rollout waits for them.
    #[serde(default)]
    pub close: bool,
    /// The time that connections of a drained node get; null for 30 seconds where `close` is set.
    #[serde(default)]
    pub deadline: Option<Period>,
    /// Whether the last node that serves may go.
    #[serde(default)]
    pub force: bool,
    /// The operator, for others that are refused meanwhile: `root (pid 4711)`.
    #[serde(default)]
    pub by: String,
}

/// What is wanted of a cluster.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Target {
    /// What a profile describes.
    Profile {
        /// The profile.
        source: Source,
        /// The directory of templates that replace the embedded ones.
        templates: Option<PathBuf>,
    },
    /// A number of nodes.
    Count(u16),
    /// More nodes.
    Add(Vec<NewNode>),
    /// Fewer nodes: without those of these names.
    Remove(Vec<String>),
    /// The same nodes in new processes.
    Restart {
        /// How many nodes are away at the same time.
        batch: u16,
    },
    /// What ran before the latest rollout.
    Undo,
    /// What the rollout that has stopped was to reach.
    Resume,
}

/// A change that has begun, or that was only planned.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Changed {
    /// The balancer process that uses the new configuration: a new one, or the one that ran; null
    /// when nothing has changed for it.
    pub pid: Option<u32>,
    /// What changes.
    pub plan: ChangePlan,
    /// Whether a rollout goes on, which [`GetRollout`](super::GetRollout) shows.
    pub rollout: bool,
}

/// What changes, and what it costs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChangePlan {
    /// The nodes that are added.
    pub added: Vec<String>,
    /// The nodes that get new processes.
    pub replaced: Vec<String>,
    /// The nodes that are removed.
    pub removed: Vec<String>,
    /// What the balancer does.
    pub balancer: BalancerChange,
    /// The connections now of nodes that are replaced or removed.
    pub connections: u64,
    /// The clients that stick to a node by their address and may get another one.
    pub moved_clients: u64,
    /// Whether the only node that serves is replaced, so that new clients are refused meanwhile.
    #[serde(default)]
    pub outage: bool,
    /// What changes and what it costs, one sentence each.
    pub sentences: Vec<String>,
    /// Why it is not possible, one sentence each; empty if it is.
    pub impossible: Vec<String>,
}

/// What a balancer does for a change.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BalancerChange {
    /// Nothing.
    #[default]
    None,
    /// It reads a new configuration.
    Reload,
    /// New processes take over the listeners.
    NewProcesses,
}
