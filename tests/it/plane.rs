//! The data plane alone, as a process for one test, seen from outside.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use clusterctl::dataplane_config::Dataplane;
use clusterctl::haproxy_api::{Row, Socket};
use clusterctl::platform::usage::{Usage, usage};
use nix::sys::signal::Signal;
use tempfile::TempDir;

use crate::harness::{self, TIMEOUT};

/// The data plane in front of some servers; runs until it is dropped.
#[must_use]
pub struct Plane {
    /// The address for clients.
    pub address: SocketAddr,
    pub config: Dataplane,
    child: Child,
    dir: TempDir,
    nofile: Option<u32>,
    args: Vec<String>,
    /// Connections that only probed whether it serves.
    pub probes: u64,
}

impl Plane {
    /// Starts it in front of `servers`: two workers, round robin, limits that no test reaches.
    pub fn start(servers: &[SocketAddr]) -> Plane {
        Plane::with(servers, |_| {})
    }

    /// Starts it in front of `servers` with a changed configuration.
    pub fn with(servers: &[SocketAddr], change: impl FnOnce(&mut Dataplane)) -> Plane {
        Plane::build(servers, None, &[], change)
    }

    /// Starts it in front of `servers` with `nofile` descriptors for each worker.
    pub fn with_descriptors(servers: &[SocketAddr], nofile: u32) -> Plane {
        Plane::build(servers, Some(nofile), &[], |_| {})
    }

    /// Starts it in front of `servers` with more arguments and a changed configuration.
    pub fn with_args(servers: &[SocketAddr], args: &[&str], change: impl FnOnce(&mut Dataplane)) -> Plane {
        Plane::build(servers, None, args, change)
    }

    /// Writes a changed configuration, without a reload.
    pub fn configure(&mut self, change: impl FnOnce(&mut Dataplane)) {
        change(&mut self.config);
        self.write(&self.config.to_yaml());
    }

    /// Writes any text in place of the configuration.
    pub fn write(&self, text: &str) {
        fs::write(self.dir.path().join("dataplane.yaml"), text).unwrap();
    }

    /// A file in its directory.
    pub fn file(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub fn runtime(&self) -> Socket {
        Socket::new(self.config.socket.clone())
    }

    /// Sends a command to the runtime API; the whole answer.
    pub fn ask(&self, command: &str) -> String {
        self.answer(command)
            .unwrap_or_else(|error| panic!("{command}: {error}"))
    }

    /// Sends an order that must be carried out.
    pub fn order(&self, command: &str) {
        assert_eq!(self.ask(command).trim(), "", "{command}");
    }

    /// Reloads the configuration, which must be valid.
    pub fn reload(&self) {
        assert_eq!(self.ask("reload").trim(), "Success=1");
    }

    /// A figure of `server`, or of `FRONTEND` or `BACKEND`.
    pub fn figure(&self, server: &str, column: &str) -> u64 {
        self.row(server).number(column).unwrap_or(0)
    }

    /// The row of `server`.
    pub fn row(&self, server: &str) -> Row {
        let rows = Row::parse(&self.ask("show stat")).unwrap();
        rows.into_iter()
            .find(|row| row.name() == server)
            .unwrap_or_else(|| panic!("no {server}"))
    }

    /// Waits until a figure is `wanted`.
    pub fn waits_for(&self, server: &str, column: &str, wanted: u64) {
        harness::eventually(&format!("{server}'s {column} is {wanted}"), || {
            (self.figure(server, column) == wanted).then_some(())
        });
    }

    /// Waits until the status of a server is `wanted`.
    pub fn waits_for_status(&self, server: &str, wanted: &str) {
        harness::eventually(&format!("{server} is {wanted}"), || {
            (self.row(server).text("status") == wanted).then_some(())
        });
    }

    /// Whether this process answers at its socket, which may be that of another one meanwhile.
    pub fn is_at_its_socket(&self) -> bool {
        let pid = format!("\nPid: {}\n", self.child.id());
        // Another process there may be stopped.
        let info = self.answer_within(Duration::from_secs(1), "show info");
        info.is_ok_and(|info| info.contains(&pid))
    }

    pub fn signal(&self, signal: Signal) {
        harness::signal(self.child.id(), signal);
    }

    /// Waits until it has ended.
    pub fn ends(&mut self) -> ExitStatus {
        harness::eventually("the data plane ends", || self.child.try_wait().unwrap())
    }

    /// Starts it again after it has ended, with the same configuration.
    pub fn start_again(&mut self) {
        self.child = spawn(&self.dir, self.nofile, &self.args);
        self.serves();
    }

    /// Its log so far.
    pub fn log(&self) -> String {
        fs::read_to_string(self.file("log")).unwrap_or_default()
    }

    /// Waits until the log contains `what`.
    pub fn waits_for_log(&self, what: &str) {
        harness::eventually(&format!("the log says `{what}`"), || {
            self.log().contains(what).then_some(())
        });
    }

    /// Its resource usage so far.
    pub fn usage(&self) -> Usage {
        usage(self.child.id()).unwrap()
    }

    /// Checks that it does nothing for two seconds. One spinning thread beside two busy processes
    /// would use twice the allowed processor time.
    #[track_caller]
    pub fn rests(&self) {
        let before = self.usage().cpu;
        std::thread::sleep(Duration::from_secs(2));
        let used = self.usage().cpu.saturating_sub(before);
        assert!(used < Duration::from_millis(300), "it spins: {used:?}");
    }

    /// Its network sockets, in the descriptor tables of all workers.
    pub fn sockets(&self) -> usize {
        let tasks = fs::read_dir(format!("/proc/{}/task", self.child.id())).unwrap();
        let links = tasks
            .flatten()
            .filter_map(|task| fs::read_dir(task.path().join("fd")).ok())
            .flatten()
            .filter_map(|fd| fs::read_link(fd.ok()?.path()).ok())
            .filter(|link| link.to_string_lossy().starts_with("socket:"));
        links.collect::<BTreeSet<PathBuf>>().len()
    }

    /// Its private memory, in bytes.
    pub fn memory(&self) -> u64 {
        let text = fs::read_to_string(format!("/proc/{}/smaps_rollup", self.child.id())).unwrap();
        let anonymous = text.lines().find_map(|line| line.strip_prefix("Anonymous:"));
        let kilobytes = anonymous.unwrap().trim().trim_end_matches(" kB");
        kilobytes.parse::<u64>().unwrap() * 1024
    }

    // Private

    fn build(
        servers: &[SocketAddr],
        nofile: Option<u32>,
        args: &[&str],
        change: impl FnOnce(&mut Dataplane),
    ) -> Plane {
        let args: Vec<String> = args.iter().map(|arg| (*arg).to_owned()).collect();
        let dir = tempfile::Builder::new().prefix("plane").tempdir().unwrap();
        let address = free_address();
        let mut config = Dataplane::parse(&yaml(&dir, address, servers)).unwrap();
        change(&mut config);
        let address = config.frontends[0].listen[0];
        fs::write(dir.path().join("dataplane.yaml"), config.to_yaml()).unwrap();
        let mut plane = Plane {
            address,
            config,
            child: spawn(&dir, nofile, &args),
            dir,
            nofile,
            args,
            probes: 0,
        };
        plane.serves();
        plane
    }

    fn serves(&mut self) {
        harness::eventually("the data plane serves", || {
            assert_eq!(self.child.try_wait().unwrap(), None, "{}", self.log());
            self.is_at_its_socket().then_some(())
        });
        if self.config.listeners.is_some() {
            // Another process may accept the connection.
            return;
        }
        harness::eventually("it accepts", || TcpStream::connect(self.address).ok());
        self.probes += 1;
        // Waits so that this connection is counted before all others.
        harness::eventually("the first client is counted", || {
            (self.figure("FRONTEND", "stot") > 0).then_some(())
        });
    }

    fn answer(&self, command: &str) -> std::io::Result<String> {
        self.answer_within(TIMEOUT, command)
    }

    fn answer_within(&self, timeout: Duration, command: &str) -> std::io::Result<String> {
        let mut stream = UnixStream::connect(&self.config.socket)?;
        stream.set_read_timeout(Some(timeout))?;
        writeln!(stream, "{command}")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    }
}

impl Drop for Plane {
    fn drop(&mut self) {
        let _gone = self.child.kill();
        let _reaped = self.child.wait();
        if std::thread::panicking() {
            eprintln!("data plane's log:\n{}", self.log());
        }
    }
}

/// An address that nothing listens on, now or later: each call has its own address of
/// 127.64.0.0/10, because another test may be given any port of 127.0.0.1 at any time.
pub fn free_address() -> SocketAddr {
    static CALLS: AtomicU32 = AtomicU32::new(0);
    let call = CALLS.fetch_add(1, Ordering::Relaxed);
    let own = (std::process::id() << 8 | call & 0xff) & 0x3f_ffff;
    let ip = Ipv4Addr::from(u32::from(Ipv4Addr::new(127, 64, 0, 0)) | own);
    harness::unused((ip, 0).into()).unwrap()
}

// Private

fn spawn(dir: &TempDir, nofile: Option<u32>, args: &[String]) -> Child {
    let limit = nofile.map_or(String::new(), |nofile| format!("ulimit -n {nofile}; "));
    let log = File::options()
        .create(true)
        .append(true)
        .open(dir.path().join("log"))
        .unwrap();
    Command::new("sh")
        .arg("-c")
        .arg(format!("{limit}exec \"$0\" dataplane --config \"$@\""))
        .arg(env!("CARGO_BIN_EXE_clusterctl"))
        .arg(dir.path().join("dataplane.yaml"))
        .args(args)
        .stderr(log)
        .spawn()
        .unwrap()
}

fn yaml(dir: &TempDir, address: SocketAddr, servers: &[SocketAddr]) -> String {
    let socket = dir.path().join("dataplane.sock");
    let server = |(number, server): (usize, &SocketAddr)| {
        format!(
            "      - {{name: node{number}, id: {number}, address: '{server}', weight: 100, maxconn: 0, question: tcp}}"
        )
    };
    let servers: Vec<String> = (1..).zip(servers).map(server).collect();
    let servers = servers.join("\n");
    format!(
        "\
cluster: test
workers: 2
maxconn: 10000
socket: {}
timeouts: {{connect: 5s, client: 1m, server: 1m, queue: 30s}}
frontends:
  - name: clients
    listen: ['{address}']
    backend: nodes
    limits: {{connections: 0, connection_rate: 0, message_rate: 0, exempt: []}}
backends:
  - name: nodes
    algorithm: roundrobin
    servers:
{servers}",
        socket.display()
    )
}
