//! A child process that ends with this one.

use std::fs::File;
use std::io;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use clusterctl::platform::Program;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// The time limit to start and to end.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Runs until this is dropped.
pub(crate) struct Process(Child);

impl Process {
    /// Starts it; its output goes to the file `log`.
    #[expect(clippy::disallowed_methods, reason = "runs what it measures as a user does")]
    pub(crate) fn start(program: &Program, log: &Path) -> io::Result<Process> {
        let log = File::create(log)?;
        let child = Command::new(&program.path)
            .args(&program.args)
            .envs(program.env.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()?;
        Ok(Process(child))
    }

    /// Waits until `serves` returns true.
    pub(crate) fn wait_until(&mut self, serves: impl Fn() -> io::Result<()>) -> io::Result<()> {
        let deadline = Instant::now() + TIMEOUT;
        while let Err(error) = serves() {
            if let Some(status) = self.0.try_wait()? {
                return Err(io::Error::other(format!("ended with {status}")));
            }
            if Instant::now() > deadline {
                return Err(error);
            }
            thread::sleep(Duration::from_millis(50));
        }
        Ok(())
    }

    /// Its pid and those of its children.
    pub(crate) fn all(&self) -> Vec<Pid> {
        let own = self.0.id();
        let listed = std::fs::read_to_string(format!("/proc/{own}/task/{own}/children")).unwrap_or_default();
        let children = listed.split_ascii_whitespace().filter_map(|pid| pid.parse().ok());
        std::iter::once(own.cast_signed())
            .chain(children)
            .map(Pid::from_raw)
            .collect()
    }

    // Private

    fn has_ended(&mut self) -> bool {
        !matches!(self.0.try_wait(), Ok(None))
    }
}

impl Drop for Process {
    /// Sends SIGTERM, and SIGKILL if that does not end it.
    fn drop(&mut self) {
        let all = self.all();
        let deadline = Instant::now() + TIMEOUT;
        // The process may be gone already.
        let _gone = kill(all[0], Signal::SIGTERM);
        while !self.has_ended() && Instant::now() < deadline {
            thread::sleep(Duration::from_millis(20));
        }
        if !self.has_ended() {
            for pid in all {
                let _gone = kill(pid, Signal::SIGKILL);
            }
            let _reaped = self.0.wait();
        }
    }
}
