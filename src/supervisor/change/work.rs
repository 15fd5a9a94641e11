//! The way from what runs to a target: which nodes take part, and how they are treated.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use super::Remains;
use super::description::addresses;
use super::mixture::Others;
use super::replacements::NodeChange;
use crate::api::{ChangeOrder, NodeState, Refusal, RolloutKind, Target};
use crate::base::units::Period;
use crate::profile::{NodeId, Runtime};
use crate::supervisor::rollout::state::RolloutSettings;
use crate::supervisor::rollout::steps::{Batches, Work};
use crate::supervisor::snapshot::{NodeSnapshot, Snapshot};
use crate::supervisor::spec::Spec;

/// The time after which connections of drained nodes are closed, if the order does not name it.
const DEFAULT_CLOSE_AFTER: Duration = Duration::from_secs(30);

/// The way from what runs to the `target`. With `again`, all nodes but these are started again;
/// `untouched` nodes take no part.
pub(super) fn work(
    base: &Spec,
    target: &Spec,
    snapshot: &Snapshot,
    again: Option<&BTreeSet<NodeId>>,
    untouched: &BTreeSet<NodeId>,
) -> Work {
    let remains = &snapshot.remains;
    let serves = |id| {
        let found = snapshot.nodes.iter().find(|node| node.id == id);
        found.is_some_and(|node| node.state == NodeState::Up)
    };
    let is_unfinished = |id| remains.drained.contains(&id) || (remains.added.contains(&id) && !serves(id));
    let owns_nodes = snapshot.owns_nodes;
    let is_own = |spec: &Spec, node| owns_nodes && spec.is_own(node);
    let mut work = Work::default();
    for node in &target.cluster.nodes {
        let id = node.id;
        if !is_own(target, id) {
            work.external.insert(id);
        }
        if untouched.contains(&id) {
            continue;
        }
        let Some(was) = base.cluster.by_id(id) else {
            work.added.push(id);
            continue;
        };
        let change = NodeChange {
            running_spec: base.of_node(id),
            running: was,
            target_spec: target,
            target: node,
            owns_nodes,
        };
        let is_changed = !change.reasons().is_empty();
        let is_again = again.is_some_and(|done| is_own(target, id) && !done.contains(&id));
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
        .filter(|node| target.cluster.by_id(node.id).is_none() && !untouched.contains(&node.id));
    for node in gone {
        work.removed.push(node.id);
        if !is_own(base, node.id) {
            work.external.insert(node.id);
        }
    }
    let answers: BTreeSet<NodeId> = snapshot
        .nodes
        .iter()
        .filter(|node| node.state.answers())
        .map(|node| node.id)
        .collect();
    for node in &snapshot.nodes {
        if node.drained && !remains.drained.contains(&node.id) {
            work.drained.insert(node.id);
        }
        if node.stopped_by_drain {
            work.stopped.insert(node.id);
        }
    }
    work.sort_replaced(&answers);
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

/// Refuses to start nodes again that are external.
pub(super) fn refuse_restart(target: &Spec, snapshot: &Snapshot) -> Result<(), Refusal> {
    if snapshot.owns_nodes && target.cluster.runtime != Runtime::External {
        return Ok(());
    }
    Err(Refusal {
        error: "the nodes are external: this cluster neither starts nor stops them".to_owned(),
        hint: None,
    })
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

pub(super) fn settings(
    target: &Spec,
    order: &ChangeOrder,
    kind: RolloutKind,
    left: &Remains,
) -> RolloutSettings {
    let profile = &target.cluster.rollout;
    let close_after = order.deadline.map_or(DEFAULT_CLOSE_AFTER, Period::duration);
    let judged = kind == RolloutKind::Reload;
    let before = left.order.as_ref().map(|(_, settings)| settings);
    let batch = match (&order.target, before) {
        (Target::Restart { batch }, _) => usize::from(*batch),
        (Target::Resume | Target::Undo, Some(before)) => before.batches.batch,
        _ => profile.batch.into(),
    };
    let resumed = before.filter(|_| order.target == Target::Resume && !order.close);
    RolloutSettings {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::supervisor::change::Remains;
    use crate::supervisor::core::model::small_spec as spec;

    fn snapshot(spec: &Spec, owns_nodes: bool) -> Snapshot {
        Snapshot {
            spec: Arc::new(spec.clone()),
            owns_nodes,
            nodes: Vec::new(),
            balancers: Vec::new(),
            retired: Vec::new(),
            switching_to: None,
            reloading: false,
            busy: None,
            rollout: None,
            remains: Remains::default(),
            balanced: true,
            balancer_overrides: Vec::new(),
            stopping: None,
            unsaved: None,
            host_warnings: Vec::new(),
            closed: BTreeSet::new(),
        }
    }

    fn ids(numbers: &[u32]) -> BTreeSet<NodeId> {
        numbers.iter().copied().map(NodeId).collect()
    }

    #[test]
    fn nodes_that_others_start_are_neither_started_nor_stopped() {
        let base = spec(&["nodes.count=4"]);
        let none = BTreeSet::new();
        for (owns_nodes, external) in [(true, ids(&[])), (false, ids(&[1, 2, 3, 4, 5, 6]))] {
            let snapshot = snapshot(&base, owns_nodes);
            let more = work(&base, &spec(&["nodes.count=6"]), &snapshot, None, &none);
            assert_eq!((more.added.len(), more.external), (2, external));
            let moved = work(
                &base,
                &spec(&["nodes.count=4", "nodes.tcp_port=9101"]),
                &snapshot,
                None,
                &none,
            );
            assert_eq!((moved.replaced.len(), moved.moved.len()), (4, 4));
            let limit = spec(&["nodes.count=4", "nodes.maxconn=900"]);
            let changed = work(&base, &limit, &snapshot, None, &none);
            assert_eq!(changed.replaced.len(), if owns_nodes { 4 } else { 0 });
            let again = work(&base, &base, &snapshot, Some(&none), &none);
            assert_eq!(again.replaced.len(), if owns_nodes { 4 } else { 0 });
        }
        let fewer = work(
            &base,
            &spec(&["nodes.count=3"]),
            &snapshot(&base, false),
            None,
            &none,
        );
        assert_eq!(fewer.removed, [NodeId(4)]);
        assert!(fewer.external.contains(&NodeId(4)));
    }

    #[test]
    fn external_nodes_are_not_restarted() {
        let own = spec(&[]);
        let member = "nodes.members=[{name: a, address: 127.0.0.1, tcp_port: 9001}]";
        let external = spec(&["nodes.runtime=external", member]);
        assert!(refuse_restart(&own, &snapshot(&own, true)).is_ok());
        for (spec, owns_nodes) in [(&own, false), (&external, true)] {
            let refusal = refuse_restart(spec, &snapshot(spec, owns_nodes)).unwrap_err();
            assert_eq!(
                refusal.error,
                "the nodes are external: this cluster neither starts nor stops them"
            );
        }
    }
}
