//! A reload in progress.
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
//!            at once                    files written, asked     it has done so
//!  Waiting ────────────────────────▶ Rereading ───────────────────────────────────▶ done
//!                                       └────────── the old one stays in force     it refuses
//! ```
//!
//! An order that comes while another one waits takes its place, and both are answered; a later one
//! is carried out after the reload in progress. Of several instances, one is reloaded this way, and
//! when it serves, [the others](super::rolling).

use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use crate::api::Refusal;
use crate::platform::Identity;
use crate::supervisor::prepare::Prepared;

/// A new instance that has not answered for this long never will.
const READY_TIMEOUT: Duration = Duration::from_secs(30);

/// A reload that was carried out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::supervisor) struct Reloaded {
    /// The balancer process that uses the new configuration; `None` when nothing has changed for it.
    pub(in crate::supervisor) pid: Option<u32>,
}

/// The channel to a client that waits for a reload.
pub(in crate::supervisor) type Reply = oneshot::Sender<Result<Reloaded, Refusal>>;

/// A reload in progress.
pub(in crate::supervisor) struct Reload {
    pub(in crate::supervisor) prepared: Prepared,
    /// The instance that is reloaded first: when that fails, the others stay as they are.
    pub(in crate::supervisor) instance: usize,
    pub(in crate::supervisor) phase: Phase,
    replies: Vec<Reply>,
}

/// The phase of a reload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::supervisor) enum Phase {
    /// Waits until the running instance is old enough.
    Waiting { until: Instant },
    /// Waits for the server states of the running instance.
    Saving,
    /// Waits for the running instance to read its files again.
    Rereading,
    /// Waits for the new instance to answer; it is killed at the deadline, unless it was killed
    /// already.
    Starting {
        process: Identity,
        until: Option<Instant>,
    },
}

impl Reload {
    /// A reload to `prepared`, not before `until`.
    pub(in crate::supervisor) fn new(prepared: Prepared, reply: Reply, until: Instant) -> Reload {
        Reload {
            prepared,
            instance: 0,
            phase: Phase::Waiting { until },
            replies: vec![reply],
        }
    }

    /// Whether the reload has begun, so that its configuration can no longer be replaced.
    pub(in crate::supervisor) fn has_begun(&self) -> bool {
        !matches!(self.phase, Phase::Waiting { .. })
    }

    /// A later order comes before this reload has begun: its configuration is put in force for
    /// both.
    pub(in crate::supervisor) fn replace(&mut self, prepared: Prepared, reply: Reply) {
        self.prepared = prepared;
        self.replies.push(reply);
    }

    /// The prepared configuration, and the replies to be sent.
    pub(in crate::supervisor) fn into_parts(self) -> (Prepared, Vec<Reply>) {
        (self.prepared, self.replies)
    }
}

impl Phase {
    /// The phase after a new instance was spawned.
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
            Phase::Waiting { .. } | Phase::Saving | Phase::Rereading => None,
        }
    }

    /// When time matters to it next.
    pub(in crate::supervisor) fn wakes_at(self) -> Option<Instant> {
        match self {
            Phase::Waiting { until } => Some(until),
            Phase::Saving | Phase::Rereading => None,
            Phase::Starting { until, .. } => until,
        }
    }

    /// Time has passed. Returns a new instance that has missed its deadline: it is to be killed.
    pub(in crate::supervisor) fn advance(&mut self, now: Instant) -> Option<Identity> {
        match *self {
            Phase::Starting {
                process,
                until: Some(until),
            } if now >= until => {
                *self = Phase::Starting { process, until: None };
                Some(process)
            }
            _ => None,
        }
    }
}

/// Sends the outcome of a reload to all clients that wait for it.
pub(in crate::supervisor) fn answer(replies: Vec<Reply>, outcome: &Result<Reloaded, Refusal>) {
    for reply in replies {
        // The client may have disconnected by now, which does not matter.
        let _client_may_be_gone = reply.send(outcome.clone());
    }
}
