//! The data plane that holds the connections, and nodes behind it.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;

use clusterctl::platform::Program;

use super::{Kind, WORKERS};
use crate::contender::{Contender, Running, Setup, Site, Size, config, free_ports};
use crate::http::{self, messages};
use crate::load::{Answer, Exchange};
use crate::node;
use crate::process::Process;

/// The number of client connections that the data plane is configured for.
const MAXCONN: u32 = 110_000;
const PING: &[u8] = b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}\n";

/// The data plane, and the nodes behind it.
pub(super) struct Cluster {
    pub(super) plane: Running,
    pub(super) nodes: Vec<SocketAddr>,
    /// What clients send.
    pub(super) ping: Exchange,
    /// Nodes that are processes.
    _processes: Vec<Process>,
}

impl Cluster {
    /// Starts it, with its files in `dir`.
    pub(super) fn start(kind: Kind, dir: &Path) -> io::Result<Cluster> {
        match kind {
            Kind::Tcp => tcp(dir),
            Kind::Http => http(dir),
        }
    }
}

// Private

fn tcp(dir: &Path) -> io::Result<Cluster> {
    let nodes: [SocketAddr; 4] = free_ports()?;
    let processes = nodes
        .iter()
        .map(|node| start_node(*node, dir))
        .collect::<io::Result<Vec<_>>>()?;
    Ok(Cluster {
        plane: start_plane(&nodes, dir)?,
        nodes: nodes.into(),
        ping: Exchange::new(PING.to_vec(), Answer::Line),
        _processes: processes,
    })
}

/// Requests are answered by the nodes in this process, which have few connections: those that the
/// data plane keeps.
fn http(dir: &Path) -> io::Result<Cluster> {
    let nodes = node::start::<node::Http>()?.addresses;
    let setup = Setup {
        size: Size {
            maxconn: MAXCONN,
            threads: WORKERS,
            sources: sources(),
        },
        huge_pages: true,
    };
    Ok(Cluster {
        plane: Contender::Builtin.start_http(&nodes, &setup, dir, http::serves)?,
        nodes,
        ping: messages::requests().message,
        _processes: Vec::new(),
    })
}

fn start_node(address: SocketAddr, dir: &Path) -> io::Result<Process> {
    let name = format!("node{}", address.port());
    let program = Program::new(env!("CARGO_BIN_EXE_clusterctl")).args([
        "node",
        "--name",
        &name,
        "--tcp",
        &address.to_string(),
        "--workers",
        "3",
    ]);
    let mut node = Process::start(&program, &dir.join(&name))?;
    node.wait_until(|| std::net::TcpStream::connect(address).map(drop))?;
    Ok(node)
}

fn start_plane(nodes: &[SocketAddr], dir: &Path) -> io::Result<Running> {
    let [listen, stats] = free_ports()?;
    let mut config = config(&Site {
        listen,
        stats,
        nodes,
        dir,
    });
    config.workers = WORKERS;
    config.maxconn = MAXCONN;
    config.sources = sources();
    Running::builtin(&config, dir, || std::net::TcpStream::connect(listen).map(drop))
}

/// One address has ports for some 14,000 connections to a node before the search for a free one
/// takes long.
fn sources() -> Vec<IpAddr> {
    let addresses = (2..).take(usize::from(WORKERS));
    addresses.map(|last| IpAddr::from([127, 0, 0, last])).collect()
}
