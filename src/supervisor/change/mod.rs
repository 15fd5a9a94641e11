//! Changes of what runs: an order becomes a target, the target is prepared as a whole, and the way to
//! it is a rollout.
//!
//! ```text
//!  order ──▶ launch of the target ──▶ target, checked ──▶ work: which nodes are added,
//!                                                         replaced, removed
//!                                                           │ none          │ some
//!                                                           ▼               ▼
//!                                                         reload         rollout
//! ```
//!
//! The way on after a failure, and the way back, are changes like any other: the work is found by
//! comparing what runs with the target.

mod begin;
pub(super) mod description;
pub(super) mod mixture;
mod moved_clients;
mod passed_addresses;
pub(super) mod plan;
mod replacements;
mod resolve;
mod serving;
mod sticky_clients;
mod target;
mod version;
mod work;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::SystemTime;

pub(super) use self::begin::is_outdated;
use self::mixture::Others;
use self::plan::{Facts, change_plan};
use self::resolve::untouched;
use self::serving::{Limited, Serving};
use self::sticky_clients::sticky_clients;
use self::target::{again, kind, launch, left_order};
use self::version::{WayBack, environment};
use self::work::{former, refuse_restart, refuse_the_last, settings, work};
use super::prepare::{Prepared, beside_if_needed, prepared_beside, refusal};
use super::rollout::state::{RolloutOrder, RolloutSettings};
use super::rollout::steps::Work;
use super::snapshot::Snapshot;
use super::spec::Spec;
use super::state_file::Previous;
use crate::api::{ChangeOrder, ChangePlan, ConnectionsBy, Refusal, RolloutKind};
use crate::base::units::Period;
use crate::profile::{NodeId, Resolved};

/// A change that can begin.
pub(in crate::supervisor) struct Change {
    /// What ran when it was prepared.
    pub(in crate::supervisor) base: Arc<Spec>,
    /// What is to run in the end.
    pub(in crate::supervisor) target: Arc<Spec>,
    /// The same, while nodes still run as before.
    pub(in crate::supervisor) first: Prepared,
    pub(in crate::supervisor) others: Others,
    pub(in crate::supervisor) work: Work,
    /// The names of the nodes that take part.
    pub(in crate::supervisor) names: BTreeMap<NodeId, String>,
    pub(in crate::supervisor) order: RolloutOrder,
    pub(in crate::supervisor) settings: RolloutSettings,
    /// Nodes that an earlier part of it has started again.
    pub(in crate::supervisor) replaced: BTreeSet<NodeId>,
    /// Whether an earlier rollout has not ended yet, which this change takes over.
    takes_over: bool,
    /// Nodes that an earlier rollout kept clients from when it was prepared.
    drained: BTreeSet<NodeId>,
    /// Whether this supervisor starts and stops nodes; otherwise all of them are external.
    pub(in crate::supervisor) owns_nodes: bool,
    /// The node that is replaced although no other node serves.
    last: Option<NodeId>,
    /// Groups that are smaller than wanted, so that one node serves.
    limited: Limited,
    /// Addresses that nodes or listeners cannot get, as sentences.
    taken: Vec<String>,
    /// Whether it goes back to the version before it if it fails.
    pub(in crate::supervisor) has_way_back: bool,
}

/// Why the cluster changes without an order.
#[derive(Clone, Copy, Debug)]
pub(in crate::supervisor) enum Cause {
    /// An earlier supervisor has not finished a rollout.
    Resume,
    /// A rollout has failed.
    Failure,
}

/// What is left of a rollout, finished or not.
#[derive(Clone, Debug, Default)]
pub(in crate::supervisor) struct Remains {
    /// What it was, if it was not finished.
    pub(in crate::supervisor) order: Option<(RolloutOrder, RolloutSettings)>,
    /// Its target, if the balancer has not applied that yet.
    pub(in crate::supervisor) pending: Option<Previous>,
    /// Nodes that it keeps clients from.
    pub(in crate::supervisor) drained: BTreeSet<NodeId>,
    /// Nodes that it has added.
    pub(in crate::supervisor) added: BTreeSet<NodeId>,
    /// Nodes that it has started again.
    pub(in crate::supervisor) replaced: BTreeSet<NodeId>,
    /// Nodes that it removes because their addresses have left DNS.
    pub(in crate::supervisor) gone_from_dns: BTreeSet<NodeId>,
}

impl Change {
    /// Prepares the change by `order`, where `base` runs as `snapshot` shows. With `resolved`, host
    /// names have these addresses.
    ///
    /// # Errors
    /// When it is not possible; nothing has changed then.
    pub(in crate::supervisor) async fn prepare(
        base: Arc<Spec>,
        order: &ChangeOrder,
        resolved: Option<Resolved>,
        snapshot: &Snapshot,
    ) -> Result<Change, Refusal> {
        let is_of_dns = resolved.is_some();
        // A rollout that has stopped does not go on because of DNS.
        let left = if is_of_dns {
            &Remains::default()
        } else {
            &snapshot.remains
        };
        let kind = match resolved {
            Some(_) => RolloutKind::Resolve,
            None => kind(&order.target, left),
        };
        let launch = launch(&base, order, resolved, left)?;
        let environment = environment(&base, order, left);
        let mut target = prepared_beside(&base, launch, environment, &snapshot.pids()).await?;
        if base.cluster.name != target.spec.cluster.name {
            return Err(Refusal {
                error: "the cluster's name cannot be changed by a reload".to_owned(),
                hint: Some("`clusterctl stop`, then `clusterctl start` with the new profile".to_owned()),
            });
        }
        let way_back = WayBack::new(&base, &target.spec, order, left);
        target.spec.launch.previous = way_back.previous;
        let again = again(&order.target, left);
        if again.is_some() {
            refuse_restart(&target.spec, snapshot)?;
        }
        let untouched = if is_of_dns {
            untouched(&base, &target.spec.cluster, &snapshot.remains)
        } else {
            BTreeSet::new()
        };
        let mut work = work(&base, &target.spec, snapshot, again.as_ref(), &untouched);
        let taken = passed_addresses::order(&base, &target.spec, &mut work);
        if let Some(error) = taken.first().filter(|_| !order.dry_run && !order.force) {
            return Err(Refusal {
                error: error.clone(),
                hint: None,
            });
        }
        refuse_the_last(&base, &work, snapshot, order.force)?;
        let serving = Serving::during(&work, snapshot);
        if !order.dry_run {
            serving.refuse_outage(&base, order)?;
        }
        let mut settings = settings(&target.spec, order, kind, left);
        let limited = serving.limited(settings.batches, work.replaced.len());
        settings.batches = serving.limit(settings.batches);
        let others: Others = work
            .replaced
            .iter()
            .chain(&work.removed)
            .chain(untouched.iter().filter(|node| base.others.contains_key(node)))
            .map(|node| (*node, former(&base, *node)))
            .collect();
        let names = [&base.cluster, &target.spec.cluster].into_iter();
        let names = names
            .flat_map(|cluster| &cluster.nodes)
            .map(|node| (node.id, node.name.clone()))
            .collect();
        target.install().await.map_err(|error| refusal(&error))?;
        let spec = Arc::new(target.spec.clone());
        let first = if others.is_empty() {
            target
        } else {
            let mixed = Prepared::mixed(&spec, others.clone()).await;
            mixed.map_err(|error| refusal(&error))?
        };
        let first = beside_if_needed(&base, first).map_err(|error| refusal(&error))?;
        Ok(Change {
            target: spec,
            base,
            first,
            others,
            work,
            names,
            order: left_order(order, left).unwrap_or_else(|| RolloutOrder {
                kind,
                by: order.by.clone(),
                since: SystemTime::now(),
            }),
            settings,
            replaced: again.unwrap_or_default(),
            takes_over: left.order.is_some(),
            drained: snapshot.remains.drained.clone(),
            owns_nodes: snapshot.owns_nodes,
            last: serving.last(),
            limited,
            taken,
            has_way_back: way_back.is_of_change,
        })
    }
}

impl Change {
    /// What changes, and what it costs, with the connections of each node.
    pub(in crate::supervisor) async fn plan(
        &self,
        connections: &BTreeMap<NodeId, ConnectionsBy>,
    ) -> ChangePlan {
        let nodes = self.base.cluster.nodes.iter();
        let connections = nodes.filter_map(|node| {
            let counted = connections.get(&node.id)?;
            Some((node.name.clone(), counted.tcp + counted.http))
        });
        let sticky_clients = if self.work.is_empty() {
            BTreeMap::new()
        } else {
            sticky_clients(&self.base).await
        };
        let facts = Facts {
            connections: connections.collect(),
            sticky_clients,
            close_after: self.settings.close_after.map(Period::from),
            is_restart: self.order.kind == RolloutKind::Restart,
            owns_nodes: self.owns_nodes,
            last: self.last.map(|node| self.base.node_name(node).to_owned()),
            limited: self.limited,
            taken: self.taken.clone(),
        };
        change_plan(&self.base, &self.target, &facts)
    }

    /// Whether it is a rollout, and not only a reload of the balancer: nodes take part, or an earlier
    /// rollout ends with it.
    pub(in crate::supervisor) fn has_rollout(&self) -> bool {
        self.takes_over || !self.work.is_empty() || !self.base.others.is_empty()
    }
}
