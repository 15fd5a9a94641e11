//! Compares the built-in data plane with HAProxy and nginx: same machine, same nodes, same
//! features, in turn.
//!
//! `cargo bench --bench versus -- tcp` measures what the balancers' processes use for the work that
//! they do. Nothing is pinned to a processor: clients, nodes and balancer share the machine, as
//! they do in a cluster on one host. Because that is noisy, contenders take turns in every round,
//! and medians are printed.
//!
//! `cargo bench --bench versus -- streams` measures how long events take through HAProxy and nginx
//! as clusterctl configures them.
//!
//! `cargo bench --bench versus -- held` lets one process of our own hold 100,000 connections with
//! 20,000 descriptors for each table.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "prints its results")]

mod args;
mod contender;
mod figures;
mod held;
mod load;
mod meter;
mod node;
mod noise;
mod output;
mod process;
mod row;
mod streams;
mod syscalls;
mod tcp;

use std::io;
use std::process::ExitCode;

use args::{Args, What};
use clap::Parser;

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
    let figures = match args.what {
        What::Tcp => tcp::compare(args)?,
        What::Streams => {
            let figures = streams::compare(args)?;
            if args.json {
                println!("{:#}", figures.json());
            } else {
                print!("{}", figures.table());
            }
            return Ok(());
        }
        What::Held => {
            println!("{}", held::hold(if args.quick { 10_000 } else { 100_000 })?);
            return Ok(());
        }
    };
    if args.json {
        println!("{:#}", output::json(&figures));
    } else {
        print!("{}", output::table(&figures));
    }
    Ok(())
}
