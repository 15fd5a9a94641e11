//! HTTP: the order of the measurements.

mod memory;
pub(crate) mod messages;
mod row;
mod streams;
mod traffic;

use std::io;
use std::net::SocketAddr;
use std::thread;
use std::time::Duration;

use crate::args::Args;
use crate::contender::{Contender, Running, Setup, Size};
use crate::figures::Figures;
use crate::load::{self, Service};
use crate::node::{self, Nodes};
use crate::turns::Turns;

pub(crate) use self::row::Row;

/// Connections of clients that each balancer is configured for: as many as HAProxy can have with
/// 20,000 descriptors.
const MAXCONN: u32 = 9_950;
/// Threads or workers of each.
const THREADS: u16 = 2;
/// Rounds of measurements whose results hardly vary, or that take long.
const FEW_ROUNDS: usize = 3;
/// The time for a balancer to become idle.
const SETTLE: Duration = Duration::from_secs(1);

/// Compares all contenders.
pub(crate) fn compare(args: &Args) -> io::Result<Figures<Row>> {
    let dir = tempfile::Builder::new().prefix("versus").tempdir()?;
    let mut bench = Bench {
        turns: Turns::new(args, &Contender::HTTP, dir.path()),
        nodes: node::start::<node::Http>()?,
    };
    bench.traffic()?;
    bench.idle()?;
    bench.streams()?;
    bench.stuck()?;
    bench.uploads()?;
    Ok(bench.turns.figures)
}

/// Whether a balancer serves a request.
pub(crate) fn serves(address: SocketAddr) -> io::Result<()> {
    load::try_once(Service {
        address,
        protocol: &messages::requests(),
    })
}

// Private

struct Bench<'a> {
    turns: Turns<'a, Row>,
    nodes: Nodes,
}

impl Bench<'_> {
    /// In a few rounds, a fresh balancer of each kind has a turn of `chapter`: what is left in the
    /// pools of one that has worked would hide the cost of connections.
    fn with_fresh(
        &mut self,
        chapter: &str,
        huge_pages: bool,
        mut turn: impl FnMut(&mut Self, &Running) -> io::Result<()>,
    ) -> io::Result<()> {
        let rounds = self.turns.args.rounds().min(FEW_ROUNDS);
        for _ in (0..rounds).filter(|_| self.turns.args.wants(chapter)) {
            for contender in self.turns.contenders.clone() {
                let it = self.start(contender, huge_pages)?;
                thread::sleep(SETTLE);
                turn(self, &it)
                    .map_err(|error| io::Error::other(format!("{chapter}, {}: {error}", contender.name())))?;
            }
        }
        Ok(())
    }

    fn start(&self, contender: Contender, huge_pages: bool) -> io::Result<Running> {
        let setup = Setup {
            size: Size {
                maxconn: MAXCONN,
                threads: THREADS,
                sources: Vec::new(),
            },
            huge_pages,
        };
        contender.start_http(&self.nodes.addresses, &setup, self.turns.dir, serves)
    }
}
