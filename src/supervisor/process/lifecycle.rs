//! A child's life: spawned or adopted, watched, ended.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use super::child::{Action, Child, Event, State, Then};
use super::descendants::trees_of;
use super::port_check::taken;
use super::processes::Running;
use super::readiness::Readiness;
use super::watcher::Ready;
use crate::api::Only;
use crate::platform::mark::Mark;
use crate::platform::usage::{age, usage};
use crate::platform::{Identity, Program};
use crate::profile::{BalancerKind, HttpCheck, NodeId};
use crate::supervisor::core::Core;
use crate::supervisor::event::CoreEvent;
use crate::supervisor::health::hold_down;
use crate::supervisor::health::node_probes::NodeProbes;
use crate::supervisor::prepare::wanted;
use crate::supervisor::snapshot::{Activity, ChildSnapshot};
use crate::supervisor::state_file::{ChildRecord, Record};
use crate::supervisor::waves::ChildId;

/// How long a restart waits for the balancer to learn of a death.
const INFORM_TIMEOUT: Duration = Duration::from_secs(5);

impl Core {
    /// Applies `event` to the child, and carries out what follows from it.
    pub(in crate::supervisor) fn apply(&mut self, id: ChildId, event: Event, now: Instant) {
        let policy = self.spec.restart(id);
        let is_order = matches!(event, Event::Start | Event::Stop(..));
        let Some(transition) = self.children.apply(id, event, now, &policy) else {
            return;
        };
        self.log_transition(id, &transition.was);
        if let ChildId::Node(node) = id
            && is_order
            && transition.is_changed
        {
            self.apply_hold_down(node, hold_down::Event::Ordered, now);
        }
        match transition.action {
            Some(Action::Spawn) => self.spawn(id, now),
            Some(Action::Signal(process, signal)) => self.signal(id, process, signal),
            None => {}
        }
    }

    /// A child's process has ended.
    pub(in crate::supervisor) fn ended(&mut self, id: ChildId, process: Identity, how: String, now: Instant) {
        self.link.forget(id);
        self.overrides.forget(id);
        let waits = self.end_left_behind(id, process, &how, now);
        self.children.forget_process(id);
        if let ChildId::Balancer(instance) = id {
            self.listeners.instance_gone(&self.spec, instance);
        }
        if !self.is_succeeded(id, now) && !waits {
            self.apply(id, Event::Ended(how), now);
        }
    }

    /// A child's process has answered for the first time.
    pub(in crate::supervisor) fn answered(
        &mut self,
        id: ChildId,
        http_check: Option<HttpCheck>,
        note: Option<String>,
        now: Instant,
    ) {
        match id {
            ChildId::Node(it) => {
                self.health.set_answering(it, http_check, now);
                self.eras.forget(it, now);
            }
            ChildId::Balancer(_) => self.begin_sync(id, now),
            ChildId::Retired(..) => {}
        }
        self.apply(id, Event::Answered(note), now);
        self.ask_revisions(now);
    }

    /// Another process answers at the ports of a child's process.
    pub(in crate::supervisor) fn answered_by_another(&mut self, id: ChildId, why: String, now: Instant) {
        let stop_sequence = self.spec.stop_sequence(id, Duration::ZERO, Duration::ZERO);
        self.apply(id, Event::AnsweredByAnother(stop_sequence, why), now);
    }

    /// Watches the children of an earlier supervisor that still live.
    pub(in crate::supervisor) fn adopt(&mut self, record: &Record, now: Instant) {
        let former = self.spec.former.iter().map(|node| ChildId::Node(node.id));
        let known: Vec<ChildId> = self.children.ids().chain(former).collect();
        let recorded = record.children.iter();
        let living = recorded.filter(|child| self.processes.is_alive(child.process));
        let living: Vec<&ChildRecord> = living.collect();
        // A living successor has taken over, or does so now: it makes the old instance end with its
        // last connection.
        let replaced = living.iter().find(|child| child.successor);
        let replaced = replaced.map(|child| ChildId::Balancer(child.instance));
        let outdated = living.iter().filter(|child| child.outdated && !child.retired);
        let outdated: BTreeMap<usize, Identity> =
            outdated.map(|child| (child.instance, child.process)).collect();
        self.reloads.resume(outdated, now);
        for living in living {
            let is_meant = |id: &ChildId| match id {
                ChildId::Balancer(index) if *index != living.instance => false,
                id => self.spec.name(*id) == living.name,
            };
            let child = known.iter().copied().find(is_meant);
            let is_replaced = child.is_some() && child == replaced;
            // What was about to take over has accepted connections since it started.
            let id = if living.retired || living.incoming || (is_replaced && !living.successor) {
                retired(living)
            } else {
                child
            };
            let Some(id) = id else { continue };
            match self.processes.adopt(living.process) {
                Ok(Some(process)) => {
                    tracing::info!(child = living.name, pid = living.process.pid, "adopted");
                    let child = match id {
                        ChildId::Retired(kind, _) => {
                            self.adopt_retired(kind, living, now);
                            self.watch(id, process);
                            continue;
                        }
                        ChildId::Node(_) | ChildId::Balancer(_) => {
                            Child::adopted(living.process, living.restarts, now)
                        }
                    };
                    self.children.adopt(id, child);
                    self.watch(id, process);
                }
                Ok(None) => {}
                Err(error) => tracing::error!(child = living.name, "cannot adopt the process: {error}"),
            }
        }
    }

    /// Watches for the process's first answer and its end.
    pub(in crate::supervisor) fn watch(&mut self, id: ChildId, process: Running) {
        let ready = match id {
            ChildId::Node(node) => Ready::Node {
                probes: self.health.probes(node).map_or_else(Vec::new, NodeProbes::probes),
                descendants: self.descendants(id, process.identity),
            },
            ChildId::Balancer(instance) => Ready::Balancer(self.spec.readiness(instance)),
            // It has answered before it was replaced.
            ChildId::Retired(..) => Ready::Balancer(Readiness::Running),
        };
        process.watch(ready, self.events.clone());
    }

    /// Which half of the cluster runs, if it is only one.
    pub(in crate::supervisor) fn running_half(&self) -> Option<Only> {
        match (self.owns_nodes(), self.balanced) {
            (true, true) => None,
            (true, false) => Some(Only::Nodes),
            (false, _) => Some(Only::Balancer),
        }
    }

    /// Whether the nodes are children of this supervisor, and not external.
    pub(in crate::supervisor) fn owns_nodes(&self) -> bool {
        self.spec.launch.only != Some(Only::Balancer)
            || self
                .children
                .iter()
                .any(|(id, child)| matches!(id, ChildId::Node(_)) && child.state != State::Stopped)
    }

    /// The node as a child; `None` for an external node.
    pub(in crate::supervisor) fn own_child(&self, node: NodeId) -> Option<&Child> {
        let child = self.children.get(ChildId::Node(node));
        child.filter(|_| self.owns_nodes())
    }

    /// The ports of a child that is to be started were checked.
    pub(in crate::supervisor) fn ports_checked(&mut self, id: ChildId, taken: Option<String>, now: Instant) {
        self.children.end_port_check(id);
        let is_wanted =
            self.shutdown.is_none() && matches!(self.children.state(id), Some(State::Waiting { .. }));
        match taken {
            _ if !is_wanted => {}
            Some(taken) => self.apply(id, Event::NotSpawned(taken), now),
            None => self.spawn_now(id, now),
        }
    }

    /// Whether the child must not be started yet: processes that it has left must end first, or its
    /// ports are being checked.
    pub(in crate::supervisor) fn is_blocked(&self, id: ChildId) -> bool {
        self.left_behind.has(id) || self.children.is_port_checked(id)
    }

    /// Whether a dead child must not be started again yet, or any more: nothing is started while the
    /// cluster is being stopped. The processes that it has left must end first. A balancer that
    /// reads files takes a moment to learn that the node is away, and would meanwhile send the
    /// clients back to it that it has just lost.
    pub(in crate::supervisor) fn must_wait(&self, id: ChildId, now: Instant) -> bool {
        let waits = matches!(self.children.state(id), Some(State::Waiting { .. }));
        if self.is_blocked(id) || (waits && self.shutdown.is_some()) {
            return true;
        }
        let ChildId::Node(node) = id else { return false };
        let name = self.spec.node_name(node);
        waits
            && self.reads_files()
            && self.link.any_connected()
            && self
                .failovers
                .of(name)
                .is_some_and(|failover| failover.is_unsent(INFORM_TIMEOUT, now))
    }

    /// The child's program with its mark, by which its descendants are found.
    pub(in crate::supervisor) fn marked(&self, program: Program, id: ChildId) -> Program {
        let instance = match id {
            ChildId::Balancer(instance) => Some(instance),
            ChildId::Node(_) | ChildId::Retired(..) => None,
        };
        self.marked_as(program, self.spec.name(id), instance)
    }

    /// The program with the mark of the child called `name`, or of an instance of the balancer.
    pub(in crate::supervisor) fn marked_as(
        &self,
        program: Program,
        name: &str,
        instance: Option<usize>,
    ) -> Program {
        let mark = Mark {
            child: format!("{}/{name}", self.spec.cluster.name),
            run: self.spec.launch.run_id.clone(),
            run_dir: Some(self.spec.run_dir.path().to_owned()),
            instance,
        };
        Program {
            control_group: self.groups.join(name),
            ..program.without_own_variables().with(mark.variables())
        }
    }

    /// A snapshot of the child.
    pub(in crate::supervisor) fn child_snapshot(&self, id: ChildId) -> ChildSnapshot {
        let Some(child) = self.children.get(id) else {
            return ChildSnapshot::default();
        };
        ChildSnapshot {
            process: child.process(),
            activity: self.activity(id, child),
            restarts: child.restarts.total,
            reason: child.reason.clone(),
            note: child.note.clone(),
            memory_bytes: child
                .process()
                .and_then(|process| usage(process.pid))
                .map_or(0, |usage| usage.memory_bytes),
            cpu_percent: self.children.cpu_percent(id),
            uptime_seconds: child.process().and_then(age).unwrap_or_default().as_secs(),
        }
    }

    /// What the child's process does.
    pub(in crate::supervisor) fn activity(&self, id: ChildId, child: &Child) -> Activity {
        match child.state {
            State::Stopped => Activity::Idle,
            State::Failed => Activity::Dead,
            State::Waiting { .. } | State::Starting { .. } if child.reason.is_some() => Activity::Dead,
            State::Waiting { .. }
            | State::Starting { .. }
            | State::Stopping {
                then: Then::Start, ..
            } => Activity::Starting,
            State::Stopping {
                then: Then::StayStopped,
                ..
            } => Activity::Stopping,
            State::Stopping {
                then: Then::Recover, ..
            } => Activity::Silent,
            State::Up { .. } if self.link.is_silent(id) => Activity::Silent,
            State::Up { .. } => Activity::Serving,
        }
    }

    // Private

    /// Adopts a process that accepts nothing more. It may have lost the signal for that with the
    /// supervisor that was to send it.
    fn adopt_retired(&mut self, kind: BalancerKind, living: &ChildRecord, now: Instant) {
        let left = living.ends_at.map(|until| {
            let until = UNIX_EPOCH + Duration::from_secs(until);
            until.duration_since(SystemTime::now()).unwrap_or_default()
        });
        self.children.insert_retired(kind, living.process, left, now);
        let asked = self
            .processes
            .signal_group(living.process, kind.facts().drain_signal);
        if let Err(error) = asked {
            tracing::error!(
                pid = living.process.pid,
                "the former process keeps taking clients: {error}"
            );
        }
    }

    /// Logs the child's state if it is another one than it `was`.
    fn log_transition(&self, id: ChildId, was: &State) {
        let Some(child) = self.children.get(id) else {
            return;
        };
        if std::mem::discriminant(was) != std::mem::discriminant(&child.state) {
            let (name, reason) = (self.spec.title(id), child.reason.as_deref().unwrap_or("-"));
            tracing::info!(child = name, state = child.state.name(), was = was.name(), reason);
        }
    }

    /// The addresses that must be free before the child is started. Those of a balancer are opened
    /// by this supervisor.
    fn ports(&self, id: ChildId) -> Vec<SocketAddr> {
        let (cluster, plan) = (&self.spec.cluster, &self.spec.plan);
        match id {
            ChildId::Node(node) => cluster.by_id(node).map_or_else(Vec::new, |node| {
                node.addresses().chain(node.distribution).collect()
            }),
            ChildId::Balancer(_) if self.listeners.is_open() => Vec::new(),
            ChildId::Balancer(_) => wanted(cluster, plan, Some(Only::Balancer))
                .into_iter()
                .map(|bound| bound.address)
                .filter(|address| Some(*address) != cluster.listen.observe)
                .collect(),
            ChildId::Retired(..) => Vec::new(),
        }
    }

    /// The processes that may hold the child's ports when it is started: for a balancer, its other
    /// instances.
    fn ours(&self, id: ChildId) -> BTreeSet<u32> {
        let balancers = self
            .children
            .iter()
            .filter(|(other, _)| !matches!(other, ChildId::Node(_)) && !matches!(id, ChildId::Node(_)));
        balancers
            .filter_map(|(_, child)| child.process())
            .map(|process| process.pid)
            .collect()
    }

    /// Starts the child if its ports are free; otherwise finds out what holds them.
    fn spawn(&mut self, id: ChildId, now: Instant) {
        self.children.starts(id);
        if self.is_blocked(id) || self.shutdown.is_some() {
            return;
        }
        let addresses = self.ports(id);
        if self.processes.are_free(&addresses) {
            return self.spawn_now(id, now);
        }
        self.children.begin_port_check(id);
        let ours = self.ours(id);
        self.events.spawn(async move {
            let ours = trees_of(ours).await;
            let taken = taken(addresses, ours).await;
            CoreEvent::PortsChecked { id, taken }
        });
    }

    fn spawn_now(&mut self, id: ChildId, now: Instant) {
        if matches!(id, ChildId::Balancer(_))
            && let Err(error) = self.listeners.open(&self.spec)
        {
            return self.apply(id, Event::NotSpawned(error.to_string()), now);
        }
        if matches!(id, ChildId::Balancer(_)) && !self.reloads.is_active() {
            // All files are written: one that was edited by hand may not even be valid.
            self.write_configuration();
        }
        if let Err(error) = self.spec.write_child_files(id) {
            let reason = format!("cannot write its files: {error}");
            return self.apply(id, Event::NotSpawned(reason), now);
        }
        let Some(program) = self.spec.program(id) else {
            return;
        };
        let mut program = self.marked(program, id);
        if let ChildId::Balancer(instance) = id {
            program = self.with_listeners(&self.spec, instance, program);
        }
        let log = self.spec.run_dir.log(self.spec.name(id));
        if let (ChildId::Balancer(_), Some(stale)) =
            (id, self.spec.balancer.status_socket(self.spec.deployment()))
        {
            // The socket that a killed instance has left; a new one could not bind it.
            let _gone_or_not = std::fs::remove_file(stale);
        }
        let offset = std::fs::metadata(&log).map_or(0, |log| log.len());
        self.children.set_log_start(id, offset);
        match self.processes.spawn(&program, &log) {
            Ok(process) => {
                self.apply(id, Event::Spawned(process.identity), now);
                self.watch(id, process);
            }
            Err(error) => {
                let reason = match &program.directory {
                    Some(directory) if !directory.is_dir() => {
                        format!("its directory `{}` does not exist", directory.display())
                    }
                    _ => format!("cannot run `{}`: {error}", program.path.display()),
                };
                self.apply(id, Event::NotSpawned(reason), now);
            }
        }
        // Written at once: if this supervisor dies now, the next one must know the child.
        self.record();
    }
}

// Private

/// The id of a retired balancer process in the state file.
fn retired(living: &ChildRecord) -> Option<ChildId> {
    let kind = BalancerKind::named(&living.name)?;
    Some(ChildId::Retired(kind, living.process.pid))
}
