//! Compares the built-in data plane with HAProxy and nginx: same machine, same nodes, same
//! features, in turn.
//!
//! `cargo bench --bench versus -- tcp` measures what the balancers' processes use for the work that
//! they do. Nothing is pinned to a processor: clients, nodes and balancer share the machine, as
//! they do in a cluster on one host. Because that is noisy, contenders take turns in every round,
//! and medians are printed.
//!
//! `cargo bench --bench versus -- http` does the same over HTTP, and adds both peers with as little
//! configuration as possible.
//!
//! `cargo bench --bench versus -- streams` measures how long events take through HAProxy and nginx
//! as clusterctl configures them.
//!
//! `cargo bench --bench versus -- held` lets one process of our own hold 100,000 connections with
//! 20,000 descriptors for each table, `held-http` over HTTP.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "prints its results")]

mod args;
mod contender;
mod figures;
mod held;
mod http;
mod load;
mod meter;
mod node;
mod noise;
mod output;
mod process;
mod row;
mod streams;
mod syscalls;
mod target;
mod tcp;
mod turns;

use std::io;
use std::process::ExitCode;

use args::{Args, What};
use clap::Parser;
use figures::{Figure, Figures};

fn main() -> ExitCode {
    match run(&Args::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

// Private

fn run(args: &Args) -> io::Result<()> {
    clusterctl::platform::descriptors::raise_limit()?;
    match args.what {
        What::Tcp => print(args, &tcp::compare(args)?),
        What::Http => print(args, &http::compare(args)?),
        What::Streams => {
            let figures = streams::compare(args)?;
            if args.json {
                println!("{:#}", figures.json());
            } else {
                print!("{}", figures.table());
            }
        }
        What::Held => println!("{}", held::hold(held::Kind::Tcp, connections(args))?),
        What::HeldHttp => println!("{}", held::hold(held::Kind::Http, connections(args))?),
    }
    Ok(())
}

const fn connections(args: &Args) -> u32 {
    if args.quick { 10_000 } else { 100_000 }
}

fn print<F: Figure>(args: &Args, figures: &Figures<F>) {
    if args.json {
        println!("{:#}", output::json(figures));
    } else {
        print!("{}", output::table(figures));
    }
}
