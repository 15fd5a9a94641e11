//! The processes that serve clients: `node` and `dataplane`.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Args;

use super::NodeVerb;
use super::count::{MANY, count};
use crate::base::units::Period;

/// How a process or the cluster ends: the balancer in front notices first, and clients are not cut
/// off all at the same moment.
#[derive(Clone, Copy, Debug, Args)]
pub(in crate::cli) struct Ending {
    /// Answer /ready with 503 for this long before connections are refused
    #[arg(long, value_name = "DURATION", default_value = "0s")]
    pub(in crate::cli) announce: Period,
    /// Close the connections that are left evenly over this time
    #[arg(long, value_name = "DURATION", default_value = "0s")]
    pub(in crate::cli) over: Period,
}

/// `node`
#[derive(Debug, Args)]
#[command(subcommand_negates_reqs = true)]
pub(in crate::cli) struct Node {
    #[command(subcommand)]
    pub(in crate::cli) verb: Option<NodeVerb>,
    /// Its name, which clients see as serverInfo.name
    #[arg(long, required = true)]
    pub(in crate::cli) name: Option<String>,
    /// Address for MCP over TCP, newline-delimited JSON-RPC
    #[arg(long, value_name = "ADDRESS:PORT", required_unless_present = "http")]
    pub(in crate::cli) tcp: Option<SocketAddr>,
    /// Address for MCP over HTTP
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub(in crate::cli) http: Option<SocketAddr>,
    /// Worker threads, each with its own descriptor table [default: one per processor]
    #[arg(long, value_name = "N", value_parser = count(1..=u16::MAX), allow_negative_numbers = true)]
    pub(in crate::cli) workers: Option<u16>,
    /// Connections to hold at most
    #[arg(long, value_name = "N", default_value_t = 35_000, value_parser = count(0..=MANY), allow_negative_numbers = true)]
    pub(in crate::cli) max_connections: u32,
    #[command(flatten)]
    pub(in crate::cli) ending: Ending,
    /// Fault injection, for drills: delay every answer, also to health checks, by this much
    #[arg(long, value_name = "DURATION", hide = true, default_value = "0s")]
    pub(in crate::cli) delay: Period,
    /// Fault injection, for drills: this port accepts connections and never answers
    #[arg(long, value_name = "tcp|http", hide = true)]
    pub(in crate::cli) mute: Option<crate::node::Port>,
}

/// `dataplane`
#[derive(Debug, Args)]
pub(in crate::cli) struct Dataplane {
    /// Its configuration, as `clusterctl render builtin` prints it
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) config: PathBuf,
    #[command(flatten)]
    pub(in crate::cli) ending: Ending,
}
