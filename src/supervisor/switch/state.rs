//! A switch in progress.
//!
//! ```text
//!                 all of them answer
//!  Starting ───────────────────────────▶ the new ones get all new clients; the former ones end with
//!     │                                  their last connection, or at the deadline
//!     └── one ended, or too late ──────▶ the new ones end; the former ones never stopped
//! ```

use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;

use crate::api::{Refusal, Switched};
use crate::balancer::ConfigFile;
use crate::platform::Identity;
use crate::profile::BalancerKind;
use crate::supervisor::prepare::Prepared;
use crate::supervisor::reload::state::Reply;

/// New processes that have not all answered for this long never will.
const READY_TIMEOUT: Duration = Duration::from_secs(30);

/// The switch of a supervisor, if there is one.
#[derive(Default)]
pub(in crate::supervisor) struct Switches {
    current: Option<Switch>,
    /// A switch whose former processes are still to be asked to end.
    taking_over: Option<SavedSwitch>,
    /// Whether the adopted balancer has the program of another version.
    is_outdated: bool,
    /// What this version makes of the adopted balancer's files, if that differs.
    renewed_files: Option<Vec<ConfigFile>>,
}

/// A switch that the state file names, for a supervisor that finds it unfinished.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SavedSwitch {
    /// The former balancer.
    pub from: BalancerKind,
    /// The balancer that takes over.
    pub to: BalancerKind,
    /// Whether it has taken over, so that the former one only has to end.
    pub has_taken_over: bool,
}

/// Another balancer, or other processes of the same one, that start beside the running one.
pub(in crate::supervisor) struct Switch {
    pub(in crate::supervisor) prepared: Prepared,
    instances: Vec<Incoming>,
    until: Instant,
    /// Where the messages of the new processes begin in their log.
    pub(in crate::supervisor) log_start: u64,
    pub(in crate::supervisor) purpose: Purpose,
}

/// Why the processes are replaced, and the reply when they are.
pub(in crate::supervisor) enum Purpose {
    /// An operator ordered another balancer.
    Order {
        /// The time that the former balancer's connections get.
        deadline: Option<Duration>,
        /// What changes for clients and limits.
        plan: Vec<String>,
        reply: oneshot::Sender<Result<Switched, Refusal>>,
    },
    /// A reload changes what no running process can change.
    Reload(Reply),
    /// The running processes have the program of another version.
    Upgrade,
}

/// One new process.
struct Incoming {
    process: Identity,
    answers: bool,
    /// Why it does not answer yet, if that is known.
    silence: Option<String>,
}

impl Switches {
    /// The switch in progress.
    pub(in crate::supervisor) const fn current(&self) -> Option<&Switch> {
        self.current.as_ref()
    }

    /// A switch has begun.
    pub(in crate::supervisor) fn begin(&mut self, switch: Switch) {
        self.current = Some(switch);
    }

    /// The switch is over.
    pub(in crate::supervisor) fn end(&mut self) -> Option<Switch> {
        self.current.take()
    }

    /// Whether the process belongs to a balancer that is about to take over.
    pub(in crate::supervisor) fn has(&self, process: Identity) -> bool {
        self.current.as_ref().is_some_and(|switch| switch.has(process))
    }

    /// A new process has answered.
    pub(in crate::supervisor) fn answered(&mut self, process: Identity) {
        if let Some(switch) = &mut self.current {
            switch.answered(process);
        }
    }

    /// A new process does not answer yet.
    pub(in crate::supervisor) fn set_not_ready(&mut self, process: Identity, why: String) {
        if let Some(switch) = &mut self.current {
            switch.set_not_ready(process, why);
        }
    }

    /// The new processes have taken over, or the former ones have been asked to end.
    pub(in crate::supervisor) fn set_taking_over(&mut self, switch: Option<SavedSwitch>) {
        self.taking_over = switch;
    }

    /// The adopted balancer has the program of another version, or was replaced.
    pub(in crate::supervisor) fn set_outdated(&mut self, is_outdated: bool) {
        self.is_outdated = is_outdated;
    }

    /// Whether the adopted balancer is still to be replaced by one of this version.
    pub(in crate::supervisor) fn is_outdated(&self) -> bool {
        self.is_outdated
    }

    /// The adopted balancer has files that this version makes differently.
    pub(in crate::supervisor) fn set_renewed_files(&mut self, files: Vec<ConfigFile>) {
        self.renewed_files = Some(files);
    }

    /// The files that replace those of the adopted balancer.
    pub(in crate::supervisor) fn take_renewed_files(&mut self) -> Option<Vec<ConfigFile>> {
        self.renewed_files.take()
    }

    /// Whether the adopted balancer is still to be replaced, or reloaded.
    pub(in crate::supervisor) fn needs_upgrade(&self) -> bool {
        self.is_outdated || self.renewed_files.is_some()
    }

    /// Whether processes of this version are still to take over.
    pub(in crate::supervisor) fn is_upgrading(&self) -> bool {
        let upgrades = |switch: &Switch| matches!(switch.purpose, Purpose::Upgrade);
        self.needs_upgrade() || self.current.as_ref().is_some_and(upgrades)
    }

    /// The switch from the balancer `from`, for the state file.
    pub(in crate::supervisor) fn to_save(&self, from: BalancerKind) -> Option<SavedSwitch> {
        let current = self.current.as_ref().map(|switch| SavedSwitch {
            from,
            to: switch.to(),
            has_taken_over: false,
        });
        self.taking_over.or(current)
    }

    /// When time matters to it next.
    pub(in crate::supervisor) fn wakes_at(&self) -> Option<Instant> {
        self.current.as_ref().map(Switch::wakes_at)
    }
}

impl Switch {
    /// A switch to these processes, in the order of their instances.
    pub(in crate::supervisor) fn new(
        prepared: Prepared,
        processes: Vec<Identity>,
        log_start: u64,
        purpose: Purpose,
        now: Instant,
    ) -> Switch {
        let incoming = |process| Incoming {
            process,
            answers: false,
            silence: None,
        };
        Switch {
            prepared,
            instances: processes.into_iter().map(incoming).collect(),
            until: now + READY_TIMEOUT,
            log_start,
            purpose,
        }
    }

    /// The balancer that takes over.
    pub(in crate::supervisor) fn to(&self) -> BalancerKind {
        self.prepared.spec.balancer.kind()
    }

    /// The new processes, in the order of their instances.
    pub(in crate::supervisor) fn processes(&self) -> Vec<Identity> {
        self.instances.iter().map(|incoming| incoming.process).collect()
    }

    /// Whether the process is one of the new ones.
    pub(in crate::supervisor) fn has(&self, process: Identity) -> bool {
        self.instances.iter().any(|incoming| incoming.process == process)
    }

    /// A process has answered.
    pub(in crate::supervisor) fn answered(&mut self, process: Identity) {
        for incoming in &mut self.instances {
            incoming.answers |= incoming.process == process;
        }
    }

    /// A process does not answer yet.
    fn set_not_ready(&mut self, process: Identity, why: String) {
        let mut instances = self.instances.iter_mut();
        if let Some(incoming) = instances.find(|incoming| incoming.process == process) {
            incoming.silence = Some(why);
        }
    }

    /// What is wrong with the first process that does not answer.
    pub(in crate::supervisor) fn failure(&self) -> String {
        failure(&self.instances)
    }

    /// Whether every new process answers.
    pub(in crate::supervisor) fn is_ready(&self) -> bool {
        self.instances.iter().all(|incoming| incoming.answers)
    }

    /// When it fails unless it is ready by then.
    pub(in crate::supervisor) const fn wakes_at(&self) -> Instant {
        self.until
    }
}

impl Purpose {
    /// The time after which the former balancer's connections are closed.
    pub(in crate::supervisor) const fn deadline(&self) -> Option<Duration> {
        match self {
            Purpose::Order { deadline, .. } => *deadline,
            Purpose::Reload(_) | Purpose::Upgrade => None,
        }
    }
}

// Private

fn failure(instances: &[Incoming]) -> String {
    let mut silent = instances.iter().filter(|incoming| !incoming.answers);
    match silent.find_map(|incoming| incoming.silence.as_ref()) {
        Some(why) => format!("does not answer: {why}"),
        None => "does not answer".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reason_of_a_failure_is_that_of_a_process_that_does_not_answer() {
        let incoming = |answers, silence: Option<&str>| Incoming {
            process: Identity::own(),
            answers,
            silence: silence.map(str::to_owned),
        };
        let others = [incoming(true, Some("it was slow")), incoming(false, None)];
        assert_eq!(failure(&others), "does not answer");
        let [answers, silent] = others;
        let all = [answers, silent, incoming(false, Some("no socket"))];
        assert_eq!(failure(&all), "does not answer: no socket");
    }
}
