//! Processes of a cluster: signals, and whether they live.

use std::path::Path;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::eventually;

/// Copies a program that is run then. Another process does that: a program that a child of another
/// test has open for writing, because it was forked meanwhile, cannot be run (`ETXTBSY`).
pub fn copy_program(from: &Path, to: &Path) {
    let copied = std::process::Command::new("cp").arg(from).arg(to).status();
    assert!(copied.unwrap().success(), "{} is not copied", from.display());
}

/// Sends a signal to a process. After a stop signal, the process has stopped when this returns.
pub fn signal(pid: u32, signal: Signal) {
    // No signal is needed when the process has ended already.
    let _gone = kill(Pid::from_raw(pid.cast_signed()), signal);
    if signal == Signal::SIGSTOP {
        wait_until_stopped(pid);
    }
}

/// Sends a signal to the process group that `leader` leads. After a stop signal, the leader has
/// stopped when this returns.
pub fn kill_group(leader: u32, signal: Signal) {
    let _gone = nix::sys::signal::killpg(Pid::from_raw(leader.cast_signed()), signal);
    if signal == Signal::SIGSTOP {
        wait_until_stopped(leader);
    }
}

/// The kernel stops a process thread by thread, each when it runs next.
fn wait_until_stopped(pid: u32) {
    eventually("a process that is stopped", || {
        let Ok(threads) = std::fs::read_dir(format!("/proc/{pid}/task")) else {
            // It has ended.
            return Some(());
        };
        threads
            .flatten()
            .all(|thread| state_in(&thread.path().join("stat")) == Some('T'))
            .then_some(())
    });
}

pub fn is_alive(pid: u32) -> bool {
    let state = state_in(Path::new(&format!("/proc/{pid}/stat")));
    state.is_some_and(|state| !matches!(state, 'Z' | 'X'))
}

/// The state of a process or thread in its `stat` file of /proc.
fn state_in(stat: &Path) -> Option<char> {
    let stat = std::fs::read_to_string(stat).ok()?;
    stat.rsplit_once(") ")?.1.chars().next()
}
