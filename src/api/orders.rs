//! Orders to the supervisor, and their answers.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::base::units::Period;
use crate::profile::{BalancerKind, Source};

/// Starts what is not running yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StartOrder {
    /// The balancer that is wanted; the order is refused if one of another kind runs.
    pub balancer: BalancerKind,
    /// Half of the cluster, or all of it.
    pub only: Option<Only>,
}

/// Half of a cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Only {
    /// Without a balancer.
    Nodes,
    /// Without nodes, which are external.
    Balancer,
}

/// Stops everything, and the supervisor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StopOrder {
    /// The time that established connections get to end by themselves.
    pub grace: Period,
}

/// Restarts one node, or everything.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RestartOrder {
    /// The node; null for all nodes one after another, then the balancer.
    pub node: Option<String>,
}

/// Puts another profile in force.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReloadOrder {
    /// The profile.
    pub source: Source,
    /// The directory of templates that replace the embedded ones.
    pub templates: Option<PathBuf>,
}

/// A reload that was carried out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reloaded {
    /// The balancer process that uses the new profile: a new one, or the one that ran; null when
    /// nothing has changed for it.
    pub pid: Option<u32>,
    /// The names of the nodes' variables that have changed; a running node gets them when it is
    /// restarted.
    #[serde(default)]
    pub variables: Vec<String>,
}

/// Keeps new connections and sessions from a node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DrainOrder {
    /// The node.
    pub node: String,
    /// The time that established connections get before they are closed, if `close` is set.
    pub deadline: Option<Period>,
    /// Whether connections that are left at the deadline are closed.
    pub close: bool,
    /// Whether the node is stopped once it has no connections.
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
    /// What was undone beside the drain, as text: `maintenance in mcp_cluster_tcp`.
    pub took_back: Vec<String>,
}

/// The progress of a rollout.
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
    /// It is not over yet.
    Running,
    /// Everything serves.
    Done,
    /// It failed; the started children are being stopped again.
    Failed {
        /// What went wrong.
        error: String,
        /// The child that failed.
        child: Option<String>,
        /// The last lines of its log.
        log: Vec<String>,
        /// Whether everything was undone, and the supervisor ends. Otherwise it goes on with the
        /// children that it has.
        undone: bool,
    },
}

/// One child's part of a rollout.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// The child: a node's name, or the balancer's kind.
    pub name: String,
    /// The state of that part.
    pub state: StepState,
}

/// The state of one child in a rollout.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StepState {
    /// Its wave has not come yet.
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

/// Why an order was not carried out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// What failed, and why.
    pub error: String,
    /// A command or a change to the profile that helps.
    pub hint: Option<String>,
}
