//! The contenders: three balancers, the same nodes behind each, the same features enabled.
//!
//! Over HTTP they have the configuration that clusterctl renders; two more have as little of it as
//! possible.

mod bare;
mod builtin;
mod haproxy;
mod nginx;
mod rendered;
mod running;

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use clap::ValueEnum;
use clusterctl::profile::BalancerKind;

use crate::load::{self, Service};

pub(crate) use builtin::config;
pub(crate) use rendered::Size;
pub(crate) use running::Running;

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
    /// nginx; over TCP with its stream module.
    Nginx,
    /// HAProxy with as little configuration as HTTP needs.
    BareHaproxy,
    /// nginx with as little configuration as HTTP needs.
    BareNginx,
}

/// The settings of a balancer: where to listen, where its nodes are, and a directory of its own.
pub(crate) struct Site<'a> {
    pub(crate) listen: SocketAddr,
    /// The address of its statistics, if it has any.
    pub(crate) stats: SocketAddr,
    pub(crate) nodes: &'a [SocketAddr],
    pub(crate) dir: &'a Path,
}

/// How a balancer for HTTP is set up.
pub(crate) struct Setup {
    /// What it is planned for.
    pub(crate) size: Size,
    /// Whether HAProxy and nginx may use huge pages, as when clusterctl starts them. Where memory is
    /// measured, they would hide small amounts.
    pub(crate) huge_pages: bool,
}

impl Contender {
    /// Those that are compared over TCP, the built-in one first.
    pub(crate) const TCP: [Contender; 3] = [Contender::Builtin, Contender::Haproxy, Contender::Nginx];
    /// Those that are compared over HTTP, the built-in one first.
    pub(crate) const HTTP: [Contender; 5] = [
        Contender::Builtin,
        Contender::Haproxy,
        Contender::Nginx,
        Contender::BareHaproxy,
        Contender::BareNginx,
    ];

    /// Its name.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Contender::Builtin => "builtin",
            Contender::Haproxy => "haproxy",
            Contender::Nginx => "nginx",
            Contender::BareHaproxy => "bare-haproxy",
            Contender::BareNginx => "bare-nginx",
        }
    }

    /// Starts it for TCP in front of `nodes`, with its files in `dir`, and waits until it serves.
    pub(crate) fn start(self, nodes: &[SocketAddr], dir: &Path) -> io::Result<Running> {
        let dir = self.dir(dir)?;
        let [listen, stats] = free_ports()?;
        let site = Site {
            listen,
            stats,
            nodes,
            dir: &dir,
        };
        let program = match self {
            Contender::Builtin => builtin::command(&builtin::config(&site), &dir),
            Contender::Haproxy => haproxy::command(&site),
            Contender::Nginx => nginx::command(&site),
            Contender::BareHaproxy | Contender::BareNginx => Err(io::Error::other("compared over HTTP only")),
        }?;
        let protocol = load::tcp();
        let serves = || {
            load::try_once(Service {
                address: listen,
                protocol: &protocol,
            })
        };
        Running::new(self, listen, &dir, serves, &program)
    }

    /// Starts it for HTTP in front of `nodes`, with its files in `dir`, and waits until `serves`
    /// succeeds.
    pub(crate) fn start_http(
        self,
        nodes: &[SocketAddr],
        setup: &Setup,
        dir: &Path,
        serves: impl Fn(SocketAddr) -> io::Result<()>,
    ) -> io::Result<Running> {
        let dir = self.dir(dir)?;
        let [listen, stats] = free_ports()?;
        let site = Site {
            listen,
            stats,
            nodes,
            dir: &dir,
        };
        let rendered = |kind| rendered::program(kind, listen, nodes, &setup.size, &dir);
        let mut program = match self {
            Contender::Builtin => rendered(BalancerKind::Builtin),
            Contender::Haproxy => rendered(BalancerKind::Haproxy),
            Contender::Nginx => rendered(BalancerKind::Nginx),
            Contender::BareHaproxy => bare::haproxy(&site, &setup.size),
            Contender::BareNginx => bare::nginx(&site, &setup.size),
        }?;
        if !setup.huge_pages {
            program.env.clear();
        }
        Running::new(self, listen, &dir, || serves(listen), &program)
    }

    // Private

    /// Its own directory in `dir`.
    fn dir(self, dir: &Path) -> io::Result<PathBuf> {
        let dir = dir.join(self.name());
        std::fs::create_dir_all(&dir)?;
        Ok(dir)
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
