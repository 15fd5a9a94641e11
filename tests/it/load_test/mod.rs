//! `clusterctl load-test` as a user runs it: against healthy and failing clusters and targets.

mod comparing;
mod evenness;
mod failing;
mod hostile;
mod interrupting;
mod protocols;
mod reaching;
mod refusing;
mod reporting;
mod scale;
mod sharing;
mod small;
mod target;

use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use clusterctl::plan::PROBE_SOURCE;
use clusterctl::platform::sock_diag::count_established;
use nix::sys::signal::Signal;
use serde_json::Value;
use tempfile::TempDir;

use crate::harness::{Ran, TestCluster, eventually, signal};

/// A running load test. It ends with the Rust test at the latest.
#[must_use]
struct Running {
    child: Option<Child>,
    since: Instant,
    /// A run directory without a cluster.
    _nowhere: Option<TempDir>,
}

/// A load test that has ended.
struct Ended {
    code: i32,
    stdout: String,
    stderr: String,
    took: Duration,
}

/// A load test of a cluster.
fn of(cluster: &TestCluster, line: &str) -> Running {
    let args: Vec<&str> = ["load-test"].into_iter().chain(line.split_whitespace()).collect();
    Running::begun(cluster.beside(&args), None)
}

/// A load test of a target that does not belong to a cluster.
fn at(target: impl std::fmt::Display, line: &str) -> Running {
    let nowhere = tempfile::tempdir().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_clusterctl"));
    command
        .env("CLUSTERCTL_RUN_DIR", nowhere.path())
        .args(["load-test", "--target", &target.to_string()])
        .args(line.split_whitespace())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    Running::begun(command, Some(nowhere))
}

impl Running {
    fn begun(mut command: Command, nowhere: Option<TempDir>) -> Running {
        Running {
            child: Some(command.spawn().unwrap()),
            since: Instant::now(),
            _nowhere: nowhere,
        }
    }

    fn pid(&self) -> u32 {
        self.child.as_ref().unwrap().id()
    }

    /// Waits until the load test ends by itself.
    fn ends(mut self) -> Ended {
        let output = self.child.take().unwrap().wait_with_output().unwrap();
        let Ran { stdout, stderr, code } = Ran::from(output);
        Ended {
            code,
            stdout,
            stderr,
            took: self.since.elapsed(),
        }
    }

    /// Interrupts the load test as Ctrl-C does. `took` is the time from the signal to its end.
    fn interrupted(self) -> Ended {
        self.signalled(Signal::SIGINT)
    }

    /// Sends a signal to the load test. `took` is the time from the signal to its end.
    fn signalled(mut self, sent: Signal) -> Ended {
        self.since = Instant::now();
        signal(self.pid(), sent);
        self.ends()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            let _gone = child.kill();
            let _reaped = child.wait();
        }
    }
}

impl Ended {
    /// Its results; the exit code must be `code`.
    fn results(&self, code: i32) -> Value {
        assert_eq!(self.code, code, "{self}");
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self}"))
    }

    /// Its stderr; it must be refused, in less time than a test takes.
    fn refusal(&self) -> &str {
        assert_eq!((self.code, self.stdout.as_str()), (2, ""), "{self}");
        assert!(self.stderr.starts_with("error: "), "{self}");
        assert_eq!(self.stderr.matches("error: ").count(), 1, "{self}");
        &self.stderr
    }
}

impl std::fmt::Display for Ended {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Ended {
            code,
            stdout,
            stderr,
            took,
        } = self;
        write!(f, "code {code} after {took:?}\n{stderr}\n{stdout}")
    }
}

/// The verdict of a check.
fn verdict<'a>(results: &'a Value, check: &str) -> &'a str {
    let checks = results["checks"].as_array().unwrap();
    let check = checks.iter().find(|known| known["name"] == check);
    check.unwrap_or_else(|| panic!("{results}"))["verdict"]
        .as_str()
        .unwrap()
}

/// The number of errors of `kind`, and one example.
fn error<'a>(results: &'a Value, kind: &str) -> (u64, &'a str) {
    let errors = results["errors"].as_array().unwrap();
    let of_kind: Vec<&Value> = errors.iter().filter(|error| error["kind"] == kind).collect();
    let [error] = of_kind[..] else {
        panic!("not one {kind}: {errors:?}");
    };
    (
        error["count"].as_u64().unwrap(),
        error["example"].as_str().unwrap(),
    )
}

/// Established connections to an address of this host, as the kernel counts them, without those of
/// probes.
fn established(address: SocketAddr) -> u64 {
    count_established(&[address], &[PROBE_SOURCE]).unwrap()[0]
}

/// Waits until `count` connections are established at `address`.
fn held(address: SocketAddr, connections: u64) {
    eventually("all connections", || {
        (established(address) == connections).then_some(())
    });
}
