//! Whole rebalances, with clients that come back after a while.

use proptest::prelude::*;

use super::*;
use crate::supervisor::rebalance::plan::{Destination, Group, Load, is_even, plan};
use crate::supervisor::rebalance::survey::Survey;

/// Nodes with the connections of clients.
struct SimulatedCluster {
    nodes: Vec<u64>,
    /// How a client gets a node.
    to: Destination,
    /// When clients come back, and to which node if that is known.
    away: Vec<(Instant, Option<usize>)>,
    /// How long that takes; `None` if they never do.
    back_after: Option<Duration>,
    turn: usize,
    /// The fewest connections that each node had.
    least: Vec<u64>,
}

/// How one has ended, and the connections of the nodes when all clients are back.
struct Outcome {
    ended: EndedRebalance,
    took: Duration,
    nodes: Vec<u64>,
    least: Vec<u64>,
}

impl SimulatedCluster {
    fn new(nodes: &[u64], to: Destination, back_after: Option<u64>) -> SimulatedCluster {
        SimulatedCluster {
            nodes: nodes.to_vec(),
            to,
            away: Vec::new(),
            back_after: back_after.map(Duration::from_millis),
            turn: 0,
            least: nodes.to_vec(),
        }
    }

    fn survey(&self) -> Survey {
        let load = |(node, count): (usize, &u64)| Load {
            node: format!("n{node}"),
            weight: 1,
            connections: *count,
        };
        let mut survey = Survey {
            loads: self.nodes.iter().enumerate().map(load).collect(),
            ..Survey::default()
        };
        for (from, count) in self.nodes.iter().enumerate() {
            survey.groups.extend((0..*count).map(|_| Group {
                from,
                to: self.to,
                idle: Duration::ZERO,
                connections: vec![from],
            }));
        }
        survey
    }

    fn take_back(&mut self, until: impl Fn(Instant) -> bool) {
        for (at, node) in std::mem::take(&mut self.away) {
            if !until(at) {
                self.away.push((at, node));
                continue;
            }
            let in_turn = self.turn % self.nodes.len();
            let node = node.unwrap_or_else(|| match self.to {
                Destination::RoundRobin => in_turn,
                _ => (0..self.nodes.len())
                    .min_by_key(|node| self.nodes[*node])
                    .unwrap(),
            });
            self.turn += 1;
            self.nodes[node] += 1;
        }
    }

    /// Rebalances to 5% over 20 seconds.
    fn run(mut self) -> Outcome {
        let began = Instant::now();
        let mut now = began;
        let mut state = RebalanceState::default();
        let survey = self.survey();
        let pace = Pace {
            total: plan(&survey.loads, &survey.groups, order().to, &[]).total,
            over: Duration::from_secs(20),
        };
        state.begin(order(), pace, now);
        for number in 1.. {
            in_round(&mut state, number);
            state.rounds = number;
            let progress = state.current.as_ref().unwrap().progress(now);
            let (found, closes) = progress.decide(&self.survey(), now);
            assert!(closes.len() as u64 <= pace.per_second());
            let mut result = RoundResult {
                found: Some(found),
                ..RoundResult::default()
            };
            for close in closes {
                self.nodes[close.connection] -= 1;
                if let Some(after) = self.back_after {
                    self.away.push((now + after, close.to));
                }
                let node = close.to.map(|node| format!("n{node}"));
                result.closed.push(ClosedClient {
                    at: now,
                    address: None,
                    node,
                });
            }
            for (least, count) in self.least.iter_mut().zip(&self.nodes) {
                *least = (*least).min(*count);
            }
            now += ROUND;
            self.take_back(|at| at <= now);
            state.after(number, result, now);
            if let Some(ended) = state.last.take() {
                self.take_back(|_| true);
                return Outcome {
                    ended,
                    took: now - began,
                    nodes: self.nodes,
                    least: self.least,
                };
            }
        }
        unreachable!()
    }
}

impl Outcome {
    fn is_even(&self) -> bool {
        let loads = self.nodes.iter().map(|count| Load {
            node: String::new(),
            weight: 1,
            connections: *count,
        });
        is_even(&loads.collect::<Vec<_>>(), order().to)
    }
}

#[test]
fn clients_that_take_long_to_return_are_waited_for() {
    for to in [
        Destination::Assigned,
        Destination::LeastConnections,
        Destination::RoundRobin,
    ] {
        for back_after in [0, 900, 5_000, 30_000, 55_000] {
            let outcome = SimulatedCluster::new(&[100, 0], to, Some(back_after)).run();
            let case = format!("{to:?} {back_after} ms: {:?} {:?}", outcome.ended, outcome.nodes);
            assert_eq!(outcome.ended.result, RebalanceResult::Even, "{case}");
            assert!(outcome.is_even(), "{case}");
            assert!(outcome.least[0] >= 50, "{case}");
            if to != Destination::RoundRobin {
                assert_eq!(outcome.ended.figures.closed, 49, "{case}");
            }
        }
    }
}

#[test]
fn clients_that_never_return_end_it() {
    let outcome = SimulatedCluster::new(&[100, 0], Destination::Assigned, None).run();
    assert_eq!(outcome.ended.result, RebalanceResult::Uneven);
    assert!(outcome.took < Duration::from_mins(10), "{:?}", outcome.took);
}

proptest! {
    #[test]
    fn no_node_is_left_with_less_than_its_share(
        nodes in proptest::collection::vec(0_u64..80, 2..5),
        to in 0_usize..3,
        back_after in 0_u64..59_000,
    ) {
        let to = [Destination::Assigned, Destination::LeastConnections, Destination::RoundRobin][to];
        let share = nodes.iter().sum::<u64>() / nodes.len() as u64;
        let outcome = SimulatedCluster::new(&nodes, to, Some(back_after)).run();
        for (before, least) in nodes.iter().zip(&outcome.least) {
            prop_assert!(least >= before.min(&share), "{:?}", outcome.least);
        }
        if outcome.ended.result == RebalanceResult::Even {
            prop_assert!(outcome.is_even(), "{:?}", outcome.nodes);
        }
    }
}
