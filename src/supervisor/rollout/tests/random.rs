//! Random work, deaths and delays, judged by what an operator was promised.

use std::collections::BTreeSet;
use std::time::Instant;

use proptest::prelude::*;

use super::super::steps::{Step, Work};
use super::{TURN, World, advance, rollout, settings};
use crate::profile::NodeId;
use crate::supervisor::waves::Condition;

/// What happens in a turn.
#[derive(Clone, Debug)]
enum Chance {
    Nothing,
    Dies(u32),
    Recovers(u32),
    Objection,
    NotApplied,
}

fn chances() -> impl Strategy<Value = Vec<Chance>> {
    let chance = prop_oneof![
        8 => Just(Chance::Nothing),
        1 => (1..=9u32).prop_map(Chance::Dies),
        2 => (1..=9u32).prop_map(Chance::Recovers),
        1 => Just(Chance::Objection),
        1 => Just(Chance::NotApplied),
    ];
    prop::collection::vec(chance, 0..200)
}

fn work() -> impl Strategy<Value = Work> {
    (0..=3u32, 0..=6u32, 0..=2u32, any::<bool>()).prop_map(|(added, replaced, removed, drained)| Work {
        added: (10..10 + added).map(NodeId).collect(),
        replaced: (1..=replaced).map(NodeId).collect(),
        removed: (7..7 + removed).map(NodeId).collect(),
        drained: drained.then_some(NodeId(1)).into_iter().collect(),
        ..Work::default()
    })
}

proptest! {
    /// Whatever dies: at most one batch is away by the rollout at a time, each node is replaced once
    /// at most and never after a failure, and a rollout that is done has done all of its work.
    #[test]
    fn at_most_one_batch_is_away(
        work in work(), canary in 0..3usize, batch in 1..4usize, chances in chances()
    ) {
        let mut rollout = rollout(&work, settings(canary, batch));
        let mut world = World::of(1..=8);
        world.each(&work.drained.iter().copied().collect::<Vec<_>>(), |node| node.is_drained = true);
        let begin = Instant::now();
        let most = canary.max(batch).max(work.removed.len());
        let mut replaced = BTreeSet::new();
        for turn in 0..400u32 {
            let now = begin + TURN * turn;
            match chances.get(turn as usize).unwrap_or(&Chance::Nothing) {
                Chance::Nothing => {}
                Chance::Dies(id) => world.each(&[NodeId(*id)], |node| {
                    if node.condition == Condition::Up {
                        node.condition = Condition::Dead("killed".to_owned());
                    }
                }),
                Chance::Recovers(id) => world.each(&[NodeId(*id)], |node| {
                    if matches!(node.condition, Condition::Dead(_)) {
                        node.condition = Condition::Up;
                    }
                }),
                Chance::Objection => world.objection = Some("bad".to_owned()),
                Chance::NotApplied => world.applied = Some(Err("refused".to_owned())),
            }
            while let Some(step) = advance(&mut rollout, &world, now) {
                if let Step::Drain(nodes) = &step {
                    let away = world.nodes.iter().filter(|(id, node)| node.is_drained && !work.drained.contains(*id));
                    prop_assert!(away.count() + nodes.len() <= most + work.drained.len(), "{step:?}");
                }
                if let Step::UseTarget(nodes) = &step {
                    for node in nodes {
                        prop_assert!(replaced.insert(*node), "{node:?} is replaced again");
                    }
                }
                if let Step::AwaitOthers(_) = &step {
                    prop_assert!(rollout.is_running());
                }
                world.applied = None;
                world.objection = None;
                world.carry_out(&step, &work.added);
                let (step, of) = rollout.progress();
                prop_assert!(step >= 1 && step <= of);
            }
            world.pass_time();
            if !rollout.is_running() {
                prop_assert!(advance(&mut rollout, &world, now).is_none());
                break;
            }
        }
        prop_assert!(!rollout.is_running(), "it neither ends nor fails");
        if rollout.outcome() == Some(&Ok(())) {
            prop_assert_eq!(replaced.len(), work.replaced.len());
            prop_assert!(work.removed.iter().all(|node| !world.nodes.contains_key(node)));
            prop_assert!(work.added.iter().all(|node| world.nodes.contains_key(node)));
        }
    }
}
