//! A rollout in progress: the way from what runs to a target, as a queue of steps.
//!
//! ```text
//!                  begin                 done
//!  next step ──────────────▶ in progress ─────▶ next step .. none left ──▶ Done
//!                                │
//!                                └── died, too late, refused, bad figures ──▶ Stopped
//! ```
//!
//! A step is an order to the core, and what has to be seen then. Nothing is undone step by step: the
//! way back is another rollout, whose target is the former one. So is the way on, after a failure or
//! the end of a supervisor: the steps are made again from what runs then.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::{Duration, Instant, SystemTime};

use super::steps::{Batches, Step, Work, handled};
use crate::api::RolloutKind;
use crate::profile::NodeId;
use crate::supervisor::waves::Condition;

/// Time for the balancer to read its files, or for its new processes to take over, and to be
/// inspected.
const APPLY_TIMEOUT: Duration = Duration::from_mins(2);
/// Time for processes to end, after which a rollout gives up. Longer than every stop sequence.
const STOP_TIMEOUT: Duration = Duration::from_mins(1);
/// How long connections may remain after they were closed; the node is stopped then all the same.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(10);

/// How a rollout treats nodes and their clients.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(in crate::supervisor) struct RolloutSettings {
    pub(in crate::supervisor) batches: Batches,
    /// The time that connections of a drained node get until they are closed; `None`: all the time
    /// they need.
    pub(in crate::supervisor) close_after: Option<Duration>,
    /// Time for nodes to start, and to serve.
    pub(in crate::supervisor) start_timeout: Duration,
    /// How long the first nodes are judged.
    pub(in crate::supervisor) hold: Duration,
}

/// Whose rollout it is, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::supervisor) struct RolloutOrder {
    pub(in crate::supervisor) kind: RolloutKind,
    /// The operator.
    pub(in crate::supervisor) by: String,
    pub(in crate::supervisor) since: SystemTime,
}

/// A rollout in progress, or one that has stopped.
#[derive(Debug)]
pub(in crate::supervisor) struct Rollout {
    pub(in crate::supervisor) order: RolloutOrder,
    pub(in crate::supervisor) settings: RolloutSettings,
    steps: VecDeque<Step>,
    in_progress: Option<StepInProgress>,
    /// The number of nodes that take part.
    node_count: usize,
    /// The names of the nodes that take part, also of those that are gone by now.
    names: BTreeMap<NodeId, String>,
    /// Nodes that are described by the target by now.
    on_target: BTreeSet<NodeId>,
    outcome: Option<Result<(), RolloutFailure>>,
}

#[derive(Debug)]
struct StepInProgress {
    step: Step,
    /// When the step fails, or ends; `None` for a step without a limit.
    until: Option<Instant>,
}

/// Why a rollout has stopped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::supervisor) struct RolloutFailure {
    /// The node that is the reason.
    pub(in crate::supervisor) node: Option<NodeId>,
    pub(in crate::supervisor) why: String,
    /// Whether a replaced node has failed, so that the way back is safer.
    pub(in crate::supervisor) is_of_replacement: bool,
}

/// What a rollout sees of the cluster.
pub(in crate::supervisor) trait ClusterView {
    /// The condition of the node's process.
    fn condition(&self, node: NodeId) -> Condition;
    /// Whether the node gets clients, at every balancer instance.
    fn serves(&self, node: NodeId) -> bool;
    /// Why the node does not answer; `None` if it does.
    fn why_silent(&self, node: NodeId) -> Option<String>;
    /// Whether an operator keeps clients from the node.
    fn is_drained_by_operator(&self, node: NodeId) -> bool;
    /// Whether an operator has stopped the node.
    fn is_stopped_by_operator(&self, node: NodeId) -> bool;
    /// A node that does not serve although no order keeps clients from it, and why; the given ones
    /// are left out.
    fn not_serving(&self, left_out: &[NodeId]) -> Option<(NodeId, String)>;
    /// Whether the node gets no new clients, and how many connections it has; `None` while that is
    /// not known.
    fn connections_left(&self, node: NodeId) -> Option<u64>;
    /// The end of the latest [`Step::Apply`].
    fn applied(&self) -> Option<Result<(), String>>;
    /// Why the nodes in [`Step::Judge`] must not stay, by their figures; `is_over` at the end of the
    /// hold.
    fn objection(&self, is_over: bool) -> Option<String>;
}

impl Rollout {
    /// The rollout that does `work`.
    pub(in crate::supervisor) fn new(
        order: RolloutOrder,
        settings: RolloutSettings,
        work: &Work,
        names: BTreeMap<NodeId, String>,
    ) -> Rollout {
        let steps: VecDeque<Step> = work.steps(settings.batches).into();
        Rollout {
            order,
            settings,
            node_count: handled(&steps).len(),
            steps,
            in_progress: None,
            names,
            on_target: BTreeSet::new(),
            outcome: None,
        }
    }

    /// A rollout of an earlier supervisor, which does not go on by itself.
    pub(in crate::supervisor) fn stopped(
        order: RolloutOrder,
        settings: RolloutSettings,
        why: String,
    ) -> Rollout {
        Rollout {
            order,
            settings,
            steps: VecDeque::new(),
            in_progress: None,
            node_count: 0,
            names: BTreeMap::new(),
            on_target: BTreeSet::new(),
            outcome: Some(Err(failure(None, why))),
        }
    }

    /// Adds to the reason why it has stopped.
    pub(in crate::supervisor) fn add_reason(&mut self, more: &str) {
        if let Some(Err(failure)) = &mut self.outcome {
            failure.why = format!("{}; {more}", failure.why);
        }
    }

    /// How it has ended, if it has.
    pub(in crate::supervisor) const fn outcome(&self) -> Option<&Result<(), RolloutFailure>> {
        self.outcome.as_ref()
    }

    /// Whether it goes on.
    pub(in crate::supervisor) const fn is_running(&self) -> bool {
        self.outcome.is_none()
    }

    /// The step in progress.
    pub(in crate::supervisor) fn step(&self) -> Option<&Step> {
        self.in_progress.as_ref().map(|it| &it.step)
    }

    /// The number of the node that is being handled, from 1, and how many there are.
    pub(in crate::supervisor) fn progress(&self) -> (usize, usize) {
        let left = handled(self.step().into_iter().chain(&self.steps)).len();
        let done = self.node_count.saturating_sub(left);
        ((done + 1).min(self.node_count.max(1)), self.node_count.max(1))
    }

    /// The names of these nodes, for people.
    pub(in crate::supervisor) fn names(&self, nodes: &[NodeId]) -> String {
        let names: Vec<&str> = nodes
            .iter()
            .filter_map(|node| self.names.get(node))
            .map(String::as_str)
            .collect();
        names.join(", ")
    }

    /// When time matters to it next.
    pub(in crate::supervisor) fn wakes_at(&self) -> Option<Instant> {
        self.in_progress.as_ref()?.until.filter(|_| self.is_running())
    }

    /// Whether the step in progress is done, as `view` shows; also before the first step.
    ///
    /// # Errors
    /// When the step has failed.
    pub(in crate::supervisor) fn check(
        &self,
        view: &impl ClusterView,
        now: Instant,
    ) -> Result<bool, RolloutFailure> {
        match &self.in_progress {
            Some(in_progress) if self.is_running() => self.is_done(in_progress, view, now),
            _ => Ok(true),
        }
    }

    /// Goes on after a [check](Rollout::check) of the step in progress. Returns the step that begins.
    pub(in crate::supervisor) fn after(
        &mut self,
        checked: Result<bool, RolloutFailure>,
        now: Instant,
    ) -> Option<Step> {
        if !self.is_running() {
            return None;
        }
        match checked {
            Ok(true) => self.begin_next(now),
            Ok(false) => {
                self.in_progress = self.in_progress.take().map(|it| it.without_past_limit(now));
                None
            }
            Err(failure) => {
                self.outcome = Some(Err(failure));
                None
            }
        }
    }

    // Private

    /// Begins the next step; without one, the rollout is done.
    fn begin_next(&mut self, now: Instant) -> Option<Step> {
        let Some(step) = self.steps.pop_front() else {
            self.in_progress = None;
            self.outcome = Some(Ok(()));
            return None;
        };
        if let Step::UseTarget(nodes) = &step {
            self.on_target.extend(nodes);
        }
        let until = self.time_limit(&step).map(|limit| now + limit);
        self.in_progress = Some(StepInProgress {
            step: step.clone(),
            until,
        });
        Some(step)
    }

    /// The time that the step may take; `None`: as long as clients need.
    fn time_limit(&self, step: &Step) -> Option<Duration> {
        let settings = &self.settings;
        Some(match step {
            Step::Apply => APPLY_TIMEOUT,
            Step::AwaitOthers(_) | Step::AwaitAdded(_) | Step::Start(_) | Step::Ready(_) => {
                settings.start_timeout
            }
            Step::Drain(_) => settings.close_after? + CLOSE_TIMEOUT,
            Step::Stop(_) => STOP_TIMEOUT,
            Step::Judge(_) => settings.hold,
            Step::UseTarget(_) | Step::Forget(_) => Duration::ZERO,
        })
    }

    /// The death of a node that was replaced in an earlier step: a failure of the new version, even
    /// if the node runs again at once. It does not interrupt what the balancer is taking over, nor a
    /// way back.
    fn death_of_replacement(&self, step: &Step, view: &impl ClusterView) -> Option<RolloutFailure> {
        let ends = matches!(self.order.kind, RolloutKind::Reload | RolloutKind::Restart);
        if !ends || *step == Step::Apply {
            return None;
        }
        self.on_target
            .iter()
            .find_map(|node| match view.condition(*node) {
                Condition::Dead(why) => Some(failure_of_replacement(*node, why)),
                _ => None,
            })
    }

    /// Whether the step is done.
    fn is_done(
        &self,
        in_progress: &StepInProgress,
        view: &impl ClusterView,
        now: Instant,
    ) -> Result<bool, RolloutFailure> {
        let is_late = in_progress.until.is_some_and(|until| now >= until);
        if let Some(failure) = self.death_of_replacement(&in_progress.step, view) {
            return Err(failure);
        }
        match &in_progress.step {
            Step::UseTarget(_) | Step::Forget(_) => Ok(true),
            Step::Apply => match view.applied() {
                Some(Ok(())) => Ok(true),
                Some(Err(why)) => Err(failure(None, why)),
                None if is_late => Err(failure(
                    None,
                    "timed out: the balancer has not applied the configuration".to_owned(),
                )),
                None => Ok(false),
            },
            Step::AwaitOthers(nodes) if nodes.iter().all(|node| view.why_silent(*node).is_some()) => Ok(true),
            Step::AwaitOthers(nodes) => match view.not_serving(nodes) {
                None => Ok(true),
                Some((node, why)) if is_late => {
                    let name = self.names(&[node]);
                    let name = if name.is_empty() { "another node" } else { &name };
                    Err(RolloutFailure {
                        node: Some(node),
                        why: format!("{name} does not serve: {why}"),
                        is_of_replacement: self.on_target.contains(&node),
                    })
                }
                Some(_) => Ok(false),
            },
            Step::AwaitAdded(nodes) => {
                let serving = nodes.iter().filter(|node| view.serves(**node)).count();
                let was_late = is_late || in_progress.until.is_none();
                match nodes.first() {
                    _ if serving == nodes.len() || (was_late && serving > 0) => Ok(true),
                    // An address may be in DNS before a node answers there. Those that go serve
                    // meanwhile.
                    Some(node) if is_late && self.order.kind != RolloutKind::Resolve => Err(failure(
                        Some(*node),
                        "timed out: it gets no clients yet".to_owned(),
                    )),
                    _ => Ok(false),
                }
            }
            // Connections that survive being closed do not keep their node.
            Step::Drain(nodes) => {
                Ok(is_late || nodes.iter().all(|node| view.connections_left(*node) == Some(0)))
            }
            Step::Stop(nodes) => {
                let running = nodes
                    .iter()
                    .find(|node| view.condition(**node) != Condition::Down);
                match running {
                    None => Ok(true),
                    Some(node) if is_late => Err(failure(
                        Some(*node),
                        "timed out: its process has not ended".to_owned(),
                    )),
                    Some(_) => Ok(false),
                }
            }
            Step::Start(nodes) => all_answer(nodes, view, is_late),
            Step::Ready(nodes) => {
                all_answer(nodes, view, false)?;
                let is_left = |node: &&NodeId| !view.serves(**node) && !view.is_drained_by_operator(**node);
                match nodes.iter().find(is_left) {
                    None => Ok(true),
                    Some(node) if is_late => Err(failure_of_replacement(
                        *node,
                        "timed out: it gets no clients yet".to_owned(),
                    )),
                    Some(_) => Ok(false),
                }
            }
            Step::Judge(nodes) => {
                all_answer(nodes, view, false)?;
                let mut judged = nodes.iter().filter(|node| !view.is_stopped_by_operator(**node));
                let silent = judged.find_map(|node| Some((*node, view.why_silent(*node)?)));
                if let Some((node, why)) = silent {
                    return Err(failure_of_replacement(node, why));
                }
                match (view.objection(is_late), nodes.first()) {
                    (Some(why), Some(node)) => Err(failure_of_replacement(*node, why)),
                    _ => Ok(is_late),
                }
            }
        }
    }
}

// Private

impl StepInProgress {
    /// A limit that did not end the step does not wake anything a second time.
    fn without_past_limit(self, now: Instant) -> StepInProgress {
        StepInProgress {
            until: self.until.filter(|until| now < *until),
            ..self
        }
    }
}

fn failure(node: Option<NodeId>, why: String) -> RolloutFailure {
    RolloutFailure {
        node,
        why,
        is_of_replacement: false,
    }
}

fn failure_of_replacement(node: NodeId, why: String) -> RolloutFailure {
    RolloutFailure {
        node: Some(node),
        why,
        is_of_replacement: true,
    }
}

/// Whether all of the nodes answer; fails when one has died.
fn all_answer(nodes: &[NodeId], view: &impl ClusterView, is_late: bool) -> Result<bool, RolloutFailure> {
    let mut all = true;
    for node in nodes.iter().filter(|node| !view.is_stopped_by_operator(**node)) {
        match view.condition(*node) {
            Condition::Up => {}
            Condition::Dead(why) => return Err(failure_of_replacement(*node, why)),
            Condition::Down | Condition::Starting if is_late => {
                return Err(failure_of_replacement(
                    *node,
                    "it did not answer in time".to_owned(),
                ));
            }
            Condition::Down | Condition::Starting => all = false,
        }
    }
    Ok(all)
}
