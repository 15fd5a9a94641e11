//! The other instances, once the first of several was reloaded: each is replaced by a successor,
//! one after another.
//!
//! ```text
//!  up, old enough, and answers ──▶ Saving ──▶ Starting ──▶ the next one
//!              ▲                      │           └──────▶ ended, or too late: it is started as any other, and the old
//!              └──────────────────────┘ does not answer    one ends with its last connection
//! ```
//!
//! An instance that dies meanwhile is started again with the new configuration, and needs no
//! successor.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::state::{Phase, Reloaded, Reply};
use crate::platform::Identity;
use crate::supervisor::core::Core;
use crate::supervisor::process::child::State;
use crate::supervisor::spec::Spec;
use crate::supervisor::waves::ChildId;

/// Wait before another attempt for an instance that could not be replaced.
const RETRY_INTERVAL: Duration = Duration::from_secs(1);

/// A reload whose first instance serves.
pub(in crate::supervisor) struct Rolling {
    /// Processes that still use the previous configuration, by their instance.
    old: BTreeMap<usize, Identity>,
    /// The previous configuration; `None` after the end of the supervisor that knew it.
    former: Option<Arc<Spec>>,
    step: Option<(usize, Phase)>,
    until: Instant,
    /// The first instance's new process.
    pid: Option<u32>,
    replies: Vec<Reply>,
}

impl Rolling {
    /// Replaces the `old` processes.
    pub(in crate::supervisor) fn new(old: BTreeMap<usize, Identity>, now: Instant) -> Rolling {
        Rolling {
            old,
            former: None,
            step: None,
            until: now,
            pid: None,
            replies: Vec::new(),
        }
    }

    /// The instance that is being replaced, and the phase of that.
    pub(in crate::supervisor) fn step(&self) -> Option<(usize, Phase)> {
        self.step
    }

    /// Whether the process still uses the previous configuration.
    pub(in crate::supervisor) fn is_old(&self, process: Identity) -> bool {
        self.old.values().any(|old| *old == process)
    }

    /// When time matters to it next.
    pub(in crate::supervisor) fn wakes_at(&self) -> Option<Instant> {
        match self.step {
            Some((_, phase)) => phase.wakes_at(),
            None => Some(self.until),
        }
    }

    /// Leaves everything as it is. Returns the new process that is to be killed, if there is one,
    /// and the replies that are still to be sent.
    pub(in crate::supervisor) fn abandon(self) -> (Option<Identity>, Vec<Reply>) {
        let successor = self.step.and_then(|(_, phase)| phase.successor());
        (successor, self.replies)
    }
}

impl Core {
    /// The first instance uses the new configuration, as `process`: starts with the others.
    pub(in crate::supervisor) fn roll(&mut self, process: Identity, now: Instant) {
        let Some(reload) = self.reloads.current.take() else {
            return;
        };
        let (prepared, replies) = reload.into_parts();
        let former = self.spec.clone();
        self.put_in_force(prepared, now);
        let running = self.children.balancers();
        let running = running.filter_map(|(instance, child)| Some((instance, child.process()?)));
        let old = running.filter(|(_, running)| *running != process).collect();
        self.reloads.rolling = Some(Rolling {
            former: Some(former),
            pid: Some(process.pid),
            replies,
            ..Rolling::new(old, now)
        });
    }

    /// Does what is due for the other instances.
    pub(in crate::supervisor) fn advance_rolling(&mut self, now: Instant) {
        let Some(rolling) = &mut self.reloads.rolling else {
            return;
        };
        if let Some((_, phase)) = &mut rolling.step {
            let overdue = phase.advance(now);
            return self.kill_successor(overdue);
        }
        let children = &self.children;
        let process = |instance: usize| children.process(ChildId::Balancer(instance));
        rolling
            .old
            .retain(|instance, old| process(*instance) == Some(*old));
        if rolling.old.is_empty() {
            return self.rolled_out(now);
        }
        if now >= rolling.until {
            self.begin_next(now);
        }
    }

    /// Another instance has returned its server states, or does not answer.
    pub(in crate::supervisor) fn server_states_of_another(
        &mut self,
        instance: usize,
        states: Result<String, String>,
        now: Instant,
    ) {
        let step = self.reloads.rolling.as_ref().and_then(Rolling::step);
        if step != Some((instance, Phase::Saving)) {
            return;
        }
        let spec = self.spec.clone();
        let former = self
            .reloads
            .rolling
            .as_ref()
            .and_then(|rolling| rolling.former.clone());
        let former = former.unwrap_or_else(|| spec.clone());
        let begun = states.and_then(|states| self.spawn_successor((&former, &spec), instance, &states));
        let is_unreachable = self.is_unreachable(instance);
        let Some(rolling) = &mut self.reloads.rolling else {
            return;
        };
        match begun {
            Ok(process) => rolling.step = Some((instance, Phase::starting(process, now))),
            Err(why) if is_unreachable => {
                // It cannot hand over its listeners, now or later.
                self.start_without_handover(instance, &why, now);
            }
            Err(why) => {
                tracing::warn!(
                    child = spec.title(ChildId::Balancer(instance)),
                    "not reloaded yet: {why}"
                );
                rolling.step = None;
                rolling.until = now + RETRY_INTERVAL;
            }
        }
        self.record();
    }

    /// The instance that was due is replaced.
    pub(in crate::supervisor) fn rolled(&mut self, now: Instant) {
        if let Some(rolling) = &mut self.reloads.rolling {
            rolling.step = None;
            rolling.until = now;
        }
    }

    /// The instance's successor has failed, although others use the same configuration: the
    /// instance is started like any other, and the old process keeps its connections.
    pub(in crate::supervisor) fn start_without_handover(&mut self, instance: usize, why: &str, now: Instant) {
        let id = ChildId::Balancer(instance);
        tracing::error!(child = self.spec.title(id), "started again: {why}");
        self.rolled(now);
        let old = self.children.process(id);
        if old.is_some_and(|old| self.reloads.is_outdated(old)) {
            self.replace(instance, now);
        } else {
            self.restart_now(instance, now);
        }
    }

    // Private

    /// Begins with an instance that may be replaced, or waits for one.
    fn begin_next(&mut self, now: Instant) {
        let Some(rolling) = &self.reloads.rolling else {
            return;
        };
        let settled = rolling.old.keys().filter_map(|instance| {
            let id = ChildId::Balancer(*instance);
            match self.children.get(id)?.state {
                State::Up { since, .. } if !self.link.is_silent(id) => Some((self.settled(since), *instance)),
                _ => None,
            }
        });
        let next = settled.min();
        let due = next
            .filter(|(settled, _)| now >= *settled)
            .map(|(_, instance)| instance);
        if let Some(rolling) = &mut self.reloads.rolling {
            rolling.until = next.map_or(now + RETRY_INTERVAL, |(settled, _)| settled);
            rolling.step = due.map(|instance| (instance, Phase::Saving));
        }
        if let Some(instance) = due {
            self.save_states(instance);
        }
    }

    /// Every instance uses the new configuration.
    fn rolled_out(&mut self, now: Instant) {
        let Some(rolling) = self.reloads.rolling.take() else {
            return;
        };
        tracing::info!("every instance was reloaded");
        self.listeners.keep_only(&self.spec);
        self.answer_when_inspected(rolling.replies, Reloaded { pid: rolling.pid }, now);
    }
}
