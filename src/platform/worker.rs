//! The children of a process, and the titles of those that are workers.

use std::fs;
use std::io;

use super::process::{Identity, fields_after_name, stat};

/// A child of a process that need not be ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Worker {
    /// Its pid.
    pub pid: u32,
    /// Its title: its first argument, which the process can overwrite.
    pub title: String,
}

impl Worker {
    /// The living children of `master`; none when it has ended.
    #[must_use]
    pub fn of(master: Identity) -> Vec<Worker> {
        let children = children(master.pid);
        // Checked again: the pid may belong to another process now.
        if !master.is_alive() {
            return Vec::new();
        }
        children
            .into_iter()
            .filter_map(|pid| {
                Some(Worker {
                    pid,
                    title: title(pid)?,
                })
            })
            .collect()
    }
}

/// The children of process `pid`; none when it has ended, or the kernel does not list them.
#[must_use]
pub fn children(pid: u32) -> Vec<u32> {
    listed(pid).unwrap_or_else(|_| by_parent(pid))
}

/// The suspended processes of `master`, itself included: those that a signal such as `SIGSTOP` has
/// stopped.
#[must_use]
pub fn suspended(master: Identity) -> Vec<u32> {
    let processes = std::iter::once(master.pid).chain(children(master.pid));
    let suspended = processes.filter(|pid| is_suspended(*pid)).collect();
    if master.is_alive() { suspended } else { Vec::new() }
}

// Private

fn is_suspended(pid: u32) -> bool {
    stat(pid).is_some_and(|stat| fields_after_name(&stat).and_then(|mut fields| fields.next()) == Some("T"))
}

/// Reads the kernel's own lists: one for each thread, with the children that the thread has made.
fn listed(pid: u32) -> io::Result<Vec<u32>> {
    let mut children = Vec::new();
    for thread in fs::read_dir(format!("/proc/{pid}/task"))? {
        let list = fs::read_to_string(thread?.path().join("children"))?;
        children.extend(
            list.split_ascii_whitespace()
                .filter_map(|pid| pid.parse::<u32>().ok()),
        );
    }
    Ok(children)
}

/// Searches all processes for this parent: a kernel can be built without the lists, and a thread
/// can end while they are read.
fn by_parent(pid: u32) -> Vec<u32> {
    let Ok(entries) = fs::read_dir("/proc") else {
        return Vec::new();
    };
    entries
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter(|child| parent(*child) == Some(pid))
        .collect()
}

fn parent(pid: u32) -> Option<u32> {
    fields_after_name(&stat(pid)?)?.nth(1)?.parse().ok()
}

/// `None` for a process that has ended.
fn title(pid: u32) -> Option<String> {
    let line = fs::read(format!("/proc/{pid}/cmdline")).ok()?;
    let first = line
        .split(|byte| *byte == 0)
        .next()
        .filter(|first| !first.is_empty())?;
    Some(String::from_utf8_lossy(first).trim_end().to_owned())
}

#[cfg(test)]
mod tests {
    use nix::sys::signal::Signal;

    use super::super::Program;
    use super::*;

    #[tokio::test]
    async fn children_are_found() {
        let dir = tempfile::tempdir().unwrap();
        let program = Program::new("/bin/sleep").arg("60");
        let mut child = program.spawn(&dir.path().join("log")).unwrap();
        let pid = child.identity().pid;
        assert!(children(std::process::id()).contains(&pid));
        child.identity().signal_group(Signal::SIGKILL).unwrap();
        child.ended().await.unwrap();
        assert!(!children(std::process::id()).contains(&pid));
        assert!(children(u32::MAX).is_empty());
    }

    #[tokio::test]
    async fn children_are_identified_by_their_titles() {
        let dir = tempfile::tempdir().unwrap();
        let mut parent = Program::new("/bin/sh")
            .args(["-c", "sleep 61 & sleep 62 & wait"])
            .spawn(&dir.path().join("log"))
            .unwrap();
        let identity = parent.identity();
        let deadline = std::time::Instant::now() + std::time::Duration::from_secs(30);
        let titles = || -> Vec<String> { Worker::of(identity).into_iter().map(|it| it.title).collect() };
        while titles() != ["sleep", "sleep"] {
            assert!(std::time::Instant::now() < deadline, "{:?}", titles());
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
        let pids: Vec<u32> = Worker::of(identity)
            .into_iter()
            .map(|worker| worker.pid)
            .collect();
        assert!(pids.iter().all(|pid| super::parent(*pid) == Some(identity.pid)));
        identity.signal_group(Signal::SIGKILL).unwrap();
        parent.ended().await.unwrap();
        assert!(Worker::of(identity).is_empty());
    }
}
