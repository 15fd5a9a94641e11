//! `rebalance`: connections of nodes that hold more than their share are closed, so that their
//! clients connect again and get other nodes.
//!
//! A node that came back has no connections, and gets its share of new clients only. Those that are
//! connected stay where they are, until an operator orders a rebalance. Requests over HTTP get a
//! node each time, so only connections over TCP, `WebSockets` and event streams matter here.

mod close_timer;
mod explain;
#[cfg(test)]
mod fake_balancer;
mod nginx;
pub(super) mod plan;
mod returning;
pub(super) mod round;
pub(super) mod state;
pub(super) mod survey;

use std::time::Instant;

use self::explain::shown;
use self::plan::{Pace, is_even, plan};
use self::round::RoundResult;
use self::survey::{Assigned, Scope, Survey};
use super::core::Core;
use super::event::CoreEvent;
use super::process::child::Child;
use crate::api::{RebalanceOrder, RebalancePlan, Refusal};

/// Plans a rebalance. Returns the plan as it is shown and, if connections have to be closed for it,
/// its pace.
///
/// # Errors
/// When the order makes no sense, or the connections cannot be read.
pub(super) async fn planned(
    scope: &Scope,
    order: &RebalanceOrder,
) -> Result<(RebalancePlan, Option<Pace>), Refusal> {
    if let Some(error) = RebalanceOrder::refuse_over(order.over) {
        return Err(Refusal { error, hint: None });
    }
    let survey = Survey::read(scope).await?;
    let plan = plan(&survey.loads, &survey.groups, order.to, &[]);
    let pace = explain::pace(order, &plan);
    let is_needed = plan.becomes_even && !is_even(&survey.loads, order.to);
    Ok((shown(scope, order, &survey, &plan), is_needed.then_some(pace)))
}

impl Core {
    /// What a rebalance would work on.
    pub(in crate::supervisor) fn rebalance_scope(&self, streams: bool) -> Result<Scope, Refusal> {
        self.refuse_while_busy()?;
        self.rebalances.refuse_while_running()?;
        self.refuse_while_reloading()?;
        if !self.balanced {
            return Err(Refusal {
                error: "no balancer runs that could distribute clients".to_owned(),
                hint: Some("`clusterctl start` starts one".to_owned()),
            });
        }
        Ok(self.scope(streams))
    }

    /// Begins a rebalance.
    pub(in crate::supervisor) fn rebalance(
        &mut self,
        order: RebalanceOrder,
        pace: Pace,
        now: Instant,
    ) -> Result<(), Refusal> {
        // Something else may have begun since it was planned.
        self.rebalance_scope(order.streams)?;
        self.rebalances.begin(order, pace, now);
        Ok(())
    }

    /// Does what is due for the rebalance.
    pub(in crate::supervisor) fn advance_rebalance(&mut self, now: Instant) {
        if !self.rebalances.is_running() {
            return;
        }
        if let Some(why) = self.ends_rebalances() {
            return self.rebalances.abort(why);
        }
        let Some((number, round)) = self.rebalances.next_round(self.scope(false), now) else {
            return;
        };
        self.events.spawn(async move {
            CoreEvent::RebalanceRound {
                number,
                result: round.run().await,
            }
        });
    }

    /// A round of the rebalance is over.
    pub(in crate::supervisor) fn rebalance_round(&mut self, number: u64, result: RoundResult, now: Instant) {
        self.rebalances.after(number, result, now);
    }

    // Private

    fn scope(&self, streams: bool) -> Scope {
        let nodes = self.spec.cluster.nodes.iter();
        let serving = nodes.filter(|node| node.weight > 0 && self.takes_clients(node.id));
        let balancers = self.children.balancers();
        Scope {
            spec: self.spec.clone(),
            serving: serving.map(|node| node.name.clone()).collect(),
            balancers: balancers.filter_map(|(_, child)| child.process()).collect(),
            former: self.children.retired().filter_map(Child::process).collect(),
            streams,
            assigned: Assigned::new(),
        }
    }

    /// What ends a rebalance in progress, if anything does.
    fn ends_rebalances(&self) -> Option<&'static str> {
        if self.shutdown.is_some() {
            Some("the cluster is being stopped")
        } else if self.switches.current().is_some() {
            Some("another balancer takes over")
        } else if self.reloads.is_active() {
            Some("the profile was reloaded")
        } else if self.waves.outcome.is_none() {
            Some("nodes are being started or restarted")
        } else if !self.balanced {
            Some("the balancer was stopped")
        } else {
            None
        }
    }
}
