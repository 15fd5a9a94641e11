//! As many connections as a cluster has to hold, through one process with few descriptors.

mod cluster;

use std::fmt::Display;
use std::io::{self, Error};
use std::net::{Ipv4Addr, SocketAddr};
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

use self::cluster::Cluster;
use crate::load::{Exchange, Sources};

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

/// What the clients speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// One JSON value per line, over TCP.
    Tcp,
    /// Requests that keep the connection alive.
    Http,
}

/// Holds `count` connections; returns the result.
pub(crate) fn hold(kind: Kind, count: u32) -> io::Result<impl Display> {
    setrlimit(Resource::RLIMIT_NOFILE, DESCRIPTORS, DESCRIPTORS)?;
    let dir = tempfile::Builder::new().prefix("versus").tempdir()?;
    let cluster = Cluster::start(kind, dir.path())?;
    let runtime = tokio::runtime::Runtime::new()?;
    runtime.block_on(held(&cluster, count))
}

// Private

async fn held(cluster: &Cluster, count: u32) -> io::Result<String> {
    let meter = cluster.plane.meter();
    let (before, begun) = (meter.memory(), Instant::now());
    let meeting = Arc::new(Barrier::new(usize::from(CLIENTS) + 1));
    let (met, target) = (Arc::clone(&meeting), cluster.plane.address);
    let ping = Arc::new(cluster.ping.clone());
    let clients = tokio::spawn(workers::run(CLIENTS, move |worker| {
        client(worker, count, target, Arc::clone(&ping), Arc::clone(&met))
    }));
    meeting.wait().await;
    let took = begun.elapsed();
    let per_node = sock_diag::count_established(&cluster.nodes, &[])?;
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

/// The result of a client's connections.
#[derive(Clone, Copy, Debug, Default)]
struct Outcome {
    held: u32,
    alive: u32,
}

/// Opens its share of `count` connections, waits until all threads have done so, and checks the
/// connections again.
async fn client(
    worker: Worker,
    count: u32,
    target: SocketAddr,
    ping: Arc<Exchange>,
    meeting: Arc<Barrier>,
) -> Outcome {
    let (first, step) = (usize::from(worker.number), usize::from(CLIENTS));
    let sources = Sources::new(count.div_ceil(FROM_EACH), FROM_EACH);
    let share = sources
        .take(usize::try_from(count).unwrap_or(0))
        .skip(first)
        .step_by(step);
    let mut held = Vec::new();
    let opening = stream::iter(share)
        .map(|source| open(source, target, &ping))
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
        alive += u32::from(ask(stream, &ping).await.is_ok());
    }
    Outcome {
        held: u32::try_from(held.len()).unwrap_or(u32::MAX),
        alive,
    }
}

async fn open(source: Ipv4Addr, target: SocketAddr, ping: &Exchange) -> io::Result<TcpStream> {
    let opened = tokio::time::timeout(TIMEOUT, async {
        let mut stream = connect::connect(target, Some(source.into())).await?;
        ask(&mut stream, ping).await?;
        Ok(stream)
    });
    opened
        .await
        .unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}

/// Sends a ping and waits for the answer.
async fn ask(stream: &mut TcpStream, ping: &Exchange) -> io::Result<()> {
    stream.write_all(ping.request()).await?;
    let mut answer = [0; 1024];
    let mut got = 0;
    while ping.answered(&answer[..got])?.is_none() {
        let read = tokio::time::timeout(TIMEOUT, stream.read(&mut answer[got..])).await??;
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        got += read;
    }
    Ok(())
}
