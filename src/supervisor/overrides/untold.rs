//! Balancer instances that do not carry out orders, or do not accept the state of failed nodes.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::Outside;
use crate::api::NodeState;
use crate::supervisor::core::Core;
use crate::supervisor::rollout::Who;

/// Time for an instance to follow. The answer to an order does not wait longer, either.
const FOLLOW_TIMEOUT: Duration = Duration::from_secs(5);

/// Since when instances have not followed.
#[derive(Debug, Default)]
pub(in crate::supervisor) struct Untold(BTreeMap<Who, Instant>);

impl Untold {
    /// Updates the list: of all instances, only `behind` do not follow now.
    fn update(&mut self, behind: &[Who], now: Instant) {
        self.0.retain(|who, _| behind.contains(who));
        for who in behind {
            self.0.entry(*who).or_insert(now);
        }
    }

    /// The instances that have not followed for too long.
    fn overdue(&self, now: Instant) -> impl Iterator<Item = Who> {
        let late = self
            .0
            .iter()
            .filter(move |(_, since)| now >= **since + FOLLOW_TIMEOUT);
        late.map(|(who, _)| *who)
    }
}

impl Core {
    /// Updates which instances follow. An instance that does not answer is reported elsewhere, and
    /// starts with everything that is in force.
    pub(super) fn notice_untold(&mut self, now: Instant) {
        let told = self.opinion.borrow();
        let is_behind = |who: &Who| self.heard.get(who) != Some(&*told) && !self.is_silent(*who);
        let behind: Vec<Who> = self.sync_tasks.keys().copied().filter(is_behind).collect();
        drop(told);
        self.overrides.untold.update(&behind, now);
    }

    /// One sentence for each instance that does not follow.
    pub(in crate::supervisor) fn unfollowed(&self, now: Instant) -> Vec<String> {
        let sentence = |who| {
            format!(
                "{}: does not accept orders or the state of failed nodes; they are sent again, see `clusterctl logs supervisor`",
                self.setting.title(who)
            )
        };
        self.overrides.untold.overdue(now).map(sentence).collect()
    }

    /// The effect on a drained node at instances that did not receive the order.
    pub(super) fn undrained(&self, node: &str, now: Instant) -> Option<Outside> {
        if !self.drains.contains_key(node) {
            return None;
        }
        let mut untold = self.overrides.untold.overdue(now).filter(|who| {
            let told = self.heard.get(who).and_then(|told| told.get(node));
            !told.is_some_and(|told| told.drained)
        });
        let who = untold.next()?;
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
    fn an_instance_that_does_not_follow_in_time_is_overdue_until_it_does() {
        let (now, who) = (Instant::now(), Who::Balancer(0));
        let mut untold = Untold::default();
        untold.update(&[who], now);
        untold.update(&[who], now + FOLLOW_TIMEOUT / 2);
        assert_eq!(untold.overdue(now + FOLLOW_TIMEOUT / 2).count(), 0);
        assert_eq!(untold.overdue(now + FOLLOW_TIMEOUT).collect::<Vec<_>>(), [who]);
        untold.update(&[], now + FOLLOW_TIMEOUT);
        untold.update(&[who], now + FOLLOW_TIMEOUT);
        assert_eq!(untold.overdue(now + FOLLOW_TIMEOUT).count(), 0);
    }
}
