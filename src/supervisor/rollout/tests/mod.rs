//! A rollout as a machine, in a small world.

mod random;

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant, SystemTime};

use super::state::{ClusterView, Rollout, RolloutFailure, RolloutOrder, RolloutSettings};
use super::steps::{Batches, Step, Work};
use crate::api::RolloutKind;
use crate::profile::NodeId;
use crate::supervisor::waves::Condition;

const START_TIMEOUT: Duration = Duration::from_secs(30);
const TURN: Duration = Duration::from_secs(1);

/// Nodes that exist only in the test.
struct World {
    nodes: BTreeMap<NodeId, Node>,
    applied: Option<Result<(), String>>,
    objection: Option<String>,
    /// Nodes that an operator drains or stops while the rollout runs.
    kept: BTreeSet<NodeId>,
}

#[derive(Clone, Debug)]
struct Node {
    condition: Condition,
    is_drained: bool,
    connections: u64,
    /// Whether a new process of it answers.
    works: bool,
    /// How often it was started again.
    starts: u32,
}

impl ClusterView for World {
    fn condition(&self, node: NodeId) -> Condition {
        self.nodes
            .get(&node)
            .map_or(Condition::Down, |node| node.condition.clone())
    }

    fn serves(&self, node: NodeId) -> bool {
        self.nodes
            .get(&node)
            .is_some_and(|node| node.condition == Condition::Up && !node.is_drained)
    }

    fn why_silent(&self, node: NodeId) -> Option<String> {
        let up = self.condition(node) == Condition::Up;
        (!up).then(|| "it is down".to_owned())
    }

    fn is_drained_by_operator(&self, node: NodeId) -> bool {
        self.kept.contains(&node)
    }

    fn is_stopped_by_operator(&self, node: NodeId) -> bool {
        self.kept.contains(&node) && self.condition(node) == Condition::Down
    }

    fn not_serving(&self, left_out: &[NodeId]) -> Option<(NodeId, String)> {
        let others = self
            .nodes
            .iter()
            .filter(|(id, node)| !left_out.contains(id) && !node.is_drained);
        let mut failing = others.filter(|(id, _)| !self.serves(**id));
        failing.next().map(|(id, _)| (*id, "it is down".to_owned()))
    }

    fn connections_left(&self, node: NodeId) -> Option<u64> {
        self.nodes.get(&node).map(|node| node.connections)
    }

    fn applied(&self) -> Option<Result<(), String>> {
        self.applied.clone()
    }

    fn objection(&self, _is_over: bool) -> Option<String> {
        self.objection.clone()
    }
}

impl World {
    fn of(ids: impl Iterator<Item = u32>) -> World {
        let node = Node {
            condition: Condition::Up,
            is_drained: false,
            connections: 3,
            works: true,
            starts: 0,
        };
        World {
            nodes: ids.map(|id| (NodeId(id), node.clone())).collect(),
            applied: None,
            objection: None,
            kept: BTreeSet::new(),
        }
    }

    /// What the core would do for the step.
    fn carry_out(&mut self, step: &Step, added: &[NodeId]) {
        match step {
            Step::Apply => {
                self.applied = Some(Ok(()));
                for node in added {
                    self.nodes.entry(*node).or_insert(Node {
                        condition: Condition::Down,
                        is_drained: false,
                        connections: 0,
                        works: true,
                        starts: 0,
                    });
                }
            }
            Step::AwaitOthers(_) | Step::AwaitAdded(_) | Step::UseTarget(_) | Step::Judge(_) => {}
            Step::Drain(nodes) => self.each(nodes, |node| node.is_drained = true),
            Step::Stop(nodes) => self.each(nodes, |node| {
                node.condition = Condition::Down;
                node.connections = 0;
            }),
            Step::Start(nodes) => self.each(&self.not_kept(nodes), |node| {
                node.starts += 1;
                node.condition = if node.works {
                    Condition::Up
                } else {
                    Condition::Dead("exit code 1".to_owned())
                };
            }),
            Step::Ready(nodes) => self.each(&self.not_kept(nodes), |node| node.is_drained = false),
            Step::Forget(nodes) => self.nodes.retain(|node, _| !nodes.contains(node)),
        }
    }

    /// Clients of drained nodes leave.
    fn pass_time(&mut self) {
        for node in self.nodes.values_mut().filter(|node| node.is_drained) {
            node.connections = node.connections.saturating_sub(1);
        }
    }

    fn not_kept(&self, nodes: &[NodeId]) -> Vec<NodeId> {
        nodes
            .iter()
            .copied()
            .filter(|node| !self.kept.contains(node))
            .collect()
    }

    fn each(&mut self, nodes: &[NodeId], change: impl Fn(&mut Node)) {
        for id in nodes {
            if let Some(node) = self.nodes.get_mut(id) {
                change(node);
            }
        }
    }
}

fn ids(ids: &[u32]) -> Vec<NodeId> {
    ids.iter().copied().map(NodeId).collect()
}

fn settings(canary: usize, batch: usize) -> RolloutSettings {
    RolloutSettings {
        batches: Batches { canary, batch },
        close_after: None,
        start_timeout: START_TIMEOUT,
        hold: Duration::from_secs(10),
    }
}

fn rollout(work: &Work, settings: RolloutSettings) -> Rollout {
    rollout_of(RolloutKind::Reload, work, settings)
}

fn rollout_of(kind: RolloutKind, work: &Work, settings: RolloutSettings) -> Rollout {
    let order = RolloutOrder {
        kind,
        by: "root".to_owned(),
        since: SystemTime::UNIX_EPOCH,
    };
    let names = work.nodes().map(|node| (node, format!("node{node}"))).collect();
    Rollout::new(order, settings, work, names)
}

/// Ends the step in progress if it is done. Returns the step that begins then.
fn advance(rollout: &mut Rollout, world: &World, now: Instant) -> Option<Step> {
    rollout.after(rollout.check(world, now), now)
}

/// Lets the rollout go on for so many turns; returns the steps that have begun.
fn run(rollout: &mut Rollout, world: &mut World, work: &Work, turns: u32) -> Vec<Step> {
    let start = Instant::now();
    let mut begun = Vec::new();
    for turn in 0..turns {
        while let Some(step) = advance(rollout, world, start + TURN * turn) {
            world.applied = None;
            world.carry_out(&step, &work.added);
            begun.push(step);
        }
        world.pass_time();
    }
    begun
}

fn failure(rollout: &Rollout) -> Option<&RolloutFailure> {
    rollout.outcome().and_then(|outcome| outcome.as_ref().err())
}

#[test]
fn canaries_are_replaced_first_and_held() {
    let work = Work {
        replaced: ids(&[1, 2, 3, 4]),
        ..Work::default()
    };
    let mut rollout = rollout(&work, settings(1, 2));
    let mut world = World::of(1..=4);
    let steps = run(&mut rollout, &mut world, &work, 60);
    let held = steps.iter().position(|step| *step == Step::Judge(ids(&[1])));
    let second = steps.iter().position(|step| *step == Step::Drain(ids(&[2, 3])));
    assert!(held.is_some() && held < second, "{steps:?}");
    assert_eq!(rollout.outcome(), Some(&Ok(())));
    assert_eq!(rollout.progress(), (4, 4));
    assert!(
        world
            .nodes
            .values()
            .all(|node| node.starts == 1 && !node.is_drained)
    );
}

#[test]
fn a_version_that_ends_stops_the_rollout_at_the_first_node() {
    let work = Work {
        replaced: ids(&[1, 2]),
        ..Work::default()
    };
    let mut rollout = rollout(&work, settings(1, 1));
    let mut world = World::of(1..=2);
    world.nodes.get_mut(&NodeId(1)).unwrap().works = false;
    run(&mut rollout, &mut world, &work, 60);
    let failure = failure(&rollout).unwrap();
    assert_eq!((failure.node, failure.is_of_replacement), (Some(NodeId(1)), true));
    assert_eq!(rollout.progress(), (1, 2));
    assert!(world.serves(NodeId(2)) && world.nodes[&NodeId(2)].starts == 0);
}

#[test]
fn bad_figures_of_a_canary_stop_the_rollout() {
    let work = Work {
        replaced: ids(&[1, 2]),
        ..Work::default()
    };
    let mut rollout = rollout(&work, settings(1, 1));
    let mut world = World::of(1..=2);
    run(&mut rollout, &mut world, &work, 6);
    assert_eq!(rollout.step(), Some(&Step::Judge(ids(&[1]))));
    world.objection = Some("12 % of its answers are 5xx".to_owned());
    run(&mut rollout, &mut world, &work, 1);
    assert_eq!(failure(&rollout).unwrap().why, "12 % of its answers are 5xx");
}

#[test]
fn clients_that_stay_are_waited_for_unless_they_are_closed() {
    let work = Work {
        removed: ids(&[2]),
        ..Work::default()
    };
    let forever = || {
        let mut world = World::of(1..=2);
        world.nodes.get_mut(&NodeId(2)).unwrap().connections = 1_000_000;
        world
    };
    let mut patient = rollout(&work, settings(0, 1));
    run(&mut patient, &mut forever(), &work, 600);
    assert_eq!(patient.step(), Some(&Step::Drain(ids(&[2]))));
    let closing = RolloutSettings {
        close_after: Some(Duration::from_secs(5)),
        ..settings(0, 1)
    };
    let mut closing = rollout(&work, closing);
    let mut world = forever();
    run(&mut closing, &mut world, &work, 600);
    assert_eq!(closing.outcome(), Some(&Ok(())));
    assert!(!world.nodes.contains_key(&NodeId(2)));
}

#[test]
fn nodes_that_operators_have_drained_or_stopped_stay_so() {
    let work = Work {
        replaced: ids(&[1, 2, 3]),
        drained: BTreeSet::from([NodeId(1)]),
        stopped: BTreeSet::from([NodeId(2)]),
        ..Work::default()
    };
    let mut rollout = rollout(&work, settings(0, 1));
    let mut world = World::of(1..=3);
    world.each(&ids(&[1, 2]), |node| node.is_drained = true);
    world.each(&ids(&[2]), |node| node.condition = Condition::Down);
    run(&mut rollout, &mut world, &work, 60);
    assert_eq!(rollout.outcome(), Some(&Ok(())));
    let starts: Vec<u32> = world.nodes.values().map(|node| node.starts).collect();
    assert_eq!(starts, [1, 0, 1]);
    assert!(world.nodes[&NodeId(1)].is_drained && world.nodes[&NodeId(2)].is_drained);
}

#[test]
fn nodes_that_do_not_answer_are_replaced_although_others_do_not_serve() {
    let work = Work {
        replaced: ids(&[1, 2, 3]),
        ..Work::default()
    };
    let mut rollout = rollout(&work, settings(0, 1));
    let mut world = World::of(1..=3);
    world.each(&ids(&[1, 2]), |node| {
        node.condition = Condition::Dead("exit code 1".to_owned());
    });
    run(&mut rollout, &mut world, &work, 60);
    assert_eq!(rollout.outcome(), Some(&Ok(())));
}

#[test]
fn nodes_with_clients_are_judged_first_but_for_those_that_do_not_answer() {
    let mut work = Work {
        replaced: ids(&[1, 2, 3, 4]),
        drained: BTreeSet::from([NodeId(1)]),
        ..Work::default()
    };
    work.sort_replaced(&BTreeSet::from([NodeId(1), NodeId(2), NodeId(4)]));
    assert_eq!(work.replaced, ids(&[3, 2, 4, 1]));
    let steps = work.steps(Batches { canary: 1, batch: 1 });
    assert!(steps.contains(&Step::Judge(ids(&[3]))), "{steps:?}");
}

#[test]
fn nodes_go_when_those_in_their_place_serve() {
    let work = Work {
        added: ids(&[10, 11]),
        removed: ids(&[1]),
        external: BTreeSet::from([NodeId(1), NodeId(10), NodeId(11)]),
        ..Work::default()
    };
    let added = ids(&[10, 11]);
    for kind in [RolloutKind::Reload, RolloutKind::Resolve] {
        let mut rollout = rollout_of(kind, &work, settings(0, 1));
        let mut world = World::of(1..=1);
        run(&mut rollout, &mut world, &work, 300);
        let is_waiting = rollout.step() == Some(&Step::AwaitAdded(added.clone())) && rollout.is_running();
        assert_eq!(
            is_waiting,
            kind == RolloutKind::Resolve,
            "{:?}",
            rollout.outcome()
        );
        assert!(world.serves(NodeId(1)));
        assert!(
            !is_waiting || rollout.wakes_at().is_none(),
            "it does not wake again and again"
        );
        if is_waiting {
            world.each(&added[..1], |node| node.condition = Condition::Up);
            run(&mut rollout, &mut world, &work, 60);
            assert_eq!(rollout.outcome(), Some(&Ok(())));
            assert!(!world.nodes.contains_key(&NodeId(1)));
        }
    }
}

#[test]
fn a_canary_that_does_not_answer_any_more_has_failed() {
    let work = Work {
        replaced: ids(&[1, 2]),
        external: BTreeSet::from([NodeId(1), NodeId(2)]),
        ..Work::default()
    };
    let mut rollout = rollout(&work, settings(1, 1));
    let mut world = World::of(1..=2);
    run(&mut rollout, &mut world, &work, 6);
    assert_eq!(rollout.step(), Some(&Step::Judge(ids(&[1]))));
    world.each(&ids(&[1]), |node| node.condition = Condition::Starting);
    run(&mut rollout, &mut world, &work, 1);
    let failure = failure(&rollout).unwrap();
    assert_eq!((failure.node, failure.is_of_replacement), (Some(NodeId(1)), true));
}

#[test]
fn a_replaced_node_that_fails_later_is_a_failure_of_the_new_version() {
    let work = Work {
        replaced: ids(&[1, 2, 3]),
        ..Work::default()
    };
    let mut rollout = rollout(&work, settings(0, 1));
    let mut world = World::of(1..=3);
    run(&mut rollout, &mut world, &work, 5);
    assert_eq!(rollout.step(), Some(&Step::Drain(ids(&[2]))));
    world.each(&ids(&[1]), |node| node.condition = Condition::Starting);
    run(&mut rollout, &mut world, &work, 60);
    let failure = failure(&rollout).unwrap();
    assert_eq!((failure.node, failure.is_of_replacement), (Some(NodeId(1)), true));
}

#[test]
fn a_replaced_node_that_dies_later_is_a_failure_of_the_new_version_but_does_not_end_the_way_back() {
    let work = Work {
        replaced: ids(&[1, 2, 3]),
        ..Work::default()
    };
    for kind in [RolloutKind::Reload, RolloutKind::Restart, RolloutKind::Undo] {
        let mut rollout = rollout_of(kind, &work, settings(0, 1));
        let mut world = World::of(1..=3);
        run(&mut rollout, &mut world, &work, 5);
        assert_eq!(rollout.step(), Some(&Step::Drain(ids(&[2]))));
        world.each(&ids(&[1]), |node| {
            node.condition = Condition::Dead("exit code 7".to_owned());
        });
        run(&mut rollout, &mut world, &work, 1);
        // It is started again at once.
        world.each(&ids(&[1]), |node| node.condition = Condition::Up);
        run(&mut rollout, &mut world, &work, 60);
        if kind == RolloutKind::Undo {
            assert_eq!(rollout.outcome(), Some(&Ok(())));
            continue;
        }
        let failure = failure(&rollout).unwrap();
        assert_eq!(
            (failure.node, failure.why.as_str(), failure.is_of_replacement),
            (Some(NodeId(1)), "exit code 7", true)
        );
        assert_eq!(world.nodes[&NodeId(3)].starts, 0);
    }
}

#[test]
fn an_operators_drain_outlives_the_rollout() {
    let work = Work {
        replaced: ids(&[1, 2]),
        ..Work::default()
    };
    let mut rollout = rollout(&work, settings(0, 1));
    let mut world = World::of(1..=2);
    run(&mut rollout, &mut world, &work, 2);
    assert_eq!(rollout.step(), Some(&Step::Drain(ids(&[1]))));
    world.kept.insert(NodeId(1));
    run(&mut rollout, &mut world, &work, 60);
    assert_eq!(rollout.outcome(), Some(&Ok(())));
    let starts: Vec<u32> = world.nodes.values().map(|node| node.starts).collect();
    assert_eq!(starts, [0, 1]);
    assert!(world.nodes[&NodeId(1)].is_drained);
}
