//! A cluster for one test: its own run directory, its own ports, removed when the test ends.

use std::fs::{File, Permissions};
use std::io::{BufRead, BufReader, Write};
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::time::{Duration, Instant};

use assert_cmd::Command;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use tempfile::TempDir;

/// Longer than any step takes on a busy machine.
pub const TIMEOUT: Duration = Duration::from_mins(1);

/// The run directory in the environment of every process of a test's cluster.
pub const INHERITED_RUN_DIR: &str = "TEST_RUN_DIR";

/// The distance between the ports of two tests; those of a cluster of BEAM nodes go from 8000 to
/// 9104.
const STEP: u16 = 1_110;
/// More ranges would reach into the ephemeral ports.
const SLOTS: u16 = 21;

/// A range of ports that no other test uses.
#[must_use]
pub struct Ports {
    offset: u16,
    /// Locks the range.
    _slot: File,
}

impl Ports {
    pub fn new() -> Ports {
        let (offset, slot) = eventually("a free range of ports", free_slot);
        Ports { offset, _slot: slot }
    }

    /// The port that is `base` in an unshifted profile.
    pub fn port(&self, base: u16) -> u16 {
        base + self.offset
    }
}

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
            .args(["--port-offset", &self.ports.offset.to_string()])
            .args(&self.args)
            .args(args)
            .timeout(TIMEOUT);
        command
    }

    /// A command on this cluster, to be observed while it runs.
    pub fn beside(&self, args: &[&str]) -> std::process::Command {
        let mut command = self.in_run_dir();
        command
            .args(["--port-offset", &self.ports.offset.to_string()])
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

    /// Kills the supervisor; its children go on.
    pub fn kill_supervisor(&self) {
        let supervisor = self.supervisor_pid();
        signal(supervisor, Signal::SIGKILL);
        eventually("the supervisor's end", || (!is_alive(supervisor)).then_some(()));
        // Its first thread may end before the others, which hold the socket.
        eventually("a closed control socket", || {
            UnixStream::connect(self.run_dir().join("control.sock"))
                .is_err()
                .then_some(())
        });
    }

    pub fn status(&self) -> Value {
        serde_json::from_str(&self.run(&["status", "--json"]).stdout).unwrap()
    }

    /// The status of the node called `name`.
    pub fn node(&self, name: &str) -> Value {
        let status = self.status();
        let nodes = status["nodes"].as_array().unwrap();
        nodes
            .iter()
            .find(|node| node["name"] == name)
            .unwrap_or_else(|| panic!("no {name} in {status}"))
            .clone()
    }

    pub fn node_pid(&self, name: &str) -> u32 {
        pid_of(&self.node(name)["pid"])
    }

    pub fn balancer_pid(&self) -> u32 {
        pid_of(&self.status()["balancer"]["pids"][0])
    }

    /// The pids of all balancer processes.
    pub fn balancer_pids(&self) -> Vec<u32> {
        let status = self.status();
        status["balancer"]["pids"]
            .as_array()
            .unwrap()
            .iter()
            .map(pid_of)
            .collect()
    }

    /// The pid of the supervisor, as the kernel reports it for the socket.
    pub fn supervisor_pid(&self) -> u32 {
        let stream = UnixStream::connect(self.run_dir().join("control.sock")).unwrap();
        let peer = nix::sys::socket::getsockopt(&stream, nix::sys::socket::sockopt::PeerCredentials).unwrap();
        peer.pid().unsigned_abs()
    }

    /// Every living process of this cluster.
    pub fn processes(&self) -> Vec<u32> {
        let Ok(text) = std::fs::read_to_string(self.run_dir().join("state.json")) else {
            return Vec::new();
        };
        let state: Value = serde_json::from_str(&text).unwrap();
        let children = state["children"].as_array().unwrap().iter();
        children
            .map(|child| pid_of(&child["process"]["pid"]))
            .filter(|pid| is_alive(*pid))
            .collect()
    }

    /// The state of the node as a TCP server of the balancer: `UP`, `DOWN`..
    pub fn balancer_state(&self, node: &str) -> String {
        let stats: Value = serde_json::from_str(&self.ok(&["stats", "--json"])).unwrap();
        let rows = stats["rows"].as_array().unwrap();
        let row = rows.iter().find(|row| {
            let backend = row["proxy"].as_str().unwrap();
            ["mcp_cluster_tcp", "erlmcp_tcp_cluster"].contains(&backend) && row["name"] == node
        });
        let row = row.unwrap_or_else(|| panic!("no {node} in {stats}"));
        row["status"].as_str().unwrap().to_owned()
    }

    /// The number of connections of the node.
    pub fn connections(&self, node: &str) -> u64 {
        self.node(node)["connections"].as_u64().unwrap()
    }

    /// A client from `source`, and the node that serves it.
    pub fn client_from(&self, source: impl Into<IpAddr>) -> (Client, String) {
        let mut client = Client::connect(source, self.address(8000)).unwrap();
        let node = client.node().unwrap();
        (client, node)
    }

    /// A client from one of 256 addresses, and the node that serves it.
    pub fn client(&self, host: u8) -> (Client, String) {
        self.client_from([127, 4, 0, host])
    }

    /// `count` clients, and the nodes that serve them.
    pub fn clients(&self, count: u8) -> Vec<(Client, String)> {
        (1..=count).map(|host| self.client(host)).collect()
    }

    /// The balancer's answer on its runtime socket.
    pub fn ask_balancer(&self, command: &str) -> String {
        let mut stream = UnixStream::connect(self.run_dir().join(self.socket())).unwrap();
        writeln!(stream, "{command}").unwrap();
        std::io::read_to_string(stream).unwrap()
    }

    /// Edits nginx.conf as others can: the node is down for TCP. Returns the former content.
    pub fn mark_down_in_nginx_conf(&self, node: &str) -> String {
        let path = self.run_dir().join("nginx.conf");
        let written = std::fs::read_to_string(&path).unwrap();
        let address = self.node(node)["tcp"].as_str().unwrap().to_owned();
        let edited = written.replace(&format!("server {address} "), &format!("server {address} down "));
        assert_ne!(edited, written);
        std::fs::write(&path, edited).unwrap();
        written
    }

    /// One column of `show stat` for a server.
    pub fn stat(&self, backend: &str, server: &str, column: &str) -> String {
        let csv = self.ask_balancer("show stat");
        let mut lines = csv.lines();
        let header: Vec<&str> = lines
            .next()
            .unwrap()
            .trim_start_matches("# ")
            .split(',')
            .collect();
        let index = header.iter().position(|name| *name == column).unwrap();
        let row = lines.map(|line| line.split(',').collect::<Vec<_>>());
        let row = row.into_iter().find(|row| row[0] == backend && row[1] == server);
        row.unwrap_or_else(|| panic!("no {backend}/{server} in {csv}"))[index].to_owned()
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

/// An MCP client over TCP.
pub struct Client {
    stream: BufReader<TcpStream>,
}

impl Client {
    /// Connects from `source`.
    pub fn connect(source: impl Into<IpAddr>, target: SocketAddr) -> std::io::Result<Client> {
        Ok(Client {
            stream: BufReader::new(connect_from(source.into(), target)?),
        })
    }

    /// Sends a request; its answer.
    pub fn call(&mut self, method: &str, params: &Value) -> std::io::Result<Value> {
        let request = serde_json::json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params});
        writeln!(self.stream.get_mut(), "{request}")?;
        let mut line = String::new();
        if self.stream.read_line(&mut line)? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        serde_json::from_str(&line).map_err(std::io::Error::other)
    }

    /// Waits until the connection ends, in whatever way; nothing may come before.
    pub fn waits_for_end(&mut self) {
        let mut line = String::new();
        let end = self.stream.read_line(&mut line).map_err(|error| error.kind());
        assert!(
            matches!(end, Ok(0) | Err(std::io::ErrorKind::ConnectionReset)),
            "{end:?}"
        );
    }

    /// The name of the node at the other end.
    pub fn node(&mut self) -> std::io::Result<String> {
        let params = serde_json::json!({
            "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}
        });
        let answer = self.call("initialize", &params)?;
        Ok(answer["result"]["serverInfo"]["name"]
            .as_str()
            .unwrap_or_else(|| panic!("{answer}"))
            .to_owned())
    }
}

/// A connection to `target` from an address of this host.
pub fn connect_from(source: IpAddr, target: SocketAddr) -> std::io::Result<TcpStream> {
    let socket = socket2::Socket::new(socket2::Domain::for_address(target), socket2::Type::STREAM, None)?;
    socket.bind(&SocketAddr::new(source, 0).into())?;
    socket.connect_timeout(&target.into(), TIMEOUT)?;
    socket.set_read_timeout(Some(TIMEOUT))?;
    Ok(socket.into())
}

/// The response to a GET request for `path`, head and body.
pub fn http_get(address: SocketAddr, path: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    )
    .unwrap();
    std::io::read_to_string(stream).unwrap()
}

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

fn pid_of(value: &Value) -> u32 {
    u32::try_from(value.as_u64().unwrap_or_else(|| panic!("no pid: {value}"))).unwrap()
}

/// A range of ports that no other test uses: the tests of one run may be separate processes.
fn free_slot() -> Option<(u16, File)> {
    let dir = std::env::temp_dir().join("clusterctl-test-ports");
    std::fs::create_dir_all(&dir).unwrap();
    (1..=SLOTS).find_map(|slot| {
        let file = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(dir.join(slot.to_string()))
            .unwrap();
        file.try_lock().is_ok().then_some((slot * STEP, file))
    })
}
