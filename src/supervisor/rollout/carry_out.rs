//! What the core does for the steps of a rollout, and after the last one.

use std::time::{Duration, Instant, SystemTime};

use super::saved::SavedRollout;
use super::state::RolloutFailure;
use super::steps::Step;
use super::view::CoreView;
use crate::api::DrainOrder;
use crate::base::units::Period;
use crate::profile::NodeId;
use crate::supervisor::change::description::addresses;
use crate::supervisor::change::mixture::mixed_spec;
use crate::supervisor::core::Core;
use crate::supervisor::drain::state::Drain;
use crate::supervisor::process::child::{Child, Event, Then};
use crate::supervisor::spec::Spec;
use crate::supervisor::waves::ChildId;

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

    // Private

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

    /// Does what the step needs. Its effects are seen in later turns.
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
            Step::UseTarget(nodes) => self.use_target(&nodes, now),
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
    fn use_target(&mut self, nodes: &[NodeId], now: Instant) {
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

    /// The rollout has stopped. A failed new version is replaced by what ran before.
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
