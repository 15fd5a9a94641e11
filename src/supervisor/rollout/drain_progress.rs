//! How far a drain by a rollout is: the connections that the node still has.

use std::time::Instant;

/// The connections that a drained node has, by the counts that began when the balancer had accepted the
/// drain.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct DrainProgress {
    accepted: Option<Instant>,
    connections: Option<u64>,
    /// How many counts in a row have found none.
    empty_counts: u32,
}

impl DrainProgress {
    /// The balancer has accepted the drain.
    pub(super) fn accept(&mut self, now: Instant) {
        self.accepted.get_or_insert(now);
    }

    /// A count that began at `asked` has found this number.
    pub(super) fn count(&mut self, connections: u64, asked: Instant) {
        if self.accepted.is_none_or(|accepted| asked < accepted) {
            return;
        }
        self.connections = Some(connections);
        self.empty_counts = if connections == 0 {
            self.empty_counts + 1
        } else {
            0
        };
    }

    /// The connections that are left; `None` while they are not known. A request may have been between
    /// two connections, so that only the second count shows that none are left.
    pub(super) const fn connections(self) -> Option<u64> {
        match (self.connections, self.empty_counts) {
            (Some(0), 1) | (None, _) => None,
            (connections, _) => connections,
        }
    }

    /// The latest count.
    pub(super) const fn latest(self) -> Option<u64> {
        self.connections
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn only_a_second_count_after_the_drain_shows_that_no_connection_is_left() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut drain = DrainProgress::default();
        drain.count(0, at(1));
        drain.accept(at(2));
        drain.count(0, at(1));
        assert_eq!((drain.connections(), drain.latest()), (None, None));
        drain.count(3, at(3));
        assert_eq!(drain.connections(), Some(3));
        drain.count(0, at(4));
        assert_eq!((drain.connections(), drain.latest()), (None, Some(0)));
        drain.count(0, at(5));
        assert_eq!(drain.connections(), Some(0));
    }
}
