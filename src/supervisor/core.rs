//! The supervisor's core: the only place that changes state, one event at a time.
//!
//! ```text
//!            ┌──────────── next event, or the next deadline ◀────────────┐
//!            ▼                                                           │
//!  handle: one owner takes it in                                         │
//!            │                                                           │
//!            ▼                                                           │
//!  take_turn: children ─▶ probes ─▶ rollout ─▶ reload ─▶ shutdown        │
//!             ─▶ shards ─▶ desired states ─▶ failovers ─▶ replies        │
//!             ─▶ inspections ─▶ state file ──────────────────────────────┘
//! ```
//!
//! Each part of the state has an owner with private fields, in a folder of its own. An owner is a
//! value: it says what is to be done, and the core does it, with tasks that end in another event.
//! The order of a turn matters: a node's state is known before the balancer's desired states are
//! derived from it, and these before an order is answered.

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
use super::logs::rotate;
use super::overrides::Overrides;
use super::process::child::Event;
use super::process::children::Children;
use super::process::groups::Groups;
use super::process::left_behind::LeftBehind;
use super::recorder::Recorder;
use super::reload::reloads::Reloads;
use super::rollout::{ChildId, Rollout, Verb};
use super::shards::Shards;
use super::shards::listeners::Listeners;
use super::shutdown::ClusterShutdown;
use super::snapshot::{NodeSnapshot, Snapshot};
use super::spec::Spec;
use super::state_file::Record;
use crate::api::Refusal;
use crate::balancer::ConfigFile;

/// The supervisor's state. Only events and the passing of time change it.
pub(super) struct Core {
    /// The configuration in force.
    pub(super) spec: Arc<Spec>,
    /// The current `Spec`, shared with readers outside the core.
    pub(super) published: Arc<ArcSwap<Spec>>,
    /// The files that the balancer reads now.
    pub(super) files: Vec<ConfigFile>,
    pub(super) reloads: Reloads,
    pub(super) children: Children,
    /// Processes that ended children have left running.
    pub(super) left_behind: LeftBehind,
    pub(super) groups: Groups,
    pub(super) rollout: Rollout,
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
    pub(super) shards: Shards,
    pub(super) events: EventSender,
    pub(super) began: Instant,
    next_rotation: Instant,
    pub(super) recorder: Recorder,
}

impl Core {
    /// Creates a supervisor that adopts the children that `record` still finds alive, and starts
    /// the others.
    pub(super) fn new(
        published: Arc<ArcSwap<Spec>>,
        files: Vec<ConfigFile>,
        record: Option<&Record>,
        shared_listeners: Option<Listeners>,
        events: EventSender,
    ) -> Core {
        let now = Instant::now();
        let spec = published.load_full();
        let former_groups = record.map(|record| record.control_groups.clone());
        let mut core = Core {
            children: Children::new(spec.children()),
            left_behind: LeftBehind::default(),
            groups: Groups::new(&spec.launch.run_id, former_groups.unwrap_or_default()),
            published,
            files,
            reloads: Reloads::default(),
            rollout: Rollout::new(Verb::Start, Vec::new(), now),
            shutdown: None,
            balanced: false,
            overrides: Overrides::new(now),
            link: BalancerLink::new(),
            drains: Drains::default(),
            failovers: Failovers::default(),
            health: HealthTable::new(spec.cluster.nodes.iter().map(|node| spec.probes(node)), now),
            eras: Eras::new(spec.cluster.nodes.len(), now),
            shards: Shards::new(shared_listeners),
            began: now,
            next_rotation: now,
            recorder: Recorder::default(),
            events,
            spec,
        };
        if let Some(record) = record {
            core.drains = Drains::saved(record.drains.clone());
            core.overrides.restore(record.overrides());
            let nodes = core.spec.cluster.nodes.iter().enumerate();
            let filling = nodes.filter(|(_, node)| record.filling.contains(&node.name));
            let filling = filling.map(|(index, _)| index).collect();
            core.health.restore(record.down.clone(), &filling, now);
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

    /// Runs until everything was stopped by an order, or could not be started.
    pub(super) async fn run(mut self, mut events: mpsc::Receiver<CoreEvent>) -> ClusterShutdown {
        loop {
            let now = Instant::now();
            self.take_turn(now);
            if let Some(ending) = self.shutdown.take_if(|ending| ending.is_over(now)) {
                self.groups.remove();
                return ending;
            }
            let wakes_at = self.wakes_at(now);
            tokio::select! {
                Some(event) = events.recv() => self.handle(event, Instant::now()),
                () = tokio::time::sleep_until(wakes_at.into()) => {}
            }
        }
    }

    /// The state of everything now.
    pub(super) fn snapshot(&self) -> Snapshot {
        let now = Instant::now();
        let nodes = self.health.indices().map(|index| NodeSnapshot {
            state: self.node_state(index),
            drained: self.drains.has(&self.spec.cluster.nodes[index].name),
            child: self.child_snapshot(ChildId::Node(index)),
            external: self.own_child(index).is_none(),
            eras: self.eras.of(index),
            mcp_problem: self.eras.problem(index),
            probe_failure: self.health.probes(index).probe_failure().map(ToString::to_string),
            held_for: self.held_for(index, now),
            overridden: self.overridden(index),
            out_of: self.taken_out_of(index),
            samples: self.health.probes(index).samples(now),
            failure: self.failure(index, now),
            filling_for: self.health.settlings().filling_for(index, now),
        });
        let balancers = self
            .children
            .ids()
            .filter(|id| matches!(id, ChildId::Balancer(_)));
        Snapshot {
            nodes: nodes.collect(),
            balancers: balancers.map(|id| self.child_snapshot(id)).collect(),
            retired: self
                .children
                .ids()
                .filter(|id| matches!(id, ChildId::Retired(_)))
                .map(|id| self.child_snapshot(id))
                .collect(),
            reloading: self.reloads.is_active(),
            balancer_overrides: self.balancer_overrides(),
            closed: self.closed_listeners(),
            balanced: self.balanced,
        }
    }

    /// The index of the node with this name.
    pub(super) fn index(&self, node: &str) -> Result<usize, Refusal> {
        let index = self
            .spec
            .cluster
            .nodes
            .iter()
            .position(|known| known.name == node);
        index.ok_or_else(|| Refusal {
            error: format!("no node `{node}` in this cluster"),
            hint: None,
        })
    }

    // Private

    fn handle(&mut self, event: CoreEvent, now: Instant) {
        match event {
            CoreEvent::Ended { process, how } => match self.children.child_of(process) {
                Some(id) => self.ended(id, process, how, now),
                None => self.successor_ended(process, &how, now),
            },
            CoreEvent::NotReady { process, why } => {
                if let Some(id) = self.children.child_of(process) {
                    self.children.set_not_ready(id, why);
                }
            }
            CoreEvent::Answered {
                process,
                http_check,
                note,
            } => match self.children.child_of(process) {
                Some(id) => self.answered(id, http_check, note, now),
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
            CoreEvent::Counted(connections) => {
                self.settle(&connections);
                self.counted(&connections, now);
            }
            CoreEvent::StateAccepted {
                id,
                node,
                state,
                undone,
            } => self.state_accepted(id, &node, state, undone, now),
            CoreEvent::Inspected {
                id,
                asked,
                observation,
            } => self.inspected(id, asked, observation, now),
            CoreEvent::ConnectionsNotClosed { node } => self.connections_not_closed(&node, now),
            CoreEvent::ServedElsewhere { node } => self.served_elsewhere(&node, now),
            CoreEvent::Request(request) => self.carry_out(request, now),
        }
    }

    /// Does everything that is due: children's deadlines, probes, the rollout, the shutdown,
    /// updates to the balancer and the state file.
    fn take_turn(&mut self, now: Instant) {
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
            if self.is_count_due(now) || self.drains.any_counts() {
                self.count();
            }
            self.shards.turn_away();
        }
        if now >= self.next_rotation {
            let run_dir = self.spec.run_dir.clone();
            // Copying a large log takes a while.
            tokio::task::spawn_blocking(move || rotate::rotate(&run_dir));
            self.next_rotation = now + rotate::INTERVAL;
        }
        self.advance_rollout(now);
        self.advance_reload(now);
        self.advance_shutdown(now);
        self.steer();
        self.update_desired_states(now);
        self.note_closed_sessions(now);
        self.answer_pending_replies(now);
        self.answer_reloads(now);
        self.inspect(now);
        self.record();
    }

    fn wakes_at(&self, now: Instant) -> Instant {
        // Children that are kept away are checked again with the next probe, and with the event
        // that they wait for.
        let children = self.children.iter().filter(|(id, _)| !self.must_wait(*id, now));
        let children = children.filter_map(|(_, child)| child.wakes_at());
        let ending = self.shutdown.as_ref().and_then(ClusterShutdown::wakes_at);
        children
            .chain(self.rollout.wakes_at())
            .chain(self.health.wakes_at())
            .chain(ending)
            .chain(self.link.wakes_at())
            .chain(self.reloads.wakes_at())
            .chain([
                self.health.next_probe(),
                self.next_rotation,
                self.overrides.wakes_at(),
            ])
            .min()
            .unwrap_or(now + INTERVAL)
    }
}
