//! The flags and queries of `erlang`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::period::interval;
use crate::base::units::Period;

/// `erlang`
#[derive(Debug, Args)]
pub(in crate::cli) struct Erlang {
    /// Node of this cluster, or the full name of any other, `name@host`
    pub(in crate::cli) node: String,
    #[command(subcommand)]
    pub(in crate::cli) query: ErlangQuery,
    /// How long the answer may take
    #[arg(long, global = true, value_name = "DURATION", default_value = "5s", value_parser = interval)]
    pub(in crate::cli) timeout: Period,
    /// File with the node's cookie [default: the cluster's own, else ~/.erlang.cookie]
    #[arg(long, global = true, value_name = "FILE")]
    pub(in crate::cli) cookie_file: Option<PathBuf>,
    /// The node's distribution port [default: known for this cluster's nodes, else from epmd]
    #[arg(long, global = true, value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..))]
    pub(in crate::cli) port: Option<u16>,
}

/// A query to a BEAM node.
#[derive(Debug, Subcommand)]
pub(in crate::cli) enum ErlangQuery {
    /// Show its memory by kind
    Memory,
    /// Show how many processes it has, and which are the largest
    Processes,
    /// Show how many ports it has, by name
    Ports,
    /// Show which nodes it knows
    Nodes,
    /// Call a function on it, and show the result
    Call(Call),
}

/// `erlang NODE call`
#[derive(Debug, Args)]
pub(in crate::cli) struct Call {
    /// Module
    pub(in crate::cli) module: String,
    /// Function
    pub(in crate::cli) function: String,
    /// One list of all arguments, in Erlang's syntax [default: an empty one]
    pub(in crate::cli) arguments: Option<String>,
}
