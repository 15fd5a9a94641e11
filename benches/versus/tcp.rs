//! TCP: the order of the measurements.

use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::thread;
use std::time::Duration;

use crate::args::Args;
use crate::contender::{Contender, Running};
use crate::figures::Figures;
use crate::load::{self, Sample, Sources, Window};
use crate::node;
use crate::noise::Noise;
use crate::row::Row;
use crate::syscalls::Count;

/// Connections whose memory is measured, and addresses that they come from.
const HELD: usize = 8_000;
const HELD_FROM_EACH: u32 = 10;
/// Rounds of the memory measurement, whose results hardly vary.
const MEMORY_ROUNDS: usize = 3;
/// The time for a balancer to become idle.
const SETTLE: Duration = Duration::from_secs(1);
/// The fixed rate, as a share of the slowest balancer's maximum.
const PACE: f64 = 0.4;
/// Addresses that clients come from.
const ADDRESSES: u32 = 10_000;

/// Compares all contenders.
pub(crate) fn compare(args: &Args) -> io::Result<Figures> {
    let dir = tempfile::Builder::new().prefix("versus").tempdir()?;
    let contenders = Contender::ALL.into_iter();
    let mut bench = Bench {
        args,
        contenders: contenders
            .filter(|contender| !args.without.contains(contender))
            .collect(),
        nodes: node::start()?,
        dir: dir.path(),
        sources: Sources::new(ADDRESSES, 1),
        figures: Figures::default(),
    };
    bench.traffic()?;
    bench.memory()?;
    Ok(bench.figures)
}

// Private

struct Bench<'a> {
    args: &'a Args,
    contenders: Vec<Contender>,
    nodes: Vec<SocketAddr>,
    dir: &'a Path,
    sources: Sources,
    figures: Figures,
}

impl Bench<'_> {
    /// All measurements of balancers that run side by side.
    fn traffic(&mut self) -> io::Result<()> {
        let running: Vec<Running> = self
            .contenders
            .iter()
            .map(|contender| contender.start(&self.nodes, self.dir))
            .collect::<io::Result<_>>()?;
        let used = || running.iter().map(|it| it.meter().cpu()).sum();
        let noise = Noise::begin(used());
        self.in_turns("echo", &running, |bench, it| {
            let sample = bench.sample(it, load::echo::run)?;
            bench.add(Row::EchoCpu, it, sample.cpu_each());
            bench.add(Row::Echoes, it, sample.rate());
            Ok(())
        })?;
        self.in_turns("connect", &running, |bench, it| {
            let sample = bench.sample(it, load::connects::run)?;
            bench.add(Row::ConnectCpu, it, sample.cpu_each());
            bench.add(Row::Connects, it, sample.rate());
            Ok(())
        })?;
        self.in_turns("bulk", &running, |bench, it| {
            let sample = bench.sample(it, load::bulk::run)?;
            bench.add(Row::Bulk, it, sample.rate() / 1e6);
            bench.add(Row::BulkCpu, it, sample.cpu_each() * 1e6);
            Ok(())
        })?;
        if let Some(rate) = self.pace() {
            self.in_turns("pace", &running, |bench, it| {
                let length = bench.args.turn();
                let latencies = load::paced::run(it.address, &mut bench.sources, rate, length)?;
                bench.add(Row::Median, it, microseconds(&latencies, 0.50));
                bench.add(Row::P99, it, microseconds(&latencies, 0.99));
                Ok(())
            })?;
        }
        self.figures.others = noise.share(used());
        for it in running.iter().filter(|_| self.args.wants("calls")) {
            self.calls(it)?;
        }
        Ok(())
    }

    /// The cost of idle connections. Every balancer is a fresh one: leftovers in its pools would
    /// hide the cost.
    fn memory(&mut self) -> io::Result<()> {
        let rounds = self.args.rounds().min(MEMORY_ROUNDS);
        for _ in (0..rounds).filter(|_| self.args.wants("memory")) {
            for contender in self.contenders.clone() {
                let it = contender.start(&self.nodes, self.dir)?;
                let meter = it.meter();
                thread::sleep(SETTLE);
                let before = meter.memory();
                let mut held =
                    load::held::Held::open(HELD, it.address, &mut Sources::new(ADDRESSES, HELD_FROM_EACH));
                thread::sleep(SETTLE);
                let more = meter.memory().saturating_sub(before);
                let alive = count(held.alive());
                self.add(Row::Memory, &it, count(more) / alive);
                self.add(Row::Held, &it, alive);
            }
        }
        Ok(())
    }

    /// System calls, counted while nothing else is measured, because counting takes time.
    fn calls(&mut self, it: &Running) -> io::Result<()> {
        for (row, load) in [
            (Row::EchoCalls, load::echo::run as Load),
            (Row::ConnectCalls, load::connects::run),
        ] {
            let Some(counting) = Count::begin(it.meter().pids()) else {
                eprintln!("system calls are not counted: neither `perf` nor `strace` may");
                return Ok(());
            };
            let window = Window::cold(self.args.turn(), &|| Duration::ZERO);
            let sample = load(it.address, &mut self.sources, window)?;
            if let Some(calls) = counting.end() {
                self.add(row, it, count(calls) / count(sample.operations));
            }
        }
        Ok(())
    }

    /// In every round each balancer has a turn, with a different one first.
    fn in_turns(
        &mut self,
        chapter: &str,
        running: &[Running],
        mut turn: impl FnMut(&mut Self, &Running) -> io::Result<()>,
    ) -> io::Result<()> {
        let rounds = (0..self.args.rounds()).filter(|_| self.args.wants(chapter));
        for round in rounds {
            let (late, early) = running.split_at(round % running.len());
            for it in early.iter().chain(late) {
                turn(self, it).map_err(|error| {
                    io::Error::other(format!("{chapter}, {}: {error}", it.contender.name()))
                })?;
            }
        }
        Ok(())
    }

    fn sample(&mut self, it: &Running, load: Load) -> io::Result<Sample> {
        let meter = it.meter();
        let cpu = || meter.cpu();
        load(it.address, &mut self.sources, Window::new(self.args.turn(), &cpu))
    }

    /// The rate in messages per second that all balancers can serve.
    fn pace(&self) -> Option<f64> {
        if self.args.rate.is_some() {
            return self.args.rate;
        }
        let rates = self
            .contenders
            .iter()
            .filter_map(|it| self.figures.median(Row::Echoes, *it));
        rates.min_by(f64::total_cmp).map(|slowest| slowest * PACE)
    }

    fn add(&mut self, row: Row, it: &Running, value: f64) {
        self.figures.add(row, it.contender, value);
    }
}

type Load = fn(SocketAddr, &mut Sources, Window) -> io::Result<Sample>;

fn microseconds(latencies: &[Duration], quantile: f64) -> f64 {
    let mut sorted: Vec<f64> = latencies.iter().map(|it| it.as_secs_f64() * 1e6).collect();
    sorted.sort_by(f64::total_cmp);
    clusterctl::base::stats::percentile(&sorted, quantile).unwrap_or(f64::NAN)
}

#[expect(clippy::cast_precision_loss, reason = "never so many")]
fn count(number: impl TryInto<u64>) -> f64 {
    number.try_into().unwrap_or(0) as f64
}
