//! What the core does for the steps of a rollout, and what it sees of their effects.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use tokio::sync::oneshot;

use super::current::CurrentRollout;
use super::drain_progress::DrainProgress;
use super::saved::SavedRollout;
use super::state::{ClusterView, RolloutFailure};
use super::steps::Step;
use crate::api::{DrainOrder, NodeState, RolloutKind};
use crate::base::units::Period;
use crate::profile::NodeId;
use crate::supervisor::balancer_link::runtime_sync::NodeHealth;
use crate::supervisor::change::description::addresses;
use crate::supervisor::change::mixture::mixed_spec;
use crate::supervisor::core::Core;
use crate::supervisor::drain::state::Drain;
use crate::supervisor::event::CoreEvent;
use crate::supervisor::prepare::{PrepareError, Prepared, beside_if_needed};
use crate::supervisor::process::child::{Child, Event, Then};
use crate::supervisor::spec::Spec;
use crate::supervisor::waves::{ChildId, Condition};

/// The core as a rollout sees it.
struct CoreView<'a>(&'a Core);

impl ClusterView for CoreView<'_> {
    fn condition(&self, node: NodeId) -> Condition {
        let CoreView(core) = self;
        if core.owns_nodes() && core.spec.is_own(node) {
            let child = core.children.get(ChildId::Node(node));
            return child.map_or(Condition::Down, Child::condition);
        }
        match core.node_state(node) {
            state if state.answers() => Condition::Up,
            _ => Condition::Starting,
        }
    }

    fn serves(&self, node: NodeId) -> bool {
        self.0.why_not_serving(node).is_none()
    }

    fn silence(&self, node: NodeId) -> Option<String> {
        let state = self.0.node_state(node);
        (!state.answers()).then(|| format!("it is {}", state.name()))
    }

    fn is_drained_by_operator(&self, node: NodeId) -> bool {
        self.0.is_drained_by_operator(node)
    }

    fn is_stopped_by_operator(&self, node: NodeId) -> bool {
        self.0.is_stopped_by_drain(node)
    }

    fn failing(&self, left_out: &[NodeId]) -> Option<(NodeId, String)> {
        let CoreView(core) = self;
        let nodes = core.spec.cluster.nodes.iter();
        let stays = |node: NodeId| {
            let running = core.rollouts.running();
            running.is_none_or(|running| running.target().cluster.by_id(node).is_some())
        };
        let others = nodes
            .filter(|node| !left_out.contains(&node.id) && !core.drains.has(&node.name) && stays(node.id));
        let mut failing = others.filter_map(|node| Some((node.id, core.why_not_serving(node.id)?)));
        failing.next().or_else(|| core.drained_beside_the_last(left_out))
    }

    fn left(&self, node: NodeId) -> Option<u64> {
        let running = self.0.rollouts.running()?;
        running.drain(node).and_then(DrainProgress::connections)
    }

    fn applied(&self) -> Option<Result<(), String>> {
        self.0.rollouts.running()?.applied()
    }

    fn objection(&self, is_over: bool) -> Option<String> {
        self.0.objection(is_over)
    }
}

impl Core {
    /// Goes on with the rollout as far as possible.
    pub(in crate::supervisor) fn advance_rollout(&mut self, now: Instant) {
        self.resume_unfinished();
        if self.shutdown.is_some() {
            return;
        }
        loop {
            self.apply_when_idle(now);
            self.note_drained(now);
            let Some(running) = self.rollouts.running() else {
                return;
            };
            let checked = running.rollout().check(&CoreView(self), now);
            let Some(running) = self.rollouts.current_mut() else {
                return;
            };
            let begun = running.after(checked, now);
            match (begun, running.rollout().outcome().cloned()) {
                (Some(step), _) => self.begin_step(step, now),
                (None, Some(Ok(()))) => return self.end_rollout(),
                (None, Some(Err(failure))) => return self.rollout_failed(&failure, now),
                (None, None) => return,
            }
        }
    }

    /// The rollout for the state file.
    pub(in crate::supervisor) fn saved_rollout(&self) -> Option<SavedRollout> {
        let name = |node| Some(self.spec.cluster.by_id(node)?.name.clone());
        self.rollouts.to_save(name)
    }

    /// The balancer has the nodes that it was to get, or does not.
    pub(in crate::supervisor) fn applied(&mut self, ended: Result<(), String>) {
        if let Some(running) = self.rollouts.current_mut() {
            running.end_apply(ended);
        }
    }

    /// The configuration of a step is prepared.
    pub(in crate::supervisor) fn stage_prepared(
        &mut self,
        prepared: Result<Box<Prepared>, PrepareError>,
        now: Instant,
    ) {
        if self.rollouts.running().is_none() {
            return;
        }
        match prepared {
            Ok(prepared) => self.begin_apply(*prepared, now),
            Err(error) => self.applied(Err(error.to_string())),
        }
    }

    /// Notes which of the nodes that are being drained get no new clients any more.
    fn note_drained(&mut self, now: Instant) {
        let Some(Step::Drain(nodes)) = self
            .rollouts
            .running()
            .and_then(|running| running.rollout().step())
        else {
            return;
        };
        let is_drained = |node: &NodeId| {
            let name = self.spec.node_name(*node);
            self.all_accepted(name, |state| state.drained)
        };
        let drained: Vec<NodeId> = nodes.iter().copied().filter(is_drained).collect();
        if let Some(running) = self.rollouts.current_mut() {
            running.accept_drain(&drained, now);
        }
    }

    /// Whether an operator, and not the rollout, keeps clients from the node.
    fn is_drained_by_operator(&self, node: NodeId) -> bool {
        self.drains.has(self.spec.node_name(node)) && !self.rollouts.drains(node)
    }

    /// Why the node gets no clients; `None` if it gets some.
    fn why_not_serving(&self, node: NodeId) -> Option<String> {
        let name = &self.spec.cluster.by_id(node)?.name;
        let state = self.node_state(node);
        if state != NodeState::Up {
            return Some(format!("it is {}", state.name()));
        }
        let is_up = self.all_accepted(name, |state| state.health == NodeHealth::Up && !state.drained);
        (!is_up).then(|| "the balancer gives it no clients yet".to_owned())
    }

    /// A node that an operator has drained since the plan, so that none would serve without the nodes in
    /// `batch`, and why that is not permitted. The way back begins all the same, and so does a change
    /// that closes connections, because the time without nodes is bounded then.
    fn drained_beside_the_last(&self, batch: &[NodeId]) -> Option<(NodeId, String)> {
        let running = self.rollouts.running()?;
        let goes_on = matches!(running.kind(), RolloutKind::Undo | RolloutKind::Resolve)
            || running.close_after().is_some();
        let serves = |node: &NodeId| self.why_not_serving(*node).is_none();
        if goes_on || !batch.iter().any(serves) {
            return None;
        }
        let others = || self.spec.cluster.ids().filter(|node| !batch.contains(node));
        let first = others().next().filter(|_| !others().any(|node| serves(&node)))?;
        Some((first, "it is drained, and no other node would serve".to_owned()))
    }

    // Private

    fn begin_step(&mut self, step: Step, now: Instant) {
        tracing::info!(?step, "rollout");
        match step {
            Step::Apply => {
                if let Some(running) = self.rollouts.current_mut() {
                    running.request_apply();
                }
            }
            Step::AwaitOthers(_) | Step::AwaitAdded(_) => {}
            Step::Judge(nodes) => self.begin_judging(&nodes),
            Step::Drain(nodes) => self.drain_for_rollout(&nodes),
            Step::Stop(nodes) => {
                for node in nodes {
                    let id = ChildId::Node(node);
                    let sequence = self.spec.stop_sequence(id, Duration::ZERO, Duration::ZERO);
                    self.apply(id, Event::Stop(sequence, Then::StayStopped), now);
                }
            }
            Step::UseTarget(nodes) => self.renew(&nodes, now),
            Step::Start(nodes) => {
                for node in nodes {
                    if !self.is_stopped_by_drain(node) {
                        self.apply(ChildId::Node(node), Event::Start, now);
                    }
                }
            }
            Step::Ready(nodes) => {
                for node in nodes {
                    let was_drained = self.rollouts.remove_drain(node);
                    if let Some(node) = self.spec.cluster.by_id(node).filter(|_| was_drained) {
                        self.drains.end(&node.name);
                    }
                }
                self.write_orders();
            }
            Step::Forget(nodes) => self.rollouts.forget(&nodes),
        }
    }

    /// Drains the nodes. A drain by an operator stays as it is.
    fn drain_for_rollout(&mut self, nodes: &[NodeId]) {
        let Some(running) = self.rollouts.current_mut() else {
            return;
        };
        let close_after = running.close_after();
        running.begin_drain(nodes);
        for node in nodes {
            let Some(name) = self.spec.cluster.by_id(*node).map(|node| node.name.clone()) else {
                continue;
            };
            if self.is_drained_by_operator(*node) {
                continue;
            }
            self.rollouts.add_drain(*node);
            let order = DrainOrder {
                node: name.clone(),
                deadline: close_after.map(Period::from),
                close: close_after.is_some(),
                stop: false,
                force: true,
            };
            self.drains.begin(&name, Drain::new(&order, SystemTime::now()));
        }
        self.write_orders();
        self.count();
    }

    /// The nodes are described by the target from here on.
    fn renew(&mut self, nodes: &[NodeId], now: Instant) {
        let Some(running) = self.rollouts.current_mut() else {
            return;
        };
        running.use_target(nodes);
        // A node that moves gets its new address with the next step.
        let is_in_place = |node: &NodeId| {
            let of = |spec: &Spec| spec.cluster.by_id(*node).map(addresses);
            of(&self.spec) == of(running.target())
        };
        if nodes.iter().all(is_in_place) {
            let spec = mixed_spec(running.target(), running.others().clone());
            let files = self.files.clone();
            self.replace_spec(spec, files, now);
        }
    }

    /// Gives the balancer the nodes that there are now, unless something else is in progress there.
    fn apply_when_idle(&mut self, now: Instant) {
        let waits = self.waves.outcome.is_none()
            || self.reloads.is_active()
            || self.switches.current().is_some()
            || (self.balanced && !self.children.is_balancer_up());
        if waits || !self.rollouts.running().is_some_and(CurrentRollout::is_apply_due) {
            return;
        }
        let Some(running) = self.rollouts.current_mut() else {
            return;
        };
        if let Some(first) = running.begin_apply() {
            return self.begin_apply(first, now);
        }
        let (target, others) = (Arc::clone(running.target()), running.others().clone());
        let now_spec = self.spec.clone();
        self.events.spawn(async move {
            let prepared = Prepared::mixed(&target, others).await;
            let prepared = prepared.and_then(|prepared| beside_if_needed(&now_spec, prepared));
            CoreEvent::StagePrepared(prepared.map(Box::new))
        });
    }

    fn begin_apply(&mut self, prepared: Prepared, now: Instant) {
        let (reply, answer) = oneshot::channel();
        self.reload(prepared, reply, now);
        self.events.spawn(async move {
            let ended = match answer.await {
                Ok(Ok(_)) => Ok(()),
                Ok(Err(refusal)) => Err(refusal.error),
                Err(_) => Err("the supervisor is shutting down".to_owned()),
            };
            CoreEvent::Applied(ended)
        });
    }

    /// Everything runs as it was wanted.
    fn end_rollout(&mut self) {
        if let Some(order) = self.rollouts.end() {
            tracing::info!(kind = ?order.kind, by = order.by, "rolled out");
        }
    }

    /// Stops a new process that does not answer: it would be started again and again until the way
    /// back reaches it.
    fn stop_failed(&mut self, failure: &RolloutFailure, now: Instant) {
        let node = failure.node.filter(|node| self.rollouts.drains(*node));
        let id = node.map(ChildId::Node);
        if let Some(id) = id.filter(|id| !self.children.get(*id).is_some_and(Child::is_up)) {
            let sequence = self.spec.stop_sequence(id, Duration::ZERO, Duration::ZERO);
            self.apply(id, Event::Stop(sequence, Then::StayStopped), now);
        }
    }

    fn rollout_failed(&mut self, failure: &RolloutFailure, now: Instant) {
        let log = failure
            .node
            .map_or_else(Vec::new, |node| self.last_lines(ChildId::Node(node)));
        let Some(running) = self.rollouts.current_mut() else {
            return;
        };
        running.keep_log(log);
        let names = failure.node.map(|node| running.rollout().names(&[node]));
        tracing::error!(
            node = names.as_deref().unwrap_or("-"),
            "the rollout has stopped: {}",
            failure.why
        );
        if running.goes_back_after(failure) && self.spec.launch.previous.is_some() {
            self.rollouts.begin_undo();
            self.stop_failed(failure, now);
            self.go_back();
        }
    }
}
