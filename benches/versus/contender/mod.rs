//! The contenders: three balancers, the same nodes behind each, the same features enabled.

mod builtin;
mod haproxy;
mod nginx;

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use clap::ValueEnum;
use clusterctl::dataplane_config::Dataplane;

use crate::load;
use crate::meter::Meter;
use crate::process::Process;

pub(crate) use builtin::config;

/// Threads or workers of each.
const THREADS: u16 = 2;
/// The number of client connections that each is configured for.
const MAXCONN: u32 = 9_000;

/// A balancer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub(crate) enum Contender {
    /// The built-in data plane.
    Builtin,
    /// The peer to beat.
    Haproxy,
    /// nginx with its stream module.
    Nginx,
}

/// A running balancer; dropping it stops it.
pub(crate) struct Running {
    /// Which balancer it is.
    pub(crate) contender: Contender,
    /// The address for clients.
    pub(crate) address: SocketAddr,
    process: Process,
}

/// The settings of a balancer: where to listen, where its nodes are, and a directory of its own.
pub(crate) struct Site<'a> {
    pub(crate) listen: SocketAddr,
    /// The address of its statistics, if it has any.
    pub(crate) stats: SocketAddr,
    pub(crate) nodes: &'a [SocketAddr],
    pub(crate) dir: &'a Path,
}

impl Contender {
    /// All, the built-in one first.
    pub(crate) const ALL: [Contender; 3] = [Contender::Builtin, Contender::Haproxy, Contender::Nginx];

    /// Its name.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Contender::Builtin => "builtin",
            Contender::Haproxy => "haproxy",
            Contender::Nginx => "nginx",
        }
    }

    /// Starts it in front of `nodes`, with its files in `dir`, and waits until it serves.
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
            Contender::Builtin => builtin::command(&builtin::config(&site), &dir),
            Contender::Haproxy => haproxy::command(&site),
            Contender::Nginx => nginx::command(&site),
        }?;
        let serves = || load::one_echo(listen);
        Running::new(self, listen, &dir, serves, &program, &args)
    }
}

impl Running {
    /// The built-in data plane with `config`, once `serves` returns true.
    pub(crate) fn builtin(
        config: &Dataplane,
        dir: &Path,
        serves: impl Fn() -> io::Result<()>,
    ) -> io::Result<Running> {
        let (program, args) = builtin::command(config, dir)?;
        Running::new(
            Contender::Builtin,
            config.frontends[0].listen[0],
            dir,
            serves,
            &program,
            &args,
        )
    }

    /// A meter of its processes.
    pub(crate) fn meter(&self) -> Meter {
        Meter::new(self.process.all())
    }

    // Private

    fn new(
        contender: Contender,
        address: SocketAddr,
        dir: &Path,
        serves: impl Fn() -> io::Result<()>,
        program: &Path,
        args: &[String],
    ) -> io::Result<Running> {
        let mut process = Process::start(program, args, &dir.join("log"))?;
        process.wait_until(serves).map_err(|error| {
            io::Error::other(format!("{}: {error}; see {}", contender.name(), dir.display()))
        })?;
        Ok(Running {
            contender,
            address,
            process,
        })
    }
}

/// Addresses that nothing listens on.
pub(crate) fn free_ports<const N: usize>() -> io::Result<[SocketAddr; N]> {
    // All are bound until the last is known, so that they differ.
    let held = std::iter::repeat_with(|| std::net::TcpListener::bind("127.0.0.1:0"))
        .take(N)
        .collect::<io::Result<Vec<_>>>()?;
    let addresses = held.iter().map(std::net::TcpListener::local_addr);
    let addresses = addresses.collect::<io::Result<Vec<_>>>()?;
    addresses
        .try_into()
        .map_err(|_| io::Error::other("not as many as asked for"))
}

// Private

/// The program called `name`: from PATH, or where Debian keeps such programs.
fn program(name: &str) -> io::Result<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(["/usr/sbin".into(), "/usr/local/sbin".into()])
        .map(|dir| dir.join(name))
        .find(|path| path.is_file())
        .ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, format!("`{name}` is not installed")))
}
