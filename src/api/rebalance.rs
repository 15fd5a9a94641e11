//! Rebalances: connections closed on nodes that hold more than their share, so that clients that
//! connect again get other nodes.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::base::units::{Percent, Period};

/// Closes connections of nodes that hold more than their share.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RebalanceOrder {
    /// The nodes are even when `(max - min) / mean` of their connections is less.
    pub to: Percent,
    /// The time over which the connections are closed.
    pub over: Period,
    /// Whether `WebSockets` and event streams may be closed, too.
    pub streams: bool,
    /// Whether only the plan is wanted, and nothing is closed.
    #[serde(default)]
    pub dry_run: bool,
    /// The operator, for others whose orders are refused meanwhile: `root (pid 4711)`.
    pub by: String,
}

impl RebalanceOrder {
    /// The shortest time over which connections are closed.
    pub const MIN_OVER: Duration = Duration::from_secs(1);

    /// Why connections cannot be closed over this time, if they cannot.
    #[must_use]
    pub fn refuse_over(over: Period) -> Option<String> {
        let shortest = Period::from(RebalanceOrder::MIN_OVER);
        (over.duration() < RebalanceOrder::MIN_OVER)
            .then(|| format!("`{over}` is too short: {shortest} is the shortest"))
    }
}

/// What a rebalance will do.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RebalancePlan {
    /// The nodes that take clients.
    pub nodes: Vec<RebalanceNode>,
    /// `(max - min) / mean` of their connections, in percent.
    pub variance_percent: f64,
    /// The connections that are to be closed; 0 when the nodes are even, or cannot become so.
    pub closes: u64,
    /// The most that are closed in a second.
    pub per_second: u64,
    /// The variance afterwards, in percent.
    pub after_percent: f64,
    /// What the operator should know, as sentences.
    #[serde(default)]
    pub notes: Vec<String>,
    /// Why the nodes cannot become even, as sentences; empty if they can.
    #[serde(default)]
    pub impossible: Vec<String>,
    /// Whether connections are being closed now: [`Rebalances`] shows how far that is.
    pub begun: bool,
}

/// The connections of a node that stay with it: those over TCP, `WebSockets` and event streams.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RebalanceNode {
    /// The node's name.
    pub node: String,
    /// Its connections now.
    pub connections: u64,
    /// Its share of all connections, by weight.
    pub share: u64,
    /// How many of its connections may be closed.
    pub may_be_closed: u64,
}

/// The rebalance in progress, and the latest one that is over.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Rebalances {
    /// The one in progress.
    pub current: Option<Rebalance>,
    /// The latest one that is over.
    pub last: Option<EndedRebalance>,
}

/// A rebalance in progress.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Rebalance {
    /// The operator.
    pub by: String,
    /// When it began, in UTC as in RFC 3339.
    pub since: String,
    /// How many connections are planned to be closed.
    pub planned: u64,
    /// The most that are closed in a second.
    pub per_second: u64,
    /// Its figures so far.
    #[serde(flatten)]
    pub figures: RebalanceFigures,
}

/// A rebalance that is over.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EndedRebalance {
    /// The operator.
    pub by: String,
    /// When it began, in UTC as in RFC 3339.
    pub since: String,
    /// When it ended, likewise.
    pub ended: String,
    /// How it ended.
    pub result: RebalanceResult,
    /// Why the nodes are not even; null if they are.
    pub reason: Option<String>,
    /// How many connections were planned to be closed.
    pub planned: u64,
    /// The most that were allowed in a second.
    pub per_second: u64,
    /// Its figures.
    #[serde(flatten)]
    pub figures: RebalanceFigures,
}

/// What a rebalance has done, and what it has found last.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct RebalanceFigures {
    /// The connections that it has closed.
    pub closed: u64,
    /// The most that it has closed in one second.
    pub most_in_a_second: u64,
    /// How many clients of these connections are not back yet, as far as that can be known.
    #[serde(default)]
    pub returning: u64,
    /// `(max - min) / mean` of the nodes' connections, in percent.
    pub variance_percent: f64,
    /// The nodes that take clients.
    pub nodes: Vec<RebalanceNode>,
}

/// How a rebalance has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RebalanceResult {
    /// The nodes are even.
    Even,
    /// They are not, and no further connection can be closed for that.
    Uneven,
    /// It was ended by something else.
    Aborted,
}
