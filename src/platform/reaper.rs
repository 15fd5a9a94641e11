//! Reaps the orphans that become children of this process.
//!
//! A process whose parent ends becomes a child of its nearest ancestor that is a subreaper, or of
//! PID 1. That parent has to wait for its end, or it stays as a zombie. Processes that this one has
//! started itself are waited for elsewhere, where their exit statuses are needed: they are
//! registered here, and not reaped.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};

use nix::sys::wait::{WaitPidFlag, waitpid};
use nix::unistd::Pid;

use super::worker::children;

/// Processes that are waited for elsewhere, each with the number of waiters.
static WATCHED: Mutex<BTreeMap<u32, u32>> = Mutex::new(BTreeMap::new());

/// Registers a process that is waited for elsewhere, until this value is dropped.
#[derive(Debug)]
pub(super) struct Watched(u32);

impl Watched {
    /// Registers a process that this one did not start.
    pub(super) fn new(pid: u32) -> Watched {
        Watched::add(&mut watched(), pid)
    }

    /// Starts a process by `start`, which returns it with its pid. It is registered before it can
    /// be reaped.
    pub(super) fn start<T>(start: impl FnOnce() -> io::Result<(T, u32)>) -> io::Result<(T, Watched)> {
        let mut watched = watched();
        let (process, pid) = start()?;
        Ok((process, Watched::add(&mut watched, pid)))
    }

    fn add(watched: &mut BTreeMap<u32, u32>, pid: u32) -> Watched {
        *watched.entry(pid).or_default() += 1;
        Watched(pid)
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        let mut watched = watched();
        if let Some(count) = watched.get_mut(&self.0) {
            *count -= 1;
            if *count == 0 {
                watched.remove(&self.0);
            }
        }
    }
}

/// Makes the orphans among this process's descendants its children.
///
/// # Errors
/// When the kernel refuses.
pub fn become_subreaper() -> io::Result<()> {
    Ok(nix::sys::prctl::set_child_subreaper(true)?)
}

/// Whether this process waits for process `pid` elsewhere, because it started or adopted it.
#[must_use]
pub fn is_watched(pid: u32) -> bool {
    watched().contains_key(&pid)
}

/// Reaps the orphans that have ended.
pub fn reap() {
    // The lock is held so that a process that is started in between is not taken for an orphan.
    let watched = watched();
    let orphans = children(std::process::id())
        .into_iter()
        .filter(|pid| !watched.contains_key(pid));
    for pid in orphans {
        let _runs_or_ended = waitpid(Pid::from_raw(pid.cast_signed()), Some(WaitPidFlag::WNOHANG));
    }
}

// Private

fn watched() -> MutexGuard<'static, BTreeMap<u32, u32>> {
    // The map is consistent between any two statements.
    WATCHED.lock().unwrap_or_else(PoisonError::into_inner)
}
