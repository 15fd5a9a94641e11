//! System calls of a balancer, counted by `perf`, or by `strace` where there is no `perf`.

use std::io;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// The time that either needs to attach to all threads.
const ATTACHING: Duration = Duration::from_millis(500);

/// A running count.
pub(crate) struct Count {
    child: Child,
    find: fn(&str) -> Option<u64>,
}

impl Count {
    /// Begins to count the system calls of `pids`. None where neither tool works.
    pub(crate) fn begin(pids: &[Pid]) -> Option<Count> {
        let list: Vec<String> = pids.iter().map(ToString::to_string).collect();
        let list = list.join(",");
        let perf = ["stat", "-x", ",", "-e", "raw_syscalls:sys_enter", "-p", &list];
        let strace = ["-c", "-f", "-p", &list];
        Count::of("perf", &perf, in_perf).or_else(|| Count::of("strace", &strace, in_strace))
    }

    /// Ends the count and returns it.
    pub(crate) fn end(self) -> Option<u64> {
        kill(Pid::from_raw(self.child.id().cast_signed()), Signal::SIGINT).ok()?;
        let output = self.child.wait_with_output().ok()?;
        (self.find)(&String::from_utf8_lossy(&output.stderr))
    }

    // Private

    fn of(tool: &str, args: &[&str], find: fn(&str) -> Option<u64>) -> Option<Count> {
        let mut child = spawned(tool, args).ok()?;
        std::thread::sleep(ATTACHING);
        // A tool without permission to attach has ended by now.
        match child.try_wait() {
            Ok(None) => Some(Count { child, find }),
            _ => None,
        }
    }
}

// Private

#[expect(clippy::disallowed_methods, reason = "runs what it measures with")]
fn spawned(tool: &str, args: &[&str]) -> io::Result<Child> {
    Command::new(tool)
        .args(args)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
}

/// `12345,,raw_syscalls:sys_enter,..`
fn in_perf(text: &str) -> Option<u64> {
    let line = text.lines().find(|line| line.contains("raw_syscalls"))?;
    line.split(',').next()?.parse().ok()
}

/// `100.00    0.123456           1     12345         6 total`
fn in_strace(text: &str) -> Option<u64> {
    let line = text.lines().find(|line| line.ends_with(" total"))?;
    line.split_ascii_whitespace().nth(3)?.parse().ok()
}
