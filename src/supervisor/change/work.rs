//! The way from what runs to a target: which nodes take part, and how they are treated.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::Remains;
use super::description::addresses;
use super::mixture::Others;
use super::replacements::Pair;
use crate::api::{ChangeOrder, NodeState, Refusal, RolloutKind, Target};
use crate::base::units::Period;
use crate::profile::NodeId;
use crate::supervisor::rollout::rollouts::CLOSE_AFTER;
use crate::supervisor::rollout::state::Settings;
use crate::supervisor::rollout::steps::{Batches, Work};
use crate::supervisor::snapshot::{NodeSnapshot, Snapshot};
use crate::supervisor::spec::Spec;

/// The way from what runs to the `target`. With `again`, all nodes but these are started again.
pub(super) fn work(
    base: &Spec,
    target: &Spec,
    snapshot: &Snapshot,
    again: Option<&BTreeSet<NodeId>>,
) -> Work {
    let remains = &snapshot.remains;
    let serves = |id| {
        let found = snapshot.nodes.iter().find(|node| node.id == id);
        found.is_some_and(|node| node.state == NodeState::Up)
    };
    let is_unfinished = |id| remains.drained.contains(&id) || (remains.added.contains(&id) && !serves(id));
    let mut work = Work::default();
    for node in &target.cluster.nodes {
        let id = node.id;
        if !target.is_own(id) {
            work.external.insert(id);
        }
        let Some(was) = base.cluster.by_id(id) else {
            work.added.push(id);
            continue;
        };
        let pair = Pair {
            now: base.of_node(id),
            was,
            next: target,
            is: node,
        };
        let is_changed = !pair.reasons().is_empty();
        let is_again = again.is_some_and(|done| target.is_own(id) && !done.contains(&id));
        if is_changed || is_again {
            work.replaced.push(id);
            if addresses(was) != addresses(node) {
                work.moved.insert(id);
            }
        } else if is_unfinished(id) {
            work.unfinished.push(id);
        }
    }
    let gone = base
        .cluster
        .nodes
        .iter()
        .filter(|node| target.cluster.by_id(node.id).is_none());
    for node in gone {
        work.removed.push(node.id);
        if !base.is_own(node.id) {
            work.external.insert(node.id);
        }
    }
    let answers: BTreeSet<NodeId> = snapshot
        .nodes
        .iter()
        .filter(|node| node.state.answers())
        .map(|node| node.id)
        .collect();
    work.replaced.sort_by_key(|node| answers.contains(node));
    for node in &snapshot.nodes {
        if node.drained && !remains.drained.contains(&node.id) {
            work.drained.insert(node.id);
        }
        if node.stopped_by_drain {
            work.stopped.insert(node.id);
        }
    }
    work
}

/// What the node ran as until now.
pub(super) fn former(base: &Arc<Spec>, node: NodeId) -> Arc<Spec> {
    match base.others.get(&node) {
        Some(other) => other.clone(),
        None if base.others.is_empty() => base.clone(),
        None => Arc::new(Spec {
            others: Others::new(),
            ..(**base).clone()
        }),
    }
}

/// Refuses to take the last node away that serves, unless others are added or it is forced.
pub(super) fn refuse_the_last(
    base: &Spec,
    work: &Work,
    snapshot: &Snapshot,
    force: bool,
) -> Result<(), Refusal> {
    let serves = |node: &&NodeSnapshot| node.state == NodeState::Up;
    let mut staying = snapshot
        .nodes
        .iter()
        .filter(serves)
        .filter(|node| !work.removed.contains(&node.id));
    if force || work.removed.is_empty() || !work.added.is_empty() || staying.next().is_some() {
        return Ok(());
    }
    let name = work.removed.first().and_then(|node| base.cluster.by_id(*node));
    Err(Refusal {
        error: format!(
            "`{}` is the last node that serves",
            name.map_or("it", |node| &node.name)
        ),
        hint: Some("`--force` removes it nevertheless; new clients are refused then".to_owned()),
    })
}

pub(super) fn settings(target: &Spec, order: &ChangeOrder, kind: RolloutKind, left: &Remains) -> Settings {
    let profile = &target.cluster.rollout;
    let close_after = order.deadline.map_or(CLOSE_AFTER, Period::duration);
    let judged = kind == RolloutKind::Reload;
    let before = left.order.as_ref().map(|(_, settings)| settings);
    let batch = match (&order.target, before) {
        (Target::Restart { batch }, _) => usize::from(*batch),
        (Target::Resume | Target::Undo, Some(before)) => before.batches.batch,
        _ => profile.batch.into(),
    };
    let resumed = before.filter(|_| order.target == Target::Resume && !order.close);
    Settings {
        batches: Batches {
            canary: if judged { profile.canary.into() } else { 0 },
            batch,
        },
        close_after: match resumed {
            Some(before) => before.close_after,
            None => order.close.then_some(close_after),
        },
        start_timeout: target.launch.timeout.duration(),
        hold: profile.hold.duration(),
    }
}
