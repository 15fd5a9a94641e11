//! The supervisor's core: the only place that changes state, one event at a time.
//!
//! ```text
//!            ┌──────────── next event, or the next deadline ◀────────────┐
//!            ▼                                                           │
//!  handle: the event changes the state of one owner                      │
//!            │                                                           │
//!            ▼                                                           │
//!  take_turn: children ─▶ probes ─▶ waves ─▶ reload ─▶ switch ─▶ rollout │
//!             ─▶ shutdown ─▶ rebalance ─▶ listeners ─▶ desired states    │
//!             ─▶ failovers ─▶ replies ─▶ inspections ─▶ state file       │
//!             ─▶ service manager ────────────────────────────────────────┘
//! ```
//!
//! Each part of the state has an owner with private fields, in a folder of its own. An owner is a
//! value: it returns what is to be done, and the core does it, with tasks that end in another event.
//! The order of a turn matters: a node's state is known before the balancer's desired states are
//! derived from it, and these before an order is answered.

#[cfg(test)]
pub(super) mod model;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use arc_swap::ArcSwap;
use tokio::sync::mpsc;

use super::balancer_link::link::BalancerLink;
use super::drain::drains::Drains;
use super::eras::Eras;
use super::event::{CoreEvent, EventSender};
use super::failover::history::Failovers;
use super::health::liveness::INTERVAL;
use super::health::table::HealthTable;
use super::listeners::Listeners;
use super::logs::rotate;
use super::nginx::access_log::AccessLog;
use super::notifier::Notifier;
use super::overrides::Overrides;
use super::process::child::Event;
use super::process::children::Children;
use super::process::groups::Groups;
use super::process::left_behind::LeftBehind;
use super::process::processes::Processes;
use super::rebalance::state::RebalanceState;
use super::recorder::Recorder;
use super::reload::reloads::Reloads;
use super::resolver::Resolver;
use super::rollout::rollouts::Rollouts;
use super::shards::Shards;
use super::shutdown::ClusterShutdown;
use super::spec::Spec;
use super::state_file::{Launch, Record};
use super::switch::state::Switches;
use super::waves::{ChildId, Verb, Waves};
use crate::api::Refusal;
use crate::balancer::ConfigFile;
use crate::platform::service_manager::ServiceManager;
use crate::profile::NodeId;

/// The supervisor's state. Only events and the passing of time change it.
pub(super) struct Core {
    /// The configuration in force.
    pub(super) spec: Arc<Spec>,
    /// The current `Spec`, shared with readers outside the core.
    pub(super) published: Arc<ArcSwap<Spec>>,
    /// The files that the balancer reads now.
    pub(super) files: Vec<ConfigFile>,
    pub(super) reloads: Reloads,
    pub(super) rebalances: RebalanceState,
    pub(super) processes: Box<dyn Processes>,
    pub(super) children: Children,
    /// Processes that ended children have left running.
    pub(super) left_behind: LeftBehind,
    pub(super) groups: Groups,
    pub(super) waves: Waves,
    pub(super) shutdown: Option<ClusterShutdown>,
    /// Whether a balancer is wanted.
    pub(super) balanced: bool,
    /// Changes that others made at the balancer.
    pub(super) overrides: Overrides,
    pub(super) link: BalancerLink,
    pub(super) drains: Drains,
    pub(super) failovers: Failovers,
    pub(super) health: HealthTable,
    pub(super) eras: Eras,
    pub(super) listeners: Listeners,
    pub(super) shards: Shards,
    pub(super) switches: Switches,
    pub(super) rollouts: Rollouts,
    pub(super) resolver: Resolver,
    /// nginx's access log; `None` where processes exist only in a test.
    pub(super) access_log: Option<Arc<AccessLog>>,
    pub(super) events: EventSender,
    pub(super) began: Instant,
    next_rotation: Instant,
    /// The program that this supervisor is to become.
    pub(super) successor: Option<PathBuf>,
    pub(super) recorder: Recorder,
    pub(super) notifier: Notifier,
}

/// How a supervisor has ended.
pub(super) enum Ending {
    /// Nothing runs any more.
    Stopped,
    /// Everything runs, and another program is to supervise it.
    Replaced { program: PathBuf, launch: Box<Launch> },
}

impl Core {
    /// Creates a supervisor that adopts the children that `record` still finds alive, and starts
    /// the others.
    pub(super) fn new(
        published: Arc<ArcSwap<Spec>>,
        files: Vec<ConfigFile>,
        record: Option<&Record>,
        listeners: Listeners,
        processes: Box<dyn Processes>,
        events: EventSender,
        now: Instant,
    ) -> Core {
        let mut spec = published.load_full();
        if let Some(record) = record {
            Arc::make_mut(&mut spec).former.clone_from(&record.former);
        }
        let former_groups = record.map(|record| record.control_groups.clone());
        let mut core = Core {
            children: Children::new(spec.children()),
            left_behind: LeftBehind::default(),
            groups: Groups::new(&spec.launch.run_id, former_groups.unwrap_or_default()),
            published,
            files,
            reloads: Reloads::default(),
            rebalances: RebalanceState::default(),
            processes,
            waves: Waves::new(Verb::Start, Vec::new(), now),
            shutdown: None,
            balanced: false,
            overrides: Overrides::new(now),
            link: BalancerLink::new(),
            drains: Drains::default(),
            failovers: Failovers::default(),
            health: HealthTable::new(spec.node_probes(), now),
            eras: Eras::new(spec.cluster.ids(), now),
            listeners,
            shards: Shards::default(),
            switches: Switches::default(),
            rollouts: Rollouts::default(),
            resolver: Resolver::new(spec.launch.resolved.clone(), now),
            access_log: None,
            began: now,
            next_rotation: now,
            successor: None,
            recorder: Recorder::default(),
            notifier: Notifier::new(None, now),
            events,
            spec,
        };
        if let Some(record) = record {
            core.drains = Drains::saved(record.drains.clone());
            core.overrides.restore(record.overrides());
            let ids = |names: &BTreeSet<String>| {
                let nodes = core.spec.cluster.nodes.iter();
                let named = nodes.filter(|node| names.contains(&node.name));
                named.map(|node| node.id).collect()
            };
            let (were_down, filling) = (ids(&record.down), ids(&record.filling));
            core.health.restore(were_down, &filling, now);
            core.rollouts = Rollouts::saved(record.rollout.clone());
            core.adopt(record, now);
            core.resume_stopping(now);
        } else {
            // Before anything is started: if this supervisor dies, its processes are found by the
            // run's number.
            core.record();
        }
        let verb = if core.children.any_adopted() {
            Verb::Resume
        } else {
            Verb::Start
        };
        core.begin_start(verb, core.spec.launch.only, now);
        core
    }

    /// Reads nginx's access log where it needs what the balancer has counted.
    pub(super) fn reading(mut self, access_log: Arc<AccessLog>) -> Core {
        self.access_log = Some(access_log);
        self
    }

    /// Keeps `manager` informed, if there is one.
    pub(super) fn notifying(mut self, manager: Option<ServiceManager>) -> Core {
        self.notifier = Notifier::new(manager, Instant::now());
        self
    }

    /// Runs until everything was stopped by an order, could not be started, or is another program's.
    pub(super) async fn run(mut self, mut events: mpsc::Receiver<CoreEvent>) -> Ending {
        loop {
            let now = Instant::now();
            self.take_turn(now);
            if self.shutdown.as_ref().is_some_and(|ending| ending.is_over(now)) {
                self.groups.remove();
                return Ending::Stopped;
            }
            if let Some(program) = self.successor.take() {
                return Ending::Replaced {
                    program,
                    launch: Box::new(self.spec.launch.clone()),
                };
            }
            let wakes_at = self.wakes_at(now);
            tokio::select! {
                Some(event) = events.recv() => self.handle(event, Instant::now()),
                () = tokio::time::sleep_until(wakes_at.into()) => {}
            }
        }
    }

    /// The id of the node with this name.
    pub(super) fn node_id(&self, name: &str) -> Result<NodeId, Refusal> {
        let node = self.spec.cluster.node(name);
        node.map(|node| node.id).ok_or_else(|| Refusal {
            error: format!("no node `{name}` in this cluster"),
            hint: None,
        })
    }

    // Private

    fn handle(&mut self, event: CoreEvent, now: Instant) {
        match event {
            CoreEvent::Ended { process, how } => match self.children.child_of(process) {
                Some(id) => self.ended(id, process, how, now),
                None if self.switches.has(process) => self.fail_switch(&how, now),
                None => self.successor_ended(process, &how, now),
            },
            CoreEvent::NotReady { process, why } => match self.children.child_of(process) {
                Some(id) => self.children.set_not_ready(id, why),
                None => self.switches.set_not_ready(process, why),
            },
            CoreEvent::Answered {
                process,
                http_check,
                note,
            } => match self.children.child_of(process) {
                Some(id) => self.answered(id, http_check, note, now),
                None if self.switches.has(process) => self.switches.answered(process),
                None => self.succeeded(process, now),
            },
            CoreEvent::AnsweredByAnother { process, why } => {
                if let Some(id) = self.children.child_of(process) {
                    self.answered_by_another(id, why, now);
                }
            }
            CoreEvent::DescendantsEnded { process } => self.descendants_ended(process, now),
            CoreEvent::AllDescendantsEnded => self.all_descendants_ended(now),
            CoreEvent::PortsChecked { id, taken } => self.ports_checked(id, taken, now),
            CoreEvent::Probed {
                node,
                target,
                asked,
                result,
            } => {
                let is_known_down = self.is_known_down(node);
                self.health
                    .probed(node, target, asked, result, is_known_down, now);
            }
            CoreEvent::RevisionsAsked {
                node,
                process,
                revisions,
            } => self.eras.answered(node, process, revisions, now),
            CoreEvent::Balancer { id, answered } => self.link.probed(id, answered, now),
            CoreEvent::ServerStates { instance, states } => self.server_states(instance, states, now),
            CoreEvent::Reread(outcome) => self.reread(outcome, now),
            CoreEvent::Counted { asked, connections } => {
                self.rollouts.count(&connections, asked);
                self.notifier.counted(&connections);
                self.settle(&connections);
                self.counted(&connections, now);
            }
            CoreEvent::StateAccepted {
                id,
                node,
                state,
                undone,
            } => self.state_accepted(id, &node, state, undone, now),
            CoreEvent::Announced { id, announced } => self.link.accept_announcement(id, announced),
            CoreEvent::Inspected {
                id,
                asked,
                observation,
            } => self.inspected(id, asked, observation, now),
            CoreEvent::ConnectionsNotClosed { node } => self.connections_not_closed(&node, now),
            CoreEvent::ServedElsewhere { node } => self.served_elsewhere(&node, now),
            CoreEvent::StepPrepared(prepared) => self.step_prepared(prepared, now),
            CoreEvent::Applied(ended) => self.applied(ended),
            CoreEvent::Resolved(answers) => self.resolved(answers, now),
            CoreEvent::Figures(figures) => self.figures(figures),
            CoreEvent::ResolvePrepared(prepared) => self.resolve_prepared(prepared, now),
            CoreEvent::ChangePrepared(cause, prepared) => self.change_prepared(cause, prepared, now),
            CoreEvent::RebalanceRound { number, result } => self.rebalance_round(number, result, now),
            CoreEvent::Request(request) => self.carry_out(request, now),
        }
    }

    /// Does everything that is due: children's deadlines, probes, the waves, the shutdown,
    /// updates to the balancer and the state file.
    fn take_turn(&mut self, now: Instant) {
        self.drop_former_nodes();
        let due: Vec<ChildId> = self
            .children
            .iter()
            .filter(|(id, child)| child.wakes_at().is_some_and(|at| at <= now) && !self.must_wait(*id, now))
            .map(|(id, _)| id)
            .collect();
        for id in due {
            self.apply(id, Event::Time, now);
        }
        if now >= self.health.next_probe() {
            self.probe(now);
            if self.is_count_due(now) || self.drains.any_counts() || self.rollouts.counts() {
                self.count();
            }
            self.read_figures();
            self.listeners.turn_away();
        }
        if now >= self.next_rotation {
            let run_dir = self.spec.run_dir.clone();
            // Copying a large log takes a while.
            tokio::task::spawn_blocking(move || rotate::rotate(&run_dir));
            self.next_rotation = now + rotate::INTERVAL;
        }
        self.advance_waves(now);
        self.advance_reload(now);
        self.advance_switch(now);
        self.advance_rollout(now);
        self.resolve(now);
        self.advance_shutdown(now);
        self.advance_rebalance(now);
        self.steer();
        self.update_desired_states(now);
        self.note_closed_sessions(now);
        self.answer_pending_replies(now);
        self.answer_reloads(now);
        self.inspect(now);
        self.record();
        self.check_record(now);
        self.notify(now);
    }

    fn wakes_at(&self, now: Instant) -> Instant {
        // Children that are kept away are checked again with the next probe, and with the event
        // that they wait for.
        let children = self.children.iter().filter(|(id, _)| !self.must_wait(*id, now));
        let children = children.filter_map(|(_, child)| child.wakes_at());
        let ending = self.shutdown.as_ref().and_then(ClusterShutdown::wakes_at);
        // Waves make no progress any more while the cluster is being stopped.
        let waves = self.waves.wakes_at().filter(|_| self.shutdown.is_none());
        children
            .chain(waves)
            .chain(self.health.wakes_at())
            .chain(ending)
            .chain(self.link.wakes_at())
            .chain(self.notifier.wakes_at())
            .chain(self.reloads.wakes_at())
            .chain(self.switches.wakes_at())
            .chain(self.rollouts.wakes_at())
            .chain(self.resolver.next())
            .chain([
                self.health.next_probe(),
                self.next_rotation,
                self.overrides.wakes_at(),
            ])
            .min()
            .unwrap_or(now + INTERVAL)
    }
}
