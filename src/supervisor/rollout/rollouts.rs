//! The rollouts of a supervisor: the one in progress, or stopped, and what the last one came to.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use serde::{Deserialize, Serialize};

use super::judging::Judgement;
use super::state::{Order, Rollout, Settings};
use super::steps::{Batches, Step};
use crate::api::{EndedRollout, RolloutKind};
use crate::base::units::Period;
use crate::profile::NodeId;
use crate::supervisor::change::mixture::Others;
use crate::supervisor::change::{Change, Remains};
use crate::supervisor::prepare::Prepared;
use crate::supervisor::spec::Spec;
use crate::supervisor::state_file::Previous;

/// The rollouts, and what they know of nodes.
#[derive(Default)]
pub(in crate::supervisor) struct Rollouts {
    pub(in crate::supervisor) current: Option<CurrentRollout>,
    /// A rollout that has stopped, while another one follows DNS: it is still gone on with or undone.
    pub(in crate::supervisor) stopped_before: Option<CurrentRollout>,
    /// Whether a change without an order is being prepared.
    pub(in crate::supervisor) is_preparing: bool,
    /// How the last one has ended.
    pub(in crate::supervisor) last: Option<EndedRollout>,
    /// Nodes that a rollout keeps clients from.
    pub(in crate::supervisor) drained: BTreeSet<NodeId>,
    /// Whether the way on, or back, is being prepared.
    pub(in crate::supervisor) goes_on: bool,
    /// A rollout that an earlier supervisor has not finished.
    pub(in crate::supervisor) unfinished: Option<SavedRollout>,
    /// A rollout that has failed, while another one goes back because of it.
    pub(in crate::supervisor) failed: Option<EndedRollout>,
}

/// A rollout, with what it needs beside its steps.
pub(in crate::supervisor) struct CurrentRollout {
    pub(in crate::supervisor) rollout: Rollout,
    /// What all nodes run in the end.
    pub(in crate::supervisor) target: Arc<Spec>,
    /// Nodes that still run as they did before.
    pub(in crate::supervisor) others: Others,
    /// The first configuration, which was prepared together with the target.
    pub(in crate::supervisor) first: Option<Prepared>,
    /// The target, until the balancer has applied it for the first time: what ran before is in force
    /// until then.
    pub(in crate::supervisor) pending: Option<Previous>,
    /// Nodes that are new, or were when it stopped.
    pub(in crate::supervisor) added: BTreeSet<NodeId>,
    pub(in crate::supervisor) apply: Apply,
    /// Whether it goes back to the version before it if it fails.
    pub(in crate::supervisor) has_way_back: bool,
    /// Nodes that were started again.
    pub(in crate::supervisor) replaced: BTreeSet<NodeId>,
    /// Nodes that go.
    pub(in crate::supervisor) removed: BTreeSet<NodeId>,
    /// Connections of the nodes that are being drained.
    pub(in crate::supervisor) left: BTreeMap<NodeId, DrainProgress>,
    /// The nodes that are judged.
    pub(in crate::supervisor) judgement: Option<Judgement>,
    /// The last lines of the log of the node at which it has stopped.
    pub(in crate::supervisor) log: Vec<String>,
}

/// How far the balancer is with the nodes that there are now.
#[derive(Debug, Default, PartialEq, Eq)]
pub(in crate::supervisor) enum Apply {
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

/// The connections that a drained node has, by the counts that began when the balancer had accepted the
/// drain.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::supervisor) struct DrainProgress {
    since: Option<Instant>,
    connections: Option<u64>,
    /// How many counts in a row have found none.
    empty: u32,
}

/// A rollout in the state file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SavedRollout {
    pub(in crate::supervisor) kind: RolloutKind,
    pub(in crate::supervisor) by: String,
    pub(in crate::supervisor) since: SystemTime,
    pub(in crate::supervisor) batch: usize,
    /// The time that connections of a drained node get until they are closed; null for no limit.
    pub(in crate::supervisor) close_after: Option<Period>,
    /// Nodes that it keeps clients from, by name.
    pub(in crate::supervisor) drained: BTreeSet<String>,
    /// Nodes that it has started again, by name.
    pub(in crate::supervisor) replaced: BTreeSet<String>,
    /// Nodes that it has added, by name.
    #[serde(default)]
    pub(in crate::supervisor) added: BTreeSet<String>,
    /// The target, until it is in force for the first time.
    #[serde(default)]
    pub(in crate::supervisor) pending: Option<Previous>,
    /// Why it has stopped; null while it goes on.
    pub(in crate::supervisor) stopped: Option<String>,
    /// The failed rollout that is undone, or is about to be.
    #[serde(default)]
    pub(in crate::supervisor) undoes: Option<EndedRollout>,
}

impl Rollouts {
    /// The rollout that goes on.
    pub(in crate::supervisor) fn running(&self) -> Option<&CurrentRollout> {
        self.current
            .as_ref()
            .filter(|running| running.rollout.is_running())
    }

    /// The rollout that other orders must not meet. One that waits for the last clients of addresses
    /// that have left DNS may wait for days, and any other order takes it over.
    pub(in crate::supervisor) fn busy(&self) -> Option<&CurrentRollout> {
        self.running().filter(|running| !running.drains_for_dns())
    }

    /// The rollout that is shown, saved, gone on with and undone.
    pub(super) fn shown(&self) -> Option<&CurrentRollout> {
        self.stopped_before.as_ref().or(self.current.as_ref())
    }

    /// Whether a change of addresses in DNS may begin, as far as rollouts are concerned.
    pub(in crate::supervisor) fn may_follow_dns(&self) -> bool {
        let is_free = |running: &CurrentRollout| !running.is_applying();
        self.busy().is_none()
            && self.current.as_ref().is_none_or(is_free)
            && self.unfinished.is_none()
            && self.failed.is_none()
            && !self.is_preparing
    }

    /// Gives up a rollout that only waits for the last clients of addresses that have left DNS: it
    /// was prepared for another balancer. The next look-up begins it again.
    pub(in crate::supervisor) fn give_up_drain_for_dns(&mut self) {
        if self.running().is_some_and(CurrentRollout::drains_for_dns) {
            self.current = self.stopped_before.take();
        }
    }

    /// A rollout is over: one that had stopped before it is the current one again.
    pub(in crate::supervisor) fn end(&mut self) -> Option<CurrentRollout> {
        let ended = self.current.take();
        self.current = self.stopped_before.take();
        ended
    }

    /// Begins the rollout of `change`; what was in progress is given up.
    pub(in crate::supervisor) fn begin(&mut self, change: Change) {
        self.unfinished = None;
        self.goes_on = false;
        // A failure matters to its undo, and not to what an operator has ordered instead.
        if !matches!(change.order.kind, RolloutKind::Undo | RolloutKind::Resolve) {
            self.failed = None;
        }
        let is_stopped = |running: &CurrentRollout| !running.rollout.is_running() && !running.is_of_dns();
        if change.order.kind != RolloutKind::Resolve {
            self.stopped_before = None;
        } else if self.current.as_ref().is_some_and(is_stopped) {
            self.stopped_before = self.current.take();
        }
        let launch = &change.target.launch;
        let pending = Previous {
            source: launch.source.clone(),
            templates: launch.templates.clone(),
            environment: Some(change.target.node_environment.clone()),
        };
        let (added, unfinished) = (&change.work.added, &change.work.unfinished);
        let added = added.iter().chain(unfinished).copied().collect();
        let rollout = Rollout::new(change.order, change.settings, &change.work, change.names);
        self.current = Some(CurrentRollout {
            rollout,
            target: change.target,
            others: change.others,
            first: Some(change.first),
            pending: Some(pending),
            added,
            apply: Apply::Done,
            has_way_back: change.has_way_back,
            replaced: change.replaced,
            removed: change.work.removed.into_iter().collect(),
            left: BTreeMap::new(),
            judgement: None,
            log: Vec::new(),
        });
    }

    /// Takes over what an earlier supervisor has saved, with the ids of the nodes.
    pub(in crate::supervisor) fn restore(
        &mut self,
        saved: SavedRollout,
        ids: impl Fn(&BTreeSet<String>) -> BTreeSet<NodeId>,
        spec: &Arc<Spec>,
    ) {
        let order = Order {
            kind: saved.kind,
            by: saved.by,
            since: saved.since,
        };
        let settings = Settings {
            batches: Batches {
                canary: 0,
                batch: saved.batch,
            },
            close_after: saved.close_after.map(Period::duration),
            start_timeout: spec.launch.timeout.duration(),
            hold: Duration::ZERO,
        };
        let undone = saved.undoes.as_ref().and_then(|failed| failed.reason.clone());
        let why = saved
            .stopped
            .or(undone)
            .unwrap_or_else(|| "the supervisor has ended".to_owned());
        self.drained = ids(&saved.drained);
        self.failed = saved.undoes;
        self.current = Some(CurrentRollout {
            rollout: Rollout::stopped(order, settings, why),
            target: spec.clone(),
            others: Others::new(),
            first: None,
            pending: saved.pending,
            added: ids(&saved.added),
            apply: Apply::Done,
            has_way_back: false,
            replaced: ids(&saved.replaced),
            removed: BTreeSet::new(),
            left: BTreeMap::new(),
            judgement: None,
            log: Vec::new(),
        });
    }

    /// The way on, or back, cannot begin.
    pub(in crate::supervisor) fn note_failure(&mut self, why: &str) {
        self.failed = None;
        self.goes_on = false;
        if let Some(running) = &mut self.current {
            running.rollout.add_reason(why);
        }
    }

    /// What is left of the rollout, for the next one.
    pub(in crate::supervisor) fn remains(&self) -> Remains {
        let (shown, current) = (self.shown(), self.current.as_ref());
        let order = |running: &CurrentRollout| (running.rollout.order.clone(), running.rollout.settings);
        Remains {
            order: shown.map(order),
            pending: shown.and_then(|running| running.pending.clone()),
            drained: self.drained.clone(),
            added: shown.map_or_else(BTreeSet::new, |running| running.added.clone()),
            replaced: shown.map_or_else(BTreeSet::new, |running| running.replaced.clone()),
            gone_from_dns: current
                .filter(|running| running.is_of_dns())
                .map_or_else(BTreeSet::new, |running| running.removed.clone()),
        }
    }

    /// Whether the connections of nodes matter to it now.
    pub(in crate::supervisor) fn counts(&self) -> bool {
        self.running()
            .is_some_and(|running| matches!(running.rollout.step(), Some(Step::Drain(_))))
    }

    /// When time matters to it next.
    pub(in crate::supervisor) fn wakes_at(&self) -> Option<Instant> {
        self.current.as_ref()?.rollout.wakes_at()
    }

    /// The rollout for the state file, with the names of nodes.
    pub(in crate::supervisor) fn to_save(
        &self,
        name: impl Fn(NodeId) -> Option<String>,
    ) -> Option<SavedRollout> {
        let Some(running) = self.shown() else {
            return self.unfinished.clone();
        };
        let names = |nodes: &BTreeSet<NodeId>| nodes.iter().filter_map(|node| name(*node)).collect();
        let rollout = &running.rollout;
        let failure = rollout.outcome().and_then(|outcome| outcome.as_ref().err());
        let failure = failure.filter(|_| !self.goes_on);
        Some(SavedRollout {
            kind: rollout.order.kind,
            by: rollout.order.by.clone(),
            since: rollout.order.since,
            batch: rollout.settings.batches.batch,
            close_after: rollout.settings.close_after.map(Period::from),
            drained: names(&self.drained),
            replaced: names(&running.replaced),
            added: names(&running.added),
            pending: running.pending.clone(),
            stopped: failure.map(|failure| failure.why.clone()),
            undoes: self.failed.clone(),
        })
    }
}

impl CurrentRollout {
    /// Whether the balancer is taking over the nodes, which is not interrupted.
    pub(in crate::supervisor) fn is_applying(&self) -> bool {
        self.apply == Apply::InProgress
    }

    /// Whether the addresses of a host name have changed.
    pub(in crate::supervisor) fn is_of_dns(&self) -> bool {
        self.rollout.order.kind == RolloutKind::Resolve
    }

    /// Whether it only waits for nodes at new addresses, or for the last clients of addresses that have
    /// left DNS.
    fn drains_for_dns(&self) -> bool {
        let step = self.rollout.step();
        self.is_of_dns() && matches!(step, Some(Step::AwaitAdded(_) | Step::Drain(_)))
    }
}

impl DrainProgress {
    /// The balancer has accepted the drain.
    pub(in crate::supervisor) fn accepted(&mut self, now: Instant) {
        self.since.get_or_insert(now);
    }

    /// A count that began at `asked` has found this number.
    pub(in crate::supervisor) fn count(&mut self, connections: u64, asked: Instant) {
        if self.since.is_none_or(|since| asked < since) {
            return;
        }
        self.connections = Some(connections);
        self.empty = if connections == 0 { self.empty + 1 } else { 0 };
    }

    /// The connections that are left; `None` while they are not known. A request may have been between
    /// two connections, so that only the second count shows that none are left.
    pub(in crate::supervisor) const fn connections(self) -> Option<u64> {
        match (self.connections, self.empty) {
            (Some(0), 1) | (None, _) => None,
            (connections, _) => connections,
        }
    }

    /// The latest count.
    pub(in crate::supervisor) const fn latest(self) -> Option<u64> {
        self.connections
    }
}
