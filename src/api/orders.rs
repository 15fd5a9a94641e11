//! What the supervisor is told to do.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::base::units::Period;
use crate::profile::{BalancerKind, Source};

/// Starts what is not running yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StartOrder {
    /// The balancer that is wanted; a running one of another kind is refused.
    pub balancer: BalancerKind,
    /// Half of the cluster, or all of it.
    pub only: Option<Only>,
}

/// Half of a cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Only {
    /// Without balancer.
    Nodes,
    /// Without nodes, which somebody else runs.
    Balancer,
}

/// Stops everything, and the supervisor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StopOrder {
    /// What established connections get to end by themselves.
    pub grace: Period,
}

/// Restarts one node, or everything.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RestartOrder {
    /// The node; all nodes one after another, then the balancer, when none is named.
    pub node: Option<String>,
}

/// Puts another profile in force.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReloadOrder {
    /// The profile.
    pub source: Source,
    /// Templates that replace the embedded ones.
    pub templates: Option<PathBuf>,
}

/// A reload that was carried out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reloaded {
    /// The balancer's process that goes by it: a new one, or the one that ran; null when nothing has changed for it.
    pub pid: Option<u32>,
}

/// Lets no new connection or session reach a node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DrainOrder {
    /// The node.
    pub node: String,
    /// Time that established connections get, if `close` is to end them then.
    pub deadline: Option<Period>,
    /// Whether connections that are left at the deadline are ended.
    pub close: bool,
    /// Whether the node is stopped once it has no connection.
    pub stop: bool,
    /// Whether the last node that serves may be drained.
    pub force: bool,
}

/// Undoes a drain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReadyOrder {
    /// The node.
    pub node: String,
}

/// A node was made ready.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Readied {
    /// What stood in the way besides a drain and was taken back, in words: `maintenance in mcp_cluster_tcp`.
    pub took_back: Vec<String>,
}

/// How far a rollout is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// Whether it is over.
    pub rollout: Rollout,
    /// Each child's part, in order.
    pub steps: Vec<Step>,
}

/// Whether a rollout is over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Rollout {
    /// Not yet.
    Running,
    /// Everything serves.
    Done,
    /// It does not; what was begun is being undone.
    Failed {
        /// What went wrong.
        error: String,
        /// The child that failed.
        child: Option<String>,
        /// The last lines of its log.
        log: Vec<String>,
        /// Whether everything was undone, and the supervisor ends. Otherwise it goes on with what it has.
        undone: bool,
    },
}

/// One child's part of a rollout.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// The child: a node's name, or the balancer's kind.
    pub name: String,
    /// How far it is.
    pub state: StepState,
}

/// How far a child is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StepState {
    /// Its turn has not come.
    Waiting,
    /// It runs and does not answer yet.
    Starting,
    /// It answers.
    Ready,
    /// It was running before, and was adopted.
    Adopted,
    /// It could not be started.
    Failed,
}

/// Why something was not done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// What, and why.
    pub error: String,
    /// What to do about it.
    pub hint: Option<String>,
}
