//! Clients whose connections were closed, and that are not back yet.
//!
//! Nothing shows which clients are back. How many are not is seen by the number of connections from
//! their addresses, which is that much smaller than it was; where addresses are not shown, by the
//! number of all connections. They are taken to come back in the order in which their connections
//! were closed.

use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;
use std::time::{Duration, Instant};

use super::plan::{Load, least_loaded};

/// A client that is not back by then has left.
pub(super) const RETURN_TIME: Duration = Duration::from_mins(1);

/// The clients of the connections that a rebalance has closed.
#[derive(Clone, Debug, Default, PartialEq)]
pub(in crate::supervisor) struct ReturningClients {
    /// Those of the last minute, back or not, in the order of their closes.
    closed: VecDeque<ClosedClient>,
    /// The connections of the last count.
    counted: Counts,
    /// How many connections there are when all are back, where connections were closed.
    expected: Counts,
    /// How many of the clients are not back.
    away: Counts,
}

/// Connections by client address; those of all clients under `None` where addresses are not shown.
pub(super) type Counts = BTreeMap<Option<IpAddr>, u64>;

/// A client whose connection was closed.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::supervisor) struct ClosedClient {
    pub(in crate::supervisor) at: Instant,
    /// Its address, where that is shown.
    pub(in crate::supervisor) address: Option<IpAddr>,
    /// The node that it will get; `None` where the balancer chooses.
    pub(in crate::supervisor) node: Option<String>,
}

impl ReturningClients {
    /// The connections of more clients were closed.
    pub(super) fn add(&mut self, closed: impl IntoIterator<Item = ClosedClient>) {
        for client in closed {
            let before = self.counted.get(&client.address).copied().unwrap_or_default();
            self.expected.entry(client.address).or_insert(before);
            self.closed.push_back(client);
        }
    }

    /// There are so many connections now.
    pub(super) fn count(&mut self, connections: Counts, now: Instant) {
        let has_left = |client: &ClosedClient| now.saturating_duration_since(client.at) >= RETURN_TIME;
        while self.closed.front().is_some_and(has_left) {
            self.closed.pop_front();
        }
        let mut closed = Counts::new();
        for client in &self.closed {
            *closed.entry(client.address).or_default() += 1;
        }
        self.expected.retain(|address, _| closed.contains_key(address));
        self.away.clear();
        for (address, expected) in &mut self.expected {
            // Other clients come and go, too.
            let now = connections.get(address).copied().unwrap_or_default();
            let away = expected.saturating_sub(now).min(closed[address]);
            *expected = now + away;
            self.away.insert(*address, away);
        }
        self.counted = connections;
    }

    /// How many are not back.
    pub(super) fn away(&self) -> u64 {
        self.away.values().sum()
    }

    /// How many each node will get. Where the balancer chooses, that is the node that lacks most.
    pub(super) fn by_node(&self, loads: &[Load]) -> Vec<u64> {
        let mut returning = vec![0; loads.len()];
        let mut expected: Vec<u64> = loads.iter().map(|load| load.connections).collect();
        let mut left = self.away.clone();
        let mut is_away = |client: &&ClosedClient| {
            let left = left.get_mut(&client.address).filter(|left| **left > 0);
            left.map(|left| *left -= 1).is_some()
        };
        let away: Vec<&ClosedClient> = self.closed.iter().rev().filter(|it| is_away(it)).collect();
        let known = |client: &ClosedClient| {
            let name = client.node.as_ref()?;
            loads.iter().position(|load| load.node == *name)
        };
        let (known, chosen): (Vec<_>, Vec<_>) = away.into_iter().map(known).partition(Option::is_some);
        for node in known.into_iter().chain(chosen) {
            if let Some(node) = node.or_else(|| least_loaded(loads, &expected)) {
                returning[node] += 1;
                expected[node] += 1;
            }
        }
        returning
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn closed(at: Instant, node: Option<&str>) -> ClosedClient {
        ClosedClient {
            at,
            address: None,
            node: node.map(str::to_owned),
        }
    }

    fn all(connections: u64) -> Counts {
        [(None, connections)].into()
    }

    fn loads(counts: &[u64]) -> Vec<Load> {
        let load = |(index, count): (usize, &u64)| Load {
            node: format!("n{index}"),
            weight: 1,
            connections: *count,
        };
        counts.iter().enumerate().map(load).collect()
    }

    #[test]
    fn the_latest_ones_are_away() {
        let now = Instant::now();
        let mut clients = ReturningClients::default();
        clients.count(all(10), now);
        clients.add([
            closed(now, Some("n0")),
            closed(now, Some("n1")),
            closed(now, None),
        ]);
        clients.count(all(7), now);
        assert_eq!(
            (clients.away(), clients.by_node(&loads(&[5, 1, 1]))),
            (3, vec![1, 1, 1])
        );
        clients.count(all(8), now);
        assert_eq!(
            (clients.away(), clients.by_node(&loads(&[4, 4, 0]))),
            (2, vec![0, 1, 1])
        );
        // A node that does not serve any more gets none.
        assert_eq!(clients.by_node(&loads(&[8])), [2]);
        clients.count(all(10), now);
        assert_eq!(
            (clients.away(), clients.by_node(&loads(&[8, 2]))),
            (0, vec![0, 0])
        );
    }

    #[test]
    fn clients_that_leave_by_themselves_do_not_return() {
        let now = Instant::now();
        let mut clients = ReturningClients::default();
        clients.count(all(100), now);
        clients.count(all(60), now);
        assert_eq!(clients.away(), 0);
        clients.add([closed(now, None)]);
        clients.count(all(50), now);
        assert_eq!(clients.away(), 1);
    }

    #[test]
    fn more_connections_than_before_are_expected_to_stay() {
        let now = Instant::now();
        let mut clients = ReturningClients::default();
        clients.count(all(100), now);
        clients.count(all(120), now);
        clients.add([closed(now, None), closed(now, None)]);
        clients.count(all(118), now);
        assert_eq!(clients.away(), 2);
    }

    #[test]
    fn a_client_that_is_not_back_in_time_has_left() {
        let now = Instant::now();
        let mut clients = ReturningClients::default();
        clients.count(all(2), now);
        clients.add([closed(now, None), closed(now + Duration::from_secs(1), None)]);
        clients.count(all(0), now + RETURN_TIME / 2);
        assert_eq!(clients.away(), 2);
        clients.count(all(0), now + RETURN_TIME);
        assert_eq!(clients.away(), 1);
        clients.count(all(0), now + RETURN_TIME * 2);
        assert_eq!(clients.away(), 0);
    }

    #[test]
    fn clients_of_other_addresses_are_not_taken_for_returning_ones() {
        let now = Instant::now();
        let address = |host: u8| Some(IpAddr::from([127, 0, 0, host]));
        let mut clients = ReturningClients::default();
        clients.count([(address(1), 2), (address(2), 40)].into(), now);
        clients.add([ClosedClient {
            address: address(1),
            ..closed(now, None)
        }]);
        clients.count([(address(1), 1), (address(2), 90)].into(), now);
        assert_eq!(clients.away(), 1);
        // Others leave, and this one is back.
        clients.count([(address(1), 2), (address(2), 10)].into(), now);
        assert_eq!(clients.away(), 0);
    }
}
