//! Orders to the supervisor, and their answers.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::base::units::Period;
use crate::profile::BalancerKind;

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
    /// How long `/ready` answers 503 before connections are refused.
    #[serde(default)]
    pub announce: Period,
    /// The time over which the connections that are left are closed.
    #[serde(default)]
    pub over: Period,
}

/// Restarts one node, or everything.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RestartOrder {
    /// The node; null for all nodes one after another, then the balancer.
    pub node: Option<String>,
}

/// Lets another balancer take over the listeners. Established connections end at the former one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SwitchOrder {
    /// The balancer that is wanted.
    pub balancer: BalancerKind,
    /// The time after which connections that are left at the former balancer are closed; null for
    /// no limit.
    pub deadline: Option<Period>,
    /// Whether only the plan is wanted, and nothing changes.
    #[serde(default)]
    pub dry_run: bool,
}

/// A switch that was carried out, or that was only planned.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Switched {
    /// The former balancer.
    pub from: BalancerKind,
    /// The balancer that takes new connections.
    pub to: BalancerKind,
    /// Its processes; empty when the switch was only planned.
    #[serde(default)]
    pub pids: Vec<u32>,
    /// The former balancer's processes that still have connections.
    #[serde(default)]
    pub former: Vec<u32>,
    /// What changes for clients and limits, as sentences.
    #[serde(default)]
    pub plan: Vec<String>,
}

/// Lets the supervisor become another program, which adopts all that it runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UpgradeOrder {
    /// The executable of the other `clusterctl`.
    pub program: PathBuf,
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
    /// A warning if the end of the drain is not saved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unsaved: Option<String>,
}

/// The progress of a start or a restart.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// Whether it is over.
    #[serde(rename = "rollout")]
    pub outcome: ProgressState,
    /// Each child's part, in order.
    pub steps: Vec<Step>,
}

/// Whether a start or a restart is over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ProgressState {
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

/// One child's part of a start or a restart.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// The child: a node's name, or the balancer's kind.
    pub name: String,
    /// The state of that part.
    pub state: StepState,
}

/// The state of one child in a start or a restart.
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
