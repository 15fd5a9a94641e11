//! The command line.

use std::time::Duration;

use clap::{Parser, ValueEnum};

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

    /// Measure only these: echo, connect, bulk, pace (needs echo or --rate), calls, memory.
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
    /// Streams over HTTP: how long events take.
    Streams,
    /// How our own data plane alone holds 100,000 connections, with 20,000 descriptors for each
    /// process.
    Held,
}

impl Args {
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
