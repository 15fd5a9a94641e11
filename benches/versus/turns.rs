//! What all comparisons have in common: balancers have turns, and their figures are collected.

use std::io;
use std::path::Path;
use std::time::Duration;

use crate::args::Args;
use crate::contender::{Contender, Running};
use crate::figures::{Figure, Figures};
use crate::load::{Sample, Service, Sources, Window};
use crate::noise::Noise;
use crate::syscalls::Count;

/// Addresses that clients come from.
pub(crate) const ADDRESSES: u32 = 10_000;

/// The state of a comparison.
pub(crate) struct Turns<'a, F> {
    /// The command line.
    pub(crate) args: &'a Args,
    /// Those that take part.
    pub(crate) contenders: Vec<Contender>,
    /// The directory of all files.
    pub(crate) dir: &'a Path,
    /// Addresses of clients.
    pub(crate) sources: Sources,
    /// What was measured.
    pub(crate) figures: Figures<F>,
}

impl<F: Figure> Turns<'_, F> {
    /// A comparison of `contenders` without those that are left out.
    pub(crate) fn new<'a>(args: &'a Args, contenders: &[Contender], dir: &'a Path) -> Turns<'a, F> {
        let contenders = contenders.iter().copied();
        Turns {
            args,
            contenders: contenders.filter(|it| !args.without.contains(it)).collect(),
            dir,
            sources: Sources::new(ADDRESSES, 1),
            figures: Figures::default(),
        }
    }

    /// In every round each of `contenders` has a turn, with a different one first.
    pub(crate) fn take<C>(
        &mut self,
        chapter: &str,
        rounds: usize,
        contenders: &[C],
        mut turn: impl FnMut(&mut Self, &C) -> io::Result<()>,
    ) -> io::Result<()> {
        let rounds = (0..rounds).filter(|_| self.args.wants(chapter));
        for round in rounds {
            let (late, early) = contenders.split_at(round % contenders.len().max(1));
            for it in early.iter().chain(late) {
                turn(self, it)?;
            }
        }
        Ok(())
    }

    /// Adds a value of `it`.
    pub(crate) fn add(&mut self, figure: F, it: &Running, value: f64) {
        self.figures.add(figure, it.contender, value);
    }

    /// What `load` does in a turn, and the processor time of `it`.
    pub(crate) fn sample(
        &mut self,
        it: &Running,
        load: impl FnOnce(&mut Sources, Window<'_>) -> io::Result<Sample>,
    ) -> io::Result<Sample> {
        let meter = it.meter();
        let cpu = || meter.cpu();
        load(&mut self.sources, Window::new(self.args.turn(), &cpu))
            .map_err(|error| io::Error::other(format!("{}: {error}", it.contender.name())))
    }

    /// Adds the system calls per operation of `load`, counted while nothing else is measured,
    /// because counting takes time; nothing where they cannot be counted.
    pub(crate) fn add_calls(
        &mut self,
        figure: F,
        it: &Running,
        load: impl FnOnce(&mut Sources, Window<'_>) -> io::Result<Sample>,
    ) -> io::Result<()> {
        let Some(counting) = Count::begin(it.meter().pids()) else {
            eprintln!("system calls are not counted: neither `perf` nor `strace` may");
            return Ok(());
        };
        let sample = load(
            &mut self.sources,
            Window::cold(self.args.turn(), &|| Duration::ZERO),
        )?;
        if let Some(calls) = counting.end() {
            self.add(figure, it, count(calls) / count(sample.operations));
        }
        Ok(())
    }

    /// Measures other processes, beside `running`.
    pub(crate) fn noise(running: &[Running]) -> Noise {
        Noise::begin(used(running))
    }

    /// Notes what other processes used.
    pub(crate) fn end_noise(&mut self, noise: &Noise, running: &[Running]) {
        self.figures.others = noise.share(used(running));
    }
}

/// A percentile of `latencies`, in µs.
pub(crate) fn microseconds(latencies: &[Duration], quantile: f64) -> f64 {
    let mut sorted: Vec<f64> = latencies.iter().map(|it| it.as_secs_f64() * 1e6).collect();
    sorted.sort_by(f64::total_cmp);
    clusterctl::base::stats::percentile(&sorted, quantile).unwrap_or(f64::NAN)
}

/// A number as a figure.
#[expect(clippy::cast_precision_loss, reason = "never so many")]
pub(crate) fn count(number: impl TryInto<u64>) -> f64 {
    number.try_into().unwrap_or(0) as f64
}

/// The service that clients use at `it`.
pub(crate) const fn service<'a>(it: &Running, protocol: &'a crate::load::Protocol) -> Service<'a> {
    Service {
        address: it.address,
        protocol,
    }
}

// Private

fn used(running: &[Running]) -> Duration {
    running.iter().map(|it| it.meter().cpu()).sum()
}
