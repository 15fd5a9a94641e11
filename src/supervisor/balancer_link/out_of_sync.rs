//! Balancer instances that do not carry out orders, or do not accept the state of failed nodes.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::api::NodeState;
use crate::supervisor::core::Core;
use crate::supervisor::overrides::Overridden;
use crate::supervisor::waves::ChildId;

/// Time for an instance to accept the desired states. The answer to an order does not wait longer,
/// either.
const SYNC_TIMEOUT: Duration = Duration::from_secs(5);

/// Since when each instance that is out of sync has been so.
#[derive(Debug, Default)]
pub(in crate::supervisor) struct OutOfSync(BTreeMap<ChildId, Instant>);

impl OutOfSync {
    /// Updates the list: of all instances, only `behind` are out of sync now.
    pub(super) fn update(&mut self, behind: &[ChildId], now: Instant) {
        self.0.retain(|id, _| behind.contains(id));
        for id in behind {
            self.0.entry(*id).or_insert(now);
        }
    }

    /// The instances that have been out of sync for too long.
    pub(super) fn overdue(&self, now: Instant) -> impl Iterator<Item = ChildId> {
        let late = self
            .0
            .iter()
            .filter(move |(_, since)| now >= **since + SYNC_TIMEOUT);
        late.map(|(id, _)| *id)
    }
}

impl Core {
    /// A warning for each instance that is out of sync.
    pub(in crate::supervisor) fn out_of_sync_warnings(&self, now: Instant) -> Vec<String> {
        let sentence = |id| {
            format!(
                "{}: does not accept orders or the state of failed nodes; they are sent again, see `clusterctl logs supervisor`",
                self.spec.title(id)
            )
        };
        self.link.out_of_sync(now).map(sentence).collect()
    }

    /// The state of a node that an order drained, where an instance did not accept that.
    pub(in crate::supervisor) fn drain_out_of_sync(&self, node: &str, now: Instant) -> Option<Overridden> {
        if !self.drains.has(node) {
            return None;
        }
        let mut serving = self.link.out_of_sync(now).filter(|id| {
            let sent = self.link.accepted(*id).and_then(|sent| sent.get(node));
            !sent.is_some_and(|sent| sent.drained)
        });
        let id = serving.next()?;
        Some(Overridden {
            state: NodeState::Draining,
            reason: format!(
                "drained by an order that {} did not accept: it gets new connections",
                self.spec.title(id)
            ),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instance_is_overdue_after_some_time_until_it_is_in_sync() {
        let (now, id) = (Instant::now(), ChildId::Balancer(0));
        let mut list = OutOfSync::default();
        list.update(&[id], now);
        list.update(&[id], now + SYNC_TIMEOUT / 2);
        assert_eq!(list.overdue(now + SYNC_TIMEOUT / 2).count(), 0);
        assert_eq!(list.overdue(now + SYNC_TIMEOUT).collect::<Vec<_>>(), [id]);
        list.update(&[], now + SYNC_TIMEOUT);
        list.update(&[id], now + SYNC_TIMEOUT);
        assert_eq!(list.overdue(now + SYNC_TIMEOUT).count(), 0);
    }
}
