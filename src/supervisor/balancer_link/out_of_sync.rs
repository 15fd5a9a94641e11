//! Balancer instances that do not carry out orders, or do not accept the state of failed nodes.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::api::NodeState;
use crate::supervisor::core::Core;
use crate::supervisor::overrides::Outside;
use crate::supervisor::rollout::Who;

/// Time for an instance to accept the desired states. The answer to an order does not wait longer, either.
const SYNC_TIMEOUT: Duration = Duration::from_secs(5);

/// Since when each instance that is out of sync has been so.
#[derive(Debug, Default)]
pub(in crate::supervisor) struct OutOfSync(BTreeMap<Who, Instant>);

impl OutOfSync {
    /// Updates the list: of all instances, only `behind` are out of sync now.
    fn update(&mut self, behind: &[Who], now: Instant) {
        self.0.retain(|who, _| behind.contains(who));
        for who in behind {
            self.0.entry(*who).or_insert(now);
        }
    }

    /// The instances that have been out of sync for too long.
    fn overdue(&self, now: Instant) -> impl Iterator<Item = Who> {
        let late = self
            .0
            .iter()
            .filter(move |(_, since)| now >= **since + SYNC_TIMEOUT);
        late.map(|(who, _)| *who)
    }
}

impl Core {
    /// Notes which instances are out of sync. An instance that does not answer is reported as such,
    /// and starts with everything that is in force.
    pub(in crate::supervisor) fn notice_out_of_sync(&mut self, now: Instant) {
        let desired = self.opinion.borrow();
        let is_behind = |who: &Who| self.heard.get(who) != Some(&*desired) && !self.is_silent(*who);
        let behind: Vec<Who> = self.sync_tasks.keys().copied().filter(is_behind).collect();
        drop(desired);
        self.out_of_sync.update(&behind, now);
    }

    /// A warning for each instance that is out of sync.
    pub(in crate::supervisor) fn out_of_sync_warnings(&self, now: Instant) -> Vec<String> {
        let sentence = |who| {
            format!(
                "{}: does not accept orders or the state of failed nodes; they are sent again, see `clusterctl logs supervisor`",
                self.setting.title(who)
            )
        };
        self.out_of_sync.overdue(now).map(sentence).collect()
    }

    /// The state of a node that an order drained, where an instance did not accept that.
    pub(in crate::supervisor) fn drain_out_of_sync(&self, node: &str, now: Instant) -> Option<Outside> {
        if !self.drains.contains_key(node) {
            return None;
        }
        let mut serving = self.out_of_sync.overdue(now).filter(|who| {
            let sent = self.heard.get(who).and_then(|sent| sent.get(node));
            !sent.is_some_and(|sent| sent.drained)
        });
        let who = serving.next()?;
        Some(Outside {
            state: NodeState::Draining,
            reason: format!(
                "drained by an order that {} did not accept: it gets new connections",
                self.setting.title(who)
            ),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instance_is_overdue_after_some_time_until_it_is_in_sync() {
        let (now, who) = (Instant::now(), Who::Balancer(0));
        let mut list = OutOfSync::default();
        list.update(&[who], now);
        list.update(&[who], now + SYNC_TIMEOUT / 2);
        assert_eq!(list.overdue(now + SYNC_TIMEOUT / 2).count(), 0);
        assert_eq!(list.overdue(now + SYNC_TIMEOUT).collect::<Vec<_>>(), [who]);
        list.update(&[], now + SYNC_TIMEOUT);
        list.update(&[who], now + SYNC_TIMEOUT);
        assert_eq!(list.overdue(now + SYNC_TIMEOUT).count(), 0);
    }
}
