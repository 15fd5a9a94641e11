//! The rollouts of a supervisor: the one in progress, or stopped, and what the last one came to.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Instant;

use super::current::CurrentRollout;
use super::report::ended;
use super::saved::SavedRollout;
use super::state::RolloutOrder;
use super::steps::Step;
use crate::api::{EndedRollout, RolloutKind, RolloutResult};
use crate::base::units::Period;
use crate::profile::NodeId;
use crate::supervisor::change::{Change, Remains};
use crate::supervisor::connection_count::Connections;
use crate::supervisor::spec::Spec;

/// The rollouts, and what they know of nodes.
#[derive(Default)]
pub(in crate::supervisor) struct Rollouts {
    current: Option<CurrentRollout>,
    /// A rollout that has stopped, while another one follows DNS: it is still gone on with or undone.
    stopped_before: Option<CurrentRollout>,
    /// Whether a change without an order is being prepared.
    is_preparing: bool,
    /// How the last one has ended.
    last: Option<EndedRollout>,
    /// Nodes that a rollout keeps clients from.
    drained: BTreeSet<NodeId>,
    /// Whether the way on, or back, is being prepared.
    goes_on: bool,
    /// A rollout that an earlier supervisor has not finished.
    unfinished: Option<SavedRollout>,
    /// A rollout that has failed, while another one goes back because of it.
    failed: Option<EndedRollout>,
}

impl Rollouts {
    /// The rollouts where an earlier supervisor has left `unfinished`, if it has.
    pub(in crate::supervisor) fn saved(unfinished: Option<SavedRollout>) -> Rollouts {
        Rollouts {
            unfinished,
            ..Rollouts::default()
        }
    }

    /// The rollout in progress, or the one that has stopped last.
    pub(in crate::supervisor) const fn current(&self) -> Option<&CurrentRollout> {
        self.current.as_ref()
    }

    /// The rollout in progress, or the one that has stopped last, to change it.
    pub(in crate::supervisor) const fn current_mut(&mut self) -> Option<&mut CurrentRollout> {
        self.current.as_mut()
    }

    /// The rollout that goes on.
    pub(in crate::supervisor) fn running(&self) -> Option<&CurrentRollout> {
        self.current().filter(|current| current.is_running())
    }

    /// The rollout that other orders must not meet. One that waits for the last clients of addresses
    /// that have left DNS may wait for days, and any other order takes it over.
    pub(in crate::supervisor) fn busy(&self) -> Option<&CurrentRollout> {
        self.running().filter(|running| !running.drains_for_dns())
    }

    /// The rollout that is shown, saved, gone on with and undone.
    pub(super) fn shown(&self) -> Option<&CurrentRollout> {
        self.stopped_before.as_ref().or(self.current())
    }

    /// How the last one has ended.
    pub(super) const fn last(&self) -> Option<&EndedRollout> {
        self.last.as_ref()
    }

    /// The rollout that has failed, while another one goes back because of it.
    pub(super) const fn failed(&self) -> Option<&EndedRollout> {
        self.failed.as_ref()
    }

    /// The rollout that an earlier supervisor has not finished, until the nodes run again.
    pub(super) const fn unfinished(&self) -> Option<&SavedRollout> {
        self.unfinished.as_ref()
    }

    /// Whether the way on, or back, is being prepared.
    pub(super) const fn goes_on(&self) -> bool {
        self.goes_on
    }

    // Changes that no operator has ordered

    /// Whether a change of addresses in DNS may begin, as far as rollouts are concerned.
    pub(in crate::supervisor) fn may_follow_dns(&self) -> bool {
        self.busy().is_none()
            && self.current().is_none_or(|current| !current.is_applying())
            && self.unfinished.is_none()
            && self.failed.is_none()
            && !self.is_preparing
    }

    /// A change of addresses in DNS is being prepared.
    pub(in crate::supervisor) const fn begin_preparing(&mut self) {
        self.is_preparing = true;
    }

    /// The way on, or back, is being prepared.
    pub(in crate::supervisor) const fn begin_going_on(&mut self) {
        self.goes_on = true;
        self.is_preparing = true;
    }

    /// A change that no operator has ordered is prepared, or cannot be.
    pub(in crate::supervisor) const fn end_preparing(&mut self) {
        self.is_preparing = false;
    }

    /// The way on, or back, cannot begin.
    pub(in crate::supervisor) fn stay_stopped(&mut self, why: &str) {
        self.failed = None;
        self.goes_on = false;
        if let Some(current) = self.current_mut() {
            current.add_reason(why);
        }
    }

    // From begin to end

    /// Begins the rollout of `change`; what was in progress is given up.
    pub(in crate::supervisor) fn begin(&mut self, change: Change) {
        self.unfinished = None;
        self.goes_on = false;
        // A failure matters to its undo, and not to what an operator has ordered instead.
        if !matches!(change.order.kind, RolloutKind::Undo | RolloutKind::Resolve) {
            self.failed = None;
        }
        let is_stopped = |current: &CurrentRollout| !current.is_running() && !current.is_of_dns();
        if change.order.kind != RolloutKind::Resolve {
            self.stopped_before = None;
        } else if self.current().is_some_and(is_stopped) {
            self.stopped_before = self.current.take();
        }
        self.current = Some(CurrentRollout::new(change));
    }

    /// The rollout has failed, and what ran before is about to be restored.
    pub(super) fn begin_undo(&mut self) {
        self.failed = self.current().map(CurrentRollout::failed);
    }

    /// Gives up a rollout that only waits for the last clients of addresses that have left DNS: it
    /// was prepared for another balancer. The next look-up begins it again.
    pub(in crate::supervisor) fn give_up_drain_for_dns(&mut self) {
        if self.running().is_some_and(CurrentRollout::drains_for_dns) {
            self.current = self.stopped_before.take();
        }
    }

    /// Everything runs as the current rollout wanted it. One that had stopped before it is the current
    /// one again. Returns the order that was carried out.
    pub(in crate::supervisor) fn end(&mut self) -> Option<RolloutOrder> {
        let done = self.current.take();
        self.current = self.stopped_before.take();
        let done = done?;
        let order = done.order().clone();
        let done = EndedRollout {
            note: done.note().map(ToOwned::to_owned),
            ..ended(&order, RolloutResult::Done)
        };
        self.last = Some(match self.failed.take() {
            Some(failed) => EndedRollout {
                result: RolloutResult::Undone,
                ended: done.ended,
                ..failed
            },
            None => done,
        });
        Some(order)
    }

    // Nodes

    /// Nodes that a rollout keeps clients from.
    pub(in crate::supervisor) const fn drained(&self) -> &BTreeSet<NodeId> {
        &self.drained
    }

    /// Whether a rollout, and not an operator, keeps clients from the node.
    pub(in crate::supervisor) fn drains(&self, node: NodeId) -> bool {
        self.drained.contains(&node)
    }

    /// The rollout keeps clients from the node.
    pub(super) fn add_drain(&mut self, node: NodeId) {
        self.drained.insert(node);
    }

    /// The rollout does not keep clients from the node any more. Returns whether it did.
    pub(in crate::supervisor) fn remove_drain(&mut self, node: NodeId) -> bool {
        self.drained.remove(&node)
    }

    /// The nodes are not part of the cluster any more.
    pub(super) fn forget(&mut self, nodes: &[NodeId]) {
        self.drained.retain(|node| !nodes.contains(node));
        if let Some(current) = self.current_mut() {
            current.forget(nodes);
        }
    }

    /// Whether the connections of nodes matter to it now.
    pub(in crate::supervisor) fn counts(&self) -> bool {
        self.running()
            .is_some_and(|running| matches!(running.rollout().step(), Some(Step::Drain(_))))
    }

    /// Connections of nodes were counted, from `asked` on.
    pub(in crate::supervisor) fn count(&mut self, connections: &Connections, asked: Instant) {
        if let Some(current) = self.current_mut() {
            current.count(connections, asked);
        }
    }

    /// When time matters to it next.
    pub(in crate::supervisor) fn wakes_at(&self) -> Option<Instant> {
        self.current()?.rollout().wakes_at()
    }

    // For the next rollout, and the next supervisor

    /// What is left of the rollout, for the next one.
    pub(in crate::supervisor) fn remains(&self) -> Remains {
        let nodes = |of: fn(&CurrentRollout) -> &BTreeSet<NodeId>| self.shown().map(of).cloned();
        let of_dns = self.current().filter(|current| current.is_of_dns());
        Remains {
            order: self
                .shown()
                .map(|shown| (shown.order().clone(), shown.rollout().settings)),
            pending: self.shown().and_then(|shown| shown.pending().cloned()),
            drained: self.drained.clone(),
            added: nodes(CurrentRollout::added).unwrap_or_default(),
            replaced: nodes(CurrentRollout::replaced).unwrap_or_default(),
            gone_from_dns: of_dns.map_or_else(BTreeSet::new, |current| current.removed().clone()),
        }
    }

    /// Takes out what an earlier supervisor has not finished.
    pub(in crate::supervisor) const fn take_unfinished(&mut self) -> Option<SavedRollout> {
        self.unfinished.take()
    }

    /// Takes over what an earlier supervisor has saved, with the ids of the nodes.
    pub(in crate::supervisor) fn restore(
        &mut self,
        saved: SavedRollout,
        ids: impl Fn(&BTreeSet<String>) -> BTreeSet<NodeId>,
        spec: &Arc<Spec>,
    ) {
        self.drained = ids(&saved.drained);
        self.failed.clone_from(&saved.undoes);
        self.current = Some(CurrentRollout::restored(saved, ids, spec));
    }

    /// The rollout for the state file, with the names of nodes.
    pub(in crate::supervisor) fn to_save(
        &self,
        name: impl Fn(NodeId) -> Option<String>,
    ) -> Option<SavedRollout> {
        let Some(shown) = self.shown() else {
            return self.unfinished.clone();
        };
        let names = |nodes: &BTreeSet<NodeId>| nodes.iter().filter_map(|node| name(*node)).collect();
        let order = shown.order();
        let failure = shown.failure().filter(|_| !self.goes_on);
        Some(SavedRollout {
            kind: order.kind,
            by: order.by.clone(),
            since: order.since,
            batch: shown.rollout().settings.batches.batch,
            close_after: shown.close_after().map(Period::from),
            drained: names(&self.drained),
            replaced: names(shown.replaced()),
            added: names(shown.added()),
            pending: shown.pending().cloned(),
            stopped: failure.map(|failure| failure.why.clone()),
            undoes: self.failed.clone(),
        })
    }
}
