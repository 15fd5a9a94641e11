//! What is closed in a round, decided from the connections that there are.

use std::time::{Duration, Instant};

use crate::api::RebalanceNode;
use crate::base::units::Percent;
use crate::supervisor::rebalance::explain::{nodes, rounded};
use crate::supervisor::rebalance::plan::{Close, Pace, at_once, plan, stays_even, variance};
use crate::supervisor::rebalance::returning::ReturningClients;
use crate::supervisor::rebalance::survey::Survey;

/// How far a rebalance is when a round begins.
#[derive(Clone, Debug)]
pub(in crate::supervisor::rebalance) struct Progress {
    pub(in crate::supervisor::rebalance) to: Percent,
    pub(in crate::supervisor::rebalance) pace: Pace,
    /// The time since the rebalance began.
    pub(in crate::supervisor::rebalance) elapsed: Duration,
    /// The connections that were closed before.
    pub(in crate::supervisor::rebalance) closed: u64,
    /// The clients of those connections.
    pub(in crate::supervisor::rebalance) clients: ReturningClients,
    /// Whether it may wait for nodes that do not get their share of new clients yet.
    pub(in crate::supervisor::rebalance) may_wait: bool,
}

/// What a round has found before it closed anything.
#[derive(Clone, Debug, Default, PartialEq)]
pub(in crate::supervisor) struct Found {
    pub(in crate::supervisor) nodes: Vec<RebalanceNode>,
    /// `(max - min) / mean`, in percent.
    pub(in crate::supervisor) variance: f64,
    /// Whether the nodes are even, and stay so whichever of them the returning clients get.
    pub(in crate::supervisor) is_even: bool,
    /// Whether nothing is closed because nodes do not get their share of new clients yet.
    pub(in crate::supervisor) waits: bool,
    /// Whether connections are planned to be closed, now or later.
    pub(in crate::supervisor) has_plan: bool,
    /// The clients whose connections were closed before.
    pub(in crate::supervisor) clients: ReturningClients,
}

impl Progress {
    /// What the round finds, and the connections that are due to be closed.
    pub(in crate::supervisor::rebalance) fn decide(
        mut self,
        survey: &Survey,
        now: Instant,
    ) -> (Found, Vec<Close>) {
        let loads = &survey.loads;
        self.clients.count(survey.counts(), now);
        let returning = self.clients.away();
        let plan = plan(loads, &survey.groups, self.to, &self.clients.by_node(loads));
        let found = Found {
            nodes: nodes(survey, returning),
            variance: rounded(variance(loads)),
            is_even: stays_even(loads, returning, self.to),
            waits: self.may_wait && !survey.slow.is_empty(),
            has_plan: !plan.closes.is_empty(),
            clients: self.clients,
        };
        let due = if found.is_even || found.waits {
            0
        } else {
            self.pace.due(self.elapsed, self.closed, returning)
        };
        let mut closes = at_once(plan.closes, loads, returning);
        closes.truncate(usize::try_from(due).unwrap_or(usize::MAX));
        (found, closes)
    }
}
