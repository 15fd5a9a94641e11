//! Our own processes: started or adopted, and watched by pidfd.

use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::process::{Child, Command, ExitStatus};
use std::str::SplitAsciiWhitespace;

use nix::errno::Errno;
use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::Pid;
use rustix::process::{PidfdFlags, pidfd_open};
use serde::{Deserialize, Serialize};
use tokio::io::unix::AsyncFd;

use super::reaper::Watched;

/// One process, distinct from any later process with the same pid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Identity {
    /// Its pid.
    pub pid: u32,
    /// When it started, in clock ticks since boot: field 22 of `/proc/PID/stat`.
    pub start_time: u64,
}

/// A process that is watched until it ends.
#[derive(Debug)]
pub struct Process {
    identity: Identity,
    pidfd: AsyncFd<OwnedFd>,
    /// `None` for an adopted process: only a parent gets an exit status.
    child: Option<Child>,
    _watched: Watched,
}

impl Identity {
    /// The process that has `pid` now.
    #[must_use]
    pub fn of(pid: u32) -> Option<Identity> {
        let stat = stat(pid)?;
        let mut fields = fields_after_name(&stat)?;
        let state = fields.next()?;
        let start_time = fields.nth(18)?.parse().ok()?;
        (!matches!(state, "Z" | "X")).then_some(Identity { pid, start_time })
    }

    /// This process itself.
    #[must_use]
    pub fn own() -> Identity {
        let pid = std::process::id();
        Identity::of(pid).unwrap_or(Identity { pid, start_time: 0 })
    }

    /// Whether the process still runs.
    #[must_use]
    pub fn is_alive(self) -> bool {
        Identity::of(self.pid) == Some(self)
    }

    /// Sends `signal` to the process; does nothing when it has ended.
    pub fn signal(self, signal: Signal) -> io::Result<()> {
        if !self.is_alive() {
            return Ok(());
        }
        gone_is_fine(kill(self.raw(), signal))
    }

    /// Sends `signal` to the process group that the process leads. This also reaches processes that
    /// a dead leader left behind.
    pub fn signal_group(self, signal: Signal) -> io::Result<()> {
        // The kernel does not reuse a pid while a process group of that number exists, so the group
        // is ours or gone, unless its leader was replaced by another process.
        if Identity::of(self.pid).is_some_and(|now| now != self) {
            return Ok(());
        }
        gone_is_fine(killpg(self.raw(), signal))
    }

    fn raw(self) -> Pid {
        Pid::from_raw(self.pid.cast_signed())
    }
}

/// The kernel's identifier of the time since this host was booted.
#[must_use]
pub fn boot_id() -> Option<String> {
    let id = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    Some(id.trim().to_owned())
}

impl Process {
    /// Starts a child and watches it. A child that cannot be watched is ended, because its end
    /// would go unnoticed.
    pub(super) fn start(command: &mut Command) -> io::Result<Process> {
        let (mut child, watched) = Watched::start(|| {
            let child = command.spawn()?;
            let pid = child.id();
            Ok((child, pid))
        })?;
        let pid = child.id();
        // The child is not reaped yet, so its pid cannot belong to another process. A child that
        // has already ended is a zombie without identity.
        let identity = Identity::of(pid).unwrap_or(Identity { pid, start_time: 0 });
        match open_pidfd(pid) {
            Ok(pidfd) => Ok(Process {
                identity,
                pidfd,
                child: Some(child),
                _watched: watched,
            }),
            Err(error) => {
                // It may have ended by itself already.
                let _ended = child.kill().and_then(|()| child.wait());
                Err(error)
            }
        }
    }

    /// Watches a process that another process started; `None` when it has ended.
    pub fn adopt(identity: Identity) -> io::Result<Option<Process>> {
        if !identity.is_alive() {
            return Ok(None);
        }
        let pidfd = open_pidfd(identity.pid)?;
        // Checked again, now that the pidfd is bound to the process with this pid.
        Ok(identity.is_alive().then_some(Process {
            identity,
            pidfd,
            child: None,
            _watched: Watched::new(identity.pid),
        }))
    }

    /// Which process this is.
    #[must_use]
    pub const fn identity(&self) -> Identity {
        self.identity
    }

    /// Waits for the end of the process; the exit status of an adopted process is unknown.
    pub async fn ended(&mut self) -> io::Result<Option<ExitStatus>> {
        let _readable = self.pidfd.readable().await?;
        match &mut self.child {
            Some(child) => child.wait().map(Some),
            None => Ok(None),
        }
    }
}

/// The text of `/proc/PID/stat`. The kernel cuts the name in it after 15 bytes, possibly inside a
/// character.
pub(super) fn stat(pid: u32) -> Option<String> {
    let stat = fs::read(format!("/proc/{pid}/stat")).ok()?;
    Some(String::from_utf8_lossy(&stat).into_owned())
}

/// The fields of `/proc/PID/stat` from the third one, the state, to the end: see
/// `proc_pid_stat(5)`. The second field is the name in parentheses, which can itself contain spaces
/// and parentheses.
pub(super) fn fields_after_name(stat: &str) -> Option<SplitAsciiWhitespace<'_>> {
    Some(stat.rsplit_once(')')?.1.split_ascii_whitespace())
}

// Private

#[expect(unsafe_code, reason = "tokio wants a promise that the descriptor stays open")]
fn open_pidfd(pid: u32) -> io::Result<AsyncFd<OwnedFd>> {
    let pid = rustix::process::Pid::from_raw(pid.cast_signed()).ok_or(Errno::ESRCH)?;
    let pidfd = pidfd_open(pid, PidfdFlags::empty())?;
    // SAFETY: `OwnedFd` keeps its descriptor open and unchanged until it is dropped.
    Ok(unsafe { AsyncFd::register_with_interest(pidfd, tokio::io::Interest::READABLE) }?)
}

fn gone_is_fine(result: nix::Result<()>) -> io::Result<()> {
    match result {
        Ok(()) | Err(Errno::ESRCH) => Ok(()),
        Err(errno) => Err(errno.into()),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::super::Program;
    use super::*;

    #[tokio::test]
    async fn a_child_is_watched_and_its_exit_status_known() {
        let dir = tempfile::tempdir().unwrap();
        let mut process = Program::new("/bin/sh")
            .args(["-c", "exit 7"])
            .spawn(&dir.path().join("log"))
            .unwrap();
        assert_eq!(process.ended().await.unwrap().unwrap().code(), Some(7));
        assert!(!process.identity().is_alive());
    }

    #[tokio::test]
    async fn an_adopted_process_ends_without_a_status() {
        let dir = tempfile::tempdir().unwrap();
        let mut child = Program::new("/bin/sleep")
            .arg("60")
            .spawn(&dir.path().join("log"))
            .unwrap();
        let identity = child.identity();
        let mut adopted = Process::adopt(identity).unwrap().unwrap();
        identity.signal_group(Signal::SIGKILL).unwrap();
        assert!(adopted.ended().await.unwrap().is_none());
        child.ended().await.unwrap();
        assert!(Process::adopt(identity).unwrap().is_none());
    }

    #[tokio::test]
    async fn a_process_whose_name_is_cut_inside_a_character_is_alive() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("узел1-сервер");
        fs::write(&path, "#!/bin/sh\nsleep 60\n:\n").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o700)).unwrap();
        let mut process = Program::new(&path).spawn(&dir.path().join("log")).unwrap();
        assert!(fs::read_to_string(format!("/proc/{}/stat", process.identity().pid)).is_err());
        assert!(process.identity().is_alive());
        process.identity().signal_group(Signal::SIGKILL).unwrap();
        process.ended().await.unwrap();
    }

    #[test]
    fn a_reused_pid_is_another_process() {
        let own = Identity::own();
        assert!(own.is_alive());
        let stranger = Identity {
            start_time: own.start_time + 1,
            ..own
        };
        assert!(!stranger.is_alive());
        // This signal would end the test if it reached the test's own process.
        stranger.signal(Signal::SIGKILL).unwrap();
        stranger.signal_group(Signal::SIGKILL).unwrap();
    }
}
