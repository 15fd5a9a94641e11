//! `start` and `stop`.

use clap::Args;

use super::process::Ending;
use crate::api::Only;
use crate::base::units::Period;
use crate::cli::balancer_name::{BalancerName, BalancerNames};

/// `start`
#[derive(Debug, Args)]
pub(in crate::cli) struct Start {
    /// Balancer [default: the profile's]
    #[arg(value_parser = BalancerNames)]
    pub(in crate::cli) balancer: Option<BalancerName>,
    /// Stay in the foreground and log to the terminal, for systemd and containers
    #[arg(long)]
    pub(in crate::cli) foreground: bool,
    /// Start only the nodes, or only the balancer
    #[arg(long, value_parser = only(), value_name = "nodes|balancer")]
    pub(in crate::cli) only: Option<Only>,
    /// How long to wait until all nodes and the balancer serve
    #[arg(long, value_name = "DURATION", default_value = "30s")]
    pub(in crate::cli) timeout: Period,
    /// At the end, answer /ready with 503 for this long before connections are refused
    #[arg(long, value_name = "DURATION", requires = "foreground")]
    pub(in crate::cli) announce: Option<Period>,
    /// At the end, close the connections that are left evenly over this time
    #[arg(long, value_name = "DURATION", requires = "foreground")]
    pub(in crate::cli) over: Option<Period>,
}

/// `stop`
#[derive(Debug, Args)]
pub(in crate::cli) struct Stop {
    /// Time that established connections get to end by themselves
    #[arg(long, value_name = "DURATION", default_value = "5s")]
    pub(in crate::cli) grace: Period,
    #[command(flatten)]
    pub(in crate::cli) ending: Ending,
}

// Private

fn only() -> impl clap::builder::TypedValueParser<Value = Only> {
    use clap::builder::{PossibleValuesParser, TypedValueParser};

    PossibleValuesParser::new(["nodes", "balancer"]).map(|half| {
        if half == "nodes" {
            Only::Nodes
        } else {
            Only::Balancer
        }
    })
}
