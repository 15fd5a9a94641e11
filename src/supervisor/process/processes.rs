//! What the core does to processes and ports itself. Everything else outside its state is done by
//! tasks, which end with an event. In a test of the core, processes exist only in the test.

use std::io;
use std::net::SocketAddr;
use std::path::Path;

use nix::sys::signal::Signal;

use super::descendants::Descendants;
use super::watcher::{self, Ready};
use crate::platform::ports::are_free;
use crate::platform::{Identity, Process, Program};
use crate::supervisor::event::EventSender;

/// Starts, finds and signals processes.
pub(in crate::supervisor) trait Processes: Send {
    /// Starts the program; its output is appended to the file `log`.
    fn spawn(&self, program: &Program, log: &Path) -> io::Result<Running>;

    /// The process of an earlier supervisor; `None` when it has ended.
    fn adopt(&self, process: Identity) -> io::Result<Option<Running>>;

    /// Whether the process still runs.
    fn is_alive(&self, process: Identity) -> bool;

    /// Sends `signal` to the process group that the process leads.
    fn signal_group(&self, process: Identity, signal: Signal) -> io::Result<()>;

    /// Sends `signal` to the `process` of the child called `title`, and to all that it has started.
    /// A failure is logged.
    fn signal_all(&self, process: Identity, descendants: Descendants, signal: Signal, title: String);

    /// Whether no process listens on any of the addresses.
    fn are_free(&self, addresses: &[SocketAddr]) -> bool;
}

/// A process that runs.
pub(in crate::supervisor) struct Running {
    pub(in crate::supervisor) identity: Identity,
    /// What it is watched by; `None` for a process that exists only in a test.
    process: Option<Process>,
}

/// The processes of this host.
pub(in crate::supervisor) struct HostProcesses;

impl Running {
    /// Sends events of the process until it has ended.
    pub(in crate::supervisor) fn watch(self, ready: Ready, events: EventSender) {
        if let Some(process) = self.process {
            watcher::watch(process, ready, events);
        }
    }

    /// A process that exists only in a test.
    #[cfg(test)]
    pub(in crate::supervisor) const fn unwatched(identity: Identity) -> Running {
        Running {
            identity,
            process: None,
        }
    }
}

impl From<Process> for Running {
    fn from(process: Process) -> Running {
        Running {
            identity: process.identity(),
            process: Some(process),
        }
    }
}

impl Processes for HostProcesses {
    fn spawn(&self, program: &Program, log: &Path) -> io::Result<Running> {
        program.spawn(log).map(Running::from)
    }

    fn adopt(&self, process: Identity) -> io::Result<Option<Running>> {
        Ok(Process::adopt(process)?.map(Running::from))
    }

    fn is_alive(&self, process: Identity) -> bool {
        process.is_alive()
    }

    fn signal_group(&self, process: Identity, signal: Signal) -> io::Result<()> {
        process.signal_group(signal)
    }

    fn signal_all(&self, _: Identity, descendants: Descendants, signal: Signal, title: String) {
        // Reads all of `/proc`.
        tokio::task::spawn_blocking(move || {
            if let Err(error) = descendants.signal(signal) {
                tracing::error!(child = title, %signal, "cannot send the signal: {error}");
            }
        });
    }

    fn are_free(&self, addresses: &[SocketAddr]) -> bool {
        are_free(addresses)
    }
}
