//! Which connections are closed, so that the nodes hold their shares when the clients are back.
//!
//! A node's share is the mean, by weight. Connections are closed only while their node holds more
//! than its share, those that were idle longest first. The plan assigns the clients to nodes as
//! the balancer will, and ends as soon as the nodes are even. Clients that are still on their
//! way back count as connections of the nodes that they will get, but no connection is closed in
//! return for them before they are there.

mod pace;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::time::Duration;

pub(in crate::supervisor) use pace::Pace;

use crate::base::units::Percent;

/// After this many closes per connection, a plan does not become even.
const MAX_CLOSES_PER_CONNECTION: u64 = 20;

/// A node that gets clients, and the connections that stay with it until they are closed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::supervisor) struct Load {
    /// The node's name.
    pub(in crate::supervisor) node: String,
    /// Its share of the load, relative to the other nodes; at least 1.
    pub(in crate::supervisor) weight: u64,
    /// Its connections, whether they may be closed or not.
    pub(in crate::supervisor) connections: u64,
}

/// Which node a client gets that connects again. Nodes are places in the list of loads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::supervisor) enum Destination {
    /// Each node in its turn.
    RoundRobin,
    /// The node with the fewest connections.
    LeastConnections,
    /// The node that the plan assigns it to.
    Assigned,
    /// This node, whatever is done.
    Node(usize),
}

/// Connections that may be closed, and whose clients get the same node: those of one client address,
/// or a single one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::supervisor) struct Group {
    /// The node that holds them.
    pub(in crate::supervisor) from: usize,
    pub(in crate::supervisor) to: Destination,
    /// How long the one that was used last has been idle.
    pub(in crate::supervisor) idle: Duration,
    /// The connections, as places in the caller's list.
    pub(in crate::supervisor) connections: Vec<usize>,
}

/// A connection to close.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::supervisor) struct Close {
    /// The place in the caller's list.
    pub(in crate::supervisor) connection: usize,
    /// The node that holds it.
    pub(in crate::supervisor) from: usize,
    /// The node that its client will get; `None` where the balancer chooses later.
    pub(in crate::supervisor) to: Option<usize>,
    /// Whether the client has to be assigned to that node before.
    pub(in crate::supervisor) is_assigned: bool,
}

/// The connections to close, in order.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::supervisor) struct Plan {
    /// The connections that are open now.
    pub(in crate::supervisor) closes: Vec<Close>,
    /// How many closes there are in all: a client that comes back to a node with too many
    /// connections is closed again.
    pub(in crate::supervisor) total: u64,
    /// The connections of each node afterwards.
    pub(in crate::supervisor) after: Vec<u64>,
    /// Whether the nodes are even then.
    pub(in crate::supervisor) becomes_even: bool,
}

/// `(max - min) / mean`, in percent, of connections by weight.
pub(in crate::supervisor) fn variance(loads: &[Load]) -> f64 {
    variance_of(loads, loads.iter().map(|load| load.connections))
}

/// Whether there are several nodes, which differ by less than `to`, or not at all.
pub(in crate::supervisor) fn is_even(loads: &[Load], to: Percent) -> bool {
    is_even_with(loads, loads.iter().map(|load| load.connections), to)
}

/// Whether the nodes are even, and stay so whichever of them `returning` clients get.
pub(in crate::supervisor) fn stays_even(loads: &[Load], returning: u64, to: Percent) -> bool {
    let all_at = |node: usize| {
        let counts = loads.iter().enumerate();
        let counts = counts.map(move |(at, load)| load.connections + if at == node { returning } else { 0 });
        is_even_with(loads, counts, to)
    };
    is_even(loads, to) && (0..loads.len()).all(all_at)
}

/// The node with the fewest connections by weight.
pub(in crate::supervisor) fn least_loaded(loads: &[Load], counts: &[u64]) -> Option<usize> {
    let by_weight = |(load, count): (&Load, &u64)| float(*count) / float(load.weight.max(1));
    let nodes = loads.iter().zip(counts).map(by_weight).enumerate();
    nodes
        .min_by(|(_, one), (_, other)| one.total_cmp(other))
        .map(|(node, _)| node)
}

/// The share of each node of all connections, and of the clients that are still `returning`.
pub(in crate::supervisor) fn shares(loads: &[Load], returning: u64) -> Vec<f64> {
    let all = loads.iter().map(|load| load.connections).sum::<u64>() + returning;
    let weights: u64 = loads.iter().map(|load| load.weight).sum();
    let share = |load: &Load| float(all) * float(load.weight) / float(weights.max(1));
    loads.iter().map(share).collect()
}

/// Plans what is closed until the nodes differ by less than `to`. So many clients whose connections
/// were closed before are still `returning` to each node; none if it is shorter.
pub(in crate::supervisor) fn plan(loads: &[Load], groups: &[Group], to: Percent, returning: &[u64]) -> Plan {
    let mut simulation = Simulation::new(loads, returning);
    let mut queue: Vec<Item> = groups.iter().map(Item::from).collect();
    // The order among equals stays that of the caller.
    queue.sort_by_key(|item| std::cmp::Reverse(item.idle));
    let mut queue = VecDeque::from(queue);
    let most = MAX_CLOSES_PER_CONNECTION * simulation.counts.iter().sum::<u64>();
    let (mut closes, mut total) = (Vec::new(), 0);
    let mut skipped = 0;
    while skipped < queue.len() && total < most && !simulation.is_even(to) {
        let Some(item) = queue.pop_front() else { break };
        let Some(to) = simulation.close(&item) else {
            skipped += 1;
            queue.push_back(item);
            continue;
        };
        skipped = 0;
        total += item.size;
        let is_assigned = item.to == Destination::Assigned;
        let is_known = is_assigned || matches!(item.to, Destination::Node(_));
        let connections = item.connections.iter();
        closes.extend(connections.map(|connection| Close {
            connection: *connection,
            from: item.from,
            to: is_known.then_some(to),
            is_assigned,
        }));
        if item.to == Destination::RoundRobin {
            queue.push_back(item.back_at(to));
        }
    }
    let becomes_even = simulation.is_even(to);
    Plan {
        closes,
        total,
        after: simulation.expected(),
        becomes_even,
    }
}

/// Those of the `closes` that leave every node its share before any of their clients is back.
pub(in crate::supervisor) fn at_once(closes: Vec<Close>, loads: &[Load], returning: u64) -> Vec<Close> {
    let shares = shares(loads, returning);
    let mut counts: Vec<u64> = loads.iter().map(|load| load.connections).collect();
    let mut closes = closes;
    closes.retain(|close| {
        let count = &mut counts[close.from];
        let has_more = float(count.saturating_sub(1)) >= shares[close.from].floor();
        *count -= u64::from(has_more);
        has_more
    });
    closes
}

// Private

/// One group in the queue, or a client that came back to a node.
#[derive(Clone, Debug)]
struct Item<'a> {
    from: usize,
    to: Destination,
    idle: Duration,
    size: u64,
    /// Empty for a client that came back: it has no connection yet.
    connections: &'a [usize],
}

/// The nodes' connections while clients are assigned to them.
struct Simulation<'a> {
    loads: &'a [Load],
    counts: Vec<u64>,
    /// The clients that each node will get besides.
    returning: Vec<u64>,
    shares: Vec<f64>,
    /// The clients that each node got in its turn.
    turns: Vec<u64>,
}

impl<'a> From<&'a Group> for Item<'a> {
    fn from(group: &'a Group) -> Item<'a> {
        Item {
            from: group.from,
            to: group.to,
            idle: group.idle,
            size: group.connections.len() as u64,
            connections: &group.connections,
        }
    }
}

impl Item<'_> {
    fn back_at(&self, node: usize) -> Item<'static> {
        Item {
            from: node,
            to: self.to,
            idle: Duration::ZERO,
            size: self.size,
            connections: &[],
        }
    }
}

impl Simulation<'_> {
    fn new<'a>(loads: &'a [Load], returning: &[u64]) -> Simulation<'a> {
        let returning = returning.iter().copied().chain(std::iter::repeat(0));
        let returning: Vec<u64> = returning.take(loads.len()).collect();
        Simulation {
            loads,
            counts: loads.iter().map(|load| load.connections).collect(),
            shares: shares(loads, returning.iter().sum()),
            returning,
            turns: vec![0; loads.len()],
        }
    }

    fn is_even(&self, to: Percent) -> bool {
        is_even_with(self.loads, self.expected().into_iter(), to)
    }

    /// The connections of each node when all clients are there.
    fn expected(&self) -> Vec<u64> {
        let counts = self.counts.iter().zip(&self.returning);
        counts.map(|(count, returning)| count + returning).collect()
    }

    /// Moves a group, and returns its new node; `None` if its node would hold less than its share,
    /// or the other one more.
    fn close(&mut self, item: &Item<'_>) -> Option<usize> {
        let left = self.counts.get(item.from)?.checked_sub(item.size)?;
        if float(left) < self.shares[item.from].floor() || item.size == 0 {
            return None;
        }
        let to = match item.to {
            Destination::RoundRobin => self.next_in_turn()?,
            Destination::LeastConnections | Destination::Assigned => {
                least_loaded(self.loads, &self.expected())?
            }
            Destination::Node(node) => node,
        };
        let has_room = |node: usize| {
            let count = self.expected().get(node).copied().unwrap_or(u64::MAX);
            float(count.saturating_add(item.size)) <= self.shares[node].ceil()
        };
        if item.to == Destination::RoundRobin {
            self.turns[to] += item.size;
        } else if to == item.from || !has_room(to) {
            return None;
        }
        self.counts[item.from] -= item.size;
        *self.counts.get_mut(to)? += item.size;
        Some(to)
    }

    fn next_in_turn(&self) -> Option<usize> {
        let turn = |index: &usize| float(self.turns[*index] + 1) / float(self.loads[*index].weight.max(1));
        (0..self.loads.len()).min_by(|one, other| turn(one).total_cmp(&turn(other)))
    }
}

fn variance_of(loads: &[Load], counts: impl Iterator<Item = u64> + Clone) -> f64 {
    let all: u64 = counts.clone().sum();
    let weights: u64 = loads.iter().map(|load| load.weight).sum();
    if all == 0 || weights == 0 {
        return 0.0;
    }
    let mean = float(all) / float(weights);
    let by_weight = counts
        .zip(loads)
        .map(|(count, load)| float(count) / float(load.weight.max(1)));
    let (least, most) = by_weight.fold((f64::MAX, 0.0_f64), |(least, most), it| {
        (least.min(it), most.max(it))
    });
    (most - least) / mean * 100.0
}

fn is_even_with(loads: &[Load], counts: impl Iterator<Item = u64> + Clone, to: Percent) -> bool {
    let variance = variance_of(loads, counts);
    loads.len() > 1 && (variance < to.get() || variance == 0.0)
}

#[expect(clippy::cast_precision_loss, reason = "no host holds 2^52 connections")]
fn float(count: u64) -> f64 {
    count as f64
}
