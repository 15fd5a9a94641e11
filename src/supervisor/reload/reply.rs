//! The answers to reloads. A reload is answered after the balancer was inspected, so that the
//! status is already up to date.

use std::time::{Duration, Instant};

use super::state::{Reloaded, Reply, answer};
use crate::api::Refusal;
use crate::supervisor::core::Core;

/// How long an answer waits for the inspection of a balancer.
const INSPECTION_TIMEOUT: Duration = Duration::from_secs(5);

/// A reload that waits for an inspection.
pub(in crate::supervisor) struct PendingReload {
    since: Instant,
    pub(in crate::supervisor) until: Instant,
    reloaded: Reloaded,
    replies: Vec<Reply>,
}

impl Core {
    /// Answers the reload's requests once every instance was inspected.
    pub(in crate::supervisor) fn answer_when_inspected(
        &mut self,
        replies: Vec<Reply>,
        reloaded: Reloaded,
        now: Instant,
    ) {
        self.reloads.pending.push(PendingReload {
            since: now,
            until: now + INSPECTION_TIMEOUT,
            reloaded,
            replies,
        });
    }

    /// Answers reloads after which every instance was inspected, or that have waited too long. While
    /// the cluster is being stopped, no inspection is waited for.
    pub(in crate::supervisor) fn answer_reloads(&mut self, now: Instant) {
        for pending in std::mem::take(&mut self.reloads.pending) {
            let is_due = now >= pending.until || self.shutdown.is_some();
            if is_due || self.is_inspected_since(pending.since, now) {
                let outcome = match self.out_of_sync_warnings(now).into_iter().next() {
                    None => Ok(pending.reloaded),
                    Some(error) => Err(Refusal { error, hint: None }),
                };
                answer(pending.replies, &outcome);
            } else {
                self.reloads.pending.push(pending);
            }
        }
    }
}
