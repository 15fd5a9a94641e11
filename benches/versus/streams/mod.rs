//! Streams over HTTP: how long an event takes through HAProxy and nginx, as clusterctl configures
//! them, and without them.
//!
//! Clients are curl, which also decompresses. Its own time is included in every figure, also
//! without a balancer.

mod client;
mod figures;
mod kind;
mod node;

use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

pub(crate) use figures::StreamFigures;

use self::client::Clients;
use self::kind::Kind;
use crate::args::Args;
use crate::contender::{Contender, Setup, Size};
use crate::noise::Noise;

/// Streams at the same time.
const STREAMS: usize = 8;
/// Time between two events of a stream.
const INTERVAL: Duration = Duration::from_millis(20);

/// The server that the clients connect to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Path {
    /// A node directly.
    Direct,
    /// A balancer in front of the nodes.
    Through(Contender),
}

/// Measures every kind of stream on every path, each in turn.
pub(crate) fn compare(args: &Args) -> io::Result<StreamFigures> {
    let clock = Instant::now();
    let nodes = node::start(clock)?;
    let dir = tempfile::Builder::new().prefix("versus").tempdir()?;
    let mut paths: Vec<(Path, SocketAddr)> = vec![(Path::Direct, nodes[0])];
    let mut running = Vec::new();
    let setup = Setup {
        size: Size {
            maxconn: 300,
            threads: 2,
            sources: Vec::new(),
        },
        huge_pages: true,
    };
    let connects = |address| std::net::TcpStream::connect(address).map(drop);
    for contender in [Contender::Haproxy, Contender::Nginx] {
        if !args.without.contains(&contender) {
            let rendered = contender.start_http(&nodes, &setup, dir.path(), connects)?;
            paths.push((Path::Through(contender), rendered.address));
            running.push(rendered);
        }
    }
    let noise = Noise::begin(Duration::ZERO);
    let mut figures = StreamFigures::default();
    for round in 0..args.rounds() {
        for kind in Kind::all() {
            let (late, early) = paths.split_at(round % paths.len());
            for (path, address) in early.iter().chain(late) {
                let clients = Clients::start(kind, *address, STREAMS)?;
                figures.add(kind, *path, &clients.latencies(clock, args.turn())?);
            }
        }
    }
    figures.others = noise.share(Duration::ZERO);
    Ok(figures)
}

impl Path {
    /// Its name.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Path::Direct => "direct",
            Path::Through(contender) => contender.name(),
        }
    }
}
