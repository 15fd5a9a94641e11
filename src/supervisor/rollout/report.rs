//! How a rollout is shown.

use std::time::SystemTime;

use super::current::CurrentRollout;
use super::judging::Judgement;
use super::rollouts::Rollouts;
use super::saved::SavedRollout;
use super::state::RolloutOrder;
use super::steps::Step;
use crate::api::{self, EndedRollout, Refusal, RolloutKind, RolloutResult};
use crate::base::date::rfc3339;

impl CurrentRollout {
    /// The rollout for the API.
    pub(in crate::supervisor) fn to_api(&self) -> api::Rollout {
        let rollout = self.rollout();
        let (step, of) = rollout.progress();
        let nodes = rollout.step().and_then(Step::nodes).unwrap_or_default();
        let failure = self.failure();
        let node = match failure
            .and_then(|failure| failure.node)
            .or(nodes.first().copied())
        {
            Some(node) => Some(rollout.names(&[node])).filter(|name| !name.is_empty()),
            None => None,
        };
        api::Rollout {
            kind: rollout.order.kind,
            step: u32::try_from(step).unwrap_or(u32::MAX),
            of: u32::try_from(of).unwrap_or(u32::MAX),
            node,
            since: rfc3339(rollout.order.since),
            by: rollout.order.by.clone(),
            doing: self.doing(),
            stopped: failure.map(|failure| failure.why.clone()),
            note: self.note().map(ToOwned::to_owned),
            log: self.log().to_vec(),
        }
    }

    /// How it has ended, if it does not go on.
    pub(in crate::supervisor) fn failed(&self) -> EndedRollout {
        let shown = self.to_api();
        EndedRollout {
            reason: shown.stopped,
            node: shown.node,
            note: shown.note,
            log: shown.log,
            ..ended(self.order(), RolloutResult::Failed)
        }
    }

    /// The refusal of another order.
    pub(in crate::supervisor) fn refusal(&self) -> Refusal {
        let shown = self.to_api();
        let at = shown.node.map_or(String::new(), |node| format!(" ({node})"));
        Refusal {
            error: format!(
                "{} by {} runs since {}, step {} of {}{at}",
                shown.kind.words(),
                shown.by,
                shown.since,
                shown.step,
                shown.of,
            ),
            hint: Some(
                "`clusterctl status` shows how far it is; `clusterctl reload --undo` goes back".to_owned(),
            ),
        }
    }

    fn doing(&self) -> String {
        let rollout = self.rollout();
        let Some(step) = rollout.step() else {
            return "it begins".to_owned();
        };
        let names = step.nodes().map_or(String::new(), |nodes| rollout.names(nodes));
        let is = if step.nodes().is_some_and(|nodes| nodes.len() > 1) {
            "are"
        } else {
            "is"
        };
        match step {
            Step::Apply => "the balancer takes over the nodes".to_owned(),
            Step::AwaitOthers(_) => format!("all nodes but {names} are waited for"),
            Step::AwaitAdded(_) => format!("{names} {is} waited for"),
            Step::Drain(nodes) => {
                let left = nodes.iter().filter_map(|node| self.drain(*node)?.latest());
                match left.reduce(|all, more| all + more) {
                    None => format!("{names} {is} being drained"),
                    Some(1) => format!("{names} {is} being drained: 1 connection"),
                    Some(left) => format!("{names} {is} being drained: {left} connections"),
                }
            }
            Step::Stop(_) => format!("{names} {is} being stopped"),
            Step::UseTarget(_) | Step::Start(_) => format!("{names} {is} being started"),
            Step::Ready(_) => format!("{names} {is} getting clients"),
            Step::Judge(_) => {
                let progress = self.judgement().map_or_else(String::new, Judgement::progress);
                format!("{names} {is} being judged{progress}")
            }
            Step::Forget(_) => format!("{names} {is} gone"),
        }
    }
}

impl SavedRollout {
    /// The rollout of an earlier supervisor for the API, until the nodes run again.
    fn to_api(&self) -> api::Rollout {
        api::Rollout {
            kind: self.kind,
            step: 1,
            of: 1,
            node: None,
            since: rfc3339(self.since),
            by: self.by.clone(),
            doing: "it goes on when the supervisor has started".to_owned(),
            stopped: self.stopped.clone(),
            note: None,
            log: Vec::new(),
        }
    }
}

impl Rollouts {
    /// The rollouts for the API.
    pub(in crate::supervisor) fn to_api(&self) -> api::Rollouts {
        let current = self.shown().map(CurrentRollout::to_api);
        // The way back, or on, is being prepared.
        let goes_on = |shown: api::Rollout| match (&shown.stopped, self.failed()) {
            (Some(why), failed) if self.goes_on() => api::Rollout {
                doing: match failed {
                    Some(_) if shown.kind != RolloutKind::Undo => format!("it goes back: {why}"),
                    _ => format!("it goes on: {why}"),
                },
                stopped: None,
                ..shown
            },
            _ => shown,
        };
        api::Rollouts {
            current: current
                .map(goes_on)
                .or_else(|| self.unfinished().map(SavedRollout::to_api)),
            last: self.last().cloned(),
        }
    }
}

/// A rollout that has ended.
pub(super) fn ended(order: &RolloutOrder, result: RolloutResult) -> EndedRollout {
    EndedRollout {
        kind: order.kind,
        by: order.by.clone(),
        since: rfc3339(order.since),
        ended: rfc3339(SystemTime::now()),
        result,
        reason: None,
        node: None,
        note: None,
        log: Vec::new(),
    }
}
