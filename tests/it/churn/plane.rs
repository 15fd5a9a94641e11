//! The data plane under test, seen from outside.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command};

use clusterctl::runtime::Socket;
use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio::time::{Duration, Instant, sleep};

use crate::harness::PATIENCE;

/// Runs until it is dropped.
pub(super) struct Plane {
    pub(super) address: SocketAddr,
    child: Child,
    dir: TempDir,
    /// Connections that only asked whether it serves.
    probes: u64,
}

impl Plane {
    /// Starts it before `nodes`.
    pub(super) async fn start(nodes: &[SocketAddr]) -> Plane {
        let dir = tempfile::Builder::new().prefix("churn").tempdir().unwrap();
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = free.local_addr().unwrap();
        drop(free);
        let config = dir.path().join("dataplane.yaml");
        let socket = socket_in(&dir);
        let mut text = fs::File::create(&config).unwrap();
        write!(
            text,
            "\
cluster: churn
workers: 2
maxconn: 1000
socket: {}
timeouts: {{connect: 5s, client: 1m, server: 1m, queue: 30s}}
frontends:
  - name: clients
    listen: ['{address}']
    backend: nodes
    limits: {{connections: 500, connection_rate: 100000, message_rate: 0, exempt: []}}
backends:
  - name: nodes
    algorithm: roundrobin
    sticky: {{size: 1k, expire: 30m}}
    check: {{interval: 1s, fast_interval: 500ms, timeout: 10s, rise: 1, fall: 3}}
    servers:
",
            socket.display()
        )
        .unwrap();
        for (number, node) in (1..).zip(nodes) {
            writeln!(
                text,
                "      - {{name: node{number}, id: {number}, address: '{node}', weight: 100, maxconn: 0, question: tcp}}"
            )
            .unwrap();
        }
        let child = Command::new(env!("CARGO_BIN_EXE_clusterctl"))
            .args(["dataplane", "--config"])
            .arg(&config)
            .stderr(fs::File::create(dir.path().join("log")).unwrap())
            .spawn()
            .unwrap();
        let plane = Plane {
            address,
            child,
            dir,
            probes: 1,
        };
        plane
            .eventually("serves", async || {
                plane.runtime().ask("show info").await.ok()?;
                TcpStream::connect(address).await.ok()
            })
            .await;
        plane
    }

    pub(super) fn runtime(&self) -> Socket {
        Socket::new(socket_in(&self.dir))
    }

    /// Its network sockets, those of every worker's descriptor table.
    pub(super) fn sockets(&self) -> usize {
        let tasks = fs::read_dir(format!("/proc/{}/task", self.child.id())).unwrap();
        let links = tasks
            .flatten()
            .filter_map(|task| fs::read_dir(task.path().join("fd")).ok())
            .flatten()
            .filter_map(|fd| fs::read_link(fd.ok()?.path()).ok())
            .filter(|link| link.to_string_lossy().starts_with("socket:"));
        links.collect::<BTreeSet<PathBuf>>().len()
    }

    /// Memory that is its own, in bytes.
    pub(super) fn memory(&self) -> u64 {
        let text = fs::read_to_string(format!("/proc/{}/smaps_rollup", self.child.id())).unwrap();
        let anonymous = text.lines().find_map(|line| line.strip_prefix("Anonymous:"));
        let kilobytes = anonymous.unwrap().trim().trim_end_matches(" kB");
        kilobytes.parse::<u64>().unwrap() * 1024
    }

    /// Waits until it has counted every one of `opened` connections, and has no more sockets than `sockets`.
    pub(super) async fn rests(&self, opened: u64, sockets: usize) {
        // A client that left at once may still wait to be accepted.
        let stat = self.eventually("has counted every connection", async || {
            let stat = Stat::of(&self.runtime()).await;
            (stat.sum("FRONTEND", "stot") == opened + self.probes).then_some(stat)
        });
        let stat = stat.await;
        let all = stat.sum("BACKEND", "stot");
        assert!(all <= opened + self.probes, "{}", stat.0);
        // Who was on the way to a server that went down is sent to another one, and counts there, too.
        let twice = stat.sum("BACKEND", "wredis");
        assert!(stat.sum("node", "stot") <= all + twice, "{}", stat.0);
        self.eventually("is at rest", async || {
            let stat = Stat::of(&self.runtime()).await;
            let busy =
                ["FRONTEND", "BACKEND", "node"].map(|rows| stat.sum(rows, "scur") + stat.sum(rows, "qcur"));
            (busy == [0, 0, 0] && self.sockets() <= sockets).then_some(())
        })
        .await;
    }

    // Private

    async fn eventually<T>(&self, what: &str, mut attempt: impl AsyncFnMut() -> Option<T>) -> T {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(result) = attempt().await {
                return result;
            }
            assert!(
                Instant::now() < deadline,
                "never happened: the data plane {what}; it has {} sockets, and says\n{}",
                self.sockets(),
                Stat::of(&self.runtime()).await.0
            );
            sleep(Duration::from_millis(20)).await;
        }
    }
}

impl Drop for Plane {
    fn drop(&mut self) {
        let _gone = self.child.kill();
        let _reaped = self.child.wait();
        if std::thread::panicking() {
            let log = fs::read_to_string(self.dir.path().join("log")).unwrap_or_default();
            eprintln!("data plane's log:\n{log}");
        }
    }
}

fn socket_in(dir: &TempDir) -> PathBuf {
    dir.path().join("dataplane.sock")
}

/// `show stat`.
struct Stat(String);

impl Stat {
    async fn of(runtime: &Socket) -> Stat {
        Stat(runtime.ask("show stat").await.unwrap())
    }

    /// What a column says in the rows of that name, and of names that begin with it.
    fn sum(&self, name: &str, column: &str) -> u64 {
        let mut lines = self.0.lines();
        let header = lines.next().unwrap().trim_start_matches("# ");
        let column = header.split(',').position(|it| it == column).unwrap();
        let rows = lines.map(|line| line.split(',').collect::<Vec<_>>());
        let rows = rows.filter(|row| row.get(1).is_some_and(|it| it.starts_with(name)));
        rows.map(|row| row[column].parse::<u64>().unwrap_or(0)).sum()
    }
}
