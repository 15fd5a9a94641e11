//! Processes that exist only in the test.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use nix::sys::signal::Signal;

use crate::platform::mark::{CHILD, INSTANCE};
use crate::platform::{Identity, Program};
use crate::supervisor::process::descendants::Descendants;
use crate::supervisor::process::processes::{Processes, Running};

/// No process of a host has such a pid.
const FIRST_PID: u32 = 5_000_000;

/// All processes of the test, shared by its supervisors.
#[derive(Clone, Default)]
pub(super) struct World(Arc<Mutex<State>>);

/// What a [`World`] is made of.
#[derive(Default)]
pub(super) struct State {
    pub(super) living: BTreeMap<Identity, Fake>,
    /// Attempts to start a process, by the name of the child, since they were last taken.
    pub(super) attempts: Vec<(String, bool)>,
    /// How many of the next attempts fail.
    pub(super) failing: u32,
    /// Whether another program listens on the ports of nodes.
    pub(super) ports_taken: bool,
    started: u32,
}

/// One process.
#[derive(Clone, Debug)]
pub(super) struct Fake {
    /// The name of its child: that of a node, or of a balancer with its instance.
    pub(super) child: String,
    /// Whether it has answered for the first time.
    pub(super) answered: bool,
    /// Since when it runs and answers nothing.
    pub(super) hung_since: Option<Instant>,
    /// The signals that the present supervisor has sent to it.
    pub(super) signals: Vec<Signal>,
    /// Whether an earlier supervisor has sent one: it ends soon, and the present one cannot know.
    pub(super) is_ending: bool,
}

impl World {
    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// The supervisor has died: the next one knows neither answers nor signals.
    pub(super) fn supervisor_died(&mut self) {
        self.living.retain(|_, fake| !fake.is_killed());
        for fake in self.living.values_mut() {
            fake.answered = false;
            fake.is_ending |= !fake.signals.is_empty();
            fake.signals.clear();
        }
    }

    fn signal(&mut self, process: Identity, signal: Signal) {
        if let Some(fake) = self.living.get_mut(&process) {
            fake.signals.push(signal);
        }
    }
}

impl Fake {
    /// Whether it can answer for the first time.
    pub(super) fn may_answer(&self) -> bool {
        !self.answered && self.hung_since.is_none() && !self.is_killed()
    }

    /// Whether SIGKILL was sent to it.
    pub(super) fn is_killed(&self) -> bool {
        self.signals.contains(&Signal::SIGKILL)
    }
}

impl Processes for World {
    fn spawn(&self, program: &Program, _log: &Path) -> io::Result<Running> {
        let variable = |name: &str| {
            let found = program.env.iter().find(|(known, _)| known == name);
            found.map(|(_, value)| value.to_string_lossy().into_owned())
        };
        let mark = variable(CHILD).unwrap_or_default();
        let name = mark.rsplit('/').next().unwrap_or_default();
        let child = match variable(INSTANCE) {
            Some(instance) => format!("{name}-{instance}"),
            None => name.to_owned(),
        };
        let mut state = self.lock();
        let fails = state.failing > 0;
        state.failing = state.failing.saturating_sub(1);
        state.attempts.push((child.clone(), !fails));
        if fails {
            return Err(io::Error::from(io::ErrorKind::PermissionDenied));
        }
        state.started += 1;
        let identity = Identity {
            pid: FIRST_PID + state.started,
            start_time: u64::from(state.started),
        };
        let fake = Fake {
            child,
            answered: false,
            hung_since: None,
            signals: Vec::new(),
            is_ending: false,
        };
        state.living.insert(identity, fake);
        Ok(Running::unwatched(identity))
    }

    fn adopt(&self, process: Identity) -> io::Result<Option<Running>> {
        Ok(self.is_alive(process).then(|| Running::unwatched(process)))
    }

    fn is_alive(&self, process: Identity) -> bool {
        self.lock().living.contains_key(&process)
    }

    fn signal_group(&self, process: Identity, signal: Signal) -> io::Result<()> {
        self.lock().signal(process, signal);
        Ok(())
    }

    fn signal_all(&self, process: Identity, _: Descendants, signal: Signal, _title: String) {
        self.lock().signal(process, signal);
    }

    fn are_free(&self, _addresses: &[SocketAddr]) -> bool {
        !self.lock().ports_taken
    }
}
