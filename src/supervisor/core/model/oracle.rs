//! What is known of a supervisor: its orders, the deaths of its processes, and the time.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use super::super::Core;
use super::driver::Judged;
use super::waiting::Waiting;
use super::world::World;
use crate::api::{DrainOrder, Refusal};
use crate::platform::Identity;
use crate::profile::Restart;
use crate::supervisor::spec::Spec;
use crate::supervisor::waves::ChildId;

/// What is known of the orders, the deaths and the time.
pub(super) struct Oracle {
    pub(super) policy: Restart,
    /// The drains in force, and whether the node is to be stopped.
    pub(super) drained: BTreeMap<String, bool>,
    /// Nodes that a drain has stopped.
    pub(super) stopped_by_drain: BTreeSet<String>,
    /// Nodes without connections that a drain was to stop during a stop of the cluster. The next
    /// supervisor may find them stopped by either.
    may_be_stopped_by_drain: BTreeSet<String>,
    pub(super) is_stopping: bool,
    pub(super) is_rolling: bool,
    /// Whether a start beside running children has failed: those that did not serve then were
    /// stopped.
    pub(super) has_failed_to_join: bool,
    pub(super) waiting: Vec<Waiting>,
    pub(super) deaths: BTreeMap<String, Deaths>,
    /// Nodes that may have died more often than `deaths` says: another program has answered in their
    /// place, they never answered, or they died while nodes were started.
    pub(super) undercounted: BTreeSet<String>,
    /// When the supervisor was last late, or began.
    pub(super) disturbed: Instant,
    /// The processes in the state file, and which file that was.
    pub(super) recorded: BTreeSet<Identity>,
    pub(super) read: Option<(u64, i64, i64)>,
}

/// The deaths of a node since the last order about it.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Deaths {
    pub(super) in_a_row: u32,
    pub(super) not_before: Option<Instant>,
    pub(super) up_since: Option<Instant>,
}

impl Oracle {
    pub(super) fn new(policy: Restart) -> Oracle {
        Oracle {
            policy,
            drained: BTreeMap::new(),
            stopped_by_drain: BTreeSet::new(),
            may_be_stopped_by_drain: BTreeSet::new(),
            is_stopping: false,
            is_rolling: true,
            has_failed_to_join: false,
            waiting: Vec::new(),
            deaths: BTreeMap::new(),
            undercounted: BTreeSet::new(),
            disturbed: Instant::now(),
            recorded: BTreeSet::new(),
            read: None,
        }
    }

    /// A supervisor begins, and `adopts` what another one has left.
    pub(super) fn begun(&mut self, adopts: bool, now: Instant) {
        if !adopts {
            self.drained.clear();
            self.stopped_by_drain.clear();
            self.may_be_stopped_by_drain.clear();
        }
        // Their clients have lost the connection.
        self.waiting.clear();
        self.is_stopping = false;
        self.is_rolling = true;
        self.has_failed_to_join = false;
        self.undercounted.clear();
        self.disturbed(now);
        self.forgive();
    }

    /// The supervisor did not run for a while.
    pub(super) fn disturbed(&mut self, now: Instant) {
        self.disturbed = now;
    }

    /// An order lets earlier deaths not count any more.
    pub(super) fn forgive(&mut self) {
        self.deaths.clear();
    }

    pub(super) fn wait(&mut self, order: Waiting) {
        self.waiting.push(order);
    }

    /// A process has ended, by itself unless signals were sent to it.
    pub(super) fn died(&mut self, child: &str, by_itself: bool, now: Instant) {
        let policy = self.policy;
        let deaths = self.deaths.entry(child.to_owned()).or_default();
        let up_since = deaths.up_since.take();
        if !by_itself {
            deaths.not_before = None;
            return;
        }
        if up_since.is_some_and(|up| now >= up + policy.forget_after.duration()) {
            deaths.in_a_row = 0;
        }
        let (from, to) = (policy.backoff.from.duration(), policy.backoff.to.duration());
        let wait = from.saturating_mul(1 << deaths.in_a_row.min(16)).min(to);
        deaths.not_before = Some(now + wait);
        deaths.in_a_row += 1;
    }

    /// Another program has answered in place of a process that had not answered yet.
    pub(super) fn answered_by_another(&mut self, child: &str) {
        self.undercounted.insert(child.to_owned());
    }

    /// A process was stopped before it had answered: by an order, or because it took too long, which
    /// counts as a death.
    pub(super) fn stopped_before_an_answer(&mut self, child: &str) {
        self.undercounted.insert(child.to_owned());
    }

    /// What is known of nodes that are not part of the cluster any more does not matter.
    pub(super) fn keep_only_nodes_of(&mut self, spec: &Spec) {
        let is_there = |name: &String| spec.cluster.node(name).is_some();
        self.drained.retain(|name, _| is_there(name));
        self.stopped_by_drain.retain(is_there);
        self.deaths.retain(|name, _| is_there(name));
    }

    /// A child was not started.
    pub(super) fn not_started(&mut self, id: ChildId, spec: &Spec, now: Instant) {
        if let ChildId::Node(node) = id {
            self.died(spec.node_name(node), true, now);
        }
    }

    /// A process has answered for the first time.
    pub(super) fn answered(&mut self, child: &str, now: Instant) {
        self.deaths.entry(child.to_owned()).or_default().up_since = Some(now);
    }

    /// A node has no connections any more.
    pub(super) fn emptied(&mut self, node: &str) {
        if self.drained.get(node) != Some(&true) {
            return;
        }
        let stopped = if self.is_stopping {
            &mut self.may_be_stopped_by_drain
        } else {
            &mut self.stopped_by_drain
        };
        stopped.insert(node.to_owned());
    }

    pub(super) fn stopped(&mut self) {
        self.is_stopping = true;
    }

    pub(super) fn restarted(&mut self, node: Option<&str>) {
        self.forgive();
        if let Some(node) = node
            && self.stopped_by_drain.remove(node)
        {
            // It runs again, and is still drained.
            self.drained.insert(node.to_owned(), false);
        }
    }

    /// A drain was ordered, and refused or not; `others_serve` when other nodes did.
    pub(super) fn drained(
        &mut self,
        order: &DrainOrder,
        refusal: Option<&Refusal>,
        others_serve: bool,
    ) -> Judged {
        let is_known = order.node != "nowhere";
        let is_new = !self.drained.contains_key(&order.node);
        match refusal {
            Some(refusal) => {
                let may_be_refused = !is_known || self.is_stopping || (is_new && !order.force);
                return if may_be_refused {
                    Ok(())
                } else {
                    Err(format!("the drain was refused: {}", refusal.error))
                };
            }
            None if !is_known || self.is_stopping => return Err("the drain was not refused".to_owned()),
            None if is_new && !order.force && !others_serve => {
                return Err("the last node that serves was drained".to_owned());
            }
            None => {}
        }
        // A node that is stopped stays stopped until it is made ready.
        let stays_stopped =
            self.stopped_by_drain.contains(&order.node) || self.may_be_stopped_by_drain.contains(&order.node);
        self.drained
            .insert(order.node.clone(), order.stop || stays_stopped);
        Ok(())
    }

    /// A drain was undone, or that was refused.
    pub(super) fn made_ready(&mut self, node: &str, refusal: Option<&Refusal>) -> Judged {
        if refusal.is_none() {
            if node == "nowhere" || self.is_stopping {
                return Err("`ready` was not refused".to_owned());
            }
            self.drained.remove(node);
            // It is started again only if the drain had stopped it.
            let was_stopped = self.stopped_by_drain.remove(node);
            if self.may_be_stopped_by_drain.remove(node) || was_stopped {
                self.deaths.remove(node);
            }
        }
        Ok(())
    }

    /// Whether another node than this one serves, and is not drained.
    pub(super) fn others_serve(&self, node: &str, world: &World, core: Option<&Core>) -> bool {
        let Some(core) = core else { return false };
        let world = world.lock();
        let nodes = core.spec.cluster.nodes.iter();
        let mut others = nodes.filter(|other| other.name != node && !self.drained.contains_key(&other.name));
        others.any(|other| {
            let process = core.children.process(ChildId::Node(other.id));
            let fake = process.and_then(|process| world.living.get(&process));
            fake.is_some_and(|fake| fake.answered && fake.signals.is_empty())
        })
    }
}
