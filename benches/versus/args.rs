//! What is to be run.

use std::time::Duration;

use clap::{Parser, ValueEnum};

use crate::contender::Contender;

/// Compares the built-in data plane with HAProxy and nginx, on this machine.
#[derive(Debug, Parser)]
#[command(name = "versus")]
pub(crate) struct Args {
    /// What is compared.
    #[arg(default_value = "tcp")]
    pub(crate) what: What,

    /// Only see whether it works: short and few rounds.
    #[arg(long)]
    pub(crate) quick: bool,

    /// Print JSON instead of a table.
    #[arg(long)]
    pub(crate) json: bool,

    /// How often everybody has a turn.
    #[arg(long, default_value_t = 7)]
    rounds: usize,

    /// Seconds of one turn.
    #[arg(long, default_value_t = 1.5)]
    seconds: f64,

    /// Messages per second at the fixed rate; a share of what the slowest does at most when not given.
    #[arg(long)]
    pub(crate) rate: Option<f64>,

    /// Leave these out.
    #[arg(long, value_delimiter = ',')]
    pub(crate) without: Vec<Contender>,

    /// Measure only these: echo, connect, bulk, pace (needs echo or --rate), calls, memory.
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,

    /// Said by `cargo bench`.
    #[arg(long, hide = true)]
    bench: bool,
}

/// What is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum What {
    /// TCP, everybody in turn.
    Tcp,
    /// Streams over HTTP: how long events take.
    Streams,
    /// How ours alone holds 100,000 connections, where a process may have 20,000 descriptors.
    Held,
}

impl Args {
    /// Whether `chapter` is to be measured.
    pub(crate) fn wants(&self, chapter: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|only| only == chapter)
    }

    /// How often everybody has a turn.
    pub(crate) fn rounds(&self) -> usize {
        if self.quick { 1 } else { self.rounds.max(1) }
    }

    /// How long a turn is.
    pub(crate) fn turn(&self) -> Duration {
        if self.quick {
            Duration::from_millis(400)
        } else {
            Duration::from_secs_f64(self.seconds.clamp(0.1, 60.0))
        }
    }
}
