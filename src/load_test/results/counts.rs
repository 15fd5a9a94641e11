//! Counts of connections, and how even they are.

use serde::{Deserialize, Serialize};

use crate::plan::ChosenBy;

/// How evenly connections were distributed over the nodes that take clients. See
/// [`crate::base::stats::Spread`]. If other clients are connected, all connections are judged
/// together: a balancer that deals connections out in turn is even over all of them, not over those
/// of one test.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Distribution {
    /// The nodes that are judged, and their connections.
    #[serde(default)]
    pub nodes: Vec<NodeCount>,
    /// How many of these connections belong to other clients.
    #[serde(default)]
    pub others: u64,
    /// How many of those came or left while they were counted. Which node's they are is seen by
    /// some counts and not by others, so a node may differ by its share of them.
    #[serde(default)]
    pub in_motion: u64,
    /// Connections per node.
    pub mean: f64,
    /// Connections of the node with the fewest.
    pub min: u32,
    /// Connections of the node with the most.
    pub max: u32,
    /// `(max - min) / mean`, in percent.
    pub variance_percent: f64,
    /// The target: the variance must be below it.
    pub variance_target_percent: f64,
    /// How far a node may be off the mean, in percent of the mean.
    pub tolerance_percent: f64,
    /// Population standard deviation.
    pub stddev: f64,
    /// Jain's fairness index.
    pub jain: f64,
    /// What a new client's node was computed from; null if the balancer deals clients out in turn
    /// or by load.
    #[serde(default)]
    pub chosen_by: Option<ChosenBy>,
    /// Whether chance explains the distribution of this test's own connections; null if clients'
    /// addresses do not decide it.
    #[serde(default)]
    pub chance: Option<Chance>,
}

/// Pearson's chi-square test of the distribution of addresses over nodes, each address with all its
/// connections. See [`crate::base::stats::Draws`].
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Chance {
    /// Addresses that the clients had.
    pub addresses: u32,
    /// The number of balancer processes, if addresses decide which of them a client reaches, and
    /// each deals out its own clients; otherwise null.
    pub processes: Option<u16>,
    /// Expected number of addresses on the node with the smallest weight.
    pub least_expected: f64,
    /// The statistic.
    pub chi_square: f64,
    /// Its degrees of freedom: the number of nodes minus one.
    pub degrees_of_freedom: u32,
    /// The probability that independent choices by weight are at least as uneven.
    pub p: f64,
    /// Whether `p` is more than 0.001.
    pub is_chance: bool,
    /// Connections by which a node may differ from its share by chance, at that probability.
    pub tolerance: f64,
}

/// The same connections, counted from three sides at the same time, at the end of the hold.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Counts {
    /// By the generator: connections that were served and are alive.
    pub generator: Count,
    /// By the balancer; null if it did not answer, and for a target outside of the cluster.
    pub balancer: Option<Count>,
    /// By the kernel: established connections of the nodes, without probes; null for a target
    /// outside of the cluster.
    pub kernel: Option<Count>,
    /// By the kernel: established connections from this generator to the target.
    pub to_target: u64,
    /// The kernel's count of connections from other clients than this generator.
    pub others: u64,
    /// Whether they agree; null if they count different things.
    pub agree: Option<bool>,
    /// What each counts, for people.
    pub meaning: Vec<String>,
}

/// One count.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Count {
    /// The sum.
    pub total: u64,
    /// The count of each node; empty for nginx, which knows only the sum.
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
