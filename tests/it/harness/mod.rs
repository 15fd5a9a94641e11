//! A cluster for one test: its own run directory, its own ports, removed when the test ends.

mod client;
mod ports;
mod processes;
mod state;

use std::fs::Permissions;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::time::{Duration, Instant};

use assert_cmd::Command;
use nix::sys::signal::Signal;
use tempfile::TempDir;

pub use self::client::{Client, connect_from, http_get};
pub use self::ports::{Ports, close, unused};
pub use self::processes::{copy_program, is_alive, kill_group, signal};

/// Longer than any step takes on a busy machine.
pub const TIMEOUT: Duration = Duration::from_mins(1);

/// The run directory in the environment of every process of a test's cluster.
pub const INHERITED_RUN_DIR: &str = "TEST_RUN_DIR";

/// A cluster for one test.
#[must_use]
pub struct TestCluster {
    dir: TempDir,
    ports: Ports,
    balancer: &'static str,
    args: Vec<String>,
    /// The limit of descriptors of a process; the host's limit when none.
    nofile: Option<u32>,
    /// The program that runs the commands.
    program: PathBuf,
}

/// The output and exit code of a command.
#[derive(Debug)]
pub struct Ran {
    pub stdout: String,
    pub stderr: String,
    pub code: i32,
}

impl TestCluster {
    /// A cluster of the default profile behind HAProxy.
    pub fn new() -> TestCluster {
        TestCluster::behind("haproxy")
    }

    /// A cluster of the default profile behind `balancer`. With `TEST_NODES=beam` in the
    /// environment its nodes are BEAM nodes, so that the tests of our own nodes also run with
    /// those.
    pub fn behind(balancer: &'static str) -> TestCluster {
        let cluster = TestCluster::bare(balancer);
        match std::env::var("TEST_NODES") {
            Ok(nodes) if nodes == "beam" => cluster.on_beams(),
            _ => cluster,
        }
    }

    /// A cluster of BEAM nodes behind `balancer`.
    pub fn of_beams(balancer: &'static str) -> TestCluster {
        TestCluster::bare(balancer).on_beams()
    }

    fn on_beams(self) -> TestCluster {
        self.with(&["--profile", "beam"])
    }

    fn bare(balancer: &'static str) -> TestCluster {
        let dir = tempfile::Builder::new().prefix("cctl").tempdir().unwrap();
        TestCluster {
            dir,
            ports: Ports::new(),
            balancer,
            args: Vec::new(),
            nofile: None,
            program: PathBuf::from(env!("CARGO_BIN_EXE_clusterctl")),
        }
        .in_one_process()
    }

    /// HAProxy as three processes, as on a host where one process cannot have enough descriptors.
    pub fn sharded() -> TestCluster {
        let mut cluster = TestCluster::new()
            .set("limits.maxconn=600")
            .set("nodes.target=150")
            .set("nodes.maxconn=1000")
            .set("limits.per_ip.connection_rate=0");
        cluster.nofile = Some(700);
        cluster
    }

    /// On a host with few descriptors HAProxy would run as several processes, which most tests are
    /// not about.
    fn in_one_process(self) -> TestCluster {
        match self.balancer {
            "haproxy" => self.set("limits.maxconn=9500"),
            _ => self,
        }
    }

    /// Accepts any unevenness in a load test: nginx places a few clients unevenly, by a hash of
    /// their addresses.
    pub fn with_any_evenness(self) -> TestCluster {
        match self.balancer {
            "nginx" => self.set("targets.variance=200%"),
            _ => self,
        }
    }

    /// A cluster of nodes that the shell `script` runs with the node's name and ports as `$1`, `$2`
    /// and `$3`. `$BIN` is the program under test, and the script is in the cluster's directory.
    pub fn scripted(self, script: &str) -> TestCluster {
        self.scripted_with(script, "'{tcp_port}', '{http_port}'")
    }

    /// A cluster of nodes without TCP that the shell `script` runs with the node's name and HTTP
    /// port as `$1` and `$2`.
    pub fn scripted_over_http(self, script: &str) -> TestCluster {
        self.scripted_with(script, "'{http_port}'")
    }

    fn scripted_with(self, script: &str, ports: &str) -> TestCluster {
        let cluster = self.set("nodes.runtime=command");
        let path = cluster.dir().join("node.sh");
        let script = format!("#!/bin/sh\nBIN={}\n{script}\n", env!("CARGO_BIN_EXE_clusterctl"));
        std::fs::write(&path, script).unwrap();
        std::fs::set_permissions(&path, Permissions::from_mode(0o755)).unwrap();
        cluster.set(&format!(
            "nodes.command=[{}, '{{name}}', {ports}]",
            path.display()
        ))
    }

    /// With global arguments for every command.
    pub fn with(mut self, args: &[&str]) -> TestCluster {
        self.args.extend(args.iter().map(|arg| (*arg).to_owned()));
        self
    }

    /// With a value of the profile changed.
    pub fn set(self, path_and_value: &str) -> TestCluster {
        self.with(&["--set", path_and_value])
    }

    /// Nodes that have failed are held back for 2 s instead of 6.
    pub fn with_short_hold(self) -> TestCluster {
        self.set("health.interval=1s")
    }

    /// The global arguments of every command.
    pub fn args(&self) -> &[String] {
        &self.args
    }

    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    pub fn run_dir(&self) -> PathBuf {
        self.dir.path().join("run")
    }

    /// Its ports: no other test uses them before this copy is dropped, too.
    pub fn ports(&self) -> Ports {
        self.ports.clone()
    }

    /// The port that is `base` in an unshifted profile.
    pub fn port(&self, base: u16) -> u16 {
        self.ports.port(base)
    }

    pub fn address(&self, base: u16) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], self.port(base)))
    }

    /// A command on this cluster, not yet run.
    pub fn command(&self, args: &[&str]) -> Command {
        let (program, first) = self.program();
        let mut command = Command::new(program);
        command
            .args(first)
            .env("CLUSTERCTL_RUN_DIR", self.run_dir())
            .env(INHERITED_RUN_DIR, self.run_dir())
            .env_remove("XDG_RUNTIME_DIR")
            .args(["--port-offset", &self.ports.port(0).to_string()])
            .args(&self.args)
            .args(args)
            .timeout(TIMEOUT);
        command
    }

    /// A command on this cluster, to be observed while it runs.
    pub fn beside(&self, args: &[&str]) -> std::process::Command {
        let mut command = self.in_run_dir();
        command
            .args(["--port-offset", &self.ports.port(0).to_string()])
            .args(&self.args)
            .args(args);
        command
    }

    /// Runs a command on this cluster without the flags about the profile that it was started with.
    pub fn run_without_flags(&self, args: &[&str]) -> Ran {
        Ran::from(self.in_run_dir().args(args).output().unwrap())
    }

    fn in_run_dir(&self) -> std::process::Command {
        let (program, first) = self.program();
        let mut command = std::process::Command::new(program);
        command
            .args(first)
            .env("CLUSTERCTL_RUN_DIR", self.run_dir())
            .env(INHERITED_RUN_DIR, self.run_dir())
            .env_remove("XDG_RUNTIME_DIR")
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    /// From now on, commands are those of another program.
    pub fn use_program(&mut self, program: PathBuf) {
        self.program = program;
    }

    fn program(&self) -> (&Path, Vec<String>) {
        match self.nofile {
            None => (&self.program, Vec::new()),
            Some(nofile) => (
                Path::new("prlimit"),
                vec![
                    format!("--nofile={nofile}:{nofile}"),
                    self.program.display().to_string(),
                ],
            ),
        }
    }

    pub fn run(&self, args: &[&str]) -> Ran {
        Ran::from(self.command(args).output().unwrap())
    }

    /// Runs a command that must succeed; its standard output.
    pub fn ok(&self, args: &[&str]) -> String {
        let ran = self.run(args);
        assert_eq!(ran.code, 0, "clusterctl {args:?}: {}{}", ran.stdout, ran.stderr);
        ran.stdout
    }

    /// The started cluster.
    pub fn started(self) -> TestCluster {
        self.start(&[]);
        self
    }

    /// Starts the cluster behind its balancer, with more arguments.
    pub fn start(&self, args: &[&str]) -> String {
        self.ok(&[&["start", self.balancer], args].concat())
    }

    /// The balancer of the cluster.
    pub fn balancer(&self) -> &'static str {
        self.balancer
    }

    /// The name of its balancer's configuration.
    pub fn config(&self) -> &'static str {
        match self.balancer {
            "builtin" => "dataplane.yaml",
            "nginx" => "nginx.conf",
            _ => "haproxy.cfg",
        }
    }

    /// The name of its balancer's runtime socket, or of its substitute.
    pub fn socket(&self) -> &'static str {
        match self.balancer {
            "builtin" => "dataplane.sock",
            "nginx" => "nginx.sock",
            _ => "haproxy.sock",
        }
    }
}

impl Drop for TestCluster {
    fn drop(&mut self) {
        let stopped = self.command(&["stop", "--grace", "0"]).output();
        // The tests of `stop` check what it leaves; here the processes are only removed.
        for pid in self.processes() {
            signal(pid, Signal::SIGKILL);
        }
        if std::thread::panicking() {
            let log = std::fs::read_to_string(self.run_dir().join("logs/supervisor.log")).unwrap_or_default();
            eprintln!("stop: {stopped:?}\nsupervisor's log:\n{log}");
        }
    }
}

impl From<Output> for Ran {
    fn from(output: Output) -> Ran {
        Ran {
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
            code: output.status.code().unwrap_or(-1),
        }
    }
}

/// Runs each test once behind each balancer. Tests are functions that take its name.
macro_rules! behind_each_balancer {
    ($($test:ident),+ $(,)?) => {
        mod haproxy {
            $(#[test] fn $test() { super::$test("haproxy"); })+
        }
        mod builtin {
            $(#[test] fn $test() { super::$test("builtin"); })+
        }
        mod nginx {
            $(#[test] fn $test() { super::$test("nginx"); })+
        }
    };
}
pub(crate) use behind_each_balancer;

/// Runs each test once behind each balancer that remembers the node of each client. nginx computes
/// it instead.
macro_rules! behind_each_sticky_table {
    ($($test:ident),+ $(,)?) => {
        mod with_sticky_table {
            mod haproxy {
                $(#[test] fn $test() { super::super::$test("haproxy"); })+
            }
            mod builtin {
                $(#[test] fn $test() { super::super::$test("builtin"); })+
            }
        }
    };
}
pub(crate) use behind_each_sticky_table;

/// Waits until `attempt` returns a value.
pub fn eventually<T>(what: &str, mut attempt: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + TIMEOUT;
    loop {
        if let Some(result) = attempt() {
            return result;
        }
        assert!(Instant::now() < deadline, "timed out waiting for: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}
