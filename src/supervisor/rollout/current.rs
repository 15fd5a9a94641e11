//! The rollout in progress, or a stopped one, with everything it needs beside its steps.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::drain_progress::DrainProgress;
use super::judging::Judgement;
use super::saved::SavedRollout;
use super::state::{Rollout, RolloutFailure, RolloutOrder, RolloutSettings};
use super::steps::{Batches, Step};
use crate::api::RolloutKind;
use crate::base::units::Period;
use crate::profile::NodeId;
use crate::supervisor::change::Change;
use crate::supervisor::change::mixture::Others;
use crate::supervisor::connection_count::Connections;
use crate::supervisor::prepare::Prepared;
use crate::supervisor::spec::Spec;
use crate::supervisor::state_file::Previous;

/// A rollout, with what it needs beside its steps.
pub(in crate::supervisor) struct CurrentRollout {
    rollout: Rollout,
    /// What all nodes run in the end.
    target: Arc<Spec>,
    /// Nodes that still run as they did before.
    others: Others,
    /// The first configuration, which was prepared together with the target.
    first: Option<Prepared>,
    /// The target, until the balancer has applied it for the first time: what ran before is in force
    /// until then.
    pending: Option<Previous>,
    /// Nodes that are new, or were when it stopped.
    added: BTreeSet<NodeId>,
    apply: Apply,
    /// Whether it goes back to the version before it if it fails.
    has_way_back: bool,
    /// Nodes that were started again.
    replaced: BTreeSet<NodeId>,
    /// Nodes that go.
    removed: BTreeSet<NodeId>,
    /// The nodes that are being drained.
    draining: BTreeMap<NodeId, DrainProgress>,
    /// The nodes that are judged.
    judgement: Option<Judgement>,
    /// What the verdict about them is not based on.
    note: Option<String>,
    /// The last lines of the log of the node at which it has stopped.
    log: Vec<String>,
}

/// How far the balancer is with the nodes that there are now.
#[derive(Debug, Default, PartialEq, Eq)]
enum Apply {
    /// It has them.
    #[default]
    Done,
    /// To be prepared, once nothing else is in progress.
    Due,
    /// Being prepared, or carried out.
    InProgress,
    /// It has taken them, or has not.
    Ended(Result<(), String>),
}

impl CurrentRollout {
    /// The rollout of `change`, which begins.
    pub(super) fn new(change: Change) -> CurrentRollout {
        let launch = &change.target.launch;
        let pending = Previous {
            source: launch.source.clone(),
            templates: launch.templates.clone(),
            environment: Some(change.target.node_environment.clone()),
        };
        let (added, unfinished) = (&change.work.added, &change.work.unfinished);
        let added = added.iter().chain(unfinished).copied().collect();
        let rollout = Rollout::new(change.order, change.settings, &change.work, change.names);
        CurrentRollout {
            others: change.others,
            first: Some(change.first),
            pending: Some(pending),
            added,
            has_way_back: change.has_way_back,
            replaced: change.replaced,
            removed: change.work.removed.into_iter().collect(),
            ..CurrentRollout::of(rollout, change.target)
        }
    }

    /// The rollout that an earlier supervisor has `saved`, with the ids of the nodes. It does not go on
    /// by itself.
    pub(super) fn restored(
        saved: SavedRollout,
        ids: impl Fn(&BTreeSet<String>) -> BTreeSet<NodeId>,
        spec: &Arc<Spec>,
    ) -> CurrentRollout {
        let order = RolloutOrder {
            kind: saved.kind,
            by: saved.by,
            since: saved.since,
        };
        let settings = RolloutSettings {
            batches: Batches {
                canary: 0,
                batch: saved.batch,
            },
            close_after: saved.close_after.map(Period::duration),
            start_timeout: spec.launch.timeout.duration(),
            hold: Duration::ZERO,
        };
        let undone = saved.undoes.and_then(|failed| failed.reason);
        let why = saved
            .stopped
            .or(undone)
            .unwrap_or_else(|| "the supervisor has ended".to_owned());
        CurrentRollout {
            pending: saved.pending,
            added: ids(&saved.added),
            replaced: ids(&saved.replaced),
            ..CurrentRollout::of(Rollout::stopped(order, settings, why), Arc::clone(spec))
        }
    }

    /// The steps.
    pub(in crate::supervisor) const fn rollout(&self) -> &Rollout {
        &self.rollout
    }

    /// The order that it carries out.
    pub(in crate::supervisor) const fn order(&self) -> &RolloutOrder {
        &self.rollout.order
    }

    /// The kind of that order.
    pub(in crate::supervisor) const fn kind(&self) -> RolloutKind {
        self.rollout.order.kind
    }

    /// What all nodes run in the end.
    pub(in crate::supervisor) const fn target(&self) -> &Arc<Spec> {
        &self.target
    }

    /// Nodes that still run as they did before.
    pub(super) const fn others(&self) -> &Others {
        &self.others
    }

    /// Nodes that are new, or were when it stopped.
    pub(super) const fn added(&self) -> &BTreeSet<NodeId> {
        &self.added
    }

    /// Nodes that were started again.
    pub(super) const fn replaced(&self) -> &BTreeSet<NodeId> {
        &self.replaced
    }

    /// Nodes that go.
    pub(super) const fn removed(&self) -> &BTreeSet<NodeId> {
        &self.removed
    }

    /// The target, until the balancer has applied it for the first time.
    pub(super) const fn pending(&self) -> Option<&Previous> {
        self.pending.as_ref()
    }

    /// The last lines of the log of the node at which it has stopped.
    pub(super) fn log(&self) -> &[String] {
        &self.log
    }

    /// The time that connections of a drained node get until they are closed; `None` for no limit.
    pub(in crate::supervisor) const fn close_after(&self) -> Option<Duration> {
        self.rollout.settings.close_after
    }

    /// Whether it goes on.
    pub(in crate::supervisor) const fn is_running(&self) -> bool {
        self.rollout.is_running()
    }

    /// Why it has stopped, if it has.
    pub(super) fn failure(&self) -> Option<&RolloutFailure> {
        self.rollout.outcome()?.as_ref().err()
    }

    /// Whether the version before it is restored because of this failure.
    pub(super) fn goes_back_after(&self, failure: &RolloutFailure) -> bool {
        failure.is_of_replacement && self.kind() == RolloutKind::Reload && self.has_way_back
    }

    /// Whether the addresses of a host name have changed.
    pub(in crate::supervisor) fn is_of_dns(&self) -> bool {
        self.kind() == RolloutKind::Resolve
    }

    /// Whether it only waits for nodes at new addresses, or for the last clients of addresses that have
    /// left DNS.
    pub(super) fn drains_for_dns(&self) -> bool {
        let step = self.rollout.step();
        self.is_of_dns() && matches!(step, Some(Step::AwaitAdded(_) | Step::Drain(_)))
    }

    /// Goes on after a [check](Rollout::check) of the step in progress. Returns the step that begins.
    pub(in crate::supervisor) fn after(
        &mut self,
        checked: Result<bool, RolloutFailure>,
        now: Instant,
    ) -> Option<Step> {
        let begun = self.rollout.after(checked, now);
        let is_done = matches!(self.rollout.outcome(), Some(Ok(())));
        if (begun.is_some() || is_done)
            && let Some(judgement) = self.judgement.take()
        {
            self.note = judgement.end();
        }
        begun
    }

    /// Adds to the reason why it has stopped.
    pub(super) fn add_reason(&mut self, more: &str) {
        self.rollout.add_reason(more);
    }

    /// Keeps the last lines of the log of the node at which it has stopped.
    pub(super) fn keep_log(&mut self, lines: Vec<String>) {
        self.log = lines;
    }

    // What the balancer is given

    /// The nodes have changed: the balancer is to get them.
    pub(super) fn request_apply(&mut self) {
        self.apply = Apply::Due;
    }

    /// Whether the balancer is to get the nodes, and nothing was done for that yet.
    pub(super) fn is_apply_due(&self) -> bool {
        self.apply == Apply::Due
    }

    /// Whether the balancer is taking over the nodes, which is not interrupted.
    pub(in crate::supervisor) fn is_applying(&self) -> bool {
        self.apply == Apply::InProgress
    }

    /// The balancer gets the nodes now. Returns the configuration if it is prepared already.
    pub(super) fn begin_apply(&mut self) -> Option<Prepared> {
        self.apply = Apply::InProgress;
        self.first.take()
    }

    /// The balancer has the nodes that it was to get, or does not.
    pub(super) fn end_apply(&mut self, ended: Result<(), String>) {
        if self.is_applying() {
            if ended.is_ok() {
                self.pending = None;
            }
            self.apply = Apply::Ended(ended);
        }
    }

    /// Whether the balancer has the nodes; `None` while it is to get them.
    pub(super) fn applied(&self) -> Option<Result<(), String>> {
        match &self.apply {
            Apply::Done => Some(Ok(())),
            Apply::Due | Apply::InProgress => None,
            Apply::Ended(ended) => Some(ended.clone()),
        }
    }

    // Nodes

    /// The nodes are drained from now on.
    pub(super) fn begin_drain(&mut self, nodes: &[NodeId]) {
        let nodes = nodes.iter();
        self.draining = nodes.map(|node| (*node, DrainProgress::default())).collect();
    }

    /// The balancer gives these nodes no new clients any more.
    pub(super) fn accept_drain(&mut self, nodes: &[NodeId], now: Instant) {
        for node in nodes {
            if let Some(drain) = self.draining.get_mut(node) {
                drain.accept(now);
            }
        }
    }

    /// Connections of nodes were counted, from `asked` on.
    pub(super) fn count(&mut self, connections: &Connections, asked: Instant) {
        for (node, drain) in &mut self.draining {
            if let Some(counted) = connections.get(node) {
                drain.count(counted.tcp + counted.http, asked);
            }
        }
    }

    /// The drain of the node.
    pub(super) fn drain(&self, node: NodeId) -> Option<DrainProgress> {
        self.draining.get(&node).copied()
    }

    /// The nodes are described by the target from here on.
    pub(super) fn use_target(&mut self, nodes: &[NodeId]) {
        for node in nodes {
            self.others.remove(node);
            self.replaced.insert(*node);
        }
    }

    /// The nodes are not part of the cluster any more.
    pub(super) fn forget(&mut self, nodes: &[NodeId]) {
        self.others.retain(|node, _| !nodes.contains(node));
    }

    // Canaries

    /// Begins to judge the first nodes.
    pub(super) fn begin_judging(&mut self, judgement: Judgement) {
        self.judgement = Some(judgement);
    }

    /// What is known of the nodes that are judged.
    pub(super) const fn judgement(&self) -> Option<&Judgement> {
        self.judgement.as_ref()
    }

    /// What the verdict about the first nodes is not based on.
    pub(super) fn note(&self) -> Option<&str> {
        self.note.as_deref()
    }

    /// What is known of the nodes that are judged, to add to it.
    pub(super) const fn judgement_mut(&mut self) -> Option<&mut Judgement> {
        self.judgement.as_mut()
    }

    // Private

    /// A rollout of no nodes.
    fn of(rollout: Rollout, target: Arc<Spec>) -> CurrentRollout {
        CurrentRollout {
            rollout,
            target,
            others: Others::new(),
            first: None,
            pending: None,
            added: BTreeSet::new(),
            apply: Apply::Done,
            has_way_back: false,
            replaced: BTreeSet::new(),
            removed: BTreeSet::new(),
            draining: BTreeMap::new(),
            judgement: None,
            note: None,
            log: Vec::new(),
        }
    }
}
