//! The latest failovers: those in progress, which events advance, and those that are over, which
//! are only reported.

use std::collections::VecDeque;
use std::time::Instant;

use super::timeline::Failover;
use crate::api;
use crate::base::units::Period;

/// How many failovers are kept; the oldest is dropped first.
const MAX_FAILOVERS: usize = 48;

/// The latest failovers, the oldest first.
#[derive(Debug, Default)]
pub(in crate::supervisor) struct Failovers {
    latest: VecDeque<(String, Failover)>,
}

impl Failovers {
    /// The node has failed. A failover that was in progress for it is over: later events belong to
    /// this failure, and none would end the earlier one.
    pub(in crate::supervisor) fn begin(&mut self, node: &str, failover: Failover) {
        tracing::warn!(node, "failover: {failover}");
        if let Some(former) = self.running(node) {
            former.end();
        }
        if self.latest.len() == MAX_FAILOVERS {
            self.latest.pop_front();
        }
        self.latest.push_back((node.to_owned(), failover));
    }

    /// The node's failover, if it is in progress.
    pub(in crate::supervisor) fn running(&mut self, node: &str) -> Option<&mut Failover> {
        let mut latest = self.latest.iter_mut().rev();
        let (_, failover) = latest.find(|(name, _)| name == node)?;
        Some(failover).filter(|failover| !failover.is_over())
    }

    /// The node is gone: its failover, if one is in progress, is over.
    pub(in crate::supervisor) fn forget(&mut self, node: &str) {
        if let Some(failover) = self.running(node) {
            failover.end();
        }
    }

    /// The node answers again.
    pub(in crate::supervisor) fn back(&mut self, node: &str, now: Instant) {
        if let Some(failover) = self.running(node)
            && failover.back(now)
        {
            tracing::warn!(node, "failover: {failover}");
        }
    }

    /// A request through the balancer was answered after the node had been cut off, which should
    /// take no longer than `limit`.
    pub(in crate::supervisor) fn served_elsewhere(&mut self, node: &str, limit: Period, now: Instant) {
        let Some(failover) = self.running(node) else {
            return;
        };
        if !failover.elsewhere(now) {
            return;
        }
        tracing::warn!(node, "failover: {failover}");
        let took = failover.took().unwrap_or_default();
        if took > limit.duration() {
            tracing::warn!(node, "failover took {} ms (target: <{limit})", took.as_millis());
        }
    }

    /// The node's failover in progress.
    pub(in crate::supervisor) fn of(&self, node: &str) -> Option<&Failover> {
        let (_, failover) = self.all_running().find(|(name, _)| name == node)?;
        Some(failover)
    }

    /// All failovers in progress, each with its node.
    pub(in crate::supervisor) fn all_running(&self) -> impl Iterator<Item = &(String, Failover)> {
        self.latest.iter().filter(|(_, failover)| !failover.is_over())
    }

    /// The failovers, as the API reports them.
    pub(in crate::supervisor) fn to_api(&self) -> api::Failovers {
        let shown = self.latest.iter().map(|(node, failover)| failover.to_api(node));
        api::Failovers {
            failovers: shown.collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Instant, SystemTime};

    use super::*;
    use crate::api::FailoverCause;

    fn died(now: Instant) -> Failover {
        Failover::new(FailoverCause::Died, now, now, SystemTime::now())
    }

    #[test]
    fn only_the_last_failover_of_a_node_is_ongoing() {
        let (mut failovers, now) = (Failovers::default(), Instant::now());
        assert!(failovers.running("erlmcp1").is_none());
        for node in ["erlmcp1", "erlmcp2"] {
            failovers.begin(node, died(now));
        }
        let first = failovers.running("erlmcp1").unwrap();
        first.back(now);
        first.end();
        assert!(failovers.running("erlmcp1").is_none());
        failovers.begin("erlmcp1", died(now));
        failovers.running("erlmcp1").unwrap().cut(now);
        let shown = failovers.to_api().failovers;
        let seen: Vec<_> = shown
            .iter()
            .map(|shown| {
                (
                    shown.node.as_str(),
                    shown.cut_ms.is_some(),
                    shown.back_ms.is_some(),
                )
            })
            .collect();
        let expected = [
            ("erlmcp1", false, true),
            ("erlmcp2", false, false),
            ("erlmcp1", true, false),
        ];
        assert_eq!(seen, expected);
        let running: Vec<&str> = failovers.all_running().map(|(node, _)| node.as_str()).collect();
        assert_eq!(running, ["erlmcp2", "erlmcp1"]);
    }

    #[test]
    fn a_node_that_fails_again_has_one_ongoing_failover() {
        let (mut failovers, now) = (Failovers::default(), Instant::now());
        failovers.begin("erlmcp1", died(now));
        failovers.begin("erlmcp1", died(now));
        assert_eq!(failovers.all_running().count(), 1);
        assert_eq!(failovers.to_api().failovers.len(), 2);
    }

    #[test]
    fn a_node_that_is_gone_has_no_ongoing_failover() {
        let (mut failovers, now) = (Failovers::default(), Instant::now());
        for node in ["erlmcp1", "erlmcp2"] {
            failovers.begin(node, died(now));
        }
        failovers.forget("erlmcp1");
        assert!(failovers.of("erlmcp1").is_none() && failovers.of("erlmcp2").is_some());
        assert_eq!(failovers.to_api().failovers.len(), 2);
    }

    #[test]
    fn the_oldest_failovers_are_dropped() {
        let (mut failovers, now) = (Failovers::default(), Instant::now());
        for number in 0..MAX_FAILOVERS + 2 {
            failovers.begin(&format!("node{number}"), died(now));
        }
        let shown = failovers.to_api().failovers;
        assert_eq!((shown.len(), shown[0].node.as_str()), (MAX_FAILOVERS, "node2"));
    }
}
