//! Ends the processes that a child's process leaves running when it ends: before the child is
//! started again, or counts as stopped.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use super::child::{Event, State};
use super::descendants::{Descendants, LEFT_BEHIND_GRACE, end};
use super::stop_sequence::StopSequence;
use crate::platform::Identity;
use crate::supervisor::core::Core;
use crate::supervisor::event::CoreEvent;
use crate::supervisor::waves::ChildId;

/// Processes of children, and the descendants of those that have ended.
#[derive(Default)]
pub(in crate::supervisor) struct LeftBehind {
    descendants: BTreeMap<Identity, Descendants>,
    ending: BTreeMap<Identity, Ending>,
}

/// The ending of the processes that one process has left.
struct Ending {
    id: ChildId,
    /// How the process ended; reported to the child when nothing is left.
    how: Option<String>,
}

impl LeftBehind {
    /// Whether processes that the child has left are still to end.
    pub(in crate::supervisor) fn has(&self, id: ChildId) -> bool {
        self.ending.values().any(|ending| ending.id == id)
    }

    /// Whether no process is to end.
    pub(in crate::supervisor) fn is_empty(&self) -> bool {
        self.ending.is_empty()
    }
}

impl Core {
    /// The descendants of the child's `process`.
    pub(in crate::supervisor) fn descendants(&mut self, id: ChildId, process: Identity) -> Descendants {
        let (run, name) = (&self.spec.launch.run_id, self.spec.name(id));
        let descendants = self.left_behind.descendants.entry(process);
        descendants
            .or_insert_with(|| Descendants::of_child(run, name, process))
            .clone()
    }

    /// Sends `signal` to the child's `process` and to all that it has started.
    pub(in crate::supervisor) fn signal(&mut self, id: ChildId, process: Identity, signal: Signal) {
        if self.left_behind.ending.contains_key(&process) {
            // The processes that it has left are being ended already.
            return;
        }
        let (descendants, title) = (self.descendants(id, process), self.spec.title(id));
        self.processes.signal_all(process, descendants, signal, title);
    }

    /// The child's `process` has ended, as `how` describes: ends the processes that it has left.
    /// Returns whether the child learns of the end only when that is done.
    pub(in crate::supervisor) fn end_left_behind(
        &mut self,
        id: ChildId,
        process: Identity,
        how: &str,
        now: Instant,
    ) -> bool {
        let state = self.children.state(id);
        let (waits, first, stop_sequence) = match (state, id) {
            // They got the stop signal together with the child, and get as much time as it would
            // have had.
            (
                Some(State::Stopping {
                    stop_sequence, until, ..
                }),
                ChildId::Node(_),
            ) => (true, until.saturating_duration_since(now), stop_sequence.clone()),
            (Some(State::Stopping { .. }), _) => (true, Duration::ZERO, left_behind()),
            _ => (false, Duration::ZERO, left_behind()),
        };
        let descendants = self.descendants(id, process);
        let how = waits.then(|| how.to_owned());
        self.left_behind.ending.insert(process, Ending { id, how });
        let title = self.spec.title(id);
        self.events.spawn(async move {
            if let Err(error) = end(descendants, first, stop_sequence).await {
                tracing::error!(
                    child = title,
                    "cannot end the processes that it left running: {error}"
                );
            }
            CoreEvent::DescendantsEnded { process }
        });
        waits
    }

    /// All processes that a child's `process` has left have ended.
    pub(in crate::supervisor) fn descendants_ended(&mut self, process: Identity, now: Instant) {
        self.left_behind.descendants.remove(&process);
        let Some(ending) = self.left_behind.ending.remove(&process) else {
            return;
        };
        // A successor may have taken the child's place meanwhile: it has not ended.
        let is_current = self.children.process(ending.id) == Some(process);
        if let Some(how) = ending.how.filter(|_| is_current) {
            self.apply(ending.id, Event::Ended(how), now);
        }
    }

    /// Ends all processes that the children of this run have left, such as an `epmd`, once no child
    /// runs any more.
    pub(in crate::supervisor) fn end_all_left_behind(&self) {
        let run = self.spec.launch.run_id.clone();
        self.events.spawn(async move {
            if let Err(error) = end(Descendants::of_run(&run), Duration::ZERO, left_behind()).await {
                tracing::error!("cannot end the processes that children left running: {error}");
            }
            CoreEvent::AllDescendantsEnded
        });
    }
}

/// The stop sequence of processes that got no signal before.
pub(in crate::supervisor) fn left_behind() -> StopSequence {
    StopSequence(vec![(Signal::SIGTERM, LEFT_BEHIND_GRACE)])
}
