//! TCP: the order of the measurements.

use std::io;
use std::net::SocketAddr;
use std::thread;
use std::time::Duration;

use crate::args::Args;
use crate::contender::{Contender, Running};
use crate::figures::Figures;
use crate::load::{self, Protocol, Sources};
use crate::meter;
use crate::node;
use crate::row::Row;
use crate::turns::{ADDRESSES, Turns, count, microseconds, service};

/// Connections that echo.
const ECHOES: usize = 64;
/// Connections whose memory is measured, and addresses that they come from.
const HELD: usize = 8_000;
const HELD_FROM_EACH: u32 = 10;
/// Clients that never read.
const STUCK: usize = 500;
const STUCK_QUICK: usize = 50;
/// Rounds of the memory measurement, whose results hardly vary.
const MEMORY_ROUNDS: usize = 3;
/// The time for a balancer to become idle.
const SETTLE: Duration = Duration::from_secs(1);
/// The fixed rate, as a share of the slowest balancer's maximum.
const PACE: f64 = 0.4;

/// Compares all contenders.
pub(crate) fn compare(args: &Args) -> io::Result<Figures<Row>> {
    let dir = tempfile::Builder::new().prefix("versus").tempdir()?;
    let mut bench = Bench {
        turns: Turns::new(args, &Contender::TCP, dir.path()),
        nodes: node::start::<node::Echo>()?.addresses,
        protocol: load::tcp(),
    };
    bench.traffic()?;
    bench.memory()?;
    bench.stuck()?;
    Ok(bench.turns.figures)
}

// Private

struct Bench<'a> {
    turns: Turns<'a, Row>,
    nodes: Vec<SocketAddr>,
    protocol: Protocol,
}

impl Bench<'_> {
    /// All measurements of balancers that run side by side.
    fn traffic(&mut self) -> io::Result<()> {
        let running: Vec<Running> = self
            .turns
            .contenders
            .clone()
            .into_iter()
            .map(|contender| self.start(contender))
            .collect::<io::Result<_>>()?;
        let noise = Turns::<Row>::noise(&running);
        let (turns, protocol) = (&mut self.turns, &self.protocol);
        let (rounds, length) = (turns.args.rounds(), turns.args.turn());
        turns.take("echo", rounds, &running, |turns, it| {
            let service = service(it, protocol);
            let sample = turns.sample(it, |sources, window| {
                load::echo::run(ECHOES, service, sources, window)
            })?;
            turns.add(Row::EchoCpu, it, sample.cpu_each());
            turns.add(Row::Echoes, it, sample.rate());
            Ok(())
        })?;
        turns.take("connect", rounds, &running, |turns, it| {
            let service = service(it, protocol);
            let sample = turns.sample(it, |sources, window| {
                load::connects::run(service, sources, window)
            })?;
            turns.add(Row::ConnectCpu, it, sample.cpu_each());
            turns.add(Row::Connects, it, sample.rate());
            Ok(())
        })?;
        turns.take("bulk", rounds, &running, |turns, it| {
            let service = service(it, protocol);
            let sample = turns.sample(it, |sources, window| load::bulk::run(service, sources, window))?;
            turns.add(Row::Bulk, it, sample.rate() / 1e6);
            turns.add(Row::BulkCpu, it, sample.cpu_each() * 1e6);
            Ok(())
        })?;
        if let Some(rate) = pace(turns) {
            turns.take("pace", rounds, &running, |turns, it| {
                let service = service(it, protocol);
                let latencies = load::paced::run(service, &mut turns.sources, rate, length)?;
                turns.add(Row::Median, it, microseconds(&latencies, 0.50));
                turns.add(Row::P99, it, microseconds(&latencies, 0.99));
                Ok(())
            })?;
        }
        turns.end_noise(&noise, &running);
        turns.take("calls", 1, &running, |turns, it| {
            let service = service(it, protocol);
            turns.add_calls(Row::EchoCalls, it, |sources, window| {
                load::echo::run(ECHOES, service, sources, window)
            })?;
            turns.add_calls(Row::ConnectCalls, it, |sources, window| {
                load::connects::run(service, sources, window)
            })
        })
    }

    /// The cost of idle connections. Every balancer is a fresh one: leftovers in its pools would
    /// hide the cost.
    fn memory(&mut self) -> io::Result<()> {
        self.with_fresh("memory", |bench, it| {
            let meter = it.meter();
            let before = meter.memory();
            let service = service(it, &bench.protocol);
            let mut sources = Sources::new(ADDRESSES, HELD_FROM_EACH);
            let mut held = load::held::Held::open(HELD, service, &mut sources);
            thread::sleep(SETTLE);
            let more = meter.memory().saturating_sub(before);
            let alive = count(held.alive());
            bench.turns.add(Row::Memory, it, count(more) / alive);
            bench.turns.add(Row::Held, it, alive);
            Ok(())
        })
    }

    /// The cost of clients that send and never read.
    fn stuck(&mut self) -> io::Result<()> {
        self.with_fresh("stuck", |bench, it| {
            let clients = if bench.turns.args.quick {
                STUCK_QUICK
            } else {
                STUCK
            };
            let meter = it.meter();
            let (before, kernel) = (meter.memory(), meter::kernel_memory());
            let _stuck = load::stuck::Stuck::tcp(clients, it.address, &mut bench.turns.sources)?;
            thread::sleep(SETTLE);
            let more = count(meter.memory().saturating_sub(before));
            let in_kernel = count(meter::kernel_memory().saturating_sub(kernel));
            bench.turns.add(Row::StuckMemory, it, more / count(clients));
            bench
                .turns
                .add(Row::StuckKernel, it, in_kernel / 1024.0 / count(clients));
            Ok(())
        })
    }

    fn with_fresh(
        &mut self,
        chapter: &str,
        mut turn: impl FnMut(&mut Self, &Running) -> io::Result<()>,
    ) -> io::Result<()> {
        let rounds = self.turns.args.rounds().min(MEMORY_ROUNDS);
        for _ in (0..rounds).filter(|_| self.turns.args.wants(chapter)) {
            for contender in self.turns.contenders.clone() {
                let it = self.start(contender)?;
                thread::sleep(SETTLE);
                turn(self, &it)?;
            }
        }
        Ok(())
    }

    fn start(&self, contender: Contender) -> io::Result<Running> {
        contender.start(&self.nodes, self.turns.dir)
    }
}

/// The rate in messages per second that all balancers can serve.
fn pace(turns: &Turns<'_, Row>) -> Option<f64> {
    if turns.args.rate.is_some() {
        return turns.args.rate;
    }
    let rates = turns
        .contenders
        .iter()
        .filter_map(|it| turns.figures.median(Row::Echoes, *it));
    rates.min_by(f64::total_cmp).map(|slowest| slowest * PACE)
}
