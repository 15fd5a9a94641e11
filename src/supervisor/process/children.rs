//! All children: their states, and what is known of each child's current process.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use super::child::{Action, Child, Event, State};
use super::cpu_usage::CpuUsage;
use crate::platform::Identity;
use crate::profile::Restart;
use crate::supervisor::rollout::ChildId;

/// Longer than any takeover: by then, the new instance has answered or was killed.
const MAX_TAKEOVER: Duration = Duration::from_mins(2);

/// Every child of the supervisor.
#[derive(Default)]
pub(in crate::supervisor) struct Children {
    by_id: BTreeMap<ChildId, Child>,
    /// Children that an earlier supervisor started, and that were not started again since.
    adopted: BTreeSet<ChildId>,
    /// Children whose ports are being checked before they are started.
    port_checks: BTreeSet<ChildId>,
    /// Why each starting child is not ready yet, by its latest check.
    not_ready: BTreeMap<ChildId, String>,
    /// The offset in its log at which each child's last start begins.
    log_starts: BTreeMap<ChildId, u64>,
    cpu_usages: BTreeMap<ChildId, CpuUsage>,
}

/// What an event has done to a child.
pub(in crate::supervisor) struct Transition {
    /// The state before the event.
    pub(in crate::supervisor) was: State,
    /// Whether the state has changed, if only in its details.
    pub(in crate::supervisor) is_changed: bool,
    /// What is to be done now.
    pub(in crate::supervisor) action: Option<Action>,
}

impl Children {
    /// Creates children that do not run.
    pub(in crate::supervisor) fn new(ids: impl Iterator<Item = ChildId>) -> Children {
        Children {
            by_id: ids.map(|id| (id, Child::new())).collect(),
            ..Children::default()
        }
    }

    /// Applies `event` to the child; `None` when the child does not exist.
    pub(in crate::supervisor) fn apply(
        &mut self,
        id: ChildId,
        event: Event,
        now: Instant,
        policy: &Restart,
    ) -> Option<Transition> {
        let child = self.by_id.get_mut(&id)?;
        let was = child.state.clone();
        let action = child.after(event, now, policy);
        Some(Transition {
            is_changed: was != child.state,
            was,
            action,
        })
    }

    /// The child.
    pub(in crate::supervisor) fn get(&self, id: ChildId) -> Option<&Child> {
        self.by_id.get(&id)
    }

    /// The state of the child.
    pub(in crate::supervisor) fn state(&self, id: ChildId) -> Option<&State> {
        self.get(id).map(|child| &child.state)
    }

    /// The process of the child, if it has one.
    pub(in crate::supervisor) fn process(&self, id: ChildId) -> Option<Identity> {
        self.get(id).and_then(Child::process)
    }

    /// The child that runs as `process`.
    pub(in crate::supervisor) fn child_of(&self, process: Identity) -> Option<ChildId> {
        self.iter()
            .find(|(_, child)| child.process() == Some(process))
            .map(|(id, _)| id)
    }

    /// All children, in the order of their ids.
    pub(in crate::supervisor) fn iter(&self) -> impl Iterator<Item = (ChildId, &Child)> {
        self.by_id.iter().map(|(id, child)| (*id, child))
    }

    /// The ids of all children.
    pub(in crate::supervisor) fn ids(&self) -> impl Iterator<Item = ChildId> {
        self.by_id.keys().copied()
    }

    /// The balancer instances that take clients, in their order.
    pub(in crate::supervisor) fn balancers(&self) -> impl Iterator<Item = (usize, &Child)> {
        self.iter().filter_map(|(id, child)| match id {
            ChildId::Balancer(instance) => Some((instance, child)),
            ChildId::Node(_) | ChildId::Retired(_) => None,
        })
    }

    /// The processes of all children that have one.
    pub(in crate::supervisor) fn running(&self) -> impl Iterator<Item = (ChildId, Identity)> {
        self.iter().filter_map(|(id, child)| Some((id, child.process()?)))
    }

    /// Whether a balancer instance serves.
    pub(in crate::supervisor) fn is_balancer_up(&self) -> bool {
        self.balancers().any(|(_, child)| child.is_up())
    }

    /// Whether a former balancer instance still has connections.
    pub(in crate::supervisor) fn has_retired(&self) -> bool {
        self.ids().any(|id| matches!(id, ChildId::Retired(_)))
    }

    /// Adds the `child` of an earlier supervisor.
    pub(in crate::supervisor) fn adopt(&mut self, id: ChildId, child: Child) {
        if !matches!(id, ChildId::Retired(_)) {
            self.adopted.insert(id);
        }
        self.by_id.insert(id, child);
    }

    /// Whether an earlier supervisor started the child's process.
    pub(in crate::supervisor) fn is_adopted(&self, id: ChildId) -> bool {
        self.adopted.contains(&id)
    }

    /// Whether any child is adopted.
    pub(in crate::supervisor) fn any_adopted(&self) -> bool {
        !self.adopted.is_empty()
    }

    /// The child is to be started, whether it was adopted or not.
    pub(in crate::supervisor) fn starts(&mut self, id: ChildId) {
        self.adopted.remove(&id);
    }

    /// The child's process starts now; its messages begin at this offset of its log.
    pub(in crate::supervisor) fn set_log_start(&mut self, id: ChildId, offset: u64) {
        self.log_starts.insert(id, offset);
    }

    /// The offset in its log at which the child's last start begins, in bytes.
    pub(in crate::supervisor) fn log_start(&self, id: ChildId) -> u64 {
        self.log_starts.get(&id).copied().unwrap_or(0)
    }

    /// The child does not answer yet; `why` describes it.
    pub(in crate::supervisor) fn set_not_ready(&mut self, id: ChildId, why: String) {
        self.not_ready.insert(id, why);
    }

    /// Why the starting child is not ready yet, if that is known.
    pub(in crate::supervisor) fn not_ready(&self, id: ChildId) -> Option<&str> {
        self.not_ready.get(&id).map(String::as_str)
    }

    /// A check of the child's ports begins.
    pub(in crate::supervisor) fn begin_port_check(&mut self, id: ChildId) {
        self.port_checks.insert(id);
    }

    /// The check of the child's ports has ended.
    pub(in crate::supervisor) fn end_port_check(&mut self, id: ChildId) {
        self.port_checks.remove(&id);
    }

    /// Whether the child's ports are being checked.
    pub(in crate::supervisor) fn is_port_checked(&self, id: ChildId) -> bool {
        self.port_checks.contains(&id)
    }

    /// Measures the processor time of every process.
    pub(in crate::supervisor) fn measure(&mut self, now: Instant) {
        let running: Vec<_> = self.running().collect();
        for (id, process) in running {
            self.cpu_usages.entry(id).or_default().read(process, now);
        }
    }

    /// The child's processor time since the previous measurement, in percent of one processor.
    pub(in crate::supervisor) fn cpu_percent(&self, id: ChildId) -> f64 {
        self.cpu_usages.get(&id).map_or(0.0, |usage| usage.cpu_percent)
    }

    /// The child's process has ended: what was known of it is dropped.
    pub(in crate::supervisor) fn forget_process(&mut self, id: ChildId) {
        self.cpu_usages.remove(&id);
        self.not_ready.remove(&id);
    }

    /// The instance's process accepts no connections any more and keeps those it has: it is
    /// retired, and the instance can be started again. Returns that process, if there is one.
    pub(in crate::supervisor) fn retire(&mut self, instance: usize, now: Instant) -> Option<Identity> {
        let child = self.by_id.get_mut(&ChildId::Balancer(instance))?;
        let old = child.process()?;
        child.state = State::Stopped;
        self.by_id
            .insert(ChildId::Retired(old.pid), Child::retired(old, now));
        Some(old)
    }

    /// The instance's `successor` serves in its place; its former process, if it still runs, is
    /// retired.
    pub(in crate::supervisor) fn succeed(&mut self, instance: usize, successor: Identity, now: Instant) {
        let Some(child) = self.by_id.get_mut(&ChildId::Balancer(instance)) else {
            return;
        };
        let old = child.process();
        child.state = State::Up {
            process: successor,
            since: now,
        };
        if let Some(old) = old {
            self.by_id
                .insert(ChildId::Retired(old.pid), Child::retired(old, now));
        }
    }

    /// The instance's process has ended while its successor starts: the successor is waited for.
    pub(in crate::supervisor) fn await_successor(&mut self, instance: usize, now: Instant) {
        if let Some(child) = self.by_id.get_mut(&ChildId::Balancer(instance)) {
            let until = now + MAX_TAKEOVER;
            child.state = State::Waiting { until };
        }
    }

    /// An instance that waits for its successor, or for its next start, is started now.
    pub(in crate::supervisor) fn end_wait(&mut self, instance: usize, now: Instant) {
        let child = self.by_id.get_mut(&ChildId::Balancer(instance));
        if let Some(State::Waiting { until }) = child.map(|child| &mut child.state) {
            *until = now;
        }
    }

    /// Drops former balancer instances that have ended.
    pub(in crate::supervisor) fn drop_ended_retired(&mut self) {
        self.by_id
            .retain(|id, child| !matches!(id, ChildId::Retired(_)) || child.state != State::Stopped);
    }
}
