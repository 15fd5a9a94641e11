//! The reloads of a supervisor: one in progress, one that waits for it, and those to be answered.

use std::collections::BTreeMap;
use std::time::Instant;

use super::reply::PendingReload;
use super::rolling::Rolling;
use super::state::Reload;
use crate::platform::Identity;

/// All reloads that are not over.
#[derive(Default)]
pub(in crate::supervisor) struct Reloads {
    /// The reload of the only instance, or of the first of several.
    pub(super) current: Option<Reload>,
    /// The reload that begins when the current one is over.
    pub(super) next: Option<Reload>,
    /// The reload of the other instances, once the first of several serves.
    pub(super) rolling: Option<Rolling>,
    /// Reloads that were carried out, to be answered after the balancer was inspected.
    pub(super) pending: Vec<PendingReload>,
    begun: u64,
}

impl Reloads {
    /// Whether a reload is in progress.
    pub(in crate::supervisor) fn is_active(&self) -> bool {
        self.current.is_some() || self.rolling.is_some()
    }

    /// Whether a reload is in progress, or waits for another one.
    pub(in crate::supervisor) fn any(&self) -> bool {
        self.is_active() || self.next.is_some()
    }

    /// Counts an order to reload.
    pub(super) fn count(&mut self) {
        self.begun += 1;
    }

    /// The number of orders to reload so far.
    pub(in crate::supervisor) fn begun(&self) -> u64 {
        self.begun
    }

    /// Whether an instance starts, or reads its files again, with the configuration of a reload.
    pub(in crate::supervisor) fn takes_over(&self) -> bool {
        self.current.as_ref().is_some_and(Reload::has_begun)
    }

    /// The instance whose new process is starting, and that process: the first instance, or one of
    /// the others.
    pub(in crate::supervisor) fn successor(&self) -> Option<(usize, Identity)> {
        let first = self
            .current
            .as_ref()
            .map(|reload| (reload.instance, reload.phase));
        let step = first.or_else(|| self.rolling.as_ref().and_then(Rolling::step));
        step.and_then(|(instance, phase)| Some((instance, phase.successor()?)))
    }

    /// Whether the process still uses the configuration from before the last reload.
    pub(in crate::supervisor) fn is_outdated(&self, process: Identity) -> bool {
        self.rolling
            .as_ref()
            .is_some_and(|rolling| rolling.is_old(process))
    }

    /// Resumes the reload of an earlier supervisor: these processes, by their instance, are to be
    /// replaced.
    pub(in crate::supervisor) fn resume(&mut self, outdated: BTreeMap<usize, Identity>, now: Instant) {
        if !outdated.is_empty() {
            self.rolling = Some(Rolling::new(outdated, now));
        }
    }

    /// When time matters to a reload next.
    pub(in crate::supervisor) fn wakes_at(&self) -> Option<Instant> {
        let current = self.current.as_ref().and_then(|reload| reload.phase.wakes_at());
        let rolling = self.rolling.as_ref().and_then(Rolling::wakes_at);
        let pending = self.pending.iter().map(|pending| pending.until);
        pending.chain(current).chain(rolling).min()
    }
}
