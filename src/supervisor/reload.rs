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
//! is the next.

use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use super::prepare::Prepared;
use crate::api::{Refusal, Reloaded};
use crate::platform::Identity;

/// A new instance that has not answered for so long never will.
const PATIENCE: Duration = Duration::from_secs(30);

/// Whoever waits for a reload.
pub(super) type Reply = oneshot::Sender<Result<Reloaded, Refusal>>;

/// A reload on its way.
pub(super) struct Reload {
    pub(super) prepared: Prepared,
    pub(super) phase: Phase,
    replies: Vec<Reply>,
}

/// How far it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
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
    pub(super) fn new(prepared: Prepared, reply: Reply, until: Instant) -> Reload {
        Reload {
            prepared,
            phase: Phase::Waiting { until },
            replies: vec![reply],
        }
    }

    /// The same, not before `until`.
    pub(super) fn not_before(self, until: Instant) -> Reload {
        Reload {
            phase: Phase::Waiting { until },
            ..self
        }
    }

    /// Whether it is too late for another configuration.
    pub(super) fn has_begun(&self) -> bool {
        !matches!(self.phase, Phase::Waiting { .. })
    }

    /// A later order comes before this reload has begun: that one is carried out for both.
    pub(super) fn replace(&mut self, prepared: Prepared, reply: Reply) {
        self.prepared = prepared;
        self.replies.push(reply);
    }

    /// The new instance was spawned.
    pub(super) fn starting(&mut self, process: Identity, now: Instant) {
        self.phase = Phase::Starting {
            process,
            until: Some(now + PATIENCE),
        };
    }

    /// The new instance, once it was spawned.
    pub(super) fn successor(&self) -> Option<Identity> {
        match self.phase {
            Phase::Starting { process, .. } => Some(process),
            Phase::Waiting { .. } | Phase::Saving | Phase::Telling => None,
        }
    }

    /// When time matters to it next.
    pub(super) fn wakes_at(&self) -> Option<Instant> {
        match self.phase {
            Phase::Waiting { until } => Some(until),
            Phase::Saving | Phase::Telling => None,
            Phase::Starting { until, .. } => until,
        }
    }

    /// Tells everybody who waits how it ended.
    pub(super) fn answer(self, outcome: &Result<Reloaded, Refusal>) -> Prepared {
        for reply in self.replies {
            // Whoever asked may be gone by now, which is no concern of ours.
            let _nobody_waits = reply.send(outcome.clone());
        }
        self.prepared
    }
}
