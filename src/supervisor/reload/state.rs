//! A reload on its way.
//!
//! Of a balancer that is replaced by a successor:
//!
//! ```text
//!            old one is old enough     its server states are saved, new one spawned     new one answers
//!  Waiting ────────────────────────▶ Saving ───────────────────────────────────▶ Starting ──────────────▶ done
//!                                       │                                            │
//!                                       └────────── the old one stays in force ◀─────┘ ended, or too late
//! ```
//!
//! Of one that reads its files again itself:
//!
//! ```text
//!            at once                    files written, told      it has done so
//!  Waiting ────────────────────────▶ Telling ───────────────────────────────────▶ done
//!                                       └────────── the old one stays in force     it refuses
//! ```
//!
//! An order that comes while another one waits takes its place, and both are answered; one that comes later than that
//! is the next. Of several instances one is reloaded so, and when it serves, [the others](super::rolling).

use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use tokio::sync::oneshot;

use crate::api::{Refusal, Reloaded};
use crate::platform::Identity;
use crate::supervisor::prepare::Prepared;

/// A new instance that has not answered for so long never will.
const READY_TIMEOUT: Duration = Duration::from_secs(30);

/// Whoever waits for a reload.
pub(in crate::supervisor) type Reply = oneshot::Sender<Result<Reloaded, Refusal>>;

/// A reload on its way.
pub(in crate::supervisor) struct Reload {
    pub(in crate::supervisor) prepared: Prepared,
    /// The instance that is reloaded first: when that fails, the others stay as they are.
    pub(in crate::supervisor) instance: usize,
    pub(in crate::supervisor) phase: Phase,
    replies: Vec<Reply>,
}

/// How far it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::supervisor) enum Phase {
    /// For the running instance to become old enough.
    Waiting { until: Instant },
    /// Of the running instance's view of its servers.
    Saving,
    /// The running instance to read its files again.
    Telling,
    /// The new instance, which has not answered yet; killed then, unless it has been already.
    Starting {
        process: Identity,
        until: Option<Instant>,
    },
}

impl Reload {
    /// To what is `prepared`, not before `until`.
    pub(in crate::supervisor) fn new(prepared: Prepared, reply: Reply, until: Instant) -> Reload {
        Reload {
            prepared,
            instance: 0,
            phase: Phase::Waiting { until },
            replies: vec![reply],
        }
    }

    /// Whether it is too late for another configuration.
    pub(in crate::supervisor) fn has_begun(&self) -> bool {
        !matches!(self.phase, Phase::Waiting { .. })
    }

    /// A later order comes before this reload has begun: that one is carried out for both.
    pub(in crate::supervisor) fn replace(&mut self, prepared: Prepared, reply: Reply) {
        self.prepared = prepared;
        self.replies.push(reply);
    }

    /// What was prepared, and who waits.
    pub(in crate::supervisor) fn into_parts(self) -> (Prepared, Vec<Reply>) {
        (self.prepared, self.replies)
    }
}

impl Phase {
    /// Of a new instance that was spawned just now.
    pub(in crate::supervisor) fn starting(process: Identity, now: Instant) -> Phase {
        Phase::Starting {
            process,
            until: Some(now + READY_TIMEOUT),
        }
    }

    /// The new instance, once it was spawned.
    pub(in crate::supervisor) fn successor(self) -> Option<Identity> {
        match self {
            Phase::Starting { process, .. } => Some(process),
            Phase::Waiting { .. } | Phase::Saving | Phase::Telling => None,
        }
    }

    /// When time matters to it next.
    pub(in crate::supervisor) fn wakes_at(self) -> Option<Instant> {
        match self {
            Phase::Waiting { until } => Some(until),
            Phase::Saving | Phase::Telling => None,
            Phase::Starting { until, .. } => until,
        }
    }

    /// Kills a new instance for which it is too late.
    pub(in crate::supervisor) fn go_on(&mut self, now: Instant) {
        if let Phase::Starting {
            process,
            until: Some(until),
        } = *self
            && now >= until
        {
            *self = Phase::Starting { process, until: None };
            self.give_up();
        }
    }

    /// Kills the new instance, if it was spawned.
    pub(in crate::supervisor) fn give_up(self) {
        if let Some(process) = self.successor()
            && let Err(error) = process.signal_group(Signal::SIGKILL)
        {
            tracing::error!(pid = process.pid, "the new instance was not killed: {error}");
        }
    }
}

/// Tells everybody who waits how a reload ended.
pub(in crate::supervisor) fn answer(replies: Vec<Reply>, outcome: &Result<Reloaded, Refusal>) {
    for reply in replies {
        // Whoever asked may be gone by now, which is no concern of ours.
        let _nobody_waits = reply.send(outcome.clone());
    }
}
