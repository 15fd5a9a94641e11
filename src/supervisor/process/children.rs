//! The core's children: spawned, adopted, watched, ended.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use super::child::{Action, Child, Event, State, Then};
use super::descendants::trees_of;
use super::port_check::taken;
use super::readiness::Readiness;
use super::watcher::{self, Ready};
use crate::api::Only;
use crate::platform::mark::Mark;
use crate::platform::ports::are_free;
use crate::platform::usage::{age, usage};
use crate::platform::{Identity, Process, Program};
use crate::supervisor::core::Core;
use crate::supervisor::event::CoreEvent;
use crate::supervisor::health::hold_down;
use crate::supervisor::prepare::wanted;
use crate::supervisor::reload::rolling::Rolling;
use crate::supervisor::rollout::Who;
use crate::supervisor::snapshot::{ChildSnapshot, Doing};
use crate::supervisor::state_file::Record;

impl Core {
    /// Applies `event` to the child, and carries out what follows from it.
    pub(in crate::supervisor) fn apply(&mut self, who: Who, event: Event, now: Instant) {
        let policy = self.setting.restart(who);
        let Some(child) = self.children.get_mut(&who) else {
            return;
        };
        let was = child.state.clone();
        let is_order = matches!(event, Event::Start | Event::Stop(..));
        let action = child.after(event, now, &policy);
        if std::mem::discriminant(&was) != std::mem::discriminant(&child.state) {
            let (name, reason) = (self.setting.title(who), child.reason.as_deref().unwrap_or("-"));
            tracing::info!(child = name, state = child.state.name(), was = was.name(), reason);
        }
        let is_followed = is_order && was != child.state;
        if let Who::Node(index) = who
            && is_followed
        {
            self.come_back(index, hold_down::Event::Ordered, now);
        }
        match action {
            Some(Action::Spawn) => self.spawn(who, now),
            Some(Action::Signal(process, signal)) => self.signal(who, process, signal),
            None => {}
        }
    }

    /// The child that runs as `process`.
    pub(in crate::supervisor) fn whose(&self, process: Identity) -> Option<Who> {
        self.children
            .iter()
            .find(|(_, child)| child.process() == Some(process))
            .map(|(who, _)| *who)
    }

    /// A child's process has ended.
    pub(in crate::supervisor) fn ended(&mut self, who: Who, process: Identity, how: String, now: Instant) {
        self.silence(who);
        self.overrides.forget(who);
        self.liveness.remove(&who);
        let waits = self.end_left_behind(who, process, &how, now);
        self.cpu_usages.remove(&who);
        self.doubts.remove(&who);
        self.bereave(who);
        if !self.is_succeeded(who, now) && !waits {
            self.apply(who, Event::Ended(how), now);
        }
    }

    /// A child's process has answered for the first time.
    pub(in crate::supervisor) fn answered(&mut self, who: Who, note: Option<String>, now: Instant) {
        match who {
            Who::Node(index) => self.vitals[index].revive(now),
            Who::Balancer(_) => self.begin_sync(who, now),
            Who::Retired(_) => {}
        }
        self.apply(who, Event::Answered(note), now);
    }

    /// Another process answers at the ports of a child's process.
    pub(in crate::supervisor) fn usurped(&mut self, who: Who, why: String, now: Instant) {
        let ladder = self.setting.ladder(who, Duration::ZERO);
        self.apply(who, Event::Usurped(ladder, why), now);
    }

    /// Watches the children of an earlier supervisor that still live.
    pub(in crate::supervisor) fn adopt(&mut self, record: &Record, now: Instant) {
        let known: Vec<Who> = self.children.keys().copied().collect();
        let living = record.living();
        // A living successor has taken over, or does so now: it makes the old instance end with its
        // last connection.
        let replaced = living.iter().find(|child| child.successor);
        let replaced = replaced.map(|child| Who::Balancer(child.instance));
        let outdated = living.iter().filter(|child| child.outdated && !child.retired);
        let outdated: BTreeMap<usize, Identity> =
            outdated.map(|child| (child.instance, child.process)).collect();
        if !outdated.is_empty() {
            self.rolling = Some(Rolling::new(outdated, now));
        }
        for living in living {
            let is_meant = |who: &Who| match who {
                Who::Balancer(index) if *index != living.instance => false,
                who => self.setting.name(*who) == living.name,
            };
            let child = known.iter().copied().find(is_meant);
            let is_replaced = child.is_some() && child == replaced;
            let who = if living.retired || (is_replaced && !living.successor) {
                Some(Who::Retired(living.process.pid))
            } else {
                child
            };
            let Some(who) = who else { continue };
            match Process::adopt(living.process) {
                Ok(Some(process)) => {
                    tracing::info!(child = living.name, pid = living.process.pid, "adopted");
                    let child = match who {
                        Who::Retired(_) => Child::retired(living.process, now),
                        Who::Node(_) | Who::Balancer(_) => {
                            self.adopted.push(who);
                            Child::adopted(living.process, living.restarts, now)
                        }
                    };
                    self.children.insert(who, child);
                    self.watch(who, process);
                }
                Ok(None) => {}
                Err(error) => tracing::error!(child = living.name, "cannot adopt the process: {error}"),
            }
        }
    }

    /// Watches for the process's first answer and its end.
    pub(in crate::supervisor) fn watch(&mut self, who: Who, process: Process) {
        let ready = match who {
            Who::Node(index) => Ready::Node {
                probes: self.vitals[index].probes(),
                descendants: self.descendants(who, process.identity()),
            },
            Who::Balancer(instance) => Ready::Balancer(self.setting.sign(instance)),
            // It has answered before it was replaced.
            Who::Retired(_) => Ready::Balancer(Readiness::Running),
        };
        watcher::watch(process, ready, self.news.clone());
    }

    /// Which half of the cluster runs, if it is only one.
    pub(in crate::supervisor) fn half(&self) -> Option<Only> {
        match (self.owns_nodes(), self.balanced) {
            (true, true) => None,
            (true, false) => Some(Only::Nodes),
            (false, _) => Some(Only::Balancer),
        }
    }

    /// Whether the nodes are children of this supervisor, and not external.
    pub(in crate::supervisor) fn owns_nodes(&self) -> bool {
        self.setting.launch.only != Some(Only::Balancer)
            || self
                .children
                .iter()
                .any(|(who, child)| matches!(who, Who::Node(_)) && child.state != State::Stopped)
    }

    /// The node with this index as a child; `None` for an external node.
    pub(in crate::supervisor) fn own_child(&self, index: usize) -> Option<&Child> {
        let child = self.children.get(&Who::Node(index));
        child.filter(|_| self.owns_nodes())
    }

    /// The ports of a child that is to be started were checked.
    pub(in crate::supervisor) fn ports_checked(&mut self, who: Who, taken: Option<String>, now: Instant) {
        self.port_checks.remove(&who);
        let is_wanted = matches!(
            self.children.get(&who).map(|child| &child.state),
            Some(State::Waiting { .. })
        );
        match taken {
            _ if !is_wanted => {}
            Some(taken) => self.apply(who, Event::NotSpawned(taken), now),
            None => self.spawn_now(who, now),
        }
    }

    /// Whether the child must not be started yet: processes that it has left must end first, or its
    /// ports are being checked.
    pub(in crate::supervisor) fn is_blocked(&self, who: Who) -> bool {
        self.left_behind.has(who) || self.port_checks.contains(&who)
    }

    /// The child's program with its mark, by which its descendants are found.
    pub(in crate::supervisor) fn marked(&self, program: Program, who: Who) -> Program {
        let name = self.setting.name(who);
        let mark = Mark {
            child: format!("{}/{name}", self.setting.cluster.name),
            run: self.setting.launch.run_id.clone(),
        };
        let groups = self.control_groups.as_ref();
        Program {
            control_group: groups.and_then(|groups| groups.join(name)),
            ..program.with(mark.variables())
        }
    }

    /// A snapshot of the child.
    pub(in crate::supervisor) fn child_look(&self, who: Who) -> ChildSnapshot {
        let Some(child) = self.children.get(&who) else {
            return ChildSnapshot::default();
        };
        let meter = self.cpu_usages.get(&who).cloned().unwrap_or_default();
        ChildSnapshot {
            process: child.process(),
            doing: self.doing(who, child),
            restarts: child.restarts.total,
            reason: child.reason.clone(),
            note: child.note.clone(),
            memory_bytes: child
                .process()
                .and_then(|process| usage(process.pid))
                .map_or(0, |usage| usage.memory_bytes),
            cpu_percent: meter.cpu_percent,
            uptime_seconds: child.process().and_then(age).unwrap_or_default().as_secs(),
        }
    }

    /// What the child's process does.
    pub(in crate::supervisor) fn doing(&self, who: Who, child: &Child) -> Doing {
        match child.state {
            State::Stopped => Doing::Resting,
            State::Failed => Doing::Dead,
            State::Waiting { .. } | State::Starting { .. } if child.reason.is_some() => Doing::Dead,
            State::Waiting { .. }
            | State::Starting { .. }
            | State::Stopping {
                then: Then::Start, ..
            } => Doing::Coming,
            State::Stopping { then: Then::Rest, .. } => Doing::Ending,
            State::Stopping {
                then: Then::Recover, ..
            } => Doing::Silent,
            State::Up { .. } if self.is_silent(who) => Doing::Silent,
            State::Up { .. } => Doing::Serving,
        }
    }

    // Private

    /// The addresses that must be free before the child is started. Several balancer instances get
    /// their listeners from this supervisor.
    fn ports(&self, who: Who) -> Vec<SocketAddr> {
        let (cluster, plan) = (&self.setting.cluster, &self.setting.plan);
        match who {
            Who::Node(index) => {
                let node = &cluster.nodes[index];
                let ports = [Some(node.tcp), node.http, node.distribution];
                ports.into_iter().flatten().collect()
            }
            Who::Balancer(_) if self.listening.is_some() => Vec::new(),
            Who::Balancer(_) => wanted(cluster, plan, Some(Only::Balancer))
                .into_iter()
                .map(|bound| bound.address)
                .filter(|address| Some(*address) != cluster.listen.observe)
                .collect(),
            Who::Retired(_) => Vec::new(),
        }
    }

    /// The processes that may hold the child's ports when it is started: for a balancer, its other
    /// instances.
    fn ours(&self, who: Who) -> BTreeSet<u32> {
        let balancers = self
            .children
            .iter()
            .filter(|(other, _)| !matches!(other, Who::Node(_)) && !matches!(who, Who::Node(_)));
        balancers
            .filter_map(|(_, child)| child.process())
            .map(|process| process.pid)
            .collect()
    }

    /// Starts the child if its ports are free; otherwise finds out what holds them.
    fn spawn(&mut self, who: Who, now: Instant) {
        self.adopted.retain(|adopted| *adopted != who);
        if self.is_blocked(who) {
            return;
        }
        let addresses = self.ports(who);
        if are_free(&addresses) {
            return self.spawn_now(who, now);
        }
        self.port_checks.insert(who);
        let (ours, news) = (self.ours(who), self.news.clone());
        tokio::spawn(async move {
            let ours = trees_of(ours).await;
            let taken = taken(addresses, ours).await;
            let _nobody_listens_after_the_end = news.send(CoreEvent::PortsChecked { who, taken }).await;
        });
    }

    fn spawn_now(&mut self, who: Who, now: Instant) {
        if matches!(who, Who::Balancer(_))
            && let Err(reason) = self.listen()
        {
            return self.apply(who, Event::NotSpawned(reason), now);
        }
        if matches!(who, Who::Balancer(_)) && !self.is_reloading() {
            // All files are written: one that was edited by hand may not even be valid.
            self.write_configuration();
        }
        if let Err(error) = self.setting.furnish(who) {
            let reason = format!("cannot write its files: {error}");
            return self.apply(who, Event::NotSpawned(reason), now);
        }
        let program = self.marked(self.setting.program(who), who);
        let log = self.setting.run_dir.log(self.setting.name(who));
        if let (Who::Balancer(_), Some(stale)) =
            (who, self.setting.balancer.status_socket(&self.setting.run_dir))
        {
            // The socket that a killed instance has left; a new one could not bind it.
            let _gone_or_not = std::fs::remove_file(stale);
        }
        self.log_starts
            .insert(who, std::fs::metadata(&log).map_or(0, |log| log.len()));
        match program.spawn(&log) {
            Ok(process) => {
                self.apply(who, Event::Spawned(process.identity()), now);
                self.watch(who, process);
            }
            Err(error) => {
                let reason = format!("cannot run `{}`: {error}", program.path.display());
                self.apply(who, Event::NotSpawned(reason), now);
            }
        }
        // Written at once: if this supervisor dies now, the next one must know the child.
        self.record();
    }
}
