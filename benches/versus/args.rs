//! The command line.

use std::time::Duration;

use clap::{Parser, ValueEnum};
use clusterctl::platform::descriptors;

use crate::contender::Contender;

/// Compares the built-in data plane with HAProxy and nginx, on this machine.
#[derive(Debug, Parser)]
#[command(name = "versus")]
pub(crate) struct Args {
    /// What to compare.
    #[arg(default_value = "tcp")]
    pub(crate) what: What,

    /// Only see whether it works: short and few rounds.
    #[arg(long)]
    pub(crate) quick: bool,

    /// Print JSON instead of a table.
    #[arg(long)]
    pub(crate) json: bool,

    /// Rounds; in each round every balancer has a turn.
    #[arg(long, default_value_t = 7)]
    rounds: usize,

    /// Seconds of one turn.
    #[arg(long, default_value_t = 1.5)]
    seconds: f64,

    /// Messages per second at the fixed rate; by default a share of the slowest balancer's maximum.
    #[arg(long)]
    pub(crate) rate: Option<f64>,

    /// Leave these out.
    #[arg(long, value_delimiter = ',')]
    pub(crate) without: Vec<Contender>,

    /// Streams of events at the same time; by default 10,000, or as many as HAProxy can have under
    /// this host's limit of descriptors.
    #[arg(long)]
    streams: Option<usize>,

    /// Gigabytes of each upload.
    #[arg(long, default_value_t = 1)]
    pub(crate) upload: u64,

    /// Measure only these. TCP: echo, connect, bulk, pace (needs echo or --rate), calls, memory,
    /// stuck. HTTP: requests, connect, websocket, pace (needs requests or --rate), calls, idle,
    /// streams, stuck, upload.
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,

    /// Passed by `cargo bench`.
    #[arg(long, hide = true)]
    bench: bool,
}

/// What to compare.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum What {
    /// TCP, all balancers in turn.
    Tcp,
    /// HTTP, all balancers in turn.
    Http,
    /// Streams over HTTP: how long events take.
    Streams,
    /// How our own data plane alone holds 100,000 connections, with 20,000 descriptors for each
    /// process.
    Held,
    /// The same over HTTP.
    HeldHttp,
}

/// The descriptors of a balancer that are not for streams.
const OTHER_DESCRIPTORS: u64 = 400;

impl Args {
    /// The number of streams of events.
    pub(crate) fn streams(&self) -> usize {
        let limit = descriptors::raise_limit().unwrap_or(1_024);
        let fit = limit.saturating_sub(OTHER_DESCRIPTORS) / 2;
        let most = if self.quick { 2_000 } else { 10_000 };
        self.streams
            .unwrap_or_else(|| usize::try_from(fit).unwrap_or(most).min(most))
    }

    /// Whether to measure `chapter`.
    pub(crate) fn wants(&self, chapter: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|only| only == chapter)
    }

    /// The number of rounds.
    pub(crate) fn rounds(&self) -> usize {
        if self.quick { 1 } else { self.rounds.max(1) }
    }

    /// The length of a turn.
    pub(crate) fn turn(&self) -> Duration {
        if self.quick {
            Duration::from_millis(400)
        } else {
            Duration::from_secs_f64(self.seconds.clamp(0.1, 60.0))
        }
    }
}
