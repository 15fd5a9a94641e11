//! Who is compared: three balancers, the same nodes behind each, the same features switched on.

mod builtin;
mod haproxy;
mod nginx;

use std::fs::File;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use clap::ValueEnum;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::load;
use crate::meter::Meter;

/// Threads or workers of each.
const THREADS: u16 = 2;
/// Client connections that each is configured for.
const MAXCONN: u32 = 9_000;
/// What each has to begin, and to end.
const PATIENCE: Duration = Duration::from_secs(10);

/// A balancer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub(crate) enum Contender {
    /// Ours.
    Builtin,
    /// The mark to beat.
    Haproxy,
    /// nginx with its stream module.
    Nginx,
}

/// A balancer that runs, until this is dropped.
pub(crate) struct Running {
    /// Who it is.
    pub(crate) contender: Contender,
    /// Where it takes clients.
    pub(crate) address: SocketAddr,
    child: Child,
    pids: Vec<Pid>,
}

/// What a balancer is told: where to listen, where its nodes are, and a directory of its own.
struct Site<'a> {
    listen: SocketAddr,
    /// For its statistics, where it has some.
    stats: SocketAddr,
    nodes: &'a [SocketAddr],
    dir: &'a Path,
}

impl Contender {
    /// All, ours first.
    pub(crate) const ALL: [Contender; 3] = [Contender::Builtin, Contender::Haproxy, Contender::Nginx];

    /// Its name.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Contender::Builtin => "builtin",
            Contender::Haproxy => "haproxy",
            Contender::Nginx => "nginx",
        }
    }

    /// Starts it before `nodes`, with its files in `dir`, and waits until it serves.
    pub(crate) fn start(self, nodes: &[SocketAddr], dir: &Path) -> io::Result<Running> {
        let dir = dir.join(self.name());
        std::fs::create_dir_all(&dir)?;
        let [listen, stats] = free_ports()?;
        let site = Site {
            listen,
            stats,
            nodes,
            dir: &dir,
        };
        let (program, args) = match self {
            Contender::Builtin => builtin::command(&site),
            Contender::Haproxy => haproxy::command(&site),
            Contender::Nginx => nginx::command(&site),
        }?;
        Running::new(self, listen, spawned(&program, &args, &dir.join("log"))?)
            .map_err(|error| io::Error::other(format!("{}: {error}; see {}", self.name(), dir.display())))
    }
}

impl Running {
    /// Measures it.
    pub(crate) fn meter(&self) -> Meter {
        Meter::new(self.pids.clone())
    }

    // Private

    fn new(contender: Contender, address: SocketAddr, child: Child) -> io::Result<Running> {
        let mut running = Running {
            contender,
            address,
            pids: vec![pid(child.id())],
            child,
        };
        let deadline = Instant::now() + PATIENCE;
        while let Err(error) = load::one_echo(address) {
            if let Some(status) = running.child.try_wait()? {
                return Err(io::Error::other(format!("ended with {status}")));
            }
            if Instant::now() > deadline {
                return Err(error);
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        running.pids.extend(children(running.child.id())?);
        Ok(running)
    }
}

impl Drop for Running {
    /// Asks it to end, and sees to it.
    fn drop(&mut self) {
        let deadline = Instant::now() + PATIENCE;
        // An error is a process that is gone already.
        let _gone = kill(self.pids[0], Signal::SIGTERM);
        while matches!(self.child.try_wait(), Ok(None)) && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(20));
        }
        if matches!(self.child.try_wait(), Ok(None)) {
            for pid in &self.pids {
                let _gone = kill(*pid, Signal::SIGKILL);
            }
            let _reaped = self.child.wait();
        }
    }
}

// Private

#[expect(clippy::disallowed_methods, reason = "runs what it measures as a user does")]
fn spawned(program: &Path, args: &[String], log: &Path) -> io::Result<Child> {
    let log = File::create(log)?;
    Command::new(program)
        .args(args)
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log)
        .spawn()
}

/// The program called `name`: from PATH, or where Debian keeps such programs.
fn program(name: &str) -> io::Result<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(["/usr/sbin".into(), "/usr/local/sbin".into()])
        .map(|dir| dir.join(name))
        .find(|path| path.is_file())
        .ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, format!("`{name}` is not installed")))
}

fn free_ports<const N: usize>() -> io::Result<[SocketAddr; N]> {
    // All are held until the last is known, so that they differ.
    let held = std::iter::repeat_with(|| std::net::TcpListener::bind("127.0.0.1:0"))
        .take(N)
        .collect::<io::Result<Vec<_>>>()?;
    let addresses = held.iter().map(std::net::TcpListener::local_addr);
    let addresses = addresses.collect::<io::Result<Vec<_>>>()?;
    addresses
        .try_into()
        .map_err(|_| io::Error::other("not as many as asked for"))
}

fn children(pid: u32) -> io::Result<Vec<Pid>> {
    let listed = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children"))?;
    let pids = listed.split_ascii_whitespace().filter_map(|pid| pid.parse().ok());
    Ok(pids.map(Pid::from_raw).collect())
}

fn pid(pid: u32) -> Pid {
    Pid::from_raw(pid.cast_signed())
}
