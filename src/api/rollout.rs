//! The rollout that goes on: nodes are added, replaced batch by batch, and removed.

use serde::{Deserialize, Serialize};

use super::Target;

/// The rollout that goes on, and the one before.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rollouts {
    /// The rollout that goes on or has stopped; null when none does.
    pub current: Option<Rollout>,
    /// The last one that has ended; null when none has.
    pub last: Option<EndedRollout>,
}

/// A rollout that goes on, or that has stopped on its way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rollout {
    /// The order that it carries out.
    pub kind: RolloutKind,
    /// The step that it takes, from 1.
    pub step: u32,
    /// The number of its steps.
    pub of: u32,
    /// The first node of the step; null when the step is the balancer's.
    pub node: Option<String>,
    /// When it began, in RFC 3339 and UTC.
    pub since: String,
    /// The operator: `root (pid 4711)`.
    pub by: String,
    /// What the step does: `erlmcp2 is being drained: 37 connections`.
    pub doing: String,
    /// Why it has stopped; null while it goes on. A reload makes it go on, `reload --undo` goes
    /// back.
    pub stopped: Option<String>,
    /// That the first nodes were judged without clients; null if they had some.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// The last lines of the log of the node at which it has stopped.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub log: Vec<String>,
}

/// A rollout that has ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EndedRollout {
    /// The order that it carried out.
    pub kind: RolloutKind,
    /// The operator.
    pub by: String,
    /// When it began, in RFC 3339 and UTC.
    pub since: String,
    /// When it ended, in RFC 3339 and UTC.
    pub ended: String,
    /// How it ended.
    pub result: RolloutResult,
    /// Why it was not done; null if it was.
    pub reason: Option<String>,
    /// The node at which it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node: Option<String>,
    /// That the first nodes were judged without clients; null if they had some.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// The last lines of the log of that node.
    #[serde(default)]
    pub log: Vec<String>,
}

/// How a rollout ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RolloutResult {
    /// Its target runs.
    Done,
    /// It stopped on its way, and was not gone on with.
    Failed,
    /// What ran before runs again.
    Undone,
}

/// The order that a rollout carries out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RolloutKind {
    /// Another profile.
    Reload,
    /// Another number of nodes.
    Scale,
    /// More nodes.
    Add,
    /// Fewer nodes.
    Remove,
    /// New processes for the same nodes.
    Restart,
    /// The way back.
    Undo,
    /// The addresses of a host name have changed.
    Resolve,
    /// Surplus connections are closed.
    Rebalance,
}

impl RolloutKind {
    /// All kinds.
    pub const ALL: [RolloutKind; 8] = [
        RolloutKind::Reload,
        RolloutKind::Scale,
        RolloutKind::Add,
        RolloutKind::Remove,
        RolloutKind::Restart,
        RolloutKind::Undo,
        RolloutKind::Resolve,
        RolloutKind::Rebalance,
    ];

    /// Whether a rollout of this kind ends for the order: the way back may begin at any time, and what
    /// DNS has begun lasts as long as clients stay.
    #[must_use]
    pub fn gives_way_to(self, order: &Target) -> bool {
        *order == Target::Undo || self == RolloutKind::Resolve
    }

    /// Its name for people, with an article.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            RolloutKind::Reload => "a reload",
            RolloutKind::Scale => "a change of the number of nodes",
            RolloutKind::Add => "an addition of nodes",
            RolloutKind::Remove => "a removal of nodes",
            RolloutKind::Restart => "a rolling restart",
            RolloutKind::Undo => "an undo",
            RolloutKind::Resolve => "a change of addresses in DNS",
            RolloutKind::Rebalance => "a rebalance",
        }
    }
}
