//! What an order wants, as a launch.

use std::collections::BTreeSet;

use super::Remains;
use super::version::{is_lost, stays, takes_back};
use crate::api::{ChangeOrder, Refusal, RolloutKind, Target};
use crate::profile::{Cluster, EditError, NodeId, Resolved, Source, load};
use crate::supervisor::rollout::state::RolloutOrder;
use crate::supervisor::spec::Spec;
use crate::supervisor::state_file::Launch;

pub(super) fn kind(target: &Target, left: &Remains) -> RolloutKind {
    match target {
        Target::Profile { .. } => RolloutKind::Reload,
        Target::Count(_) => RolloutKind::Scale,
        Target::Add(_) => RolloutKind::Add,
        Target::Remove(_) => RolloutKind::Remove,
        Target::Restart { .. } => RolloutKind::Restart,
        Target::Undo => RolloutKind::Undo,
        Target::Resume => left
            .order
            .as_ref()
            .map_or(RolloutKind::Reload, |(order, _)| order.kind),
    }
}

/// The order that is gone on with.
pub(super) fn left_order(order: &ChangeOrder, left: &Remains) -> Option<RolloutOrder> {
    let (left, _) = left.order.as_ref().filter(|_| order.target == Target::Resume)?;
    Some(RolloutOrder {
        by: if order.by.is_empty() {
            left.by.clone()
        } else {
            order.by.clone()
        },
        ..left.clone()
    })
}

/// Whether all nodes are started again whatever their description, but those that were already.
pub(super) fn again(target: &Target, left: &Remains) -> Option<BTreeSet<NodeId>> {
    match target {
        Target::Restart { .. } => Some(BTreeSet::new()),
        Target::Resume => {
            let (order, _) = left.order.as_ref()?;
            (order.kind == RolloutKind::Restart).then(|| left.replaced.clone())
        }
        _ => None,
    }
}

/// What the target is made from, but for the way back from it.
pub(super) fn launch(
    base: &Spec,
    order: &ChangeOrder,
    resolved: Option<Resolved>,
    left: &Remains,
) -> Result<Launch, Refusal> {
    let now = &base.launch;
    let in_force = || (now.source.clone(), now.templates.clone());
    let unfinished = || match left.pending.clone() {
        Some(pending) => (pending.source, pending.templates),
        None => in_force(),
    };
    let (source, templates) = match &order.target {
        Target::Profile { source, templates } => (source.clone(), templates.clone()),
        Target::Count(count) => (edited(now.source.scaled(*count))?, now.templates.clone()),
        Target::Add(nodes) => (edited(now.source.with_nodes(nodes))?, now.templates.clone()),
        Target::Remove(names) => (edited(now.source.without_nodes(names))?, now.templates.clone()),
        Target::Resume if left.order.is_none() && resolved.is_none() => {
            return Err(Refusal {
                error: "nothing to go on with: no rollout has stopped".to_owned(),
                hint: None,
            });
        }
        Target::Restart { .. } => in_force(),
        Target::Resume => unfinished(),
        Target::Undo if takes_back(order, left) => in_force(),
        Target::Undo if stays(left) => unfinished(),
        Target::Undo => match &now.previous {
            Some(previous) if is_lost(now, previous) => {
                return Err(Refusal {
                    error: "nothing to undo: only variables of the nodes were changed, and the supervisor \
                            that knew their former values has ended"
                        .to_owned(),
                    hint: Some(
                        "write them into `nodes.environment_file`, then `clusterctl reload`".to_owned(),
                    ),
                });
            }
            Some(previous) => (previous.source.clone(), previous.templates.clone()),
            None => {
                return Err(Refusal {
                    error: "nothing to undo: no change has been made since the start, or it was undone"
                        .to_owned(),
                    hint: None,
                });
            }
        },
    };
    // What was found out holds for the paths that it was found out for.
    let asked = |cluster: &Cluster| (cluster.health.path.clone(), cluster.mcp_path().to_owned());
    let same_paths = load(&source).is_ok_and(|next| asked(&next) == asked(&base.cluster));
    Ok(Launch {
        source,
        templates,
        others: Vec::new(),
        resolved: resolved.unwrap_or_else(|| now.resolved.clone()),
        http_check: now.http_check.filter(|_| same_paths),
        sockets: base.plan.balancer.sockets,
        ..now.clone()
    })
}

// Private

fn edited(edited: Result<Source, EditError>) -> Result<Source, Refusal> {
    edited.map_err(|EditError { error, hint }| Refusal { error, hint })
}
