//! All children: their states, and what is known of each child's current process.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use super::child::{Action, Child, Event, State};
use super::cpu_usage::CpuUsage;
use crate::platform::Identity;
use crate::profile::{BalancerKind, Restart};
use crate::supervisor::waves::ChildId;

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
    /// When retired instances are ended, in seconds since 1970.
    retired_until: BTreeMap<ChildId, u64>,
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
            ChildId::Node(_) | ChildId::Retired(..) => None,
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
        self.retired().next().is_some()
    }

    /// The former balancer instances that still have connections.
    pub(in crate::supervisor) fn retired(&self) -> impl Iterator<Item = &Child> {
        let retired = self.iter().filter(|(id, _)| matches!(id, ChildId::Retired(..)));
        retired.map(|(_, child)| child)
    }

    /// Adds the `child` of an earlier supervisor.
    pub(in crate::supervisor) fn adopt(&mut self, id: ChildId, child: Child) {
        if !matches!(id, ChildId::Retired(..)) {
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
    pub(in crate::supervisor) fn retire(
        &mut self,
        kind: BalancerKind,
        instance: usize,
        now: Instant,
    ) -> Option<Identity> {
        let child = self.by_id.get_mut(&ChildId::Balancer(instance))?;
        let old = child.process()?;
        child.state = State::Stopped;
        self.insert_retired(kind, old, None, now);
        Some(old)
    }

    /// The instance's `successor` serves in its place; its former process, if it still runs, is
    /// retired.
    pub(in crate::supervisor) fn succeed(
        &mut self,
        kind: BalancerKind,
        instance: usize,
        successor: Identity,
        now: Instant,
    ) {
        let Some(child) = self.by_id.get_mut(&ChildId::Balancer(instance)) else {
            return;
        };
        let old = child.process();
        child.state = State::Up {
            process: successor,
            since: now,
        };
        if let Some(old) = old {
            self.insert_retired(kind, old, None, now);
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

    /// The ids of the balancer instances that take clients.
    pub(in crate::supervisor) fn balancer_ids(&self) -> Vec<ChildId> {
        self.ids()
            .filter(|id| matches!(id, ChildId::Balancer(_)))
            .collect()
    }

    /// These processes take clients from now on, in the order of their instances. The former
    /// ones, of `kind`, are retired for `drains_for` at most. Returns those.
    pub(in crate::supervisor) fn replace_balancers(
        &mut self,
        kind: BalancerKind,
        processes: &[Identity],
        drains_for: Option<Duration>,
        now: Instant,
    ) -> Vec<Identity> {
        let mut former = Vec::new();
        for id in self.balancer_ids() {
            self.forget_process(id);
            self.adopted.remove(&id);
            if let Some(old) = self.by_id.remove(&id).and_then(|child| child.process()) {
                self.insert_retired(kind, old, drains_for, now);
                former.push(old);
            }
        }
        for (instance, process) in processes.iter().enumerate() {
            self.by_id
                .insert(ChildId::Balancer(instance), Child::serving(*process, now));
        }
        former
    }

    /// When the retired instance is ended, in seconds since 1970.
    pub(in crate::supervisor) fn retired_until(&self, id: ChildId) -> Option<u64> {
        self.retired_until.get(&id).copied()
    }

    /// Adds a process of `kind` that accepts nothing more; it ends with its last connection, or
    /// after `drains_for`.
    pub(in crate::supervisor) fn insert_retired(
        &mut self,
        kind: BalancerKind,
        process: Identity,
        drains_for: Option<Duration>,
        now: Instant,
    ) {
        let id = ChildId::Retired(kind, process.pid);
        self.by_id.insert(id, Child::retired(process, drains_for, now));
        if let Some(drains_for) = drains_for {
            let until = SystemTime::now() + drains_for;
            let seconds = until
                .duration_since(UNIX_EPOCH)
                .map_or(0, |since| since.as_secs());
            self.retired_until.insert(id, seconds);
        }
    }

    /// Adds children for nodes that are new among the `wanted` children, and drops those of nodes that
    /// are not among them, as far as they do not run.
    pub(in crate::supervisor) fn set_nodes(&mut self, wanted: impl Iterator<Item = ChildId>) {
        let wanted: BTreeSet<ChildId> = wanted.filter(|id| matches!(id, ChildId::Node(_))).collect();
        for id in &wanted {
            self.by_id.entry(*id).or_insert_with(Child::new);
        }
        let is_gone = |(id, child): &(ChildId, &Child)| {
            matches!(id, ChildId::Node(_)) && !wanted.contains(id) && child.process().is_none()
        };
        let gone: Vec<ChildId> = self.iter().filter(is_gone).map(|(id, _)| id).collect();
        for id in gone {
            self.forget(id);
        }
    }

    /// Drops former balancer instances that have ended.
    pub(in crate::supervisor) fn drop_ended_retired(&mut self) {
        self.by_id
            .retain(|id, child| !matches!(id, ChildId::Retired(..)) || child.state != State::Stopped);
        self.retired_until.retain(|id, _| self.by_id.contains_key(id));
    }

    // Private

    /// Drops the child, and what is known of it.
    fn forget(&mut self, id: ChildId) {
        self.by_id.remove(&id);
        self.adopted.remove(&id);
        self.port_checks.remove(&id);
        self.log_starts.remove(&id);
        self.forget_process(id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::NodeId;

    fn node(id: u32) -> ChildId {
        ChildId::Node(NodeId(id))
    }

    #[test]
    fn a_node_that_is_gone_stays_a_child_as_long_as_it_runs() {
        let now = Instant::now();
        let balancer = ChildId::Balancer(0);
        let mut children = Children::new([node(1), node(2), node(3), balancer].into_iter());
        let process = Identity {
            pid: 7,
            start_time: 1,
        };
        for id in [node(2), node(3)] {
            children.set_log_start(id, 70);
            children.set_not_ready(id, "it is starting".to_owned());
        }
        children.adopt(node(2), Child::serving(process, now));
        children.set_nodes([node(1), node(4), balancer].into_iter());
        let ids: Vec<ChildId> = children.ids().collect();
        assert_eq!(ids, [node(1), node(2), node(4), balancer]);
        assert_eq!(
            (children.log_start(node(3)), children.not_ready(node(3))),
            (0, None)
        );
        assert_eq!(children.child_of(process), Some(node(2)));
        assert_eq!(children.state(node(4)), Some(&State::Stopped));
        if let Some(child) = children.by_id.get_mut(&node(2)) {
            child.state = State::Stopped;
        }
        children.set_nodes([node(1), node(4)].into_iter());
        let ids: Vec<ChildId> = children.ids().collect();
        assert_eq!(ids, [node(1), node(4), balancer]);
        assert!(!children.any_adopted());
    }
}
