//! Who has how many connections.

use serde::{Deserialize, Serialize};

/// How evenly connections lay on the nodes that take clients. See [`crate::stats::Spread`]. With other clients on them, all
/// are judged together: a balancer that deals connections out in turn is even over all of them, not over those of one test.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Distribution {
    /// The nodes that are judged, and their connections.
    #[serde(default)]
    pub nodes: Vec<NodeCount>,
    /// Of those, connections of other clients.
    #[serde(default)]
    pub others: u64,
    /// Per node.
    pub mean: f64,
    /// On the node that had the fewest.
    pub min: u32,
    /// On the node that had the most.
    pub max: u32,
    /// `(max - min) / mean`, in percent.
    pub variance_percent: f64,
    /// What that has to stay below.
    pub variance_target_percent: f64,
    /// How far a node may be off the mean, in percent of it.
    pub tolerance_percent: f64,
    /// Population standard deviation.
    pub stddev: f64,
    /// Jain's fairness index.
    pub jain: f64,
}

/// The same connections, counted by three at the same time, at the end of the hold.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Counts {
    /// By the generator: those that were served and live.
    pub generator: Count,
    /// By the balancer; null when it could not be asked, and for a target that is none of ours.
    pub balancer: Option<Count>,
    /// By the kernel: established connections of the nodes, probes left out; null for a target that is none of ours.
    pub kernel: Option<Count>,
    /// By the kernel: established connections from this generator to the target.
    pub to_target: u64,
    /// Of the kernel's count, connections of clients that are not this generator's.
    pub others: u64,
    /// Whether they agree; null where they count different things.
    pub agree: Option<bool>,
    /// What each counts, for people.
    pub meaning: Vec<String>,
}

/// One count.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Count {
    /// All.
    pub total: u64,
    /// Of each node; none by nginx, which knows only how many there are.
    pub nodes: Vec<NodeCount>,
}

/// One node's count.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeCount {
    /// The node.
    pub name: String,
    /// Its connections.
    pub connections: u64,
}
