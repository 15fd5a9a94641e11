//! Who has how many connections.

use serde::{Deserialize, Serialize};

use crate::plan::ChosenBy;

/// How evenly connections lay on the nodes that take clients. See [`crate::base::stats::Spread`].
/// With other clients on them, all are judged together: a balancer that deals connections out in
/// turn is even over all of them, not over those of one test.
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
    /// What a new client's node was computed from; null where the balancer deals clients out by
    /// turns or by load.
    #[serde(default)]
    pub chosen_by: Option<ChosenBy>,
    /// Whether chance explains how this test's own connections lay; null where clients' addresses
    /// do not decide that.
    #[serde(default)]
    pub chance: Option<Chance>,
}

/// Pearson's chi-square test of how addresses fell on nodes, each with all of its connections. See
/// [`crate::base::stats::Draws`].
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Chance {
    /// Addresses that the clients had.
    pub addresses: u32,
    /// Balancer processes, where addresses decide which of them a client meets, and each deals its
    /// own clients out; else null.
    pub processes: Option<u16>,
    /// Addresses that are expected on the node with the smallest weight.
    pub least_expected: f64,
    /// The statistic.
    pub chi_square: f64,
    /// Its degrees of freedom: the nodes but one.
    pub degrees_of_freedom: u32,
    /// The probability that independent choices by weight lie at least as unevenly.
    pub p: f64,
    /// Whether that is more than 0.001.
    pub is_chance: bool,
    /// Connections by which a node may be off its share by chance, with that probability.
    pub tolerance: f64,
}

/// The same connections, counted by three at the same time, at the end of the hold.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Counts {
    /// By the generator: those that were served and live.
    pub generator: Count,
    /// By the balancer; null when it could not be asked, and for a target that is none of ours.
    pub balancer: Option<Count>,
    /// By the kernel: established connections of the nodes, probes left out; null for a target that
    /// is none of ours.
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
