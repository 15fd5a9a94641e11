//! As many connections as a cluster has to hold, through one process with few descriptors.

use std::fmt::Display;
use std::io::{self, Error};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use clusterctl::base::stats::Spread;
use clusterctl::platform::{connect, sock_diag};
use clusterctl::workers::{self, Worker};
use futures_util::stream::{self, StreamExt};
use nix::sys::resource::{Resource, setrlimit};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Barrier;

use crate::contender::{Running, Site, config, free_ports};
use crate::load::Sources;
use crate::process::Process;

/// The descriptor limit of a process, whatever this host allows.
const DESCRIPTORS: u64 = 20_000;
/// Threads of the data plane, each with a descriptor table of its own.
const WORKERS: u16 = 14;
/// Threads that open connections, each with a descriptor table of its own.
const CLIENTS: u16 = 7;
/// Connections that each thread opens at the same time.
const AT_ONCE: usize = 32;
/// Connections from each address.
const FROM_EACH: u32 = 10;
/// The time limit for one connection to be opened and answered.
const TIMEOUT: Duration = Duration::from_secs(30);
/// The time limit for all connections.
const ALL: Duration = Duration::from_mins(2);
const PING: &[u8] = b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}\n";

/// Holds `count` connections; returns the result.
pub(crate) fn hold(count: u32) -> io::Result<impl Display> {
    setrlimit(Resource::RLIMIT_NOFILE, DESCRIPTORS, DESCRIPTORS)?;
    let runtime = tokio::runtime::Runtime::new()?;
    runtime.block_on(held(count))
}

// Private

async fn held(count: u32) -> io::Result<String> {
    let dir = tempfile::Builder::new().prefix("versus").tempdir()?;
    let nodes: [SocketAddr; 4] = free_ports()?;
    let _nodes = nodes
        .iter()
        .map(|node| start_node(*node, dir.path()))
        .collect::<io::Result<Vec<_>>>()?;
    let plane = start_plane(&nodes, dir.path())?;
    let meter = plane.meter();
    let (before, begun) = (meter.memory(), Instant::now());
    let meeting = Arc::new(Barrier::new(usize::from(CLIENTS) + 1));
    let (met, target) = (Arc::clone(&meeting), plane.address);
    let clients = tokio::spawn(workers::run(CLIENTS, move |worker| {
        client(worker, count, target, Arc::clone(&met))
    }));
    meeting.wait().await;
    let took = begun.elapsed();
    let per_node = sock_diag::count_established(&nodes, &[])?;
    let after = meter.memory();
    meeting.wait().await;
    let outcomes = clients.await?.map_err(Error::other)?;
    let sum = |what: fn(&Outcome) -> u32| outcomes.iter().map(what).sum::<u32>();
    let (held, alive) = (sum(|it| it.held), sum(|it| it.alive));
    let even: Vec<f64> = per_node
        .iter()
        .filter_map(|it| u32::try_from(*it).ok().map(f64::from))
        .collect();
    let spread = Spread::of(&even).map_or(f64::NAN, |spread| spread.variance_percent);
    Ok(format!(
        "\
{held} of {count} connections held, {alive} of them answered after all were there; {WORKERS} workers, {DESCRIPTORS} descriptors a table
up in {:.1} s, {:.0} per second
connections of each node, counted by the kernel: {per_node:?}, {spread:.2} % apart
the data plane has {:.1} MB of its own, {} bytes per connection",
        took.as_secs_f64(),
        f64::from(held) / took.as_secs_f64(),
        f64::from(u32::try_from(after >> 10).unwrap_or(u32::MAX)) / 1024.0,
        after.saturating_sub(before) / u64::from(held.max(1)),
    ))
}

fn start_node(address: SocketAddr, dir: &Path) -> io::Result<Process> {
    let name = format!("node{}", address.port());
    let address_text = address.to_string();
    let args = ["node", "--name", &name, "--tcp", &address_text, "--workers", "3"].map(str::to_owned);
    let mut node = Process::start(
        &PathBuf::from(env!("CARGO_BIN_EXE_clusterctl")),
        &args,
        &dir.join(&name),
    )?;
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
    config.maxconn = 110_000;
    // One address has ports for some 14,000 connections to a node before the search for a free one
    // takes long.
    config.sources = (2..)
        .take(usize::from(WORKERS))
        .map(|last| IpAddr::from([127, 0, 0, last]))
        .collect();
    Running::builtin(&config, dir, || std::net::TcpStream::connect(listen).map(drop))
}

/// The result of a client's connections.
#[derive(Clone, Copy, Debug, Default)]
struct Outcome {
    held: u32,
    alive: u32,
}

/// Opens its share of `count` connections, waits until all threads have done so, and checks the
/// connections again.
async fn client(worker: Worker, count: u32, target: SocketAddr, meeting: Arc<Barrier>) -> Outcome {
    let (first, step) = (usize::from(worker.number), usize::from(CLIENTS));
    let sources = Sources::new(count.div_ceil(FROM_EACH), FROM_EACH);
    let share = sources
        .take(usize::try_from(count).unwrap_or(0))
        .skip(first)
        .step_by(step);
    let mut held = Vec::new();
    let opening = stream::iter(share)
        .map(|source| open(source, target))
        .buffer_unordered(AT_ONCE)
        .for_each(|opened| {
            held.extend(opened.ok());
            std::future::ready(())
        });
    // Late connections are missing in the count.
    let _late = tokio::time::timeout(ALL, opening).await;
    meeting.wait().await;
    meeting.wait().await;
    let mut alive = 0;
    for stream in &mut held {
        alive += u32::from(ping(stream).await.is_ok());
    }
    Outcome {
        held: u32::try_from(held.len()).unwrap_or(u32::MAX),
        alive,
    }
}

async fn open(source: Ipv4Addr, target: SocketAddr) -> io::Result<TcpStream> {
    let opened = tokio::time::timeout(TIMEOUT, async {
        let mut stream = connect::connect(target, Some(source.into())).await?;
        ping(&mut stream).await?;
        Ok(stream)
    });
    opened
        .await
        .unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}

/// Sends a ping and waits for the answer.
async fn ping(stream: &mut TcpStream) -> io::Result<()> {
    stream.write_all(PING).await?;
    let mut answer = [0; 512];
    let mut got = 0;
    while !answer[..got].ends_with(b"\n") {
        let read = tokio::time::timeout(TIMEOUT, stream.read(&mut answer[got..])).await??;
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        got += read;
    }
    Ok(())
}
